// Tally: what became of a run so far.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "godwit-bulk/items.hpp"

namespace godwit::bulk {

constexpr size_t kFailuresKept = 1000;  // With their texts; the others are counted.
constexpr size_t kCallsKept = 10000;    // The same.

struct Failure {
  Kind kind = Kind::kRegion;
  std::string name;  // As the user knows the object.
  std::string id;    // Empty: there is no such object.
  int error = 0;
  std::string text;
  int source = -1;       // Index; -1: none has it.
  int destination = -1;  // Index; -1: it was never sent.
};

struct RankTally {
  uint64_t calls = 0, taken_over = 0, objects = 0, failed = 0, bytes = 0;
  double busy_seconds = 0;       // Of all its calls, which overlap.
  uint64_t bytes_under_way = 0;  // Arrived, of calls that have not ended.
};

struct NodeTally {
  uint64_t objects = 0, failed = 0, bytes = 0;
};

struct LinkTally {
  uint16_t source = 0, destination = 0;
  uint64_t calls = 0, objects = 0, bytes = 0;
};

// A call that has ended.
struct CallRecord {
  uint32_t rank = 0;
  uint16_t source = 0, destination = 0;
  double begin_seconds = 0, end_seconds = 0;  // Since the run began to move things.
  uint64_t bytes = 0, objects = 0;            // That arrived.
  int error = 0;
};

struct Tally {
  uint64_t objects = 0, failed = 0, bytes = 0;  // So far.
  uint64_t objects_total = 0, bytes_total = 0;
  uint64_t earlier = 0;  // Arrived in the run that is resumed; not part of the others.
  uint64_t retried = 0;  // Objects that went to another destination after one had failed.
  int first_error = 0;
  std::vector<RankTally> ranks;
  std::vector<NodeTally> sources, destinations;
  std::vector<LinkTally> links;       // That carried something.
  std::vector<Failure> failures;      // The first kFailuresKept of them.
  std::vector<std::string> given_up;  // Destinations that could not be reached again and again.

  uint64_t bytes_arrived() const {
    uint64_t sum = bytes;
    for (const RankTally& rank : ranks) sum += rank.bytes_under_way;
    return sum;
  }
};

}  // namespace godwit::bulk
