#include "pmem/fd_queue.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/fail_point.hpp"
#include "base/log.hpp"
#include "pmem/bounds.hpp"

namespace godwit::pmem {
namespace {

constexpr uint32_t kRetriesMax = 1000;

bool is_transient(int number) { return number == EINTR || number == EAGAIN; }

Error transfer_error(const Io& io, int number) {
  Error error =
      error_from_errno(Errc::kIo,
                       fmt::format("{} {} bytes at offset {}", io.direction == Io::Direction::kWrite ? "writing" : "reading",
                                   io.memory.size(), io.offset_bytes),
                       number);
  if (error.code != Errc::kNoSpace) error.code = Errc::kIo;
  return error;
}

}  // namespace

int FdQueue::probe() {
  if (const int number = fail_point("pmem.uring"); number != 0) return number;
  io_uring ring{};
  const int result = io_uring_queue_init(1, &ring, 0);
  if (result != 0) return -result;
  io_uring_probe* offered = io_uring_get_probe_ring(&ring);  // IORING_OP_READ came later than rings: Linux 5.6.
  const bool works = offered != nullptr && io_uring_opcode_supported(offered, IORING_OP_READ) &&
                     io_uring_opcode_supported(offered, IORING_OP_WRITE);
  if (offered != nullptr) io_uring_free_probe(offered);
  io_uring_queue_exit(&ring);
  return works ? 0 : ENOSYS;
}

Result<std::unique_ptr<FdQueue>> FdQueue::open(uint32_t depth, Mode mode) {
  if (depth == 0) return Error{Errc::kInvalid, "a queue needs a depth of 1 or more"};
  if (depth > kDepthMax) return Error{Errc::kLimit, fmt::format("a queue's depth is {} at most", kDepthMax)};
  auto queue = std::unique_ptr<FdQueue>(new FdQueue(depth, mode));
  if (mode == Mode::kAtOnce) return queue;
  if (const int result = io_uring_queue_init(depth, &queue->ring_, 0); result != 0) {
    queue->ring_.ring_fd = -1;
    return Error{Errc::kIo, fmt::format("io_uring of {} entries: {}", depth, std::generic_category().message(-result))};
  }
  return queue;
}

FdQueue::FdQueue(uint32_t depth, Mode mode) : depth_(depth), mode_(mode), slots_(depth) {
  ring_.ring_fd = -1;
  for (uint32_t slot = depth; slot > 0; --slot) free_slots_.push_back(slot - 1);
}

FdQueue::~FdQueue() {
  if (ring_.ring_fd < 0) return;
  while (in_flight_ > 0) {
    io_uring_cqe* completion = nullptr;
    const int result = io_uring_wait_cqe(&ring_, &completion);
    if (result == 0) {
      io_uring_cqe_seen(&ring_, completion);
      --in_flight_;
    } else if (!is_transient(-result)) {
      log::error("{} transfers of a queue were left behind: {}", in_flight_, std::generic_category().message(-result));
      break;  // queue_exit cancels and waits for them in the kernel.
    }
  }
  io_uring_queue_exit(&ring_);
}

Result<> FdQueue::keep_rights() {
  if (mode_ == Mode::kAtOnce) return Done{};
  const int number = io_uring_register_personality(&ring_);
  if (number <= 0) return Error{Errc::kIo, "io_uring takes no user's rights: " + std::generic_category().message(-number)};
  rights_ = static_cast<uint16_t>(number);
  return Done{};
}

Result<> FdQueue::submit(int fd, const Io& io) {
  if (broken_) return *broken_;
  if (in_flight_ + done_.size() >= depth_)
    return Error{Errc::kBusy, fmt::format("all {} operations of this queue are outstanding", depth_)};
  const uint32_t slot_index = free_slots_.back();
  free_slots_.pop_back();
  slots_[slot_index] = Slot{io, fd, 0, 0};
  if (io.memory.empty()) {
    finish(slot_index, Done{});
    return Done{};
  }
  if (mode_ == Mode::kAtOnce) return run_at_once(slot_index);
  Result<> started = start(slot_index);
  if (!started) free_slots_.push_back(slot_index);
  return started;
}

Result<> FdQueue::run_at_once(uint32_t slot_index) {
  const size_t outstanding = done_.size();
  while (done_.size() == outstanding) {  // on_completion() finishes the slot, or there is more of it to do.
    const Slot& slot = slots_[slot_index];
    std::byte* start = slot.io.memory.data() + slot.done_bytes;
    size_t length = std::min(slot.io.memory.size() - slot.done_bytes, kTransferBytesMax);
    if (fail_point("pmem.short_transfer") != 0) length = std::min<size_t>(length, 1000);
    const auto offset = static_cast<off_t>(slot.io.offset_bytes + slot.done_bytes);
    const ssize_t moved = slot.io.direction == Io::Direction::kWrite ? pwrite(slot.fd, start, length, offset)
                                                                     : pread(slot.fd, start, length, offset);
    ++in_flight_;
    on_completion(slot_index, moved < 0 ? -errno : static_cast<int32_t>(moved));
  }
  return Done{};
}

Result<> FdQueue::start(uint32_t slot_index) {
  const Slot& slot = slots_[slot_index];
  io_uring_sqe* entry = io_uring_get_sqe(&ring_);  // There is one: the ring has `depth` entries, each submitted at once.
  if (entry == nullptr) {
    broken_ = Error{Errc::kInternal, "an io_uring has no entry for an operation within its depth"};
    return *broken_;
  }
  std::byte* start = slot.io.memory.data() + slot.done_bytes;
  size_t length = std::min(slot.io.memory.size() - slot.done_bytes, kTransferBytesMax);
  if (fail_point("pmem.short_transfer") != 0) length = std::min<size_t>(length, 1000);
  const uint64_t offset = slot.io.offset_bytes + slot.done_bytes;
  if (slot.io.direction == Io::Direction::kWrite)
    io_uring_prep_write(entry, slot.fd, start, static_cast<unsigned>(length), offset);
  else
    io_uring_prep_read(entry, slot.fd, start, static_cast<unsigned>(length), offset);
  io_uring_sqe_set_data64(entry, slot_index);
  entry->personality = rights_;

  for (uint32_t attempt = 0;; ++attempt) {
    const int result = io_uring_submit(&ring_);
    if (result == 1) break;
    if ((result == 0 || is_transient(-result)) && attempt < kRetriesMax) continue;
    broken_ = Error{Errc::kIo, "io_uring takes no more: " + std::generic_category().message(-result)};
    return *broken_;
  }
  ++in_flight_;
  return Done{};
}

void FdQueue::on_completion(uint32_t slot_index, int32_t result) {
  Slot& slot = slots_[slot_index];
  --in_flight_;
  if (const int number = fail_point("pmem.transfer"); number != 0) result = -number;
  if (result < 0 && !(is_transient(-result) && slot.retries < kRetriesMax))
    return finish(slot_index, transfer_error(slot.io, -result));
  if (result == 0)
    return finish(slot_index, Error{Errc::kRange, fmt::format("the file ends before offset {}: someone cut it",
                                                              slot.io.offset_bytes + slot.io.memory.size())});
  if (result < 0) {
    ++slot.retries;
  } else {
    slot.retries = 0;
    slot.done_bytes += static_cast<size_t>(result);
    if (slot.done_bytes == slot.io.memory.size()) return finish(slot_index, Done{});
  }
  if (mode_ == Mode::kAtOnce) return;  // The caller goes on.
  // After a failure of the ring nothing may be started: the entry left in it would go along.
  Result<> restarted = broken_ ? Result<>(*broken_) : start(slot_index);
  if (!restarted) finish(slot_index, std::move(restarted));
}

void FdQueue::finish(uint32_t slot_index, Result<> outcome) {
  done_.push_back(IoDone{slots_[slot_index].io.token, std::move(outcome)});
  free_slots_.push_back(slot_index);
}

void FdQueue::reap() {
  if (mode_ == Mode::kAtOnce) return;
  std::array<io_uring_cqe*, 64> batch{};
  for (;;) {
    const unsigned count = io_uring_peek_batch_cqe(&ring_, batch.data(), static_cast<unsigned>(batch.size()));
    if (count == 0) return;
    for (unsigned i = 0; i < count; ++i) {
      const auto slot_index = static_cast<uint32_t>(io_uring_cqe_get_data64(batch[i]));
      const int32_t result = batch[i]->res;
      io_uring_cqe_seen(&ring_, batch[i]);
      on_completion(slot_index, result);
    }
  }
}

Result<std::vector<IoDone>> FdQueue::wait(uint32_t at_least) {
  reap();
  while (done_.size() < at_least && in_flight_ > 0) {
    io_uring_cqe* completion = nullptr;
    const int result = io_uring_wait_cqe(&ring_, &completion);
    if (result != 0 && !is_transient(-result)) {
      if (!done_.empty()) break;  // Deliver those first; the next call meets the error again.
      return Error{Errc::kIo, "waiting for io_uring: " + std::generic_category().message(-result)};
    }
    reap();
  }
  return std::exchange(done_, {});
}

}  // namespace godwit::pmem
