// Xattrs: which extended attributes a file has.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"

namespace godwit::objects {

// The names of those of `fd` that may travel, ascending; none where the file system knows of none. Blocks for the disk.
// Any thread. Errors: kDenied, kIo; `what` is named in the text.
Result<std::vector<std::string>> xattr_names(int fd, const std::string& what);

}  // namespace godwit::objects
