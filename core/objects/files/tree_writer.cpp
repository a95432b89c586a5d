#include "objects/files/tree_writer.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/fail_point.hpp"
#include "base/log.hpp"
#include "objects/files/file_user.hpp"
#include "objects/files/xattrs.hpp"

namespace godwit::objects {

using model::FileEntry;
using model::FileKind;

namespace {

// Fewer files are synced one by one: the rest of their file system is not ours to wait for.
constexpr size_t kSyncEachMax = 256;
// For chown(2).
constexpr auto kSameOwner = static_cast<uid_t>(-1);

Result<> sync_one(int fd, const std::string& what) {
  int number = fail_point("files.sync");
  while (number == 0 && fsync(fd) != 0)
    if (errno != EINTR) number = errno;
  if (number == 0) return Done{};
  Error error = file_error(what, number);
  if (error.code != Errc::kNoSpace) error.code = Errc::kIo;
  return error;
}

}  // namespace

mode_t rights_of(const FileEntry& entry, bool is_given) {
  const mode_t rights = entry.mode & (S_IRWXU | S_IRWXG | S_IRWXO | S_ISVTX);
  return is_given ? rights : rights & (~static_cast<mode_t>(S_IRWXG) | ((rights & S_IRWXO) << 3));
}

std::string TreeWriter::describe(uint32_t entry) const {
  return fmt::format("'{}/{}'", log::printable(shown_), log::printable(path_of(files_, entry)));
}

Result<UniqueFd> TreeWriter::open(uint32_t entry, int flags) const {
  return open_beneath(root_, path_of(files_, entry), flags | O_NOFOLLOW, Links::kNone, describe(entry));
}

Result<> TreeWriter::make_frame(const std::vector<bool>& wanted) const {
  for (uint32_t i = 0; i < files_.entries.size(); ++i) {
    if (files_.entries[i].kind == FileKind::kRegular && !wanted.empty() && !wanted[i]) continue;
    if (auto made = make(i); !made) return made;
  }
  return Done{};
}

Result<> TreeWriter::make(uint32_t index) const {
  const FileEntry& entry = files_.entries[index];
  if (entry.kind == FileKind::kHardLink) return Done{};
  if (entry.kind == FileKind::kRegular) {
    if (!entry.data.empty()) return Done{};
    auto fd = create(index);
    if (!fd) return std::move(fd).error();
    return dress(index, fd->get());
  }
  UniqueFd parent;
  if (entry.parent != model::kNoFile) {
    auto opened = open(entry.parent, O_PATH | O_DIRECTORY);
    if (!opened) return std::move(opened).error();
    parent = std::move(*opened);
  }
  const int at = parent ? parent.get() : root_;
  if (entry.kind == FileKind::kDirectory) {
    if (mkdirat(at, entry.name.c_str(), S_IRWXU) != 0) return file_error(describe(index), errno);
    if (auto opened_up = open_up(index); !opened_up || !entry.xattrs) return opened_up;  // Its parent's default ACL had a say.
    // So that what is made in it inherits from it.
    auto fd = open(index, O_RDONLY | O_DIRECTORY);
    if (!fd) return std::move(fd).error();
    if (auto given = give_xattrs(index, fd->get()); !given) return given;
    return open_up(index);
  }
  if (symlinkat(entry.link.c_str(), at, entry.name.c_str()) != 0) return file_error(describe(index), errno);
  (void)fchownat(at, entry.name.c_str(), acts_as_root() ? entry.user : kSameOwner, entry.group, AT_SYMLINK_NOFOLLOW);
  const timespec times[2] = {{0, UTIME_OMIT}, {entry.modified.seconds, static_cast<long>(entry.modified.nanoseconds)}};
  (void)utimensat(at, entry.name.c_str(), times, AT_SYMLINK_NOFOLLOW);  // Not every file system keeps a link's.
  return Done{};
}

Result<UniqueFd> TreeWriter::create(uint32_t index) const {
  auto fd = open_beneath(root_, path_of(files_, index), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, Links::kNone, describe(index),
                         S_IRUSR | S_IWUSR);
  if (!fd) return fd;
  // The default ACL of its directory may have taken it from us.
  if (fchmod(fd->get(), S_IRUSR | S_IWUSR) != 0) return file_error(describe(index), errno);
  if (auto sized = set_size(index, fd->get()); !sized) return std::move(sized).error();
  return fd;
}

// As long as it will be, where no data say so.
Result<> TreeWriter::set_size(uint32_t index, int fd) const {
  const FileEntry& entry = files_.entries[index];
  const bool ends_in_hole =
      entry.size_bytes > 0 &&
      (entry.data.empty() || entry.data.back().offset_bytes + entry.data.back().length_bytes != entry.size_bytes);
  if (ends_in_hole && ftruncate(fd, static_cast<off_t>(entry.size_bytes)) != 0) return file_error(describe(index), errno);
  return Done{};
}

Result<UniqueFd> TreeWriter::create_again(uint32_t index) const {
  auto there = open(index, O_PATH);
  if (!there && there.error().code == Errc::kNotFound) return create(index);
  if (!there) return there;
  if (auto opened_up = change_mode(index, there->get(), S_IRUSR | S_IWUSR); !opened_up) return std::move(opened_up).error();
  auto fd = open_regular(root_, path_of(files_, index), O_RDWR, describe(index));
  if (!fd) return fd;
  if (auto sized = set_size(index, fd->get()); !sized) return std::move(sized).error();
  return fd;
}

Result<> TreeWriter::check_frame() const {
  for (uint32_t i = 0; i < files_.entries.size(); ++i) {
    const FileKind kind = files_.entries[i].kind;
    if (kind == FileKind::kDirectory)
      if (auto opened_up = open_up(i); !opened_up) return opened_up;
    if (kind != FileKind::kSymlink) continue;
    if (auto there = open(i, O_PATH); !there) return std::move(there).error();
  }
  return Done{};
}

// A directory, for us alone.
Result<> TreeWriter::open_up(uint32_t index) const {
  auto fd = open(index, O_PATH | O_DIRECTORY);
  if (!fd) return std::move(fd).error();
  return change_mode(index, fd->get(), S_IRWXU);
}

// Of what `fd` is, which may be opened as a path only.
Result<> TreeWriter::change_mode(uint32_t index, int fd, mode_t mode) const {
  if (chmod(fmt::format("/proc/self/fd/{}", fd).c_str(), mode) == 0) return Done{};
  return file_error(describe(index), errno);
}

Result<> TreeWriter::dress_all() const {
  for (uint32_t i = 0; i < files_.entries.size(); ++i) {
    if (files_.entries[i].kind != FileKind::kRegular) continue;
    auto fd = create_again(i);
    if (!fd) return std::move(fd).error();
    if (auto dressed = dress(i, fd->get()); !dressed) return dressed;
  }
  return Done{};
}

Result<> TreeWriter::dress(uint32_t index, int fd) const {
  const FileEntry& entry = files_.entries[index];
  // Others than root give nothing away; they may give it to a group of theirs.
  const bool is_given = fchown(fd, acts_as_root() ? entry.user : kSameOwner, entry.group) == 0;
  if (!is_given && acts_as_root()) return file_error(describe(index), errno);
  if (auto given = give_xattrs(index, fd); !given) return given;
  // An ACL has its say in the mode: the mode comes after.
  if (fchmod(fd, rights_of(entry, is_given)) != 0) return file_error(describe(index), errno);
  const timespec times[2] = {{0, UTIME_OMIT}, {entry.modified.seconds, static_cast<long>(entry.modified.nanoseconds)}};
  if (futimens(fd, times) != 0) return file_error(describe(index), errno);
  return Done{};
}

// All that it is to have, and no others: an ACL may have come from its directory.
Result<> TreeWriter::give_xattrs(uint32_t index, int fd) const {
  if (!files_.entries[index].xattrs) return Done{};
  const std::vector<model::Xattr>& xattrs = *files_.entries[index].xattrs;
  const auto failed = [&](const std::string& name) {
    return file_error(fmt::format("attribute {} of {}", log::printable(name), describe(index)), errno);
  };
  auto there = xattr_names(fd, describe(index));
  if (!there) return std::move(there).error();
  for (const std::string& name : *there) {
    const bool is_to_stay = std::ranges::find(xattrs, name, &model::Xattr::name) != xattrs.end();
    if (!is_to_stay && fremovexattr(fd, name.c_str()) != 0) return failed(name);
  }
  // An ACL may take the right to write, which the others need.
  for (const bool is_acl : {false, true})
    for (const model::Xattr& xattr : xattrs)
      if (xattr.name.starts_with("system.") == is_acl &&
          fsetxattr(fd, xattr.name.c_str(), xattr.value.data(), xattr.value.size(), 0) != 0)
        return failed(xattr.name);
  return Done{};
}

Result<> TreeWriter::complete(bool again) const {
  for (uint32_t i = 0; i < files_.entries.size(); ++i) {
    if (files_.entries[i].kind != FileKind::kHardLink) continue;
    const std::string from = path_of(files_, files_.entries[i].same_as);
    auto from_directory = open(files_.entries[files_.entries[i].same_as].parent, O_PATH | O_DIRECTORY);
    auto to_directory = open(files_.entries[i].parent, O_PATH | O_DIRECTORY);
    if (!from_directory) return std::move(from_directory).error();
    if (!to_directory) return std::move(to_directory).error();
    const auto link = [&] {
      return linkat(from_directory->get(), files_.entries[files_.entries[i].same_as].name.c_str(), to_directory->get(),
                    files_.entries[i].name.c_str(), 0);
    };
    int failed = link();
    if (failed != 0 && errno == EEXIST && again && unlinkat(to_directory->get(), files_.entries[i].name.c_str(), 0) == 0)
      failed = link();
    if (failed != 0) return file_error(describe(i), errno);
  }
  for (uint32_t i = static_cast<uint32_t>(files_.entries.size()); i-- > 0;) {
    if (files_.entries[i].kind != FileKind::kDirectory) continue;
    auto fd = open(i, O_RDONLY | O_DIRECTORY);
    if (!fd) return std::move(fd).error();
    if (auto dressed = dress(i, fd->get()); !dressed) return dressed;
    // Only who may write a directory may take it elsewhere: see show_mode().
    if (i == 0 && (files_.entries[0].mode & S_IWUSR) == 0 && fchmod(fd->get(), S_IRWXU) != 0)
      return file_error(describe(0), errno);
  }
  return Done{};
}

void TreeWriter::show_mode(int directory, uint64_t inode, uint64_t mask) const {
  const FileEntry& top = files_.entries[0];
  if (top.kind != FileKind::kDirectory || (top.mode & S_IWUSR) != 0) return;
  const std::string what = "the mode of " + describe(0);
  auto fd = open_beneath(directory, top.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, Links::kNone, what);
  struct stat status {};
  if (!fd || fstat(fd->get(), &status) != 0)
    log::warn("{}", fd ? file_error(what, errno).text : fd.error().text);
  else if ((status.st_ino & mask) != inode)
    log::warn("{}: it is another directory by now", what);
  else if (fchmod(fd->get(), rights_of(top, status.st_gid == top.group)) != 0)
    log::warn("{}", file_error(what, errno).text);
}

Result<> TreeWriter::make_durable() const {
  if (files_.entries.size() > kSyncEachMax) {
    int number = fail_point("files.sync");
    if (number == 0 && syncfs(root_) != 0) number = errno;
    if (number == 0) return Done{};
    Error error = file_error("the file system of '" + log::printable(shown_) + "'", number);
    if (error.code != Errc::kNoSpace) error.code = Errc::kIo;
    return error;
  }
  for (uint32_t i = 0; i < files_.entries.size(); ++i) {
    const FileKind kind = files_.entries[i].kind;
    if (kind != FileKind::kDirectory && kind != FileKind::kRegular) continue;
    // Without the right to read it, it can still be synced as part of its file system.
    auto fd = open(i, O_RDONLY | O_NONBLOCK);
    if (!fd && fd.error().code == Errc::kDenied) {
      if (syncfs(root_) != 0) return file_error(describe(i), errno);
      return Done{};
    }
    if (!fd) return std::move(fd).error();
    if (auto synced = sync_one(fd->get(), describe(i)); !synced) return synced;
  }
  return sync_one(root_, "'" + log::printable(shown_) + "'");
}

}  // namespace godwit::objects
