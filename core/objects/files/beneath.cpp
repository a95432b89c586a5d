#include "objects/files/beneath.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <memory>
#include <string>
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

Result<std::vector<std::string>> names_in(int directory, const std::string& what) {
  const int own = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);  // With a place of its own in it.
  const OpenDirectory stream(own < 0 ? nullptr : fdopendir(own));
  if (!stream) {
    const int number = errno;
    if (own >= 0) close(own);
    return file_error(what, number);
  }
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* entry = readdir(stream.get());
    if (entry == nullptr) break;
    if (std::strcmp(entry->d_name, ".") != 0 && std::strcmp(entry->d_name, "..") != 0) names.emplace_back(entry->d_name);
  }
  if (errno != 0) return file_error(what, errno);
  return names;
}

namespace {

// Removes a tree with one descriptor for where it is, and for each level above no more than its names.
class Remover {
 public:
  explicit Remover(int directory) : directory_(directory) {}

  Result<> run(const std::string& name) {
    remove(name);
    return go_on();
  }
  // Of what it is, not of what is called so.
  Result<> run_in(const std::string& name, int same_as) {
    struct stat status {};
    if (fstat(same_as, &status) != 0) return file_error(shown(name), errno);
    if (!enter(name)) return outcome_;
    if (status.st_dev != levels_[0].device || status.st_ino != levels_[0].inode)
      return Error{Errc::kChanged, shown("") + " is another directory now"};
    return go_on();
  }

 private:
  Result<> go_on() {
    while (!levels_.empty()) {
      Level& level = levels_.back();
      if (!level.names.empty()) {
        const std::string entry = std::move(level.names.back());
        level.names.pop_back();
        remove(entry);
        continue;
      }
      const std::string emptied = std::move(level.name);
      levels_.pop_back();
      if (!go_up()) return outcome_;
      remove_empty(emptied);
    }
    return outcome_;
  }

  struct Level {
    std::string name;
    dev_t device;
    ino_t inode;
    std::vector<std::string> names;  // What is left in it.
  };

  int here() const { return levels_.empty() ? directory_ : here_.get(); }
  static bool is_gone(int result) { return result == 0 || errno == ENOENT; }

  // The way from the directory to the last level.
  std::string way() const {
    std::string way;
    for (const Level& level : levels_) way += (way.empty() ? "" : "/") + level.name;
    return way;
  }
  void fail(Error error) {
    if (outcome_) outcome_ = std::move(error);
  }
  std::string shown(const std::string& entry) const {
    return "removing " + (levels_.size() <= kShownLevelsMax ? way() : levels_[0].name + "/...") + (levels_.empty() ? "" : "/") +
           entry;
  }

  // A name where we are; a directory becomes the last level.
  void remove(const std::string& entry) {
    if (is_gone(unlinkat(here(), entry.c_str(), 0))) return;
    if (errno != EISDIR && errno != EPERM) return fail(file_error(shown(entry), errno));
    if (!enter(entry)) remove_empty(entry);
  }
  void remove_empty(const std::string& entry) {
    if (!is_gone(unlinkat(here(), entry.c_str(), AT_REMOVEDIR))) fail(file_error(shown(entry), errno));
  }

  bool enter(const std::string& entry) {
    if (levels_.size() >= kLevelsMax) {
      fail({Errc::kLimit, shown(entry) + ": directories are more than " + std::to_string(kLevelsMax) + " levels deep"});
      return false;
    }
    auto fd = open_beneath(here(), entry, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, Links::kNone, shown(entry));
    if (!fd) {
      if (fd.error().code != Errc::kNotFound) fail(std::move(fd).error());
      return false;
    }
    (void)fchmod(fd->get(), S_IRWXU);  // A directory of a read-only tree.
    struct stat status {};
    auto names = fstat(fd->get(), &status) == 0 ? names_in(fd->get(), shown(entry)) : file_error(shown(entry), errno);
    if (!names) {
      fail(std::move(names).error());
      return false;
    }
    levels_.push_back({entry, status.st_dev, status.st_ino, std::move(*names)});
    here_ = std::move(*fd);
    return true;
  }

  // To the last level, from what was below it. By "..", if that is where we came from, and nobody has moved what we were in.
  bool go_up() {
    if (levels_.empty()) return true;
    const auto is_it = [&](int fd) {
      struct stat status {};
      return fstat(fd, &status) == 0 && status.st_dev == levels_.back().device && status.st_ino == levels_.back().inode;
    };
    UniqueFd above(openat(here_.get(), "..", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!above || !is_it(above.get())) {
      auto again = open_beneath(directory_, way(), O_PATH | O_DIRECTORY, Links::kNone, shown(""));
      if (!again || !is_it(again->get())) {
        fail({Errc::kChanged, shown("") + ": it was moved meanwhile"});
        return false;
      }
      above = std::move(*again);
    }
    here_ = std::move(above);
    return true;
  }

  // Deeper is an error: who makes directories as fast as they are looked at would keep us for ever.
  static constexpr size_t kLevelsMax = 100'000;
  static constexpr size_t kShownLevelsMax = 64;

  const int directory_;
  std::vector<Level> levels_;  // Under way, deepest last.
  UniqueFd here_;              // The last level.
  Result<> outcome_ = Done{};
};

}  // namespace

Result<> remove_tree(int directory, const std::string& name, int same_as) {
  return same_as < 0 ? Remover(directory).run(name) : Remover(directory).run_in(name, same_as);
}

}  // namespace godwit::objects
