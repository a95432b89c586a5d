#include "pmem/pool_creation.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/fail_point.hpp"
#include "pmem/pool_file.hpp"

namespace godwit::pmem {
namespace {

// The temporary file, unlinked again unless it has got its name.
class Temporary {
 public:
  explicit Temporary(std::string path) : path_(std::move(path)) {}
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  ~Temporary() {
    if (owned_) ::unlink(path_.c_str());
  }

  const std::string& path() const { return path_; }
  void own() { owned_ = true; }
  void disown() { owned_ = false; }

 private:
  const std::string path_;
  bool owned_ = false;  // Only with the lock: otherwise it is another process's.
};

// Errors: kIo, with the errno's text.
Result<> fill(int fd, const std::string& path, const PoolHeader& header) {
  const uint64_t file_bytes = kHeaderBytes + header.capacity_bytes;
  // To nothing first: what a crashed creation left must not shine through.
  if (ftruncate(fd, 0) != 0) return pool_error("cannot empty", path, errno);
  if (ftruncate(fd, static_cast<off_t>(file_bytes)) != 0) {
    if (errno == EFBIG || errno == EINVAL)
      return Error{Errc::kConfig, fmt::format("'{}': its file system holds no file of {} bytes", path, file_bytes)};
    return pool_error("cannot size", path, errno);
  }
  const HeaderBytes bytes = encode(header);
  if (auto written = write_fully(fd, bytes, 0, path); !written) return written;
  const int number = fail_point("pmem.create");
  if (number != 0) errno = number;
  if (number != 0 || fsync(fd) != 0) return pool_error("cannot fsync", path, errno);
  return Done{};
}

Result<> sync_directory_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
  const UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return pool_error("cannot open", directory, errno);
  if (fsync(fd.get()) != 0 && errno != EINVAL) return pool_error("cannot fsync", directory, errno);
  return Done{};
}

// 0, or an errno; EEXIST if the name is taken.
int rename_new(const std::string& from, const std::string& to) {
  if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return errno;
  // A file system without RENAME_NOREPLACE (NFS): a link is as atomic, and the temporary name goes after it.
  if (link(from.c_str(), to.c_str()) != 0) return errno;
  return unlink(from.c_str()) == 0 ? 0 : errno;
}

bool is_same_file(int fd, const std::string& path) {
  struct stat opened {};
  struct stat named {};
  return fstat(fd, &opened) == 0 && lstat(path.c_str(), &named) == 0 && opened.st_dev == named.st_dev &&
         opened.st_ino == named.st_ino;
}

}  // namespace

Result<> lock_pool(int fd, const std::string& path) {
  while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno == EWOULDBLOCK) return Error{Errc::kBusy, fmt::format("'{}' is open in another process", path)};
    return pool_error("cannot lock", path, errno);
  }
  return Done{};
}

Result<std::optional<UniqueFd>> create_pool_file(const std::string& path, const PoolHeader& header) {
  Temporary temporary(path + ".creating");
  UniqueFd fd(::open(temporary.path().c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return pool_error("cannot create", temporary.path(), errno);
  if (auto locked = lock_pool(fd.get(), temporary.path()); !locked) return std::move(locked).error();
  // Whoever had the lock before us may have renamed it to `path`: then it is a pool now, and not ours to fill.
  if (!is_same_file(fd.get(), temporary.path())) return std::optional<UniqueFd>{};
  temporary.own();
  if (auto filled = fill(fd.get(), temporary.path(), header); !filled) return std::move(filled).error();
  if (const int number = rename_new(temporary.path(), path); number != 0) {
    if (number == EEXIST) return std::optional<UniqueFd>{};
    errno = number;
    return pool_error("cannot rename to", path, errno);
  }
  temporary.disown();
  if (auto synced = sync_directory_of(path); !synced) return std::move(synced).error();
  return std::optional<UniqueFd>(std::move(fd));
}

}  // namespace godwit::pmem
