#include "objects/database/database_files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <unordered_map>

#include "base/log.hpp"
#include "objects/files/beneath.hpp"

namespace godwit::objects {
namespace {

void append_joined(std::vector<Extent>& runs, const Extent& run) {
  if (!runs.empty() && runs.back().offset_bytes + runs.back().length_bytes == run.offset_bytes)
    runs.back().length_bytes += run.length_bytes;
  else
    runs.push_back(run);
}

// The runs of the file that are no holes, each moved by `offset_bytes`. A file system that does not tell has none.
void append_data_runs(int fd, uint64_t size_bytes, uint64_t offset_bytes, std::vector<Extent>& runs) {
  for (uint64_t end = 0; end < size_bytes;) {
    const off_t begin = lseek(fd, static_cast<off_t>(end), SEEK_DATA);
    if (begin < 0 || static_cast<uint64_t>(begin) >= size_bytes) return;
    const off_t hole = lseek(fd, begin, SEEK_HOLE);
    end = hole < 0 ? size_bytes : std::min(size_bytes, static_cast<uint64_t>(hole));
    append_joined(runs, {offset_bytes + static_cast<uint64_t>(begin), end - static_cast<uint64_t>(begin)});
  }
}

}  // namespace

std::string DatabaseFiles::describe(uint32_t entry) const {
  return fmt::format("'{}/{}'", path_, log::printable(files.entries[entry].name));
}

// A file of ours, and of this name alone. Not where holes are to be: they could be filled here.
bool DatabaseFiles::can_stay(uint32_t entry) const {
  const model::FileEntry& wanted = files.entries[entry];
  struct stat status {};
  return fstatat(directory_.get(), wanted.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(status.st_mode) &&
         status.st_nlink == 1 && status.st_uid == geteuid() && wanted.data_bytes() == wanted.size_bytes;
}

Result<std::vector<Extent>> DatabaseFiles::find(bool by_others) {
  auto there = names_in(directory_.get(), path_);
  if (!there) return std::move(there).error();
  std::unordered_map<std::string, uint32_t> named;
  for (uint32_t i = 1; i < files.entries.size(); ++i) named.emplace(files.entries[i].name, i);
  for (const std::string& name : *there) {
    const auto entry = named.find(name);
    if (entry != named.end() && can_stay(entry->second))
      is_found_[entry->second] = true;
    else if (auto removed = remove_tree(directory_.get(), name); !removed)
      return with_context(path_, std::move(removed).error());
  }
  std::vector<Extent> runs;
  uint64_t offset_bytes = 0;
  for (uint32_t i = 0; i < files.entries.size(); offset_bytes += files.entries[i++].data_bytes()) {
    if (!is_found_[i]) continue;
    auto fd = look(i, O_RDWR);
    if (!fd) {
      is_found_[i] = false;
      if (auto removed = remove(i); !removed) return std::move(removed).error();
      continue;
    }
    const uint64_t size_bytes = files.entries[i].size_bytes;
    if (ftruncate(fd->get(), static_cast<off_t>(size_bytes)) != 0) return file_error(describe(i), errno);
    if (by_others) (void)posix_fadvise(fd->get(), 0, 0, POSIX_FADV_DONTNEED);  // What is not written back yet stays.
    append_data_runs(fd->get(), size_bytes, offset_bytes, runs);
  }
  return runs;
}

Result<UniqueFd> DatabaseFiles::open(uint32_t entry, pmem::Io::Direction direction) {
  const bool writes = direction == pmem::Io::Direction::kWrite;
  if (writes && !is_found_[entry]) return create(entry);
  // What was found is read back between the writes.
  auto fd = look(entry, is_found_[entry] ? O_RDWR : O_RDONLY);
  // It is durable by then, so that its pages can go.
  if (fd && !writes && is_complete_) (void)posix_fadvise(fd->get(), 0, 0, POSIX_FADV_DONTNEED);
  return fd;
}

Result<UniqueFd> DatabaseFiles::create(uint32_t entry) const {
  auto fd = open_beneath(directory_.get(), files.entries[entry].name, O_RDWR | O_CREAT | O_EXCL, Links::kNone, describe(entry),
                         S_IRUSR | S_IWUSR);
  if (fd && ftruncate(fd->get(), static_cast<off_t>(files.entries[entry].size_bytes)) != 0)
    return file_error(describe(entry), errno);
  return fd;
}

Result<UniqueFd> DatabaseFiles::look(uint32_t entry, int flags) const {
  return open_regular(directory_.get(), files.entries[entry].name, flags, describe(entry));
}

Result<> DatabaseFiles::make_empty(const std::vector<bool>& comes) const {
  for (uint32_t i = 1; i < files.entries.size(); ++i) {
    if (!comes[i] || is_found_[i] || !files.entries[i].data.empty()) continue;
    if (auto made = create(i); !made) return std::move(made).error();
  }
  return Done{};
}

Result<> DatabaseFiles::remove(uint32_t entry) const {
  if (unlinkat(directory_.get(), files.entries[entry].name.c_str(), 0) == 0 || errno == ENOENT) return Done{};
  return file_error(describe(entry), errno);
}

Result<> DatabaseFiles::make_durable() const {
  for (uint32_t i = 1; i < files.entries.size(); ++i) {
    auto fd = look(i, O_RDONLY);
    if (!fd) return std::move(fd).error();
    if (fsync(fd->get()) != 0) return Error{Errc::kIo, file_error(describe(i), errno).text};
  }
  if (fsync(directory_.get()) != 0) return Error{Errc::kIo, file_error(path_, errno).text};
  return Done{};
}

}  // namespace godwit::objects
