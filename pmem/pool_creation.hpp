// Makes a pool file: it appears under its name whole, or not at all.
#pragma once

#include <optional>
#include <string>

#include "pmem/pool_header.hpp"
#include "pmem/unique_fd.hpp"

namespace godwit::pmem {

// Locks `fd` for this process alone. Errors: kBusy, another has it; kIo.
Result<> lock_pool(int fd, const std::string& path);

// Writes "PATH.creating" (replacing what a crashed creation left), makes it durable and renames it to `path`.
// The file is sparse, locked before it has its name, and readable by its owner only.
// Nothing, if a file of that name has appeared meanwhile: open that one.
// Errors: kBusy, another process is making it; kNoSpace; kConfig, too large for the file system; kIo.
Result<std::optional<UniqueFd>> create_pool_file(const std::string& path, const PoolHeader& header);

}  // namespace godwit::pmem
