#include "pmem/file_target.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <vector>

#include "base/fail_point.hpp"
#include "base/log.hpp"
#include "base/units.hpp"
#include "pmem/bounds.hpp"
#include "pmem/sync_queue.hpp"
#include "pmem/uring_queue.hpp"

namespace godwit::pmem {

Result<std::unique_ptr<Target>> FileTarget::open(TargetSettings settings) {
  auto file = PoolFile::open(settings);
  if (!file) return with_context(fmt::format("target '{}'", settings.name), std::move(file).error());
  return std::unique_ptr<Target>(new FileTarget(std::move(settings), *std::move(file)));
}

FileTarget::FileTarget(TargetSettings settings, PoolFile file)
    : Target(std::move(settings)),
      file_(std::move(file)),
      uring_errno_(FdQueue::probe()),
      space_(settings_.name, capacity_bytes()),
      syncs_([this] { return sync_data(); }) {}

std::string FileTarget::granularity() const {
  if (uring_errno_ == 0) return "page cache (fdatasync), io_uring";
  return fmt::format("page cache (fdatasync), pread and pwrite because io_uring is refused: {}",
                     std::generic_category().message(uring_errno_));
}

Result<Extent> FileTarget::reserve(uint64_t bytes) {
  auto extent = space_.reserve(bytes);
  if (!extent) return extent;
  if (auto promised = file_.guarantee(*extent, PoolFile::Contents::kUndefined); !promised) {
    release(*extent);
    return with_context(fmt::format("target '{}'", name()), std::move(promised).error());
  }
  return extent;
}

void FileTarget::release(Extent extent) {
  // Before the space is free: afterwards it may be another region's.
  if (extent.offset_bytes % kPageBytes == 0 && lies_within(extent, capacity_bytes()))
    if (auto punched = file_.punch(extent); !punched) log::warn("target '{}': {}", name(), punched.error().text);
  space_.release(extent);
}

Result<> FileTarget::write(uint64_t offset_bytes, std::span<const std::byte> bytes) {
  if (auto inside = check_bounds(*this, {offset_bytes, bytes.size()}, capacity_bytes()); !inside) return inside;
  return write_fully(file_.fd(), bytes, kHeaderBytes + offset_bytes, settings_.path);
}

Result<> FileTarget::read(uint64_t offset_bytes, std::span<std::byte> bytes) {
  if (auto inside = check_bounds(*this, {offset_bytes, bytes.size()}, capacity_bytes()); !inside) return inside;
  return read_fully(file_.fd(), bytes, kHeaderBytes + offset_bytes, settings_.path);
}

Result<> FileTarget::zero(Extent extent) {
  if (auto inside = check_bounds(*this, extent, capacity_bytes()); !inside) return inside;
  if (extent.length_bytes == 0) return Done{};
  // Keeps the blocks and writes no data; not every file system has it, and then zeros are written.
  if (fallocate(file_.fd(), FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(kHeaderBytes + extent.offset_bytes),
                static_cast<off_t>(extent.length_bytes)) == 0)
    return Done{};
  const std::vector<std::byte> zeros(std::min<uint64_t>(extent.length_bytes, 1_MiB));
  for (uint64_t done = 0; done < extent.length_bytes;) {
    const auto chunk = std::span(zeros).first(std::min<uint64_t>(zeros.size(), extent.length_bytes - done));
    if (auto written = write(extent.offset_bytes + done, chunk); !written) return written;
    done += chunk.size();
  }
  return Done{};
}

Result<> FileTarget::sync_data() const {
  int number = fail_point("pmem.persist");
  while (number == 0 && fdatasync(file_.fd()) != 0) {
    if (errno == EINTR) continue;
    number = errno;
  }
  if (number == 0) return Done{};
  return Error{Errc::kIo, fmt::format("target '{}': fdatasync of '{}': {}: what it holds is unknown until it is opened again",
                                      name(), settings_.path, std::generic_category().message(number))};
}

Result<Durable> FileTarget::persist(Extent extent) {
  if (auto inside = check_bounds(*this, extent, capacity_bytes()); !inside) return std::move(inside).error();
  if (auto synced = syncs_.run(); !synced) return std::move(synced).error();
  return durable(extent);
}

Result<std::unique_ptr<IoQueue>> FileTarget::open_queue(uint32_t depth) {
  if (uring_errno_ != 0) return SyncQueue::open(*this, depth);
  return UringQueue::open(*this, file_.fd(), capacity_bytes(), depth);
}

}  // namespace godwit::pmem
