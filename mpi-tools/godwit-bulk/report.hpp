// Report: what rank 0 says of a run, before it and in the end, to people and to programs.
#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "godwit-bulk/nodes.hpp"
#include "godwit-bulk/options.hpp"
#include "godwit-bulk/plan.hpp"
#include "godwit-bulk/tally.hpp"

namespace godwit::bulk {

// 0: all arrived; PARTIAL's when some did, now or earlier; the first error's when none did.
int exit_code(const Tally& tally);

// --plan.
void print_plan(const Options& options, const Nodes& nodes, const Items& items, const std::vector<Batch>& batches,
                uint32_t ranks, const Tally& begun);
void print_tally(const Options& options, const Nodes& nodes, const Tally& tally, double seconds);

// The whole of a run that has ended; what became of each object is in the lines beside it.
struct Account {
  const Options& options;
  const Nodes& nodes;
  const Tally& tally;
  const std::vector<CallRecord>& calls;  // The first of them.
  uint64_t calls_total;
  double seconds;
  size_t table_bytes;  // Of rank 0's memory, for the objects.
};
// Adds what became of the run to a report that has begun, and writes it. Takes the place of what was there in one step. Errors:
// returns false when the file cannot be written, and says so on standard error.
bool write_report(nlohmann::json report, const Account& account);

}  // namespace godwit::bulk
