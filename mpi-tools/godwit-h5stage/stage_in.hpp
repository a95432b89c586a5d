// StageIn: an HDF5 file into a stage.
#pragma once

#include "godwit-h5stage/options.hpp"
#include "godwit-h5stage/result.hpp"
#include "godwit-h5stage/team.hpp"

namespace godwit::h5stage {

// By all ranks at once. The stage is there when this returns, durable where its targets are. Throws Failure at all ranks:
// nothing is left of it then, except where a node does not answer any more.
Result stage_in(const Options& options, const Team& team);

}  // namespace godwit::h5stage
