// Work: what the dispatcher and a worker tell each other, and the link that they tell it over.
#pragma once

#include <godwit/godwit.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "godwit-bulk/items.hpp"

namespace godwit::bulk {

// Make this call; or, finished: there is no more to do.
struct Order {
  bool finished = false;
  Kind kind = Kind::kRegion;
  uint32_t batch = 0;
  uint64_t bandwidth = 0;  // At first; 0: no limit.
  std::string source;      // Address.
  std::string destination;
  std::string directory;              // Of files, at the destination.
  std::vector<godwit_region_id> ids;  // Of the items.
  std::string paths;                  // Of files, each ended by NUL.
};

// A call has ended, or is given up.
struct Outcome {
  uint32_t batch = 0;
  int32_t error = 0;            // Of the call.
  bool has_job = false;         // The source had begun a job for it ...
  bool is_open = false;         // ... which, for all that is known, may still be at work.
  std::vector<int32_t> errors;  // Of each item, in the order's sequence.
  std::string text;             // Of the call's failure; empty if it has none.
  bool has_stalled = false;     // It had to be taken back: nothing arrived for too long.
};

// A worker's end. One thread.
class Link {
 public:
  virtual ~Link() = default;
  // Asks for an order, without waiting; at most one question is open.
  virtual void ask() = 0;
  // The order, if it has come.
  virtual std::optional<Order> answer() = 0;
  // The call's job: 32 hexadecimal digits.
  virtual void tell_started(uint32_t batch, const std::string& job) = 0;
  virtual void tell(const Outcome& outcome) = 0;
  // Bytes of all calls under way that have arrived by now.
  virtual void tell_progress(uint64_t bytes) = 0;
  // What each call under way may send from now on, in bytes a second, if that was told since the last question; 0: no limit.
  virtual std::optional<uint64_t> share() = 0;
};

}  // namespace godwit::bulk
