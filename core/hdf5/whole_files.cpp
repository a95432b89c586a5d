// godwit_hdf5.h: what is done with whole files: moved, erased, exported, imported.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "hdf5/boundary.hpp"
#include "hdf5/driver.hpp"

using godwit::Error;
using namespace godwit::hdf5;

namespace {

constexpr uint64_t kPieceBytes = uint64_t{4} << 20;

[[noreturn]] void throw_errno(const std::string& path) {
  const int number = errno;
  const int code = number == ENOENT   ? GODWIT_ERR_NOT_FOUND
                   : number == EEXIST ? GODWIT_ERR_EXISTS
                   : number == ENOSPC ? GODWIT_ERR_NO_SPACE
                   : number == EACCES ? GODWIT_ERR_DENIED
                                      : GODWIT_ERR_IO;
  throw Error(code, "'" + path + "': " + std::strerror(number));
}

class Fd {
 public:
  Fd(const std::string& path, int flags) : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0666)) {
    if (fd_ < 0) throw_errno(path);
  }
  ~Fd() { ::close(fd_); }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

std::string checked(const char* text, const char* what) {
  if (text == nullptr || *text == '\0') throw Error(GODWIT_ERR_INVALID, std::string(what) + " is NULL or empty");
  return text;
}

void write_all(const Fd& fd, const std::string& path, uint64_t at, const std::byte* data, uint64_t length) {
  while (length > 0) {
    const ssize_t written = ::pwrite(fd.get(), data, length, static_cast<off_t>(at));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) throw_errno(path);
    data += written;
    at += static_cast<uint64_t>(written);
    length -= static_cast<uint64_t>(written);
  }
}

void export_to(RegionFile& file, const std::string& path, const Fd& fd) {
  if (::ftruncate(fd.get(), static_cast<off_t>(file.size_bytes())) != 0) throw_errno(path);
  std::vector<std::byte> piece(kPieceBytes);
  file.for_each_part([&](const ExtentRange& range, uint64_t part_bytes) {
    for (uint64_t done = 0; done < part_bytes; done += kPieceBytes) {
      const uint64_t length = std::min(kPieceBytes, part_bytes - done);
      file.read(range.begin_bytes + done, piece.data(), length);
      write_all(fd, path, range.begin_bytes + done, piece.data(), length);
    }
  });
  if (::fsync(fd.get()) != 0) throw_errno(path);
}

void sync_directory_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const Fd fd(directory, O_RDONLY | O_DIRECTORY);
  if (::fsync(fd.get()) != 0) throw_errno(directory);
}

// Where the next data begin, from `at` on; the file's end if there are none.
uint64_t next_data(const Fd& fd, uint64_t at, uint64_t end) {
  const off_t found = ::lseek(fd.get(), static_cast<off_t>(at), SEEK_DATA);
  if (found >= 0) return static_cast<uint64_t>(found);
  return errno == ENXIO ? end : at;  // Without support for holes all of it is data.
}

void import_from(const Fd& fd, const std::string& path, RegionFile& file) {
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) throw_errno(path);
  const auto end = static_cast<uint64_t>(status.st_size);
  std::vector<std::byte> piece(kPieceBytes);
  for (uint64_t at = next_data(fd, 0, end); at < end; at = next_data(fd, at, end)) {
    const ssize_t length = ::pread(fd.get(), piece.data(), std::min(kPieceBytes, end - at), static_cast<off_t>(at));
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) throw_errno(path);
    if (length == 0) throw Error(GODWIT_ERR_CHANGED, "'" + path + "' was cut while it was read");
    file.write(at, piece.data(), static_cast<uint64_t>(length));
    at += static_cast<uint64_t>(length);
  }
  file.truncate(end);
  file.flush();
}

}  // namespace

herr_t godwit_hdf5_migrate(hid_t file, const char* destination, const char* destination_target,
                           const godwit_migrate_options* options) {
  return at_hdf5_boundary<herr_t>({"godwit_hdf5_migrate", H5E_CANTMOVE}, -1, [&] {
    RegionFile& regions = file_behind(file);
    unsigned intent = 0;
    if (H5Fget_intent(file, &intent) < 0) return -1;
    if ((intent & H5F_ACC_RDWR) != 0 && H5Fflush(file, H5F_SCOPE_GLOBAL) < 0) return -1;
    const godwit_migrate_options defaults = GODWIT_MIGRATE_OPTIONS_INIT;
    regions.migrate(checked(destination, "destination"), checked(destination_target, "destination_target"),
                    options == nullptr ? defaults : *options);
    return 0;
  });
}

herr_t godwit_hdf5_erase(const godwit_hdf5_config* config, const char* name) {
  return at_hdf5_boundary<herr_t>({"godwit_hdf5_erase", H5E_CANTDELETE}, -1, [&] {
    RegionFile::erase(Config::from(config), checked(name, "name"));
    return 0;
  });
}

herr_t godwit_hdf5_export(const godwit_hdf5_config* config, const char* name, const char* path) {
  return at_hdf5_boundary<herr_t>({"godwit_hdf5_export", H5E_WRITEERROR}, -1, [&] {
    const std::string to = checked(path, "path");
    const std::string unfinished = to + ".godwit-export." + std::to_string(::getpid());
    RegionFile file = RegionFile::open(Config::from(config), checked(name, "name"));
    const Fd fd(unfinished, O_WRONLY | O_CREAT | O_EXCL);
    try {
      export_to(file, to, fd);
      if (::link(unfinished.c_str(), to.c_str()) != 0) throw_errno(to);  // Unlike rename(), never over another file.
    } catch (...) {
      ::unlink(unfinished.c_str());
      throw;
    }
    ::unlink(unfinished.c_str());
    sync_directory_of(to);
    return 0;
  });
}

herr_t godwit_hdf5_import(const godwit_hdf5_config* config, const char* path, const char* name) {
  return at_hdf5_boundary<herr_t>({"godwit_hdf5_import", H5E_READERROR}, -1, [&] {
    const std::string from = checked(path, "path");
    const Config to = Config::from(config);
    const Fd fd(from, O_RDONLY);
    if (H5Fis_hdf5(path) <= 0) throw Error(GODWIT_ERR_INVALID, "'" + from + "' is not an HDF5 file");
    RegionFile file = RegionFile::create(to, checked(name, "name"), RegionFile::WhenThere::kFail);
    try {
      import_from(fd, from, file);
    } catch (...) {
      try {
        file.erase_all();
      } catch (const Error&) {  // What made the import fail is what the user has to know.
      }
      throw;
    }
    return 0;
  });
}
