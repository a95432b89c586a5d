#include "file_io.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "session.hpp"

namespace godwit::cli {
namespace {

[[noreturn]] void fail(const std::string& path, int number) {
  const int code = number == ENOENT   ? GODWIT_ERR_NOT_FOUND
                   : number == EEXIST ? GODWIT_ERR_EXISTS
                   : number == ENOSPC ? GODWIT_ERR_NO_SPACE
                                      : GODWIT_ERR_IO;
  throw Failure(code, fmt::format("{}: {}", path, std::strerror(number)));
}

}  // namespace

File File::open_input(const std::string& path) {
  if (path == "-") return {STDIN_FILENO, "standard input", false};
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) fail(path, errno);
  return {fd, path, true};
}

File File::create_output(const std::string& path, bool replace) {
  if (path == "-") return {STDOUT_FILENO, "standard output", false};
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | (replace ? O_TRUNC : O_EXCL), 0666);
  if (fd < 0) fail(path, errno);
  return {fd, path, true};
}

File::File(File&& other) noexcept : fd_(other.fd_), path_(std::move(other.path_)), owned_(std::exchange(other.owned_, false)) {}

File::~File() {
  if (owned_) close(fd_);
}

size_t File::read(std::span<std::byte> buffer) const {
  size_t done = 0;
  while (done < buffer.size()) {
    const ssize_t n = ::read(fd_, buffer.data() + done, buffer.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail(path_, errno);
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  return done;
}

void File::write(std::span<const std::byte> bytes) const {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail(path_, errno);
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
}

void File::finish() {
  if (!std::exchange(owned_, false)) return;
  const int synced = is_regular() ? fsync(fd_) : 0;
  const int sync_error = errno;
  if (close(fd_) != 0) fail(path_, errno);
  if (synced != 0) fail(path_, sync_error);
}

uint64_t File::size_bytes() const {
  struct stat status {};
  if (fstat(fd_, &status) != 0) fail(path_, errno);
  if (!S_ISREG(status.st_mode)) throw Failure(GODWIT_ERR_INVALID, fmt::format("{} is not a regular file: give --size", path_));
  return static_cast<uint64_t>(status.st_size);
}

bool File::is_regular() const {
  struct stat status {};
  return fstat(fd_, &status) == 0 && S_ISREG(status.st_mode);
}

}  // namespace godwit::cli
