// Ranks that srun has started and that do not know of each other: each would do the work of all.
#pragma once

#include <mpi.h>

#include <cstdlib>
#include <string>

namespace godwit::tools {

// Why this rank must not begin; empty: it may. After MPI_Init. An MPI that cannot talk to Slurm may take each task of a step
// for a run of its own. Below mpirun the step's tasks are mpirun's own helpers, and say nothing.
inline std::string lone_rank_mistake() {
  int ranks = 0;
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  const char* tasks = std::getenv("SLURM_STEP_NUM_TASKS");
  const bool is_below_mpirun = std::getenv("OMPI_COMM_WORLD_SIZE") != nullptr || std::getenv("HYDI_CONTROL_FD") != nullptr;
  if (ranks != 1 || is_below_mpirun || tasks == nullptr || std::strtol(tasks, nullptr, 10) <= 1) return {};
  return std::string("srun has started ") + tasks +
         " ranks, and MPI knows of this one alone: choose what this MPI understands (srun --mpi=pmix; srun --mpi=list), or "
         "mpirun in the allocation";
}

}  // namespace godwit::tools
