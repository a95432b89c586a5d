// Plan: which items go together in one call, and where to. Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "godwit-bulk/items.hpp"
#include "godwit-bulk/placement.hpp"

namespace godwit::bulk {

// One call: a database, one large region or path, or many small ones; of one kind, from one source to one destination. The
// items of [begin, end) that wait are in it; ranges of batches never overlap.
struct Batch {
  uint32_t begin = 0;
  uint32_t end = 0;
  uint32_t items = 0;  // That wait.
  Kind kind = Kind::kRegion;
  uint16_t source = 0;
  uint16_t destination = 0;
  uint64_t bytes = 0;
  std::vector<uint16_t> tried;  // Destinations that failed.

  // What it costs: a small item costs more than its bytes.
  uint64_t weight() const { return bytes + uint64_t{items} * 16384; }
};

struct PlanSettings {
  uint32_t ranks = 1;
  uint32_t batch_items_max = 4000;
  uint64_t batch_bytes_max = 64u << 20;  // What is larger goes alone.
};

// The batches of sorted items, the heaviest first. No item is in two of them, and none is left out. What fits nowhere is sent
// where the most room is: the daemon says so. `placement` learns what was placed.
std::vector<Batch> plan_batches(const Items& items, Placement& placement, const PlanSettings& settings);

// Appends the batch to `placed`, with a destination that has room for it and was not tried; in parts if only parts have room.
// Appends to `homeless` what finds no such destination.
void place_batch(const Items& items, Placement& placement, Batch batch, std::vector<Batch>& placed,
                 std::vector<Batch>& homeless);

}  // namespace godwit::bulk
