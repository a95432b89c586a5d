// SyncGroup: one fdatasync serves all who wait for it, and one that fails is never forgotten.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>

#include "base/result.hpp"

namespace godwit::pmem {

// Thread-safe.
//
// The kernel reports a failed write-back to one caller and then forgets it, its pages marked clean: a second fsync
// "succeeds" without the data. So flushes run one at a time, and after a failure every caller gets that error.
class SyncGroup {
 public:
  // Flushes everything; blocks. Done, or the error to keep.
  using Flush = std::function<Result<>()>;
  explicit SyncGroup(Flush flush) : flush_(std::move(flush)) {}

  // Returns after a flush that began after this call. Errors: the flush's, for ever.
  Result<> run();

 private:
  const Flush flush_;
  std::mutex mutex_;  // Guards all below.
  std::condition_variable ended_;
  bool running_ = false;
  uint64_t started_ = 0;    // Flushes begun so far,
  uint64_t completed_ = 0;  // and the last that ended.
  std::optional<Error> failure_;
};

}  // namespace godwit::pmem
