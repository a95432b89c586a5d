// Plan: which regions go where, in which calls, and which rank is to make them. Pure.
#pragma once

#include <godwit/godwit.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace godwit::bulk {

struct Item {
  godwit_region_id id{};
  uint64_t size_bytes = 0;
  std::string name;  // As the user knows it: its name, or its id.
};

// One call: one large region, or many small ones, to one destination.
struct Batch {
  uint32_t destination = 0;     // Index in --to.
  std::vector<uint32_t> items;  // Indices in the list of items.
  uint64_t bytes = 0;

  // What it costs, for sharing out: a small region costs more than its bytes.
  uint64_t weight() const { return bytes + items.size() * 16384; }
};

struct PlanSettings {
  uint32_t ranks = 1;
  uint32_t batch_items_max = 1000;
  uint64_t batch_bytes_max = 64u << 20;  // A region above this goes alone.
};

// Largest first, each item to the destination with the most free bytes left (also if it does not fit there: the daemon then
// says so). No item is in two batches; none is left out.
std::vector<Batch> plan_batches(const std::vector<Item>& items, std::vector<uint64_t> free_bytes, const PlanSettings& settings);

// The ranks' shares of the batches: what a rank has not begun can be taken over by another that has nothing left.
class Shares {
 public:
  // Largest first, each to the rank with the least.
  Shares(const std::vector<Batch>& batches, uint32_t ranks);

  struct Next {
    uint32_t batch;
    bool taken_over;  // It was another rank's.
  };
  // The next batch for this rank: its own largest, or else the smallest of the rank with the most left. Nothing: all are given.
  std::optional<Next> next(uint32_t rank);
  // The batches of a rank that has begun nothing yet, for --dry-run.
  const std::vector<uint32_t>& of(uint32_t rank) const { return shares_[rank].batches; }

 private:
  struct Share {
    std::vector<uint32_t> batches;  // Largest first; those from `begun` on are left.
    size_t begun = 0;
    uint64_t weight_left = 0;
  };
  std::vector<Share> shares_;
  std::vector<uint64_t> weights_;  // Of each batch.
};

}  // namespace godwit::bulk
