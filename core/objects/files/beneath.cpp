#include "objects/files/beneath.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "base/fail_point.hpp"

namespace godwit::objects {
namespace {

// A race of renames makes the kernel ask for another try.
constexpr int kTries = 64;
// Short of PATH_MAX: longer ways are gone in steps.
constexpr size_t kStepBytesMax = PATH_MAX - 256;

int call_openat2(int root, const char* path, int flags, Links links, mode_t mode) {
  open_how how{};
  how.flags = static_cast<uint64_t>(flags | O_CLOEXEC | ((flags & O_PATH) != 0 ? 0 : O_NOCTTY));
  how.mode = mode;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | (links == Links::kNone ? RESOLVE_NO_SYMLINKS : 0);
  if (links == Links::kNone) how.flags |= O_NOFOLLOW;
  for (int left = kTries;; --left) {
    const long fd = syscall(SYS_openat2, root, path, &how, sizeof how);
    if (fd >= 0) return static_cast<int>(fd);
    if ((errno != EAGAIN && errno != EINTR) || left == 0) return -1;
  }
}

// The names in a directory, without "." and "..". Takes the descriptor. Nothing: errno says why.
bool names_in(UniqueFd fd, std::vector<std::string>& names) {
  const int own = dup(fd.get());
  if (own < 0) return false;
  OpenDirectory directory(fdopendir(own));
  if (!directory) {
    close(own);
    return false;
  }
  errno = 0;
  while (const dirent* entry = readdir(directory.get()))
    if (std::strcmp(entry->d_name, ".") != 0 && std::strcmp(entry->d_name, "..") != 0) names.emplace_back(entry->d_name);
  return errno == 0;
}

}  // namespace

Error file_error(const std::string& what, int number) {
  if (number == ELOOP || number == EXDEV)
    return Error{Errc::kDenied, what + ": a symbolic link is in the way, or leads outside"};
  if (number == ENOSYS) return Error{Errc::kUnsupported, what + ": this kernel has no openat2(2); Linux 5.6 has it"};
  if (number == EAGAIN) return Error{Errc::kDenied, what + ": another program holds a lease of it (fcntl F_SETLEASE)"};
  if (number == EEXIST) return Error{Errc::kExists, what + ": is there already"};
  return error_from_errno(Errc::kIo, what, number);
}

Result<UniqueFd> open_beneath(int root, const std::string& path, int flags, Links links, const std::string& what, mode_t mode) {
  if (const int number = fail_point("files.open"); number != 0) return file_error(what, number);
  UniqueFd step;
  size_t at = 0;
  while (path.size() - at > kStepBytesMax) {
    const size_t end = path.rfind('/', at + kStepBytesMax);
    if (end == std::string::npos || end <= at) return file_error(what, ENAMETOOLONG);
    UniqueFd next(call_openat2(step ? step.get() : root, path.substr(at, end - at).c_str(), O_PATH | O_DIRECTORY, links, 0));
    if (!next) return file_error(what, errno);
    step = std::move(next);
    at = end + 1;
  }
  const char* rest = path.c_str() + at;
  UniqueFd fd(call_openat2(step ? step.get() : root, *rest == '\0' ? "." : rest, flags, links, mode));
  if (!fd) return file_error(what, errno);
  return fd;
}

Result<UniqueFd> open_regular(int root, const std::string& path, int flags, const std::string& what) {
  auto fd = open_beneath(root, path, flags | O_NONBLOCK | O_NOFOLLOW, Links::kNone, what);
  if (!fd) return fd;
  struct stat status {};
  if (fstat(fd->get(), &status) != 0) return file_error(what, errno);
  if (!S_ISREG(status.st_mode)) return Error{Errc::kChanged, what + " is no regular file any more"};
  // With it, io_uring would fail on some file systems rather than wait for the disk.
  if (fcntl(fd->get(), F_SETFL, 0) != 0) return file_error(what, errno);
  return fd;
}

Result<> remove_tree(int directory, const std::string& name) {
  // Directories under way, deepest last: descriptors would run out, so each is opened by its way from here.
  struct Level {
    std::string path;
    std::vector<std::string> names;
  };
  const auto gone = [](int result) { return result == 0 || errno == ENOENT; };
  if (gone(unlinkat(directory, name.c_str(), 0))) return Done{};
  if (errno != EISDIR && errno != EPERM) return file_error("removing " + name, errno);
  Result<> outcome = Done{};
  const auto fail = [&](const std::string& path, int number) {
    if (outcome) outcome = file_error("removing " + path, number);
  };
  std::vector<Level> levels;
  // Opens the directory at `path` and notes what is in it.
  const auto enter = [&](std::string path) {
    auto fd = open_beneath(directory, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, Links::kNone, path);
    Level level{std::move(path), {}};
    if (!fd) {
      if (outcome && fd.error().code != Errc::kNotFound) outcome = std::move(fd).error();
    } else {
      (void)fchmod(fd->get(), S_IRWXU);  // A directory of a read-only tree.
      if (!names_in(std::move(*fd), level.names)) fail(level.path, errno);
    }
    levels.push_back(std::move(level));
  };
  enter(name);
  while (!levels.empty()) {
    Level& level = levels.back();
    const size_t slash = level.path.rfind('/');
    if (level.names.empty()) {
      // Empty now: removed from its parent.
      auto parent = slash == std::string::npos
                        ? Result<UniqueFd>(UniqueFd(dup(directory)))
                        : open_beneath(directory, level.path.substr(0, slash), O_PATH | O_DIRECTORY, Links::kNone, level.path);
      const std::string last = slash == std::string::npos ? level.path : level.path.substr(slash + 1);
      if (parent && !gone(unlinkat(parent->get(), last.c_str(), AT_REMOVEDIR))) fail(level.path, errno);
      levels.pop_back();
      continue;
    }
    auto here = open_beneath(directory, level.path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, Links::kNone, level.path);
    if (!here) {
      if (outcome) outcome = std::move(here).error();
      level.names.clear();
      continue;
    }
    std::string below;
    while (!level.names.empty() && below.empty()) {
      const std::string entry = std::move(level.names.back());
      level.names.pop_back();
      if (gone(unlinkat(here->get(), entry.c_str(), 0))) continue;
      if (errno == EISDIR || errno == EPERM)
        below = level.path + "/" + entry;
      else
        fail(level.path + "/" + entry, errno);
    }
    if (!below.empty()) enter(std::move(below));
  }
  return outcome;
}

}  // namespace godwit::objects
