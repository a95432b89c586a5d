#include "pmem/shared_space.hpp"

#include <fmt/format.h>

#include "base/log.hpp"
#include "base/units.hpp"

namespace godwit::pmem {

Result<Extent> SharedSpace::reserve(uint64_t bytes) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto extent = space_.reserve(bytes)) return *extent;
  }
  const Usage now = usage();
  return Error{Errc::kNoSpace, fmt::format("target '{}': {} ({} bytes) wanted, {} of {} free, the largest run {}", target_name_,
                                           format_size(bytes), bytes, format_size(now.capacity_bytes - now.used_bytes),
                                           format_size(now.capacity_bytes), format_size(now.largest_free_bytes))};
}

Result<> SharedSpace::claim(Extent extent) {
  const std::lock_guard lock(mutex_);
  if (space_.claim(extent)) return Done{};
  const bool inside = lies_within(extent, space_.capacity_bytes());
  return Error{Errc::kCorrupt, fmt::format("target '{}': the extent of {} bytes at offset {} {}", target_name_,
                                           extent.length_bytes, extent.offset_bytes,
                                           !inside                                 ? "lies outside the target"
                                           : extent.offset_bytes % kPageBytes != 0 ? "does not begin at a page"
                                                                                   : "overlaps another one")};
}

void SharedSpace::release(Extent extent) {
  bool released = false;
  {
    const std::lock_guard lock(mutex_);
    released = space_.release(extent);
  }
  if (!released)
    log::error("target '{}': defect: {} bytes at offset {} were released but not in use", target_name_, extent.length_bytes,
               extent.offset_bytes);
}

Usage SharedSpace::usage() const {
  const std::lock_guard lock(mutex_);
  return Usage{space_.capacity_bytes(), space_.used_bytes(), space_.largest_free_bytes()};
}

}  // namespace godwit::pmem
