// TreeWriter: makes the entries of a fileset below a directory, and gives them what they say they have.
#pragma once

#include <string>
#include <vector>

#include "model/fileset.hpp"
#include "objects/files/beneath.hpp"

namespace godwit::objects {

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
  // Owner where permitted, mode, extended attributes and times of what `fd` is. Set-user-id and set-group-id are left out.
  Result<> dress(uint32_t entry, int fd) const;
  // The hard links; then the directories' own, from the deepest up. A top that its owner may not write gets its mode later, by
  // show_mode(), when it is in its place, in `directory`. Errors: as make_frame.
  Result<> complete() const;
  void show_mode(int directory) const;
  // Every byte and name is on the medium. Blocks. Errors: kIo, kNoSpace.
  Result<> make_durable() const;

 private:
  Result<UniqueFd> open(uint32_t entry, int flags) const;
  Result<> make(uint32_t entry) const;

  const int root_;
  const model::Fileset& files_;
  const std::string shown_;
};

}  // namespace godwit::objects
