// PmemMapping: a file or device mapped by libpmem2, with the copies and flushes that fit what it got.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "base/result.hpp"

struct pmem2_map;

namespace godwit::pmem {

// What the processor must do to make a store durable.
enum class Granularity { kByte, kCacheLine, kPage };
std::string_view to_string(Granularity granularity);

// Shared, readable, writable; unmaps itself. Any thread.
class PmemMapping {
 public:
  // Maps all of it, or its first `length_bytes` if not 0. Needs no byte-addressable memory: a page cache maps too.
  // `fd` may be closed afterwards. Errors: kPmem, kMemory.
  static Result<PmemMapping> map(int fd, const std::string& path, size_t length_bytes = 0);

  std::span<std::byte> bytes() const { return bytes_; }
  Granularity granularity() const { return granularity_; }

  // Copies `from` to `at`, past the caches where that makes the flush cheap. Durable only after persist().
  void copy(std::byte* at, std::span<const std::byte> from) const;
  void zero(std::span<std::byte> part) const;
  // Blocks until the part is durable; kPage: its pages are. Errors: kPmem, only with kPage.
  Result<> persist(std::span<const std::byte> part) const;

 private:
  struct Unmap {
    void operator()(pmem2_map* map) const;
  };
  PmemMapping() = default;

  std::unique_ptr<pmem2_map, Unmap> map_;
  std::span<std::byte> bytes_;
  Granularity granularity_ = Granularity::kPage;
  // libpmem2's, for this mapping and processor. Not used with kPage: they msync in every call, and abort if that fails.
  void* (*memcpy_)(void*, const void*, size_t, unsigned) = nullptr;
  void* (*memset_)(void*, int, size_t, unsigned) = nullptr;
  void (*persist_)(const void*, size_t) = nullptr;
};

}  // namespace godwit::pmem
