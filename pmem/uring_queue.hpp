// UringQueue: an IoQueue over a pool file, with an io_uring of its own.
#pragma once

#include "pmem/fd_queue.hpp"
#include "pmem/target.hpp"

namespace godwit::pmem {

// One thread. The target and its file outlive it.
class UringQueue final : public IoQueue {
 public:
  // Errors: kInvalid, a depth of 0; kLimit, above FdQueue::kDepthMax; kIo, no ring (the text says why).
  static Result<std::unique_ptr<IoQueue>> open(const Target& target, int fd, uint64_t capacity_bytes, uint32_t depth);

  // Also kRange, outside the target.
  Result<> submit(const Io& io) override;
  Result<std::vector<IoDone>> wait(uint32_t at_least) override;

 private:
  UringQueue(const Target& target, int fd, uint64_t capacity_bytes, std::unique_ptr<FdQueue> queue)
      : target_(target), fd_(fd), capacity_bytes_(capacity_bytes), queue_(std::move(queue)) {}
  Error about(Error error) const;

  const Target& target_;
  const int fd_;
  const uint64_t capacity_bytes_;
  const std::unique_ptr<FdQueue> queue_;
};

}  // namespace godwit::pmem
