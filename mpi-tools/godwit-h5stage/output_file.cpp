#include "godwit-h5stage/output_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <godwit/godwit.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "common/tool_report.hpp"
#include "godwit-h5stage/failure.hpp"

namespace godwit::h5stage {
namespace {

constexpr mode_t kMode = 0666;  // Less the umask.

[[noreturn]] void fail(const std::string& file) {
  const int error = errno;
  throw Failure(error == ENOSPC || error == EDQUOT ? GODWIT_ERR_NO_SPACE : GODWIT_ERR_IO,
                fmt::format("cannot write {}: {}", file, std::strerror(error)));
}

void check_absent(const std::string& file, bool may_replace = false) {
  struct stat there {};
  const bool is_there = lstat(file.c_str(), &there) == 0;
  if (is_there && S_ISDIR(there.st_mode)) throw Failure(GODWIT_ERR_EXISTS, file + " is a directory");
  if (is_there && !may_replace) throw Failure(GODWIT_ERR_EXISTS, fmt::format("{} is there already; --force replaces it", file));
}

void write_all(int descriptor, std::string_view bytes, const std::string& file) {
  while (!bytes.empty()) {
    const ssize_t written = write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) fail(file);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
}

}  // namespace

std::string temporary_name(const std::string& file) {
  const std::filesystem::path path(file);
  return (path.parent_path() / fmt::format(".{}.h5stage-part", path.filename().string())).string();
}

// Asks for a little more than there may be: a quota is in no other answer.
Failure why_not_written(const std::string& temporary, const Failure& failure) {
  if (failure.error() != GODWIT_ERR_IO) return failure;
  const int descriptor = open(temporary.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (descriptor < 0) return failure;
  constexpr off_t kProbeBytes = 1 << 20;
  struct stat status {};
  int error = 0;
  if (fstat(descriptor, &status) == 0) {
    // All of it, the holes that writes have left too. Where a file system cannot do that: so much at its end.
    if (fallocate(descriptor, 0, 0, status.st_size + kProbeBytes) != 0) error = errno;
    const std::string probe(error == EOPNOTSUPP ? kProbeBytes : 0, '\0');
    if (!probe.empty() &&
        (pwrite(descriptor, probe.data(), probe.size(), status.st_size) != kProbeBytes || fsync(descriptor) != 0))
      error = errno;
  }
  close(descriptor);
  if (error != ENOSPC && error != EDQUOT) return failure;
  return Failure(GODWIT_ERR_NO_SPACE, fmt::format("no room for {}: {} ({})", temporary, std::strerror(error), failure.what()));
}

OutputFile::OutputFile(std::string file, std::string_view begin, bool replace)
    : file_(std::move(file)), temporary_(temporary_name(file_)), replace_(replace) {
  check_absent(file_, replace_);
  descriptor_ = open(temporary_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kMode);
  if (descriptor_ < 0) fail(temporary_);
  struct stat begun {};
  // Somebody may have prepared it, to have what comes, or to have one of our files cut.
  if (fstat(descriptor_, &begun) != 0 || !S_ISREG(begun.st_mode) || begun.st_uid != geteuid() || begun.st_nlink != 1) {
    close(descriptor_);
    throw Failure(GODWIT_ERR_DENIED, fmt::format("{} is there, and is no file that an earlier run has left", temporary_));
  }
  try {
    lock();
    if (ftruncate(descriptor_, 0) != 0) fail(temporary_);
    write_all(descriptor_, begin, temporary_);
  } catch (const Failure& failure) {
    if (failure.error() != GODWIT_ERR_BUSY) unlink(temporary_.c_str());
    close(descriptor_);
    throw;
  }
}

// Also against a run that gave the file its name after we had opened it.
void OutputFile::lock() const {
  struct stat ours {
  }, named{};
  // A file system without locks keeps nobody from writing: two runs at once are told by their digests at the latest.
  const bool is_locked = flock(descriptor_, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
  const bool is_ours = is_locked && fstat(descriptor_, &ours) == 0 && stat(temporary_.c_str(), &named) == 0 &&
                       ours.st_ino == named.st_ino && ours.st_dev == named.st_dev;
  if (!is_ours) throw Failure(GODWIT_ERR_BUSY, fmt::format("another run is writing {} ({})", file_, temporary_));
}

OutputFile::~OutputFile() {
  if (descriptor_ < 0) return;
  unlink(temporary_.c_str());
  close(descriptor_);
}

void OutputFile::publish() {
  if (fsync(descriptor_) != 0) fail(temporary_);
  // A name of its own first, where somebody else's must not be taken from him; both names are one file then.
  if (!replace_ && link(temporary_.c_str(), file_.c_str()) != 0) {
    if (errno == EEXIST) check_absent(file_);
    if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS) fail(file_);
    check_absent(file_);  // No hard links here.
  }
  if (!tools::replace_file(temporary_, file_)) fail(file_);
  unlink(temporary_.c_str());  // Two names of one file are not replaced by each other.
  close(std::exchange(descriptor_, -1));
}

}  // namespace godwit::h5stage
