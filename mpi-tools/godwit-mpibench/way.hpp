// Way: one way to move bytes between the two ranks of a pair. Both ranks have one, and call it alike.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "godwit-mpibench/team.hpp"

namespace godwit::mpibench {

// How many operations of which size make a sample, and whether each is timed alone and waited for before the next.
struct Load {
  uint64_t size_bytes = 0;
  uint64_t count = 1;
  bool is_each = false;
};

// All throw std::runtime_error or godwit::Error when they cannot. One thread.
class Way {
 public:
  virtual ~Way() = default;

  virtual std::string name() const = 0;
  virtual std::string from() const { return "memory"; }
  virtual std::string to() const { return "memory"; }
  // What it is compared with: "raw write" or "raw read"; "": nothing.
  virtual std::string ceiling() const { return "raw write"; }
  // Whether Load::is_each gives a time for each operation; otherwise only one for all of them.
  virtual bool times_each() const { return true; }
  // Fewer, where one operation costs far more than the others'.
  virtual uint64_t count_max() const { return UINT64_MAX; }

  // Both ranks: makes what the samples of this load need.
  virtual void prepare(const Team& team, const Load& load) = 0;
  // The first rank: does it, and returns seconds, of each operation or of all together.
  virtual std::vector<double> run(const Load& load) = 0;
  // The second rank, at the same time: what the first one needs of it. By default nothing.
  virtual void serve(const Load&) {}
  // The first rank, after run(): as it was before.
  virtual void restore(const Load&) {}
  // Both ranks: gives back what prepare() made.
  virtual void finish(const Team& team) = 0;
};

}  // namespace godwit::mpibench
