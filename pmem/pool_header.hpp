// PoolHeader: the first 4 KiB of a pool (docs/design/pool.md), between bytes and fields. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/id.hpp"
#include "pmem/target.hpp"

namespace godwit::pmem {

constexpr uint64_t kHeaderBytes = 4096;  // The pool's data begin here.
constexpr uint64_t kMagicBytes = 8;      // Written last where there is no rename.
constexpr uint32_t kPoolVersion = 1;

struct PoolHeader {
  Kind kind = Kind::kPmem;  // kPmem or kFile.
  Id pool_id;
  uint64_t capacity_bytes = 0;  // Of the data; a multiple of 4 KiB, not zero.
  bool operator==(const PoolHeader&) const = default;
};

using HeaderBytes = std::array<std::byte, kHeaderBytes>;

HeaderBytes encode(const PoolHeader& header);
// Errors: kCorrupt; the text says what differs, and not of which file.
Result<PoolHeader> decode(std::span<const std::byte, kHeaderBytes> bytes);

// What the settings ask of an existing pool. `capacity_bytes` 0: any.
// Errors: kCorrupt, another kind or capacity.
Result<> check_expected(const PoolHeader& header, Kind kind, uint64_t capacity_bytes);

}  // namespace godwit::pmem
