// The backend `rocksdb`; the only header of ours for RocksDB, and its source the only place that sees theirs.
#pragma once

#include <memory>
#include <string>

#include "objects/database/backend.hpp"
#include "objects/database/options.hpp"

namespace godwit::objects {

// As open_backend(). `directory` exists; `is_new`: it is empty, and a database is made in it.
Result<std::unique_ptr<Backend>> open_rocksdb(const std::string& directory, Options& options, bool is_new);
// Takes the options as open_rocksdb() does, for a check alone.
Result<> check_rocksdb_options(Options& options);

}  // namespace godwit::objects
