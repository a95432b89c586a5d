// CheckQueue: a few threads that ask munged, so that no loop waits for it.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "base/result.hpp"

namespace godwit::identity {

// Thread-safe. Its threads start with the first check, and end with it; what is queued then is forgotten.
class CheckQueue {
 public:
  CheckQueue() = default;
  ~CheckQueue();
  CheckQueue(const CheckQueue&) = delete;
  CheckQueue& operator=(const CheckQueue&) = delete;

  // Errors: kBusy, too many wait; or the system gives no thread.
  Result<> submit(std::function<void()> check);

 private:
  void run();

  std::mutex mutex_;  // Guards all below.
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  std::vector<std::thread> threads_;
  bool stopping_ = false;
};

}  // namespace godwit::identity
