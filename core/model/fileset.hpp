// Fileset: what one tree of files (or one file) is made of, and the rules that make a stranger's list of it harmless. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/extent.hpp"
#include "base/result.hpp"

namespace godwit::model {

// Numbers travel in messages: append only.
enum class FileKind : uint8_t { kDirectory = 0, kRegular = 1, kSymlink = 2, kHardLink = 3 };

struct FileTime {
  int64_t seconds = 0;
  uint32_t nanoseconds = 0;
  auto operator<=>(const FileTime&) const = default;
};

// user.* and the POSIX ACLs (system.posix_acl_*).
struct Xattr {
  std::string name;
  std::string value;
  bool operator==(const Xattr&) const = default;
};

inline constexpr uint32_t kNoFile = UINT32_MAX;

struct FileEntry {
  FileKind kind = FileKind::kRegular;
  uint32_t parent = kNoFile;  // Its directory, by index; of the top: none.
  std::string name;           // 1 to 255 bytes of any kind but '/' and NUL; not "." or "..".
  uint32_t mode = 0;          // The 12 permission bits.
  uint32_t user = 0;
  uint32_t group = 0;
  FileTime modified = {};
  uint64_t size_bytes = 0;        // kRegular.
  std::vector<Extent> data = {};  // kRegular: where there are bytes, ascending; the rest is holes.
  std::string link = {};          // kSymlink: what it says.
  uint32_t same_as = kNoFile;     // kHardLink: the regular file, by index.
  // kDirectory, kRegular: these, and no others; absent: nobody has asked for them, and those that it gets of itself stay.
  std::optional<std::vector<Xattr>> xattrs = {};
  bool operator==(const FileEntry&) const = default;

  // Bytes to transfer.
  uint64_t data_bytes() const;
};

// Entry 0 is the top: a directory, or the only entry. A directory comes before what is in it; what is in one directory
// ascends by name.
struct Fileset {
  std::vector<FileEntry> entries;
  bool operator==(const Fileset&) const = default;
};

// Whether it keeps to all that is said above. Errors: kProtocol, the text names the entry.
Result<> check(const Fileset& fileset);
// Whether a name may be in a fileset.
bool is_file_name(const std::string& name);
// Whether an extended attribute of that name may be in a fileset.
bool is_xattr_name(const std::string& name);
// "top/directory/name".
std::string path_of(const Fileset& fileset, uint32_t entry);

}  // namespace godwit::model
