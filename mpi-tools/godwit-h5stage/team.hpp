// Team: the ranks, which fail together: what goes wrong at one of them is thrown at all.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace godwit::h5stage {

// All members are called by all ranks, in the same order. One thread. Every one blocks until all ranks are there.
class Team {
 public:
  Team();  // Of MPI_COMM_WORLD, after MPI_Init.

  size_t rank() const { return static_cast<size_t>(rank_); }
  size_t size() const { return static_cast<size_t>(size_); }
  bool is_first() const { return rank_ == 0; }

  // Runs `part` at every rank. If it throws at some, throws Failure at all: that of the lowest rank that failed.
  void together(const std::function<void()>& part) const;
  // The same, at rank 0 alone.
  void at_first(const std::function<void()>& part) const;
  // What rank 0 has. Throws Failure at all: LIMIT, more than 2 GiB.
  std::string told(std::string text) const;
  // Each number becomes the sum of all ranks' (modulo 2^64). As many at every rank.
  void sum(std::vector<uint64_t>& numbers) const;

 private:
  int rank_ = 0, size_ = 1;
};

// Ends all ranks at once with the exit code of `error`, one of GODWIT_ERR_*: where the others cannot be told any more.
[[noreturn]] void end_all(int error, const std::string& why);

}  // namespace godwit::h5stage
