// Parts: which pieces of a dataset share a region, and where the regions go. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "godwit-h5stage/pieces.hpp"

namespace godwit::h5stage {

// A target that takes parts.
struct Place {
  std::string address, target;
  uint64_t free_bytes = 0;
};

// Pieces [first, first + pieces) of a dataset, one after the other in one region.
struct Part {
  size_t first = 0, pieces = 0;
  uint64_t bytes = 0;
};

// All pieces in order, in parts alike: at least `least` of them if there are as many pieces, and none of more than `bytes_max`
// unless one piece has more.
std::vector<Part> cut_parts(const Pieces& pieces, size_t least, uint64_t bytes_max);

// The place of each part, as an index: the one that has the largest share of its room left takes the next one. Throws Failure:
// NO_SPACE, no place has room for one of them; tells what is there, and what all need.
std::vector<size_t> place_parts(const std::vector<uint64_t>& parts_bytes, const std::vector<Place>& places);

}  // namespace godwit::h5stage
