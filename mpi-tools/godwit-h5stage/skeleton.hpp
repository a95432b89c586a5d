// Skeleton: an HDF5 file like the source, with everything but the datasets' data.
#pragma once

#include <string>
#include <vector>

#include "godwit-h5stage/pieces.hpp"
#include "godwit-h5stage/source.hpp"

namespace godwit::h5stage {

struct FullDataset {
  std::string path;
  Shape shape;
};

struct Skeleton {
  std::string image;                  // The bytes of the file.
  std::vector<FullDataset> datasets;  // Those whose data is missing in it, each once.
};

// Of what `source` names. One process; needs memory for the image. Throws Failure: IO, the file cannot be opened or read;
// CORRUPT, it is no HDF5 file, or not a whole one; BUSY, somebody has it open for writing; NOT_FOUND, a dataset that is not in
// it; UNSUPPORTED, what cannot travel.
Skeleton make_skeleton(const Source& source);

}  // namespace godwit::h5stage
