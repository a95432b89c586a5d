#include "objects/files/xattrs.hpp"

#include <sys/xattr.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <utility>

#include "model/fileset.hpp"
#include "objects/files/beneath.hpp"

namespace godwit::objects {

Result<std::vector<std::string>> xattr_names(int fd, const std::string& what) {
  std::string all(XATTR_LIST_MAX, '\0');
  const ssize_t length = flistxattr(fd, all.data(), all.size());
  if (length < 0 && errno != ENOTSUP) return file_error(what, errno);
  all.resize(length < 0 ? 0 : static_cast<size_t>(length));
  std::vector<std::string> names;
  for (size_t begin = 0; begin < all.size();) {
    std::string name = all.c_str() + begin;
    begin += name.size() + 1;
    if (model::is_xattr_name(name)) names.push_back(std::move(name));
  }
  std::ranges::sort(names);
  return names;
}

}  // namespace godwit::objects
