#include "objects/files/private_directory.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/log.hpp"
#include "objects/files/file_user.hpp"

namespace godwit::objects {

Result<UniqueFd> open_private(int place, const std::string& name, const std::string& shown) {
  const std::string what = fmt::format("'{}/{}'", log::printable(shown), log::printable(name));
  auto fd = open_beneath(place, name, O_RDONLY | O_DIRECTORY, Links::kNone, what);
  if (!fd) return fd;
  struct stat status {};
  if (fstat(fd->get(), &status) != 0) return file_error(what, errno);
  if (status.st_uid == acting_uid() && (status.st_mode & (S_IRWXG | S_IRWXO)) == 0) return fd;
  return Error{Errc::kDenied, fmt::format("{} is not user {}'s alone (user {}, mode {:o}): somebody has put it there", what,
                                          acting_uid(), status.st_uid, status.st_mode & 07777)};
}

Result<> remove_private(int place, const std::string& name, const std::string& shown) {
  auto fd = open_private(place, name, shown);
  if (!fd && fd.error().code == Errc::kNotFound) return Done{};
  if (!fd) return std::move(fd).error();
  return remove_tree(place, name, fd->get());
}

}  // namespace godwit::objects
