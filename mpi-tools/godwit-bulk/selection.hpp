// Selection: which objects the sources have of those that were asked for, and how much room the destinations have.
#pragma once

#include <vector>

#include "godwit-bulk/client.hpp"
#include "godwit-bulk/earlier_run.hpp"
#include "godwit-bulk/items.hpp"
#include "godwit-bulk/nodes.hpp"
#include "godwit-bulk/options.hpp"
#include "godwit-bulk/tally.hpp"

namespace godwit::bulk {

struct Selection {
  Items items;                       // Sorted.
  std::vector<Failure> unknown;      // Asked for, and not there; or in doubt since the earlier run.
  std::vector<uint64_t> free_bytes;  // Of each destination's target; 0 without --target.
};

// Blocks. Throws Refused: a node does not answer, targets do not exist (the text names all of them), the list cannot be read,
// or files of several sources would get the same names.
Selection select(const Options& options, const Nodes& nodes, const EarlierRun& earlier);

}  // namespace godwit::bulk
