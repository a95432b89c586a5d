// Extent: a run of bytes, and checked arithmetic for the two numbers a stranger may send.
#pragma once

#include <cstdint>

namespace godwit {

struct Extent {
  uint64_t offset_bytes = 0;
  uint64_t length_bytes = 0;
  bool operator==(const Extent&) const = default;
};

// Whether [offset, offset+length) lies in [0, size); right where the sum would wrap.
constexpr bool lies_within(Extent extent, uint64_t size_bytes) {
  return extent.offset_bytes <= size_bytes && extent.length_bytes <= size_bytes - extent.offset_bytes;
}

static_assert(lies_within({0, 0}, 0));
static_assert(!lies_within({UINT64_MAX, 2}, 100), "a sum that wraps is outside");

}  // namespace godwit
