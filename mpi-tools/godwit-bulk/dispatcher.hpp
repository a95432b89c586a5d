// Dispatcher: on rank 0, gives the batches out, and counts what became of them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "godwit-bulk/plan.hpp"
#include "godwit-bulk/work.hpp"

namespace godwit::bulk {

struct Failure {
  std::string name;  // As the user knows the region.
  std::string id;    // Empty: there is no such region.
  int error = 0;
  std::string text;
  int destination = -1;  // Index in --to; -1: it was never sent.
};

struct RankTally {
  uint64_t batches = 0, taken_over = 0, regions = 0, failed = 0, bytes = 0;
  double busy_seconds = 0;       // Of all its calls, which overlap.
  uint64_t bytes_under_way = 0;  // Arrived, of calls that have not ended.
};

struct DestinationTally {
  uint64_t regions = 0, failed = 0, bytes = 0;
};

struct Tally {
  uint64_t regions = 0, failed = 0, bytes = 0;  // So far.
  uint64_t regions_total = 0, bytes_total = 0;
  std::vector<RankTally> ranks;
  std::vector<DestinationTally> destinations;
  std::vector<Failure> failures;

  uint64_t bytes_arrived() const;
};

// Thread-safe.
class Dispatcher {
 public:
  // `unknown`: regions that were asked for and do not exist. The items and batches must outlive it.
  Dispatcher(const std::vector<Item>& items, const std::vector<Batch>& batches, uint32_t ranks, uint32_t destinations,
             const std::vector<Failure>& unknown);

  // What this rank is to do next. Once it was told that there is no more, it must not ask again.
  Order next(uint32_t rank);
  void ended(uint32_t rank, const Outcome& outcome);
  void progressed(uint32_t rank, uint64_t bytes);

  // Every batch has ended, and every rank knows that there is no more.
  bool is_finished() const;
  Tally tally() const;

 private:
  const std::vector<Item>& items_;
  const std::vector<Batch>& batches_;
  mutable std::mutex mutex_;  // Guards what follows.
  Shares shares_;
  Tally tally_;
  size_t batches_ended_ = 0;
  size_t ranks_told_ = 0;
};

}  // namespace godwit::bulk
