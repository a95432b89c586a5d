// WorkerPool: a few threads for requests that would make the service's loop wait.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>

#include "base/thread_group.hpp"

namespace godwit::daemon {

// Thread-safe.
class WorkerPool {
 public:
  WorkerPool(uint32_t threads, std::function<void()> on_start)
      : threads_count_(threads), threads_("worker", threads, std::move(on_start)) {}
  ~WorkerPool() { stop(); }

  Result<> start() {
    for (uint32_t i = 0; i < threads_count_; ++i)
      if (auto started = threads_.start([this] { run(); }); !started) return started;
    return Done{};
  }
  void submit(std::function<void()> work) {
    {
      const std::lock_guard lock(mutex_);
      queue_.push_back(std::move(work));
    }
    changed_.notify_one();
  }
  // What waits for a thread now.
  size_t queued() const {
    const std::lock_guard lock(mutex_);
    return queue_.size();
  }
  // What is queued is done first.
  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    threads_.join_all();
  }

 private:
  void run() {
    for (;;) {
      std::function<void()> work;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
        if (queue_.empty()) return;
        work = std::move(queue_.front());
        queue_.pop_front();
      }
      work();
    }
  }

  const uint32_t threads_count_;
  mutable std::mutex mutex_;  // Guards all below.
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  bool stopping_ = false;
  ThreadGroup threads_;
};

}  // namespace godwit::daemon
