#include "objects/database/files.hpp"

#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

namespace godwit::objects {
namespace {

namespace fs = std::filesystem;

class Descriptor {
 public:
  Descriptor(const std::string& path, int flags) : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0600)) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

Error io_error(const std::string& path, const std::error_code& failed) {
  return error_from_errno(Errc::kIo, path, failed.value());
}

}  // namespace

Result<bool> is_missing_or_empty(const std::string& path) {
  std::error_code failed;
  if (!fs::exists(fs::symlink_status(path, failed))) return true;
  const bool empty = fs::is_empty(path, failed);
  if (failed) return io_error(path, failed);
  if (!fs::is_directory(path, failed)) return Error{Errc::kIo, path + ": not a directory"};
  return empty;
}

Result<> make_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) != 0)
    return errno == EEXIST ? Error{Errc::kExists, path + " exists already"} : error_from_errno(Errc::kIo, path, errno);
  return sync_path(fs::path(path).parent_path());
}

Result<std::vector<std::string>> files_of(const std::string& directory) {
  std::error_code failed;
  std::vector<std::string> names;
  for (fs::directory_iterator entry(directory, failed), end; !failed && entry != end; entry.increment(failed))
    if (entry->is_regular_file(failed)) names.push_back(entry->path().filename());
  if (failed) return io_error(directory, failed);
  return names;
}

uint64_t bytes_of(const std::string& directory) {
  std::error_code failed;
  uint64_t bytes = 0;
  for (fs::directory_iterator entry(directory, failed), end; !failed && entry != end; entry.increment(failed)) {
    struct stat status {};
    if (::lstat(entry->path().c_str(), &status) == 0) bytes += static_cast<uint64_t>(status.st_blocks) * 512;
  }
  return bytes;
}

Result<> copy_file(const std::string& from, const std::string& to) {
  const Descriptor source(from, O_RDONLY);
  if (source.get() < 0) return error_from_errno(Errc::kIo, from, errno);
  const Descriptor target(to, O_WRONLY | O_CREAT | O_EXCL);
  if (target.get() < 0)
    return errno == EEXIST ? Error{Errc::kExists, to + " exists already"} : error_from_errno(Errc::kIo, to, errno);
  constexpr size_t kChunkBytes = 1u << 30;
  for (;;) {
    const ssize_t sent = ::sendfile(target.get(), source.get(), nullptr, kChunkBytes);
    if (sent == 0) return Done{};
    if (sent < 0 && errno != EINTR) return error_from_errno(Errc::kIo, to, errno);
  }
}

Result<> link_or_copy(const std::string& from, const std::string& to) {
  if (::link(from.c_str(), to.c_str()) == 0) return Done{};
  if (errno == EXDEV || errno == EPERM || errno == EMLINK || errno == EOPNOTSUPP) return copy_file(from, to);
  return error_from_errno(Errc::kIo, to, errno);
}

Result<> sync_path(const std::string& path) {
  const Descriptor file(path, O_RDONLY);
  if (file.get() < 0 || ::fsync(file.get()) != 0) return error_from_errno(Errc::kIo, path, errno);
  return Done{};
}

Result<> remove_tree(const std::string& path) {
  std::error_code failed;
  fs::remove_all(path, failed);
  if (failed) return io_error(path, failed);
  return Done{};
}

Result<> fill_new_directory(const std::string& path, const std::function<Result<>()>& make) {
  if (auto made = make_directory(path); !made) return made;
  auto filled = make();
  if (!filled) (void)remove_tree(path);  // The error of `make` says more.
  return filled;
}

}  // namespace godwit::objects
