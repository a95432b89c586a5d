// Waiter: ends a hub's wait when the provider has something, when another thread wakes it, or at a deadline.
#pragma once

#include <rdma/fabric.h>

#include <atomic>
#include <vector>

#include "base/deadline.hpp"
#include "base/result.hpp"

namespace godwit::fabric {

// One thread waits; wake() from any.
class Waiter {
 public:
  // Errors: kFabric, no eventfd.
  Result<> open();
  ~Waiter();
  Waiter() = default;
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  // Something that can be waited on: a queue opened with FI_WAIT_FD. Without any, wait() pauses for an
  // eighth of the time since reset_pause(), within bounds: who answers at once is heard at once, and idling costs little.
  Result<> add(fid_fabric* fabric, fid* queue);

  void wake();
  // Whether somebody woke us since; forgets it.
  bool take_wake();
  // Returns after `longest`, or earlier for any reason. Errors: kFabric, poll failed.
  Result<> wait(Clock::duration longest);
  void reset_pause() { pause_ = kFirstPause; }

 private:
  static constexpr std::chrono::microseconds kFirstPause{20};
  static constexpr std::chrono::microseconds kLongestPause{8000};
  static constexpr std::chrono::microseconds kExactPause{500};  // Shorter ones end on time.

  int wake_fd_ = -1;
  std::atomic<bool> woken_{false};
  fid_fabric* fabric_ = nullptr;
  std::vector<fid*> queues_;
  std::vector<int> fds_;
  Clock::duration pause_ = kFirstPause;
};

}  // namespace godwit::fabric
