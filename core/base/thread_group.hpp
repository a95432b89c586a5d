// ThreadGroup: threads that come and go, at most so many at once, all joined when the group ends.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/result.hpp"

namespace godwit {

// Thread-safe.
class ThreadGroup {
 public:
  // `on_start` runs first in every thread (to pin it); may be empty.
  ThreadGroup(std::string name, uint32_t limit, std::function<void()> on_start);
  // Joins; the owner has told the threads to end before.
  ~ThreadGroup();

  // Errors: kBusy, the limit is reached (the text says so), or the system gives no more threads.
  Result<> start(std::function<void()> work);
  // Waits until no thread runs.
  void join_all();
  uint32_t running() const;

 private:
  void reap_locked();

  const std::string name_;
  const uint32_t limit_;
  const std::function<void()> on_start_;

  mutable std::mutex mutex_;  // Guards all below.
  std::condition_variable ended_;
  uint64_t next_ = 0;
  uint32_t running_ = 0;
  std::map<uint64_t, std::thread> threads_;
  std::vector<uint64_t> finished_;  // To be joined by the next start or join.
};

}  // namespace godwit
