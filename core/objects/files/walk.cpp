#include "objects/files/walk.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <fnmatch.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <ctime>
#include <map>
#include <memory>
#include <thread>

#include "base/deadline.hpp"
#include "base/log.hpp"
#include "base/units.hpp"
#include "objects/files/file_user.hpp"
#include "objects/files/xattrs.hpp"

namespace godwit::objects {
namespace {

using model::FileEntry;
using model::FileKind;
using model::Fileset;
using model::FileTime;

constexpr size_t kEntriesMax = 50'000'000;
// File systems stamp changes with a clock that ticks so often, at worst (HZ=100).
constexpr std::chrono::milliseconds kTimestampStep{10};

FileTime time_of(const timespec& time) { return {time.tv_sec, static_cast<uint32_t>(time.tv_nsec)}; }

bool matches(const FileRule& rule, const std::string& below_top, const std::string& name) {
  if (rule.pattern.find('/') == std::string::npos) return fnmatch(rule.pattern.c_str(), name.c_str(), 0) == 0;
  const char* pattern = rule.pattern.c_str() + (rule.pattern.starts_with('/') ? 1 : 0);
  return fnmatch(pattern, below_top.c_str(), FNM_PATHNAME) == 0;
}

class Walker {
 public:
  Walker(int directory, const WalkOptions& options, const std::string& shown, const std::atomic<bool>& cancelled)
      : directory_(directory), options_(options), shown_(shown), cancelled_(cancelled) {}

  Result<Walked> run(const std::string& name) {
    struct stat status {};
    if (fstatat(directory_, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
      return file_error(fmt::format("'{}/{}'", shown_, log::printable(name)), errno);
    if (auto added = add(directory_, model::kNoFile, name, status); !added) return std::move(added).error();
    if (walked_.files.entries.empty())
      return Error{Errc::kUnsupported, fmt::format("'{}/{}' is neither a file nor a directory", shown_, log::printable(name))};
    // Every directory is listed in its turn, so that parents come before children.
    for (uint32_t i = 0; i < walked_.files.entries.size(); ++i) {
      if (cancelled_) return Error{Errc::kCancelled, "the migration was cancelled"};
      if (walked_.files.entries[i].kind != FileKind::kDirectory) continue;
      if (auto listed = list(i); !listed) return std::move(listed).error();
    }
    wait_for_the_clock();
    return std::move(walked_);
  }

 private:
  // For errors: an entry; and what is called `name` in a directory (kNoFile: in the one where the top is).
  std::string shown(uint32_t entry) const {
    return fmt::format("'{}/{}'", shown_, log::printable(path_of(walked_.files, entry)));
  }
  std::string shown(uint32_t directory, const std::string& name) const {
    const std::string above = directory == model::kNoFile ? "" : path_of(walked_.files, directory) + "/";
    return fmt::format("'{}/{}'", shown_, log::printable(above + name));
  }

  Result<> list(uint32_t directory) {
    const std::string path = path_of(walked_.files, directory);
    auto fd = open_beneath(directory_, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, Links::kNone, shown(directory));
    if (!fd) return std::move(fd).error();
    const int own = dup(fd->get());
    OpenDirectory stream(own < 0 ? nullptr : fdopendir(own));
    if (!stream) return file_error(shown(directory), errno);
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = readdir(stream.get())) {
      std::string name = entry->d_name;
      if (name != "." && name != "..") names.push_back(std::move(name));
    }
    if (errno != 0) return file_error(shown(directory), errno);
    std::ranges::sort(names);
    const std::string below_top = path.size() == walked_.files.entries[0].name.size()
                                      ? std::string()
                                      : path.substr(walked_.files.entries[0].name.size() + 1) + "/";
    for (const std::string& name : names) {
      if (is_left_out(below_top + name, name)) {
        ++walked_.left_out;
        continue;
      }
      struct stat status {};
      if (fstatat(fd->get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT) continue;  // It went while we looked.
        return file_error(shown(directory, name), errno);
      }
      if (auto added = add(fd->get(), directory, name, status); !added) return added;
    }
    return Done{};
  }

  bool is_left_out(const std::string& below_top, const std::string& name) const {
    for (const FileRule& rule : options_.rules)
      if (matches(rule, below_top, name)) return !rule.take;
    return false;
  }

  // `at`: the directory that `name` is in.
  Result<> add(int at, uint32_t parent, const std::string& name, const struct stat& status) {
    if (walked_.files.entries.size() >= kEntriesMax)
      return Error{Errc::kLimit, fmt::format("more than {} files at '{}': migrate a part at a time", kEntriesMax, shown_)};
    FileEntry entry;
    entry.parent = parent;
    entry.name = name;
    entry.mode = status.st_mode & 07777;
    entry.user = status.st_uid;
    entry.group = status.st_gid;
    entry.modified = time_of(status.st_mtim);
    const auto what = [&] { return shown(parent, name); };
    switch (status.st_mode & S_IFMT) {
      case S_IFDIR: entry.kind = FileKind::kDirectory; break;
      case S_IFREG:
        if (auto regular = add_regular(at, status, entry, what); !regular) return regular;
        break;
      case S_IFLNK: {
        entry.kind = FileKind::kSymlink;
        const ssize_t length = readlinkat(at, name.c_str(), buffer_.data(), PATH_MAX);
        if (length < 0) return file_error(what(), errno);
        entry.link.assign(buffer_.data(), static_cast<size_t>(length));
        break;
      }
      default:
        if (!options_.skip_special)
          return Error{Errc::kUnsupported,
                       fmt::format("{} is a device, a socket or a FIFO, {}", what(), options_.special_advice)};
        ++walked_.left_out;
        return Done{};
    }
    if (options_.xattrs && entry.kind != FileKind::kSymlink && entry.kind != FileKind::kHardLink)
      if (auto read = read_xattrs(at, entry, what()); !read) return read;
    walked_.listing_bytes += protocol::listing_bytes(entry);
    if (auto fits = check_size(0); !fits) return fits;
    walked_.files.entries.push_back(std::move(entry));
    walked_.states.push_back(state_of(status));
    if (S_ISREG(status.st_mode)) latest_ = std::max(latest_, walked_.states.back().changed);
    return Done{};
  }

  // With what an entry will add; before all of it is in memory.
  Result<> check_size(uint64_t more_bytes) const {
    if (walked_.listing_bytes + more_bytes <= options_.listing_bytes_max) return Done{};
    return Error{Errc::kLimit,
                 fmt::format("the list of the files of the job, at '{}', is longer than {}: migrate a part at a time", shown_,
                             format_size(protocol::kListingBytesMax))};
  }

  template <class What>
  Result<> add_regular(int at, const struct stat& status, FileEntry& entry, const What& what) {
    if (status.st_nlink > 1) {
      const auto index = static_cast<uint32_t>(walked_.files.entries.size());
      const auto [first, is_new] = linked_.try_emplace({status.st_dev, status.st_ino}, index);
      if (!is_new) {
        entry.kind = FileKind::kHardLink;
        entry.same_as = first->second;
        return Done{};
      }
    }
    entry.kind = FileKind::kRegular;
    entry.size_bytes = static_cast<uint64_t>(status.st_size);
    // Better now than in the middle. Root may read everything.
    if (!acts_as_root() && faccessat(at, entry.name.c_str(), R_OK, AT_EACCESS) != 0) return file_error(what(), errno);
    if (entry.size_bytes == 0) return Done{};
    if (static_cast<uint64_t>(status.st_blocks) * 512 >= entry.size_bytes) {
      entry.data.push_back({0, entry.size_bytes});
      return Done{};
    }
    return find_data(at, entry, what());
  }

  // Where a sparse file has bytes.
  Result<> find_data(int at, FileEntry& entry, const std::string& what) {
    auto fd = open_beneath(at, entry.name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW, Links::kNone, what);
    if (!fd) return std::move(fd).error();
    for (off_t end = 0;;) {
      const off_t start = lseek(fd->get(), end, SEEK_DATA);
      if (start < 0 && errno == ENXIO) return Done{};  // Nothing but a hole is left.
      if (start < 0) return file_error(what, errno);
      end = lseek(fd->get(), start, SEEK_HOLE);
      if (end < 0) return file_error(what, errno);
      const auto size = static_cast<off_t>(entry.size_bytes);
      if (start >= size) return Done{};  // It grew; the check after reading finds that out.
      entry.data.push_back({static_cast<uint64_t>(start), static_cast<uint64_t>(std::min(end, size) - start)});
      if (end >= size) return Done{};
      if (auto fits = check_size(entry.data.size() * sizeof(Extent)); !fits) return fits;
    }
  }

  Result<> read_xattrs(int at, FileEntry& entry, const std::string& what) {
    auto fd = open_beneath(at, entry.name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW, Links::kNone, what);
    if (!fd) return std::move(fd).error();
    auto names = xattr_names(fd->get(), what);
    if (!names) return std::move(names).error();
    entry.xattrs.emplace();
    for (const std::string& name : *names) {
      const ssize_t bytes = fgetxattr(fd->get(), name.c_str(), buffer_.data(), buffer_.size());
      if (bytes < 0) return file_error(fmt::format("attribute {} of {}", log::printable(name), what), errno);
      entry.xattrs->push_back({name, std::string(buffer_.data(), static_cast<size_t>(bytes))});
      if (auto fits = check_size(protocol::listing_bytes(entry)); !fits) return fits;
    }
    return Done{};
  }

  // A file that was changed just now could change once more and keep its time, until the clock has ticked.
  void wait_for_the_clock() const {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    const auto since = std::chrono::seconds(now.tv_sec - latest_.seconds) +
                       std::chrono::nanoseconds(now.tv_nsec - static_cast<int64_t>(latest_.nanoseconds));
    if (since < kTimestampStep) std::this_thread::sleep_for(kTimestampStep);
  }

  const int directory_;
  const WalkOptions& options_;
  const std::string& shown_;
  const std::atomic<bool>& cancelled_;
  Walked walked_;
  std::map<std::pair<dev_t, ino_t>, uint32_t> linked_;            // Regular files with several names, by entry.
  FileTime latest_ = {};                                          // Change of a regular file.
  std::vector<char> buffer_ = std::vector<char>(XATTR_SIZE_MAX);  // What links and attributes say.
};

}  // namespace

FileState state_of(const struct stat& status) {
  return {status.st_dev, status.st_ino, status.st_size, time_of(status.st_mtim), time_of(status.st_ctim)};
}

Result<Walked> walk(int directory, const std::string& name, const WalkOptions& options, const std::string& shown,
                    const std::atomic<bool>& cancelled) {
  return Walker(directory, options, log::printable(shown), cancelled).run(name);
}

Result<> recheck(int directory, const Walked& walked, const std::string& top, const std::string& shown) {
  for (uint32_t i = 0; i < walked.files.entries.size(); ++i) {
    const std::string below = path_of(walked.files, i);
    const std::string path = top + below.substr(walked.files.entries[0].name.size());
    const auto what = [&] { return fmt::format("'{}/{}'", log::printable(shown), log::printable(below)); };
    auto fd = open_beneath(directory, path, O_PATH | O_NOFOLLOW, Links::kNone, what());
    struct stat status {};
    if (!fd || fstat(fd->get(), &status) != 0) return Error{Errc::kChanged, what() + " went while the migration ran"};
    FileState now = state_of(status);
    if (i == 0) now.changed = walked.states[0].changed;  // A rename of the top changes it, and may be ours.
    if (now != walked.states[i]) return Error{Errc::kChanged, what() + " changed while the migration ran"};
  }
  return Done{};
}

}  // namespace godwit::objects
