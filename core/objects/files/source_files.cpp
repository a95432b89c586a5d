#include "objects/files/source_files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/log.hpp"

namespace godwit::objects {
namespace {

// Whether somebody has the file open for writing (or mapped so): a read lease is to be had only where nobody has. Where leases
// are not to be had at all, a lock of the whole file, as HDF5 and others take one, tells.
bool has_writer(int fd) {
  if (fcntl(fd, F_SETLEASE, F_RDLCK) == 0) {
    (void)fcntl(fd, F_SETLEASE, F_UNLCK);
    return false;
  }
  if (errno == EAGAIN) return true;
  if (flock(fd, LOCK_SH | LOCK_NB) != 0) return errno == EWOULDBLOCK;
  (void)flock(fd, LOCK_UN);
  return false;
}

}  // namespace

std::string SourceFiles::describe(uint32_t entry) const {
  return fmt::format("'{}/{}'", log::printable(directory_->path), log::printable(path_of(walked.files, entry)));
}

Result<UniqueFd> SourceFiles::open(uint32_t entry, pmem::Io::Direction) {
  const ActAs as(user_);
  auto fd = open_regular(directory_->fd.get(), path_of(walked.files, entry), O_RDONLY, describe(entry));
  if (!fd) return fd;
  if (auto same = check(entry, fd->get()); !same) return std::move(same).error();
  if (auto alone = check_writer(entry, fd->get()); !alone) return std::move(alone).error();
  return fd;
}

Result<> SourceFiles::check_writer(uint32_t entry, int fd) const {
  if (tolerance_ != Tolerance::kNone || !has_writer(fd)) return Done{};
  return Error{Errc::kChanged, describe(entry) + " is open for writing; close it, or read it all the same with --force"};
}

Result<> SourceFiles::check_writers(int directory) const {
  if (tolerance_ != Tolerance::kNone) return Done{};
  const auto& entries = walked.files.entries;
  for (uint32_t i = 0; i < entries.size(); ++i) {
    if (entries[i].kind != model::FileKind::kRegular) continue;
    auto fd = open_regular(directory, path_of(walked.files, i), O_RDONLY, describe(i));
    if (!fd) continue;  // It went, or changed: recheck() tells.
    if (auto alone = check_writer(i, fd->get()); !alone) return alone;
  }
  return Done{};
}

Result<> SourceFiles::finished(uint32_t entry, int fd, pmem::Io::Direction) { return check(entry, fd); }

Result<> SourceFiles::check(uint32_t entry, int fd) const {
  struct stat status {};
  if (fstat(fd, &status) != 0) return file_error(describe(entry), errno);
  FileState state = state_of(status);
  if (tolerance_ == Tolerance::kNewNames) state.changed = walked.states[entry].changed;
  if (S_ISREG(status.st_mode) && state == walked.states[entry]) return Done{};
  return Error{Errc::kChanged, describe(entry) + " changed while it was read"};
}

}  // namespace godwit::objects
