// What an access may be.
#pragma once

#include <fmt/format.h>

#include "base/units.hpp"
#include "pmem/target.hpp"

namespace godwit::pmem {

// In one call: the kernel moves at most 2 GiB - 4 KiB.
constexpr size_t kTransferBytesMax = 1_GiB;

// Whether an access stays inside its target. Errors: kRange.
inline Result<> check_bounds(const Target& target, Extent extent, uint64_t capacity_bytes) {
  if (lies_within(extent, capacity_bytes)) return Done{};
  return Error{Errc::kRange, fmt::format("target '{}': {} bytes at offset {} reach past its {} bytes", target.name(),
                                         extent.length_bytes, extent.offset_bytes, capacity_bytes)};
}

}  // namespace godwit::pmem
