// UringQueue: an IoQueue over a pool file, with an io_uring of its own.
#pragma once

#include <liburing.h>

#include <optional>

#include "pmem/target.hpp"

namespace godwit::pmem {

// One thread. The target and its file outlive it.
class UringQueue final : public IoQueue {
 public:
  static constexpr uint32_t kDepthMax = 32768;  // The kernel's own limit of a ring.

  // 0, or the errno with which this machine refuses io_uring.
  static int probe();
  // Errors: kInvalid, a depth of 0; kLimit, above kDepthMax; kIo, no ring (the text says why).
  static Result<std::unique_ptr<IoQueue>> open(const Target& target, int fd, uint64_t capacity_bytes, uint32_t depth);
  // Waits for all that is in flight: the kernel still uses the callers' memory.
  ~UringQueue() override;
  UringQueue(const UringQueue&) = delete;
  UringQueue& operator=(const UringQueue&) = delete;

  // Also kRange, outside the target.
  Result<> submit(const Io& io) override;
  Result<std::vector<IoDone>> wait(uint32_t at_least) override;

 private:
  struct Slot {
    Io io;
    size_t done_bytes;
    uint32_t retries;  // EINTR and EAGAIN in a row.
  };

  UringQueue(const Target& target, int fd, uint64_t capacity_bytes, uint32_t depth);

  // Gives the kernel what is left of the slot's transfer. Errors: kIo, and the queue is broken.
  Result<> start(uint32_t slot_index);
  void on_completion(uint32_t slot_index, int32_t result);
  void finish(uint32_t slot_index, Result<> outcome);
  // Takes the completions that are there; does not block.
  void reap();
  Error transfer_error(const Slot& slot, int number) const;

  const Target& target_;
  const int fd_;
  const uint64_t capacity_bytes_;
  const uint32_t depth_;
  io_uring ring_{};
  std::vector<Slot> slots_;
  std::vector<uint32_t> free_slots_;
  std::vector<IoDone> done_;     // Not yet collected by wait(): these count as outstanding.
  uint32_t in_flight_ = 0;       // In the kernel.
  std::optional<Error> broken_;  // The ring takes no more: an entry may be left in it, to be submitted with the next.
};

}  // namespace godwit::pmem
