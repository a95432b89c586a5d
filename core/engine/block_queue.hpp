// BlockQueue: the blocks of one pass that still have to go, shared by the streams of a job.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

#include "base/result.hpp"

namespace godwit::engine {

// Thread-safe. A block is never skipped: what is not reported done is taken again.
class BlockQueue {
 public:
  explicit BlockQueue(uint32_t blocks) : blocks_(blocks) {}

  // The next block to send; nothing when all have been taken.
  std::optional<uint32_t> take() {
    const std::lock_guard lock(mutex_);
    if (!again_.empty()) {
      const uint32_t block = again_.back();
      again_.pop_back();
      return block;
    }
    if (next_ == blocks_) return std::nullopt;
    return next_++;
  }

  // Nothing is to be taken now; a block may still come back.
  bool is_empty() const {
    const std::lock_guard lock(mutex_);
    return again_.empty() && next_ == blocks_;
  }

  // The block arrived damaged, or was read badly: it goes again. Errors: kDigest, it has failed too often.
  Result<> again(uint32_t block) {
    constexpr uint32_t kAttemptsMax = 4;
    const std::lock_guard lock(mutex_);
    if (++failures_[block] >= kAttemptsMax)
      return Error{Errc::kDigest, "block " + std::to_string(block) + " arrived damaged " + std::to_string(kAttemptsMax) +
                                      " times; check memory and network of the two nodes"};
    again_.push_back(block);
    return Done{};
  }

 private:
  const uint32_t blocks_;
  mutable std::mutex mutex_;  // Guards all below.
  uint32_t next_ = 0;
  std::vector<uint32_t> again_;
  std::map<uint32_t, uint32_t> failures_;
};

}  // namespace godwit::engine
