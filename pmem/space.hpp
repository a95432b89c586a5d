// Space: which runs of a target's bytes are free. Pure: no locks, no I/O.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/extent.hpp"

namespace godwit::pmem {

// One thread. Contiguous extents by best fit (ties: the lowest offset), neighbours coalesced at once.
// Every operation is O(log n) in the number of free runs.
class Space {
 public:
  // Offsets and lengths are multiples of `granule_bytes` (a power of two) inside; lengths asked for are rounded up.
  // `capacity_bytes` is rounded down to the granule.
  Space(uint64_t capacity_bytes, uint64_t granule_bytes);

  // A free run of at least `bytes`, of which the caller gets exactly `bytes`. Zero bytes: {0, 0}, nothing is taken.
  // Nothing if no run is long enough.
  std::optional<Extent> reserve(uint64_t bytes);
  // Takes this very extent. False, and nothing changes, if it is not wholly free, or its offset is no granule's start.
  // A length of zero succeeds anywhere inside.
  bool claim(Extent extent);
  // Gives back what reserve() or claim() took. False, and nothing changes, if a byte of it is free already or outside.
  // A length of zero succeeds.
  bool release(Extent extent);

  uint64_t capacity_bytes() const { return capacity_bytes_; }
  uint64_t used_bytes() const { return capacity_bytes_ - free_bytes_; }
  uint64_t largest_free_bytes() const;
  size_t free_run_count() const { return by_offset_.size(); }

 private:
  using ByOffset = std::map<uint64_t, uint64_t>;

  // The length in whole granules, or nothing if that is longer than the capacity.
  std::optional<uint64_t> rounded(uint64_t bytes) const;
  void insert(uint64_t offset_bytes, uint64_t length_bytes);
  void erase(ByOffset::iterator run);
  // Gives a run other bounds, between the same neighbours, without allocating.
  void resize(ByOffset::iterator run, uint64_t offset_bytes, uint64_t length_bytes);
  // Takes [offset, offset+length) out of the free run that covers it.
  void carve(ByOffset::iterator run, uint64_t offset_bytes, uint64_t length_bytes);

  const uint64_t granule_bytes_;
  const uint64_t capacity_bytes_;
  uint64_t free_bytes_;
  ByOffset by_offset_;                               // Offset to length of each free run; no two touch.
  std::set<std::pair<uint64_t, uint64_t>> by_size_;  // The same runs as {length, offset}.
};

}  // namespace godwit::pmem
