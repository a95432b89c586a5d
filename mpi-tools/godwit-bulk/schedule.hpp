// Schedule: which call is next, and what happens to calls whose destination fails or lags. Pure.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "godwit-bulk/plan.hpp"

namespace godwit::bulk {

// A destination that could not be reached, was lost or stood still so often in a row takes no more.
constexpr uint32_t kUnreachableMax = 3;

// One thread at a time.
class Schedule {
 public:
  // At most `per_node` calls are under way that have one source, and as many that have one destination. The items must outlive
  // it; their states are the caller's to keep: what waits when a call has ended is sent elsewhere.
  Schedule(const Items& items, Placement placement, std::vector<Batch> batches, uint32_t sources, uint32_t per_node);

  struct Next {
    uint32_t batch;
    bool taken_over;  // From a destination that lags: it had no place for one more call, and this one had nothing to do.
  };
  // The call to begin now: of the link that has the fewest under way, then of the nodes that have, then the heaviest. None:
  // nothing waits, or all that waits is for nodes that have enough to do.
  std::optional<Next> next();
  const Batch& batch(uint32_t index) const { return batches_[index]; }

  struct End {
    uint64_t bytes_arrived = 0;
    bool was_unreachable = false;  // The destination, or lost, or silent.
    uint64_t too_large_bytes = 0;  // The smallest item that it had no room for; 0: none.
  };
  // The call has ended: its items that wait go to another destination. Returns what finds none, also of the calls that waited
  // for a destination which is given up now: that is for the caller to fail.
  std::vector<Batch> ended(uint32_t index, const End& end);

  // Nothing waits, and nothing is under way.
  bool is_finished() const { return waiting_ == 0 && under_way_ == 0; }
  uint32_t under_way() const { return under_way_; }
  bool is_closed(uint16_t destination) const { return placement_.is_closed(destination); }

 private:
  struct Link {
    std::deque<uint32_t> waiting;  // Batches, the heaviest first.
    uint32_t under_way = 0;
  };
  using Key = std::pair<uint16_t, uint16_t>;  // Source, destination.

  void enqueue(Batch batch);
  void begin(uint32_t index);
  bool is_free(const std::vector<uint32_t>& calls, uint16_t node) const { return calls[node] < per_node_; }
  std::optional<Next> take_over();
  // Gives a destination up; what waited for it goes elsewhere.
  void close(uint16_t destination, std::vector<Batch>& homeless);
  void place(Batch batch, std::vector<Batch>& homeless);

  const Items& items_;
  const uint32_t per_node_;
  Placement placement_;
  std::vector<Batch> batches_;
  std::map<Key, Link> links_;
  std::vector<uint32_t> of_source_;       // Calls under way.
  std::vector<uint32_t> of_destination_;  // The same.
  std::vector<uint32_t> unreachable_;     // Of each destination: how often in a row.
  size_t waiting_ = 0;
  uint32_t under_way_ = 0;
};

}  // namespace godwit::bulk
