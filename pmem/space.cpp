#include "pmem/space.hpp"

#include <cassert>
#include <iterator>

namespace godwit::pmem {

Space::Space(uint64_t capacity_bytes, uint64_t granule_bytes)
    : granule_bytes_(granule_bytes), capacity_bytes_(capacity_bytes & ~(granule_bytes - 1)), free_bytes_(capacity_bytes_) {
  assert(granule_bytes != 0 && (granule_bytes & (granule_bytes - 1)) == 0);
  if (capacity_bytes_ != 0) insert(0, capacity_bytes_);
}

std::optional<Extent> Space::reserve(uint64_t bytes) {
  if (bytes == 0) return Extent{};
  const auto length = rounded(bytes);
  if (!length) return std::nullopt;
  const auto best = by_size_.lower_bound({*length, 0});
  if (best == by_size_.end()) return std::nullopt;
  const uint64_t offset = best->second;
  carve(by_offset_.find(offset), offset, *length);
  return Extent{offset, bytes};
}

bool Space::claim(Extent extent) {
  if (!lies_within(extent, capacity_bytes_)) return false;
  if (extent.length_bytes == 0) return true;
  if (extent.offset_bytes % granule_bytes_ != 0) return false;
  const auto length = rounded(extent.length_bytes);
  if (!length) return false;
  auto run = by_offset_.upper_bound(extent.offset_bytes);
  if (run == by_offset_.begin()) return false;
  --run;
  if (!lies_within({extent.offset_bytes - run->first, *length}, run->second)) return false;
  carve(run, extent.offset_bytes, *length);
  return true;
}

bool Space::release(Extent extent) {
  if (extent.length_bytes == 0) return true;
  if (!lies_within(extent, capacity_bytes_) || extent.offset_bytes % granule_bytes_ != 0) return false;
  const auto length = rounded(extent.length_bytes);
  if (!length) return false;

  const auto next = by_offset_.lower_bound(extent.offset_bytes);
  const auto previous = next == by_offset_.begin() ? by_offset_.end() : std::prev(next);
  uint64_t start = extent.offset_bytes;
  uint64_t end = start + *length;
  if (next != by_offset_.end() && next->first < end) return false;
  if (previous != by_offset_.end() && previous->first + previous->second > start) return false;

  free_bytes_ += *length;
  const bool joins_next = next != by_offset_.end() && next->first == end;
  const bool joins_previous = previous != by_offset_.end() && previous->first + previous->second == start;
  if (joins_next) end += next->second;
  if (joins_previous) {
    start = previous->first;
    if (joins_next) erase(next);
    resize(previous, start, end - start);
  } else if (joins_next) {
    resize(next, start, end - start);
  } else {
    insert(start, end - start);
  }
  return true;
}

uint64_t Space::largest_free_bytes() const { return by_size_.empty() ? 0 : by_size_.rbegin()->first; }

std::optional<uint64_t> Space::rounded(uint64_t bytes) const {
  if (bytes > capacity_bytes_) return std::nullopt;  // So that rounding up cannot wrap.
  return (bytes + granule_bytes_ - 1) & ~(granule_bytes_ - 1);
}

void Space::insert(uint64_t offset_bytes, uint64_t length_bytes) {
  by_offset_.emplace(offset_bytes, length_bytes);
  by_size_.emplace(length_bytes, offset_bytes);
}

void Space::erase(ByOffset::iterator run) {
  by_size_.erase({run->second, run->first});
  by_offset_.erase(run);
}

void Space::resize(ByOffset::iterator run, uint64_t offset_bytes, uint64_t length_bytes) {
  auto by_size = by_size_.extract({run->second, run->first});
  by_size.value() = {length_bytes, offset_bytes};
  by_size_.insert(std::move(by_size));
  if (run->first == offset_bytes) {
    run->second = length_bytes;
    return;
  }
  const auto next = std::next(run);
  auto by_offset = by_offset_.extract(run);
  by_offset.key() = offset_bytes;
  by_offset.mapped() = length_bytes;
  by_offset_.insert(next, std::move(by_offset));
}

void Space::carve(ByOffset::iterator run, uint64_t offset_bytes, uint64_t length_bytes) {
  const uint64_t run_start = run->first;
  const uint64_t run_end = run_start + run->second;
  const uint64_t end = offset_bytes + length_bytes;
  free_bytes_ -= length_bytes;
  if (run_start == offset_bytes && run_end == end) return erase(run);
  if (run_start == offset_bytes) return resize(run, end, run_end - end);
  resize(run, run_start, offset_bytes - run_start);
  if (end < run_end) insert(end, run_end - end);
}

}  // namespace godwit::pmem
