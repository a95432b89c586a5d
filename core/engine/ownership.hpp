// Ownership: who owns an object, as a directory outside of the nodes keeps it for all of them.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/id.hpp"
#include "base/result.hpp"

namespace godwit::engine {

// An object of this node that a job is about to hand over.
struct Claim {
  Id object;
  uint64_t epoch = 0;  // Under which this node owns it.
};

// Thread-safe.
class Ownership {
 public:
  virtual ~Ownership() = default;
  // Whether it answered when it was asked last, as it is again and again. Does not block.
  virtual bool answers() const = 0;
  // Notes that `job` hands these objects over to `destination`, if this node is their newest owner. Asked again, it says the
  // same again. It decides nothing: the job's journal does, and whoever owns an object in the end says so by itself. Blocks for
  // some seconds at most. Errors: kUnreachable, the directory does not answer; kMoved, it knows a newer owner of one of them,
  // which the text names: this node's record is stale.
  virtual Result<> claim(std::span<const Claim> objects, const Id& job, const std::string& destination) = 0;
};

}  // namespace godwit::engine
