// Beneath: opening what lies below a directory, and nothing else, whatever names, links or races a stranger plants.
#pragma once

#include <dirent.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "pmem/unique_fd.hpp"

namespace godwit::objects {

using pmem::UniqueFd;

// Symbolic links on the way: followed as long as they stay below the directory, or refused. The last component is opened as
// the flags say (O_NOFOLLOW).
enum class Links : uint8_t { kInside, kNone };

// Opens `path`, relative to the directory `root` and below it, of any length, by openat2(2). `flags` and `mode` as for open(2);
// O_CLOEXEC and O_NOCTTY are added. An empty path is the directory itself. Blocks for the disk. Any thread.
// Errors: kNotFound; kDenied, not permitted, or it leads outside; kUnsupported, a kernel before 5.6; kExists with O_EXCL; kIo.
// `what` is named in the text.
Result<UniqueFd> open_beneath(int root, const std::string& path, int flags, Links links, const std::string& what,
                              mode_t mode = 0);
// The same of a regular file that should be there, and is to be read or written: never waits for what was put in its place (a
// FIFO's other end), nor for who holds a lease of it; what comes back is without O_NONBLOCK. Links: none, on the way and at its
// end. Errors also: kChanged, it is no regular file; kDenied, somebody holds a lease.
Result<UniqueFd> open_regular(int root, const std::string& path, int flags, const std::string& what);
struct CloseDirectory {
  void operator()(DIR* directory) const { closedir(directory); }
};
using OpenDirectory = std::unique_ptr<DIR, CloseDirectory>;
// What is in a directory, without "." and "..", in no order. `what` is named in the text. Errors: kDenied, kIo.
Result<std::vector<std::string>> names_in(int directory, const std::string& what);

// As the error of `number`, with `what` in front; ELOOP and EXDEV, which openat2 gives for a way outside, are kDenied.
Error file_error(const std::string& what, int number);

// Removes `name` and all that is below it, following nothing. Goes on past what cannot be removed, and then fails.
// `name` (of one component) that is not there: no error. Three descriptors, however deep it is. Errors: kDenied, kIo; kLimit,
// more than 100,000 levels; kChanged, somebody moved what it was in, and it ended there;
// or it is not the directory that `same_as` (-1: any) is.
Result<> remove_tree(int directory, const std::string& name, int same_as = -1);

}  // namespace godwit::objects
