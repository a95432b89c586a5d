// Domains: one fabric domain a provider, opened when first needed, shared by all connections of the process.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "fabric/address.hpp"
#include "fabric/domain.hpp"

namespace godwit::engine {

// Thread-safe.
class Domains {
 public:
  explicit Domains(bool require_rdma) : require_rdma_(require_rdma) {}

  // Of all domains; before the first is opened. Without it nobody is asked who it is.
  void set_guard(std::shared_ptr<const fabric::Guard> guard) {
    const std::lock_guard lock(mutex_);
    guard_ = std::move(guard);
  }

  // The domain with which to reach, or listen at, this address. Errors: kUnsupported, kFabric.
  Result<std::shared_ptr<fabric::Domain>> of(const fabric::Address& address) {
    const std::lock_guard lock(mutex_);
    auto& domain = domains_[address.provider];
    if (!domain) {
      auto choice = fabric::choose_provider({address.provider, local_location_[address.provider], require_rdma_});
      if (!choice) return std::move(choice).error();
      auto opened = fabric::Domain::open(std::move(*choice), guard_);
      if (!opened) return std::move(opened).error();
      domain = std::move(*opened);
    }
    return domain;
  }
  // Where this process listens: its other connections of that provider leave from the same interface.
  void bind(const fabric::Address& listen) {
    const std::lock_guard lock(mutex_);
    local_location_[listen.provider] = listen.location;
  }
  uint64_t registered_bytes() {
    const std::lock_guard lock(mutex_);
    uint64_t bytes = 0;
    for (const auto& [provider, domain] : domains_)
      if (domain) bytes += domain->registered_bytes();
    return bytes;
  }

 private:
  const bool require_rdma_;
  std::mutex mutex_;  // Guards all below.
  std::shared_ptr<const fabric::Guard> guard_;
  std::map<std::string, std::shared_ptr<fabric::Domain>> domains_;
  std::map<std::string, std::string> local_location_;
};

}  // namespace godwit::engine
