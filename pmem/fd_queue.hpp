// FdQueue: reads and writes of files by their descriptors, several in flight, on an io_uring of its own.
#pragma once

#include <liburing.h>

#include <memory>
#include <optional>

#include "pmem/volume.hpp"

namespace godwit::pmem {

// One thread. Descriptors stay open, and memory stays, until the operation has been collected by wait().
class FdQueue {
 public:
  static constexpr uint32_t kDepthMax = 32768;  // The kernel's own limit of a ring.

  // How operations are done. A file system in memory completes each at once: a ring would only hand it to another thread.
  enum class Mode : uint8_t { kRing, kAtOnce };

  // 0, or the errno with which this machine refuses io_uring.
  static int probe();
  // Errors: kInvalid, a depth of 0; kLimit, above kDepthMax; kIo, no ring (the text says why).
  static Result<std::unique_ptr<FdQueue>> open(uint32_t depth, Mode mode);
  // Waits for all that is in flight: the kernel still uses the callers' memory.
  ~FdQueue();
  FdQueue(const FdQueue&) = delete;
  FdQueue& operator=(const FdQueue&) = delete;

  // From here on the ring's operations are done with the file system's rights that the calling thread has now, whoever submits
  // them; those that are done at once always have the submitter's. Errors: kIo.
  Result<> keep_rights();
  // `io.offset_bytes` is in the file. Errors: kBusy, `depth` operations are outstanding: wait() first; kIo.
  Result<> submit(int fd, const Io& io);
  // As IoQueue::wait(). Errors of an operation: kIo, kNoSpace; kRange, a read past the end of the file.
  Result<std::vector<IoDone>> wait(uint32_t at_least);
  uint32_t depth() const { return depth_; }

 private:
  struct Slot {
    Io io;
    int fd;
    size_t done_bytes;
    uint32_t retries;  // EINTR and EAGAIN in a row.
  };

  FdQueue(uint32_t depth, Mode mode);

  Result<> run_at_once(uint32_t slot_index);
  // Gives the kernel what is left of the slot's transfer. Errors: kIo, and the queue is broken.
  Result<> start(uint32_t slot_index);
  void on_completion(uint32_t slot_index, int32_t result);
  void finish(uint32_t slot_index, Result<> outcome);
  // Takes the completions that are there; does not block.
  void reap();

  const uint32_t depth_;
  const Mode mode_;
  uint16_t rights_ = 0;  // The kernel's number for those that were kept; 0: the submitter's.
  io_uring ring_{};
  std::vector<Slot> slots_;
  std::vector<uint32_t> free_slots_;
  std::vector<IoDone> done_;     // Not yet collected by wait(): these count as outstanding.
  uint32_t in_flight_ = 0;       // In the kernel.
  std::optional<Error> broken_;  // The ring takes no more: an entry may be left in it, to be submitted with the next.
};

}  // namespace godwit::pmem
