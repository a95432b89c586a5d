#include "fabric/buffer_pool.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/units.hpp"

namespace godwit::fabric {

namespace {

constexpr size_t kHugePageBytes = 2_MiB;

size_t round_up(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

}  // namespace

void BufferPool::Unmap::operator()(std::byte* start) const { munmap(start, length); }

BufferPool::BufferPool(BufferPool&&) noexcept = default;

BufferPool& BufferPool::operator=(BufferPool&& other) noexcept {
  if (this == &other) return *this;
  registration_ = std::move(other.registration_);  // Before the memory that it describes is unmapped.
  memory_ = std::move(other.memory_);
  buffer_bytes_ = other.buffer_bytes_;
  buffers_ = other.buffers_;
  return *this;
}

BufferPool::~BufferPool() = default;

Result<BufferPool> BufferPool::create(std::shared_ptr<Domain> domain, size_t buffer_bytes, uint32_t buffers, Access access) {
  if (buffer_bytes == 0 || buffers == 0) return Error{Errc::kInvalid, "a buffer pool of no bytes"};
  BufferPool pool;
  pool.buffer_bytes_ = round_up(buffer_bytes, static_cast<size_t>(sysconf(_SC_PAGESIZE)));
  pool.buffers_ = buffers;
  const size_t needed = pool.buffer_bytes_ * buffers;
  size_t length = round_up(needed, kHugePageBytes);
  constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS;
  void* start = MAP_FAILED;
  // Reserved hugepages only where the pool fills them.
  if (needed >= kHugePageBytes) start = mmap(nullptr, length, PROT_READ | PROT_WRITE, kFlags | MAP_HUGETLB, -1, 0);
  if (start == MAP_FAILED) {
    length = needed;
    start = mmap(nullptr, length, PROT_READ | PROT_WRITE, kFlags, -1, 0);
    if (start != MAP_FAILED && needed >= kHugePageBytes)
      madvise(start, length, MADV_HUGEPAGE);  // A wish: failure costs speed only.
  }
  if (start == MAP_FAILED) {
    return error_from_errno(Errc::kMemory, "mapping " + format_size(needed) + " of buffers", errno);
  }
  pool.memory_ = std::unique_ptr<std::byte, Unmap>(static_cast<std::byte*>(start), Unmap{length});
  // A forked child must not copy pages that a device writes to.
  madvise(start, length, MADV_DONTFORK);
  std::memset(start, 0, needed);
  auto registration = domain->register_memory({pool.memory_.get(), needed}, access);
  if (!registration) return std::move(registration).error();
  pool.registration_ = std::make_unique<Registration>(std::move(*registration));
  return pool;
}

std::span<std::byte> BufferPool::buffer(uint32_t index) const {
  return {memory_.get() + size_t{index} * buffer_bytes_, buffer_bytes_};
}

}  // namespace godwit::fabric
