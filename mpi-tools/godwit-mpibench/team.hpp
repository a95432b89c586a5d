// Team: the ranks that measure together, as pairs, and how they wait without taking the processor from those that work.
#pragma once

#include <mpi.h>

#include <cstdint>

namespace godwit::mpibench {

// The first `pairs` pairs of ranks: 0 and 1, 2 and 3, ... Made and destroyed by all ranks at once. Functions are for its
// members, and called by all of them, unless they say otherwise. One thread.
class Team {
 public:
  explicit Team(int pairs);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  int pairs() const { return pairs_; }
  // Whether this rank belongs to it. Any rank.
  bool has_us() const { return members_ != MPI_COMM_NULL; }
  bool is_first() const { return rank_ % 2 == 0; }
  int pair() const { return rank_ / 2; }
  // The other one of our pair, in MPI_COMM_WORLD.
  int partner() const { return rank_ ^ 1; }

  // All begin as close together as MPI can: it polls.
  void start() const;
  // The greatest value of all; sleeps between looks at it.
  double greatest(double value) const;
  // The partner waits for `finished` of the first rank, sleeping between looks.
  void finished() const;

 private:
  const int pairs_;
  int rank_ = 0;
  MPI_Comm members_ = MPI_COMM_NULL;
};

}  // namespace godwit::mpibench
