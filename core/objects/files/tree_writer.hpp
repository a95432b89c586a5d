// TreeWriter: makes the entries of a fileset below a directory, and gives them what they say they have.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "model/fileset.hpp"
#include "objects/files/beneath.hpp"

namespace godwit::objects {

// The mode that an entry gets. Nobody gets another's rights by a file that travelled, so set-user-id and set-group-id go; and
// what was for one group is not for another: unless its own `is_given`, the group gets what everybody gets.
mode_t rights_of(const model::FileEntry& entry, bool is_given);

// Thread-safe: constant.
class TreeWriter {
 public:
  // `root`: where the top is made; it belongs to us alone meanwhile. `shown`: where the top will be, for errors.
  TreeWriter(int root, const model::Fileset& files, std::string shown) : root_(root), files_(files), shown_(std::move(shown)) {}

  std::string describe(uint32_t entry) const;
  // Directories (only ours for now), symbolic links, and regular files without data, for good. Regular files that are not
  // `wanted` (by entry; empty: all are) are left out. Errors: kDenied, kNoSpace, kIo, kExists.
  Result<> make_frame(const std::vector<bool>& wanted) const;
  // A regular file, to be written; as long as it will be. Errors: as make_frame.
  Result<UniqueFd> create(uint32_t entry) const;
  // The same where it may be there already, with a part of its data, and dressed for a user who may not write.
  Result<UniqueFd> create_again(uint32_t entry) const;
  // After a restart, which may have come at any moment: the directories can be written, and they and the symbolic links are
  // there. Errors: kNotFound, not all of them; kDenied, kIo.
  Result<> check_frame() const;
  // As dress(), of all regular files: which of them were is not known.
  Result<> dress_all() const;
  // Owner where permitted, mode as rights_of(), extended attributes (if known: no others) and times of what `fd` is.
  Result<> dress(uint32_t entry, int fd) const;
  // The hard links; then the directories' own, from the deepest up. A top that its owner may not write gets its mode later, by
  // show_mode(), when it is in its place, in `directory`. `again`: some may be there already. Errors: as make_frame.
  Result<> complete(bool again) const;
  // The top is the directory with `inode`, of which the bits in `mask` are known; another one there is left alone.
  void show_mode(int directory, uint64_t inode, uint64_t mask) const;
  // Every byte and name is on the medium. Blocks. Errors: kIo, kNoSpace.
  Result<> make_durable() const;

 private:
  Result<UniqueFd> open(uint32_t entry, int flags) const;
  Result<> make(uint32_t entry) const;
  Result<> set_size(uint32_t entry, int fd) const;
  Result<> open_up(uint32_t directory) const;
  Result<> give_xattrs(uint32_t entry, int fd) const;
  Result<> change_mode(uint32_t entry, int fd, mode_t mode) const;

  const int root_;
  const model::Fileset& files_;
  const std::string shown_;
};

}  // namespace godwit::objects
