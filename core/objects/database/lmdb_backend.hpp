// The backend `lmdb`; the only header of ours for LMDB, and its source the only place that sees theirs.
#pragma once

#include <memory>
#include <string>

#include "objects/database/backend.hpp"
#include "objects/database/options.hpp"

namespace godwit::objects {

// As open_backend(). `directory` exists; `is_new`: it is empty, and a database is made in it.
Result<std::unique_ptr<Backend>> open_lmdb(const std::string& directory, Options& options, bool is_new);
// Takes the options as open_lmdb() does, for a check alone.
Result<> check_lmdb_options(Options& options);

}  // namespace godwit::objects
