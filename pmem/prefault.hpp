// Prefault: a background thread that touches all pages of a mapping, so that no later write pays for first touch.
#pragma once

#include <atomic>
#include <cstddef>
#include <span>
#include <string>
#include <thread>

#include "base/result.hpp"

namespace godwit::pmem {

// Others may use the memory meanwhile: no byte changes. Stops by itself, with a warning in the log, when the machine
// runs short of memory or a populate fails: the pages left are then touched by whoever writes first.
class Prefault {
 public:
  enum class State { kRunning, kComplete, kIncomplete };

  // `memory` is private, writable, begins at a page, and outlives this.
  // If no thread can be started, the state is kIncomplete at once.
  Prefault(std::string target_name, std::span<std::byte> memory);
  // Stops after the chunk under way (milliseconds) and joins.
  ~Prefault();
  Prefault(const Prefault&) = delete;
  Prefault& operator=(const Prefault&) = delete;

  State state() const { return state_.load(std::memory_order_acquire); }
  // So much from the start of the memory has its pages.
  size_t touched_bytes() const { return touched_bytes_.load(std::memory_order_relaxed); }

 private:
  void run();

  const std::string target_name_;
  const std::span<std::byte> memory_;
  std::atomic<bool> stop_{false};
  std::atomic<State> state_{State::kRunning};
  std::atomic<size_t> touched_bytes_{0};
  std::thread thread_;  // Last: starts when all above is there.
};

}  // namespace godwit::pmem
