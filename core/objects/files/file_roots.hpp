// FileRoots: the directories below which this node's operator lets filesets be read or written.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "objects/files/beneath.hpp"
#include "objects/files/file_user.hpp"

namespace godwit::objects {

struct FileRoot {
  std::string path;  // Absolute.
  bool readable = true;
  bool writable = true;
};

enum class RootUse : uint8_t { kRead, kWrite };

// A directory below a root.
struct RootedDirectory {
  UniqueFd fd;       // Of the path alone (O_PATH): to search it is enough.
  std::string path;  // Absolute, without "." and empty components.
};

// Thread-safe.
class FileRoots {
 public:
  explicit FileRoots(std::vector<FileRoot> roots) : roots_(std::move(roots)) {}

  // Opens the directory at `path`, below the root that allows it: the root itself with the daemon's rights, what is below with
  // the user's. Roots are opened each time: a file system may be mounted
  // there later. Symbolic links below the root are followed as long as they stay there. Blocks for the disk. Errors: kInvalid,
  // not absolute or with ".."; kDenied, no root allows this use, the user may not, or a link leads outside; kNotFound; kIo.
  Result<RootedDirectory> open(const std::string& path, RootUse use, const FileUserPtr& user) const;
  // The same for the directory that `path` is in: `path` itself must be allowed, and may be a root.
  Result<RootedDirectory> open_parent(const std::string& path, RootUse use, const FileUserPtr& user) const;

 private:
  Result<const FileRoot*> allowed(const std::string& normal, RootUse use) const;
  const std::vector<FileRoot> roots_;
};

// "/a/b" of "/a//./b/". Errors: kInvalid, not absolute, with "..", or with a NUL.
Result<std::string> normal_path(const std::string& path);

}  // namespace godwit::objects
