#include "pmem/uring_queue.hpp"

#include <fmt/format.h>

#include <utility>

#include "pmem/bounds.hpp"
#include "pmem/pool_header.hpp"

namespace godwit::pmem {

Result<std::unique_ptr<IoQueue>> UringQueue::open(const Target& target, int fd, uint64_t capacity_bytes, uint32_t depth) {
  auto queue = FdQueue::open(depth, FdQueue::Mode::kRing);
  if (!queue) return with_context(target.describe(), std::move(queue).error());
  return std::unique_ptr<IoQueue>(new UringQueue(target, fd, capacity_bytes, std::move(*queue)));
}

Error UringQueue::about(Error error) const {
  if (error.code == Errc::kRange) error.code = Errc::kIo;  // The pool's file is as long as the pool: a shorter one is damaged.
  return with_context(fmt::format("{} in '{}'", target_.describe(), target_.settings().path), std::move(error));
}

Result<> UringQueue::submit(const Io& io) {
  if (auto inside = check_bounds(target_, {io.offset_bytes, io.memory.size()}, capacity_bytes_); !inside) return inside;
  Io in_file = io;
  in_file.offset_bytes += kHeaderBytes;
  auto submitted = queue_->submit(fd_, in_file);
  if (!submitted) return about(std::move(submitted).error());
  return submitted;
}

Result<std::vector<IoDone>> UringQueue::wait(uint32_t at_least) {
  auto done = queue_->wait(at_least);
  if (!done) return about(std::move(done).error());
  for (IoDone& one : *done)
    if (!one.outcome) one.outcome = about(std::move(one.outcome).error());
  return done;
}

}  // namespace godwit::pmem
