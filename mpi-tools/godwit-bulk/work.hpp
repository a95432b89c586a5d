// Work: what the dispatcher and a worker tell each other, and the link that they tell it over.
#pragma once

#include <godwit/godwit.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace godwit::bulk {

// Make this call; or, finished: there is no more to do.
struct Order {
  bool finished = false;
  uint32_t batch = 0;
  uint32_t destination = 0;  // Index in --to.
  std::vector<godwit_region_id> regions;
};

// A call has ended.
struct Outcome {
  uint32_t batch = 0;
  double seconds = 0;
  std::vector<int32_t> errors;  // Of each region, in the order's sequence.
  std::string text;             // Of the call's failure; empty if it has none.
};

// A worker's end. One thread.
class Link {
 public:
  virtual ~Link() = default;
  // Asks for an order, without waiting; at most one question is open.
  virtual void ask() = 0;
  // The order, if it has come.
  virtual std::optional<Order> answer() = 0;
  virtual void tell(const Outcome& outcome) = 0;
  // Bytes of all calls under way that have arrived by now.
  virtual void tell_progress(uint64_t bytes) = 0;
};

}  // namespace godwit::bulk
