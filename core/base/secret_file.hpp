// Reading a file that holds a secret.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace godwit {

// All bytes of the file at `path`, and at most `bytes_max` + 1 of them: who gets more has a file that is too long. Whoever
// calls wipes them. `what` names it in errors ("key file"). Blocks to read it; any thread. Errors, each names the file:
// kNotFound, kDenied, kIo; kConfig, it is no regular file, belongs to somebody else than this process's user, or others may
// read or write it.
Result<std::vector<std::byte>> read_secret_file(const std::string& path, const std::string& what, size_t bytes_max);

}  // namespace godwit
