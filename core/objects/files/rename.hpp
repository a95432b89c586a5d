// Rename: names that change hands in one step.
#pragma once

#include <string>

#include "base/result.hpp"

namespace godwit::objects {

// Renames within one file system, never over something. On a file system that cannot promise it (NFS) it looks first.
// Errors: kExists; kDenied; kNotFound; kIo.
Result<> rename_new(int from_directory, const std::string& from, int to_directory, const std::string& to);
// Exchanges the two, so that `to` is always there. Errors: kUnsupported, this file system cannot; as above.
Result<> exchange(int from_directory, const std::string& from, int to_directory, const std::string& to);

}  // namespace godwit::objects
