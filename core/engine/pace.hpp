// Pace: how fast the streams of a job may send: the job's own limit within the node's, and whether it is paused.
#pragma once

#include <atomic>
#include <mutex>

#include "base/deadline.hpp"
#include "model/token_bucket.hpp"

namespace godwit::engine {

// Thread-safe. Limits can change at any time.
class Pace {
 public:
  // `node`: what is sent counts there too, and its limit holds too; null: none. It must outlive this.
  explicit Pace(Pace* node) : node_(node) {}

  // In bytes a second; 0: no limit.
  void limit(uint64_t bytes_per_second) {
    const std::lock_guard lock(mutex_);
    bucket_.set_rate(bytes_per_second, Clock::now());
  }
  uint64_t limit() const {
    const std::lock_guard lock(mutex_);
    return bucket_.rate();
  }

  void pause(bool paused) { paused_ = paused; }
  bool paused() const { return paused_; }

  // How long until a block may go; zero: at once. Not a promise: another stream may be faster.
  Clock::duration wait() const {
    const auto above = node_ == nullptr ? Clock::duration::zero() : node_->wait();
    const std::lock_guard lock(mutex_);
    return std::max(above, bucket_.wait(Clock::now()));
  }
  // So many bytes go.
  void spend(uint64_t bytes) {
    if (node_ != nullptr) node_->spend(bytes);
    const std::lock_guard lock(mutex_);
    bucket_.spend(bytes, Clock::now());
  }
  // So many of those that were spent did not go after all.
  void give_back(uint64_t bytes) {
    if (node_ != nullptr) node_->give_back(bytes);
    const std::lock_guard lock(mutex_);
    bucket_.give_back(bytes, Clock::now());
  }

 private:
  Pace* const node_;
  std::atomic<bool> paused_{false};
  mutable std::mutex mutex_;  // Guards all below.
  model::TokenBucket bucket_;
};

}  // namespace godwit::engine
