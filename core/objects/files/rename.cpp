#include "objects/files/rename.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "base/fail_point.hpp"
#include "base/log.hpp"
#include "objects/files/beneath.hpp"

namespace godwit::objects {

Result<> rename_new(int from_directory, const std::string& from, int to_directory, const std::string& to) {
  if (const int number = fail_point("files.rename"); number != 0) return file_error(log::printable(to), number);
  if (renameat2(from_directory, from.c_str(), to_directory, to.c_str(), RENAME_NOREPLACE) == 0) return Done{};
  if (errno == EINVAL) {
    struct stat status {};
    if (fstatat(to_directory, to.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) return file_error(log::printable(to), EEXIST);
    if (renameat(from_directory, from.c_str(), to_directory, to.c_str()) == 0) return Done{};
  }
  return file_error(log::printable(to), errno);
}

Result<> exchange(int from_directory, const std::string& from, int to_directory, const std::string& to) {
  if (renameat2(from_directory, from.c_str(), to_directory, to.c_str(), RENAME_EXCHANGE) == 0) return Done{};
  if (errno == EINVAL)
    return Error{Errc::kUnsupported, log::printable(to) + ": this file system cannot exchange two trees at once"};
  return file_error(log::printable(to), errno);
}

}  // namespace godwit::objects
