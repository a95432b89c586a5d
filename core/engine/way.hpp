// Ways: for each object of a job, whether its own memory could be registered (direct) or not (staged): found out by trying.
#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "fabric/domain.hpp"
#include "objects/source.hpp"

namespace godwit::engine {

// Thread-safe. Registrations last as long as the job's transfer, with the least access that it needs.
class Ways {
 public:
  Ways(std::shared_ptr<fabric::Domain> domain, fabric::Access access, size_t objects)
      : domain_(std::move(domain)), access_(access), objects_(objects) {}

  // The registration of the object's memory, or null: stage it. `storage` is the object's; asked for the first time, registers.
  const fabric::Registration* direct(uint32_t object, const objects::Storage& storage) {
    const std::lock_guard lock(mutex_);
    State& state = objects_[object];
    if (!state.tried) {
      state.tried = true;
      if (const auto memory = storage.volume->memory(storage.extent); memory.empty()) {
        staged_because_ = storage.volume->why_no_memory();
      } else if (auto registered = domain_->register_memory(memory, access_); registered) {
        state.registration = std::make_unique<fabric::Registration>(std::move(*registered));
      } else {
        staged_because_ = registered.error().text;
      }
    }
    return state.registration.get();
  }

  // Deregisters all: no RMA reaches the objects any more.
  void close() {
    const std::lock_guard lock(mutex_);
    for (State& state : objects_) state.registration.reset();
  }

  // Why something was staged; empty: nothing was.
  std::string staged_because() const {
    const std::lock_guard lock(mutex_);
    return staged_because_;
  }

 private:
  struct State {
    bool tried = false;
    std::unique_ptr<fabric::Registration> registration;
  };
  const std::shared_ptr<fabric::Domain> domain_;
  const fabric::Access access_;
  mutable std::mutex mutex_;  // Guards all below.
  std::vector<State> objects_;
  std::string staged_because_;
};

}  // namespace godwit::engine
