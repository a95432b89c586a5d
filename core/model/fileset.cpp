#include "model/fileset.hpp"

#include <algorithm>

namespace godwit::model {
namespace {

constexpr uint64_t kBytesMax = uint64_t{1} << 60;
constexpr size_t kNameBytesMax = 255;
constexpr size_t kLinkBytesMax = 4095;
constexpr size_t kXattrBytesMax = 65536;

bool ascends(const std::vector<Extent>& data, uint64_t size_bytes) {
  uint64_t end = 0;
  for (const Extent& extent : data) {
    if (extent.length_bytes == 0 || extent.offset_bytes < end || !lies_within(extent, size_bytes)) return false;
    end = extent.offset_bytes + extent.length_bytes;
  }
  return true;
}

bool may_travel(const Xattr& xattr) { return is_xattr_name(xattr.name) && xattr.value.size() <= kXattrBytesMax; }

// What is wrong with entry `index` by itself; NULL: nothing.
const char* flaw(const Fileset& fileset, uint32_t index) {
  const FileEntry& entry = fileset.entries[index];
  if (!is_file_name(entry.name)) return "its name is not one of a file";
  if (index == 0 ? entry.parent != kNoFile
                 : entry.parent >= index || fileset.entries[entry.parent].kind != FileKind::kDirectory)
    return "it is in no directory that comes before it";
  if (entry.mode > 07777) return "its mode has more than permissions";
  if (entry.modified.nanoseconds >= 1'000'000'000) return "its time is none";
  const bool regular = entry.kind == FileKind::kRegular;
  if (!regular && (entry.size_bytes != 0 || !entry.data.empty())) return "it has bytes and is no regular file";
  if (entry.size_bytes > INT64_MAX || !ascends(entry.data, entry.size_bytes)) return "its data do not lie within it";
  if ((entry.kind == FileKind::kSymlink) == entry.link.empty() || entry.link.size() > kLinkBytesMax ||
      entry.link.find('\0') != std::string::npos)
    return "it leads nowhere as a symbolic link";
  if (entry.kind == FileKind::kHardLink) {
    if (entry.same_as >= index || fileset.entries[entry.same_as].kind != FileKind::kRegular)
      return "it links to no file that comes before it";
  } else if (entry.same_as != kNoFile) {
    return "it links to a file and is no hard link";
  }
  if (entry.xattrs && !std::ranges::all_of(*entry.xattrs, may_travel))
    return "it has an extended attribute that may not travel";
  return nullptr;
}

}  // namespace

uint64_t FileEntry::data_bytes() const {
  uint64_t bytes = 0;
  for (const Extent& extent : data) bytes += extent.length_bytes;
  return bytes;
}

bool is_file_name(const std::string& name) {
  return !name.empty() && name.size() <= kNameBytesMax && name != "." && name != ".." && name.find('/') == std::string::npos &&
         name.find('\0') == std::string::npos;
}

bool is_xattr_name(const std::string& name) {
  const bool is_known = name.starts_with("user.") || name == "system.posix_acl_access" || name == "system.posix_acl_default";
  return is_known && name.size() <= kNameBytesMax && name.find('\0') == std::string::npos;
}

Result<> check(const Fileset& fileset) {
  const auto wrong = [](uint64_t index, const char* why) {
    return Error{Errc::kProtocol, "entry " + std::to_string(index) + " of the fileset: " + why};
  };
  if (fileset.entries.empty()) return Error{Errc::kProtocol, "a fileset without entries"};
  if (fileset.entries.size() >= kNoFile) return Error{Errc::kProtocol, "a fileset of more than 2^32 entries"};
  std::vector<uint32_t> last(fileset.entries.size(), kNoFile);  // Of each directory: its last entry so far.
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < fileset.entries.size(); ++i) {
    if (const char* why = flaw(fileset, i); why != nullptr) return wrong(i, why);
    const FileEntry& entry = fileset.entries[i];
    if (i > 0) {
      uint32_t& before = last[entry.parent];
      if (before != kNoFile && fileset.entries[before].name >= entry.name) return wrong(i, "its name does not ascend");
      before = i;
    }
    const uint64_t data = entry.data_bytes();
    if (data > kBytesMax - bytes) return wrong(i, "there are more than 2^60 bytes");
    bytes += data;
  }
  return Done{};
}

std::string path_of(const Fileset& fileset, uint32_t entry) {
  size_t length = 0;
  for (uint32_t at = entry; at != kNoFile; at = fileset.entries[at].parent) length += fileset.entries[at].name.size() + 1;
  std::string path(length - 1, '/');
  size_t end = path.size();
  for (uint32_t at = entry; at != kNoFile; at = fileset.entries[at].parent) {
    const std::string& name = fileset.entries[at].name;
    end -= name.size();
    path.replace(end, name.size(), name);
    if (end > 0) --end;  // The '/' before it.
  }
  return path;
}

}  // namespace godwit::model
