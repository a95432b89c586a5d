// Ways: all that is measured, for both ranks of a pair.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "godwit-mpibench/options.hpp"
#include "godwit-mpibench/way.hpp"

namespace godwit::mpibench {

using Ways = std::vector<std::unique_ptr<Way>>;

// The first writes ("godwit put") and reads ("godwit get") a region of the second on a target of each kind, and moves it to the
// next daemon and back ("godwit migrate", with two daemons or more). `pair` chooses among the daemons.
void add_godwit_ways(const Options& options, const std::vector<std::string>& daemons, int pair, Ways& ways);
// MPI_Put with a flush into the second's memory, and MPI_Send: to and fro where each is timed, else one way with an answer at
// the end. `bytes_max`: of one operation. Called by all ranks at once.
void add_mpi_ways(uint64_t bytes_max, Ways& ways);
// "raw write" and "raw read": godwit-bench's loop beside the first rank, of blocks of at most 1 MiB; 8 in flight, or 1 where
// each is waited for.
void add_raw_ways(const Options& options, Ways& ways);

}  // namespace godwit::mpibench
