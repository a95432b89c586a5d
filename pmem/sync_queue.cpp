#include "pmem/sync_queue.hpp"

#include <fmt/format.h>

#include <utility>

namespace godwit::pmem {

Error queue_full(const Target& target, uint32_t depth) {
  return Error{Errc::kBusy, fmt::format("target '{}': all {} operations of this queue are outstanding", target.name(), depth)};
}

Result<std::unique_ptr<IoQueue>> SyncQueue::open(Target& target, uint32_t depth) {
  if (depth == 0) return Error{Errc::kInvalid, fmt::format("target '{}': a queue needs a depth of 1 or more", target.name())};
  return std::unique_ptr<IoQueue>(new SyncQueue(target, depth));
}

Result<> SyncQueue::submit(const Io& io) {
  if (done_.size() >= depth_) return queue_full(target_, depth_);
  Result<> outcome = io.direction == Io::Direction::kWrite ? target_.write(io.offset_bytes, io.memory)
                                                           : target_.read(io.offset_bytes, io.memory);
  done_.push_back(IoDone{io.token, std::move(outcome)});
  return Done{};
}

Result<std::vector<IoDone>> SyncQueue::wait(uint32_t) { return std::exchange(done_, {}); }

}  // namespace godwit::pmem
