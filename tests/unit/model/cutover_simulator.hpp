// CutoverSimulator: one run of two nodes under random faults, decided by a seed alone.
#pragma once

#include <cstdint>
#include <string>

#include "cutover_world.hpp"

namespace godwit::model::sim {

struct Outcome {
  uint64_t seed = 0;
  std::string violation;  // Empty: every promise held.
  std::string trace;      // When asked for.
  uint32_t steps = 0;
  uint32_t crashes = 0;
  uint32_t jobs = 0;
  uint32_t commits = 0;
  uint32_t resumed = 0;    // Commits that took more than one attempt.
  uint32_t fallbacks = 0;  // Prepared destinations that received again.
  uint32_t blocks_read = 0, blocks_skipped = 0;
  uint32_t losses = 0;  // Objects whose only, volatile, holder crashed.
};

// Faults for a while, then none: everything must come to an end. The same seed gives the same run everywhere.
Outcome simulate(uint64_t seed, Flaw flaw = Flaw::kNone, bool traced = false);

}  // namespace godwit::model::sim
