#include "base/secret_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace godwit {
namespace {

class SecretFile {
 public:
  // A pipe without a writer shall not hold us up.
  explicit SecretFile(const std::string& path) : fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) {}
  ~SecretFile() {
    if (fd_ >= 0) close(fd_);
  }
  SecretFile(const SecretFile&) = delete;
  SecretFile& operator=(const SecretFile&) = delete;
  int fd() const { return fd_; }

 private:
  const int fd_;
};

}  // namespace

Result<std::vector<std::byte>> read_secret_file(const std::string& path, const std::string& what, size_t bytes_max) {
  const std::string name = what + " " + path;
  const auto unfit = [&name](const std::string& why) { return Error{Errc::kConfig, name + ": " + why}; };
  const SecretFile file(path);
  if (file.fd() < 0) return error_from_errno(Errc::kIo, name, errno);
  struct stat status {};
  if (fstat(file.fd(), &status) != 0) return error_from_errno(Errc::kIo, name, errno);
  if (!S_ISREG(status.st_mode)) return unfit("not a regular file");
  if (status.st_uid != geteuid())
    return unfit(fmt::format("it belongs to user {}, and this process is user {}: chown it", status.st_uid, geteuid()));
  if ((status.st_mode & 07177) != 0)
    return unfit(
        fmt::format("its mode is {:04o}: others than its owner may not use it; chmod 0600 (or 0400)", status.st_mode & 07777));
  std::vector<std::byte> bytes(bytes_max + 1);
  size_t size = 0;
  while (size < bytes.size()) {
    const ssize_t got = read(file.fd(), bytes.data() + size, bytes.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return error_from_errno(Errc::kIo, name, errno);
    if (got == 0) break;
    size += static_cast<size_t>(got);
  }
  bytes.resize(size);
  return bytes;
}

}  // namespace godwit
