// The backend `map`: keys and values in memory, lost with the daemon; its checkpoint is a dump with a digest.
#pragma once

#include <memory>
#include <string>

#include "objects/database/backend.hpp"
#include "objects/database/options.hpp"

namespace godwit::objects {

// `directory`: of a dump to begin with, or "". As open_backend().
Result<std::unique_ptr<Backend>> open_map(const std::string& directory, Options& options);
// Takes the options as open_map() does, for a check alone.
Result<> check_map_options(Options& options);

}  // namespace godwit::objects
