// StageOut: a stage into an HDF5 file.
#pragma once

#include "godwit-h5stage/options.hpp"
#include "godwit-h5stage/result.hpp"
#include "godwit-h5stage/team.hpp"

namespace godwit::h5stage {

// By all ranks at once, which see the same file system. The file is there, whole and durable, when this returns. Throws Failure
// at all ranks: there is no file then. Ends all ranks if HDF5 fails in what they do together.
Result stage_out(const Options& options, const Team& team);

}  // namespace godwit::h5stage
