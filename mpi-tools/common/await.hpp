// Waiting of ranks, for programs that have MPI.
#pragma once

#include <mpi.h>

#include <algorithm>
#include <chrono>
#include <thread>

namespace godwit::tools {

// Blocks until `request` is complete, and frees it. MPI's own waits poll, which takes the processor from the ranks and daemons
// that work where there are more of them than processors. Here a rank looks a few times and then sleeps between looks, 50 us at
// first and 1 ms at most. For the thread that may call MPI.
inline void await(MPI_Request& request) {
  constexpr int kLooks = 50;
  constexpr std::chrono::microseconds kFirstPause{50}, kLongestPause{1000};
  auto pause = kFirstPause;
  for (int looks = 0, done = 0;; ++looks) {
    MPI_Test(&request, &done, MPI_STATUS_IGNORE);
    if (done) return;
    if (looks < kLooks) continue;
    std::this_thread::sleep_for(pause);
    pause = std::min(2 * pause, kLongestPause);
  }
}

// Blocks until all ranks have called it, as MPI_Barrier does.
inline void quiet_barrier() {
  MPI_Request request;
  MPI_Ibarrier(MPI_COMM_WORLD, &request);
  await(request);
}

// As MPI_Bcast in MPI_COMM_WORLD.
inline void quiet_bcast(void* data, int count, MPI_Datatype type, int from_rank) {
  MPI_Request request;
  MPI_Ibcast(data, count, type, from_rank, MPI_COMM_WORLD, &request);
  await(request);
}

}  // namespace godwit::tools
