#include "pmem/pool_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <vector>

#include "base/fail_point.hpp"
#include "base/units.hpp"
#include "pmem/bounds.hpp"
#include "pmem/pool_creation.hpp"
#include "pmem/shared_space.hpp"

namespace godwit::pmem {
namespace {

// Writes zeros where the file system cannot promise blocks otherwise (NFS before 4.2).
Result<> write_zeros(int fd, Extent in_file, const std::string& path) {
  const std::vector<std::byte> zeros(std::min<uint64_t>(in_file.length_bytes, 1_MiB));
  for (uint64_t done = 0; done < in_file.length_bytes;) {
    const auto chunk = std::span(zeros).first(std::min<uint64_t>(zeros.size(), in_file.length_bytes - done));
    if (auto written = write_fully(fd, chunk, in_file.offset_bytes + done, path); !written) return written;
    done += chunk.size();
  }
  if (fdatasync(fd) != 0) return pool_error("cannot fdatasync", path, errno);
  return Done{};
}

Extent in_file(Extent extent) { return {kHeaderBytes + extent.offset_bytes, round_up_to_page(extent.length_bytes)}; }

uint64_t device_size(const struct stat& status) {
  std::ifstream file(fmt::format("/sys/dev/char/{}:{}/size", major(status.st_rdev), minor(status.st_rdev)));
  uint64_t bytes = 0;
  file >> bytes;
  return bytes;
}

}  // namespace

Error pool_error(std::string_view what, const std::string& path, int number) {
  Error error = error_from_errno(Errc::kIo, fmt::format("{} '{}'", what, path), number);
  if (error.code == Errc::kNotFound) error.code = Errc::kIo;
  return error;
}

Result<> read_fully(int fd, std::span<std::byte> bytes, uint64_t file_offset_bytes, const std::string& path) {
  for (size_t done = 0; done < bytes.size();) {
    const size_t wanted = std::min(bytes.size() - done, kTransferBytesMax);
    const ssize_t n = pread(fd, bytes.data() + done, wanted, static_cast<off_t>(file_offset_bytes + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return pool_error("cannot read", path, errno);
    if (n == 0) return Error{Errc::kIo, fmt::format("'{}' ends at byte {}: someone cut it", path, file_offset_bytes + done)};
    done += static_cast<size_t>(n);
  }
  return Done{};
}

Result<> write_fully(int fd, std::span<const std::byte> bytes, uint64_t file_offset_bytes, const std::string& path) {
  for (size_t done = 0; done < bytes.size();) {
    const size_t wanted = std::min(bytes.size() - done, kTransferBytesMax);
    const ssize_t n = pwrite(fd, bytes.data() + done, wanted, static_cast<off_t>(file_offset_bytes + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return pool_error("cannot write", path, errno);
    if (n == 0) return Error{Errc::kIo, fmt::format("'{}' takes no more bytes at {}", path, file_offset_bytes + done)};
    done += static_cast<size_t>(n);
  }
  return Done{};
}

bool PoolFile::is_device(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 && S_ISCHR(status.st_mode);
}

Result<PoolFile> PoolFile::open(const TargetSettings& settings) {
  const std::string& path = settings.path;
  // Twice at most: a pool that another process makes between our look and our creation is opened then.
  for (int attempt = 0; attempt < 3; ++attempt) {
    UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK));  // A FIFO must not block us.
    if (fd) return open_existing(std::move(fd), settings);
    if (errno == EISDIR) return Error{Errc::kConfig, fmt::format("'{}' is a directory: a pool is a file", path)};
    if (errno != ENOENT) return pool_error("cannot open", path, errno);
    if (settings.capacity_bytes == 0)
      return Error{Errc::kConfig, fmt::format("'{}' does not exist, and its capacity is not set", path)};
    const PoolHeader header{settings.kind, random_id(), round_up_to_page(settings.capacity_bytes)};
    auto made = create_pool_file(path, header);
    if (!made) return std::move(made).error();
    if (*made) return PoolFile(std::move(**made), header, 0, path);
  }
  return Error{Errc::kBusy, fmt::format("'{}' comes and goes: another process is making it, or it is a dangling link", path)};
}

Result<PoolFile> PoolFile::open_existing(UniqueFd fd, const TargetSettings& settings) {
  const std::string& path = settings.path;
  struct stat status {};
  if (fstat(fd.get(), &status) != 0) return pool_error("cannot stat", path, errno);
  if (!S_ISREG(status.st_mode)) return Error{Errc::kConfig, fmt::format("'{}' is not a regular file", path)};
  // Off again: io_uring takes it at its word, and answers EAGAIN for what is not in the page cache.
  if (fcntl(fd.get(), F_SETFL, 0) != 0) return pool_error("cannot use", path, errno);
  if (auto locked = lock_pool(fd.get(), path); !locked) return std::move(locked).error();

  const auto corrupt = [&](const std::string& text) { return Error{Errc::kCorrupt, fmt::format("'{}' {}", path, text)}; };
  if (fstat(fd.get(), &status) != 0) return pool_error("cannot stat", path, errno);
  const auto file_bytes = static_cast<uint64_t>(status.st_size);
  if (file_bytes < kHeaderBytes) return corrupt(fmt::format("is {} bytes long, too short for a pool", file_bytes));
  HeaderBytes bytes;
  if (auto got = read_fully(fd.get(), bytes, 0, path); !got) return std::move(got).error();
  const auto header = decode(bytes);
  if (!header) return corrupt(header.error().text);
  if (auto expected = check_expected(*header, settings.kind, round_up_to_page(settings.capacity_bytes)); !expected)
    return corrupt(expected.error().text);
  if (file_bytes != kHeaderBytes + header->capacity_bytes)
    return corrupt(fmt::format("is {} bytes long, and its header says {}", file_bytes, kHeaderBytes + header->capacity_bytes));
  return PoolFile(std::move(fd), *header, 0, path);
}

Result<PoolFile> PoolFile::open_device(const TargetSettings& settings) {
  const std::string& path = settings.path;
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return pool_error("cannot open", path, errno);
  struct stat status {};
  if (fstat(fd.get(), &status) != 0) return pool_error("cannot stat", path, errno);
  const uint64_t device_bytes = S_ISCHR(status.st_mode) ? device_size(status) : 0;
  if (device_bytes <= kHeaderBytes) return Error{Errc::kConfig, fmt::format("'{}' is not a devdax device", path)};
  if (round_up_to_page(settings.capacity_bytes) > device_bytes - kHeaderBytes)
    return Error{Errc::kConfig, fmt::format("'{}' has {} bytes: room for a capacity of {}, and the configuration says {}", path,
                                            device_bytes, device_bytes - kHeaderBytes, settings.capacity_bytes)};
  if (auto locked = lock_pool(fd.get(), path); !locked) return std::move(locked).error();
  return PoolFile(std::move(fd), PoolHeader{}, device_bytes, path);
}

Result<> PoolFile::guarantee(Extent extent, Contents contents) const {
  if (is_device() || extent.length_bytes == 0) return Done{};
  const Extent blocks = in_file(extent);
  int number = fail_point("pmem.fallocate");
  while (number == 0 && fallocate(fd(), FALLOC_FL_KEEP_SIZE, static_cast<off_t>(blocks.offset_bytes),
                                  static_cast<off_t>(blocks.length_bytes)) != 0) {
    if (errno == EINTR) continue;
    number = errno;
  }
  if (number == 0) return Done{};
  if (number != EOPNOTSUPP && number != ENOSYS)
    return pool_error(fmt::format("cannot allocate {} of", format_size(blocks.length_bytes)), path_, number);
  return contents == Contents::kKept ? Result<>(Done{}) : write_zeros(fd(), blocks, path_);
}

Result<> PoolFile::punch(Extent extent) const {
  if (is_device() || extent.length_bytes == 0) return Done{};
  const Extent blocks = in_file(extent);
  while (fallocate(fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(blocks.offset_bytes),
                   static_cast<off_t>(blocks.length_bytes)) != 0) {
    if (errno == EINTR) continue;
    if (errno == EOPNOTSUPP || errno == ENOSYS) return Done{};
    return pool_error("cannot punch out", path_, errno);
  }
  return Done{};
}

}  // namespace godwit::pmem
