// Dispatcher: on rank 0, gives the calls out, decides what is tried again elsewhere, and accounts for everything.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "godwit-bulk/nodes.hpp"
#include "godwit-bulk/options.hpp"
#include "godwit-bulk/run_lines.hpp"
#include "godwit-bulk/schedule.hpp"
#include "godwit-bulk/tally.hpp"
#include "godwit-bulk/work.hpp"

namespace godwit::bulk {

// Whether another destination may take what this one did not: the error is not the object's. Of a job that has ended.
bool is_destinations_fault(int error, Kind kind);

// Thread-safe.
class Dispatcher {
 public:
  // What is there at the beginning; all of it must outlive the dispatcher. `lines`: NULL, no report.
  struct Run {
    const Options& options;
    const Nodes& nodes;
    Items& items;
    RunLines* lines;
    uint32_t ranks;
  };
  // `begun`: the tally of what was decided before: objects that do not exist, and those that an earlier run moved.
  Dispatcher(const Run& run, Schedule schedule, Tally begun);

  // What this rank is to do next; none: not decided yet, ask again. Once it was told that there is no more, it must not ask.
  std::optional<Order> next(uint32_t rank);
  // The call's job: 32 hexadecimal digits.
  void started(uint32_t batch, const std::string& job);
  void ended(uint32_t rank, const Outcome& outcome);
  void progressed(uint32_t rank, uint64_t bytes);
  // What each call under way may send, so that all of them keep to --bwlimit: bytes a second; 0: no limit.
  uint64_t share() const;

  // Every call has ended, and every rank knows that there is no more.
  bool is_finished() const;
  Tally tally() const;
  // The first kCallsKept calls, in the order of their ends, and how many there were.
  std::vector<CallRecord> calls() const;
  uint64_t calls_total() const;
  double seconds() const;

 private:
  struct UnderWay {
    uint32_t rank = 0;
    double begin_seconds = 0;
    std::vector<uint32_t> items;
  };

  uint64_t share_locked() const;
  Order order_of(const Batch& batch, uint32_t index, const UnderWay& call) const;
  void arrived(const Item& item, RankTally& by_rank, NodeTally& by_source, NodeTally& by_destination);
  // Counts the item's failure, and tells of it.
  void fail(Item& item, const Fate& fate, bool was_sent);
  void fail_homeless(const std::vector<Batch>& homeless, const Outcome& outcome, const Fate& fate);
  Fate fate_of(const Batch& batch, uint32_t index, const UnderWay& call, double end_seconds) const;
  LinkTally& link_of(const Batch& batch);
  void note_given_up();

  const Run run_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  mutable std::mutex mutex_;  // Guards what follows, and the items and lines of the run.
  Schedule schedule_;
  std::map<uint32_t, UnderWay> under_way_;                 // By batch.
  std::map<std::pair<uint16_t, uint16_t>, size_t> links_;  // Where the tally has it.
  Tally tally_;
  std::vector<CallRecord> calls_;
  uint64_t calls_total_ = 0;
  size_t ranks_told_ = 0;
};

}  // namespace godwit::bulk
