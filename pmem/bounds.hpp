// Whether an access stays inside its target.
#pragma once

#include <fmt/format.h>

#include "pmem/target.hpp"

namespace godwit::pmem {

// Errors: kRange.
inline Result<> check_bounds(const Target& target, Extent extent, uint64_t capacity_bytes) {
  if (lies_within(extent, capacity_bytes)) return Done{};
  return Error{Errc::kRange, fmt::format("target '{}': {} bytes at offset {} reach past its {} bytes", target.name(),
                                         extent.length_bytes, extent.offset_bytes, capacity_bytes)};
}

}  // namespace godwit::pmem
