// Refused: why a run does not begin.
#pragma once

#include "common/refused.hpp"

namespace godwit::bulk {

// Only rank 0 throws it, before the ranks agree to go.
using tools::Refused;

}  // namespace godwit::bulk
