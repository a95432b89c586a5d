// Result: what a run has moved, for people and for its report.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace godwit::h5stage {

struct Result {
  std::string stage, file;
  uint64_t bytes = 0;           // Of data.
  uint64_t skeleton_bytes = 0;  // Known to rank 0.
  size_t datasets = 0, regions = 0, pieces = 0;
  double seconds = 0;
};

}  // namespace godwit::h5stage
