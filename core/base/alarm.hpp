// Alarm: calls a function at a time, unless it is cleared before.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "base/deadline.hpp"
#include "base/result.hpp"

namespace godwit {

// For one thread at a time.
class Alarm {
 public:
  Alarm() = default;
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;
  ~Alarm() { clear(); }

  // `ring` is called once, by a thread of its own. One that was set before is cleared. Errors: kBusy, the system gives no more
  // threads.
  Result<> set(Clock::time_point when, std::function<void()> ring);
  // Waits for a call that is under way: not from within `ring`, nor with a lock that it takes.
  void clear();

 private:
  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool cleared_ = false;  // Guarded by mutex_.
};

}  // namespace godwit
