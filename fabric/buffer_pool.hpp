// BufferPool: equal, registered, page-aligned buffers in one mapping (hugepages where there are any), NUMA-local to its user.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "fabric/domain.hpp"

namespace godwit::fabric {

// One thread. Pages are touched at creation, so the pool is local to the thread that made it.
class BufferPool {
 public:
  // Errors: kMemory, cannot map or lock it; kFabric.
  static Result<BufferPool> create(std::shared_ptr<Domain> domain, size_t buffer_bytes, uint32_t buffers, Access access);
  BufferPool(BufferPool&&) noexcept;
  BufferPool& operator=(BufferPool&&) noexcept;
  ~BufferPool();

  uint32_t buffers() const { return buffers_; }
  std::span<std::byte> buffer(uint32_t index) const;
  // Of the buffer's first byte within the registration's remote memory.
  uint64_t remote_offset_bytes(uint32_t index) const { return uint64_t{index} * buffer_bytes_; }
  const Registration& registration() const { return *registration_; }

 private:
  BufferPool() = default;
  struct Unmap {
    size_t length;
    void operator()(std::byte* start) const;
  };
  std::unique_ptr<std::byte, Unmap> memory_;  // Unmapped after the registration is gone.
  std::unique_ptr<Registration> registration_;
  size_t buffer_bytes_ = 0;
  uint32_t buffers_ = 0;
};

}  // namespace godwit::fabric
