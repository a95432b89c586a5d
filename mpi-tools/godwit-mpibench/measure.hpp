// Measure: what is asked, and the samples of every way, interleaved: each way once, then each way again.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "godwit-mpibench/options.hpp"
#include "godwit-mpibench/ways.hpp"

namespace godwit::mpibench {

// One load on so many pairs at once.
struct Case {
  std::string question;  // "latency", "rate", "bandwidth" or "scaling".
  Load load;             // Of each pair.
  int pairs = 1;
  std::string scaling;  // "weak", "strong", or "".
};

// The cases that the options ask for, of at most `pairs_max` pairs.
std::vector<Case> plan_cases(const Options& options, int pairs_max);

// What a node's target has to have room for while any of the cases is measured.
uint64_t capacity_bytes(const std::vector<Case>& cases);

struct Result {
  std::string question, what, from, to, ceiling, scaling;
  int pairs = 1;
  uint64_t size_bytes = 0;
  uint64_t count = 1;           // Operations in a sample, of all pairs together.
  std::vector<double> samples;  // Seconds; of several pairs, the slowest one's.
};

// Measures the case; all ranks at once. Rank 0 gets the results, the others nothing of use.
std::vector<Result> measure(const Case& which, const Ways& ways, uint32_t repeat);

}  // namespace godwit::mpibench
