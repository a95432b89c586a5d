#include "pmem/uring_queue.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/fail_point.hpp"
#include "base/log.hpp"
#include "base/units.hpp"
#include "pmem/bounds.hpp"
#include "pmem/pool_header.hpp"
#include "pmem/sync_queue.hpp"

namespace godwit::pmem {
namespace {

constexpr size_t kTransferBytes = 1_GiB;  // The kernel moves at most 2 GiB - 4 KiB in one.
constexpr uint32_t kRetriesMax = 1000;

bool is_transient(int number) { return number == EINTR || number == EAGAIN; }

}  // namespace

int UringQueue::probe() {
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

Result<std::unique_ptr<IoQueue>> UringQueue::open(const Target& target, int fd, uint64_t capacity_bytes, uint32_t depth) {
  if (depth == 0) return Error{Errc::kInvalid, fmt::format("target '{}': a queue needs a depth of 1 or more", target.name())};
  if (depth > kDepthMax)
    return Error{Errc::kLimit, fmt::format("target '{}': a queue's depth is {} at most", target.name(), kDepthMax)};
  auto queue = std::unique_ptr<UringQueue>(new UringQueue(target, fd, capacity_bytes, depth));
  if (const int result = io_uring_queue_init(depth, &queue->ring_, 0); result != 0) {
    queue->ring_.ring_fd = -1;
    return Error{Errc::kIo, fmt::format("target '{}': io_uring of {} entries: {}", target.name(), depth,
                                        std::generic_category().message(-result))};
  }
  return std::unique_ptr<IoQueue>(std::move(queue));
}

UringQueue::UringQueue(const Target& target, int fd, uint64_t capacity_bytes, uint32_t depth)
    : target_(target), fd_(fd), capacity_bytes_(capacity_bytes), depth_(depth), slots_(depth) {
  for (uint32_t slot = depth; slot > 0; --slot) free_slots_.push_back(slot - 1);
}

UringQueue::~UringQueue() {
  if (ring_.ring_fd < 0) return;
  while (in_flight_ > 0) {
    io_uring_cqe* completion = nullptr;
    const int result = io_uring_wait_cqe(&ring_, &completion);
    if (result == 0) {
      io_uring_cqe_seen(&ring_, completion);
      --in_flight_;
    } else if (!is_transient(-result)) {
      log::error("target '{}': {} transfers of a queue were left behind: {}", target_.name(), in_flight_,
                 std::generic_category().message(-result));
      break;  // queue_exit cancels and waits for them in the kernel.
    }
  }
  io_uring_queue_exit(&ring_);
}

Result<> UringQueue::submit(const Io& io) {
  if (broken_) return *broken_;
  if (auto inside = check_bounds(target_, {io.offset_bytes, io.memory.size()}, capacity_bytes_); !inside) return inside;
  if (in_flight_ + done_.size() >= depth_) return queue_full(target_, depth_);
  const uint32_t slot_index = free_slots_.back();
  free_slots_.pop_back();
  slots_[slot_index] = Slot{io, 0, 0};
  if (io.memory.empty()) {
    finish(slot_index, Done{});
    return Done{};
  }
  Result<> started = start(slot_index);
  if (!started) free_slots_.push_back(slot_index);
  return started;
}

Result<> UringQueue::start(uint32_t slot_index) {
  const Slot& slot = slots_[slot_index];
  io_uring_sqe* entry = io_uring_get_sqe(&ring_);  // There is one: the ring has `depth` entries, each submitted at once.
  if (entry == nullptr) {
    broken_ = Error{Errc::kInternal, "an io_uring has no entry for an operation within its depth"};
    return *broken_;
  }
  std::byte* start = slot.io.memory.data() + slot.done_bytes;
  size_t length = std::min(slot.io.memory.size() - slot.done_bytes, kTransferBytes);
  if (fail_point("pmem.short_transfer") != 0) length = std::min<size_t>(length, 1000);
  const uint64_t offset = kHeaderBytes + slot.io.offset_bytes + slot.done_bytes;
  if (slot.io.direction == Io::Direction::kWrite)
    io_uring_prep_write(entry, fd_, start, static_cast<unsigned>(length), offset);
  else
    io_uring_prep_read(entry, fd_, start, static_cast<unsigned>(length), offset);
  io_uring_sqe_set_data64(entry, slot_index);

  for (uint32_t attempt = 0;; ++attempt) {
    const int result = io_uring_submit(&ring_);
    if (result == 1) break;
    if ((result == 0 || is_transient(-result)) && attempt < kRetriesMax) continue;
    broken_ = Error{Errc::kIo, fmt::format("target '{}': io_uring takes no more: {}", target_.name(),
                                           std::generic_category().message(-result))};
    return *broken_;
  }
  ++in_flight_;
  return Done{};
}

void UringQueue::on_completion(uint32_t slot_index, int32_t result) {
  Slot& slot = slots_[slot_index];
  --in_flight_;
  if (const int number = fail_point("pmem.transfer"); number != 0) result = -number;
  if (result < 0 && !(is_transient(-result) && slot.retries < kRetriesMax))
    return finish(slot_index, transfer_error(slot, -result));
  if (result == 0)
    return finish(slot_index, Error{Errc::kIo, fmt::format("target '{}': '{}' ends within the pool: someone cut it",
                                                           target_.name(), target_.settings().path)});
  if (result < 0) {
    ++slot.retries;
  } else {
    slot.retries = 0;
    slot.done_bytes += static_cast<size_t>(result);
    if (slot.done_bytes == slot.io.memory.size()) return finish(slot_index, Done{});
  }
  // After a failure of the ring nothing may be started: the entry left in it would go along.
  Result<> restarted = broken_ ? Result<>(*broken_) : start(slot_index);
  if (!restarted) finish(slot_index, std::move(restarted));
}

void UringQueue::finish(uint32_t slot_index, Result<> outcome) {
  done_.push_back(IoDone{slots_[slot_index].io.token, std::move(outcome)});
  free_slots_.push_back(slot_index);
}

Error UringQueue::transfer_error(const Slot& slot, int number) const {
  Error error = error_from_errno(Errc::kIo,
                                 fmt::format("target '{}': {} {} bytes at offset {} of '{}'", target_.name(),
                                             slot.io.direction == Io::Direction::kWrite ? "writing" : "reading",
                                             slot.io.memory.size(), slot.io.offset_bytes, target_.settings().path),
                                 number);
  if (error.code != Errc::kNoSpace) error.code = Errc::kIo;
  return error;
}

void UringQueue::reap() {
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

Result<std::vector<IoDone>> UringQueue::wait(uint32_t at_least) {
  reap();
  while (done_.size() < at_least && in_flight_ > 0) {
    io_uring_cqe* completion = nullptr;
    const int result = io_uring_wait_cqe(&ring_, &completion);
    if (result != 0 && !is_transient(-result)) {
      if (!done_.empty()) break;  // Deliver those first; the next call meets the error again.
      return Error{Errc::kIo, fmt::format("target '{}': waiting for io_uring: {}", target_.name(),
                                          std::generic_category().message(-result))};
    }
    reap();
  }
  return std::exchange(done_, {});
}

}  // namespace godwit::pmem
