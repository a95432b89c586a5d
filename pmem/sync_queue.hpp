// SyncQueue: an IoQueue that does each operation inside submit().
#pragma once

#include "pmem/target.hpp"

namespace godwit::pmem {

// For memory, and for files where io_uring is not permitted. One thread; the target outlives it.
class SyncQueue final : public IoQueue {
 public:
  // Errors: kInvalid, a depth of 0.
  static Result<std::unique_ptr<IoQueue>> open(Target& target, uint32_t depth);

  Result<> submit(const Io& io) override;
  Result<std::vector<IoDone>> wait(uint32_t at_least) override;

 private:
  SyncQueue(Target& target, uint32_t depth) : target_(target), depth_(depth) {}

  Target& target_;
  const uint32_t depth_;
  std::vector<IoDone> done_;  // Not yet collected by wait(): these count as outstanding.
};

// What every IoQueue answers at its limit.
Error queue_full(const Target& target, uint32_t depth);

}  // namespace godwit::pmem
