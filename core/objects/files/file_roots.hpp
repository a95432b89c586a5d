// FileRoots: the directories below which this node's operator lets filesets be read or written.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "objects/files/beneath.hpp"

namespace godwit::objects {

struct FileRoot {
  std::string path;  // Absolute.
  bool readable = true;
  bool writable = true;
};

enum class RootUse : uint8_t { kRead, kWrite };

// A directory below a root.
struct RootedDirectory {
  UniqueFd fd;
  std::string path;  // Absolute, without "." and empty components.
};

// Thread-safe.
class FileRoots {
 public:
  explicit FileRoots(std::vector<FileRoot> roots) : roots_(std::move(roots)) {}

  // Opens the directory at `path`, below the root that allows it. Roots are opened each time: a file system may be mounted
  // there later. Symbolic links below the root are followed as long as they stay there. Blocks for the disk. Errors: kInvalid,
  // not absolute or with ".."; kDenied, no root allows this use, or a link leads outside; kNotFound; kIo.
  Result<RootedDirectory> open(const std::string& path, RootUse use) const;
  // The same for the directory that `path` is in: `path` itself must be allowed, and may be a root.
  Result<RootedDirectory> open_parent(const std::string& path, RootUse use) const;

 private:
  Result<const FileRoot*> allowed(const std::string& normal, RootUse use) const;
  const std::vector<FileRoot> roots_;
};

// "/a/b" of "/a//./b/". Errors: kInvalid, not absolute, with "..", or with a NUL.
Result<std::string> normal_path(const std::string& path);

}  // namespace godwit::objects
