#include "objects/files/update.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <string>
#include <utility>

#include "base/log.hpp"
#include "objects/files/file_user.hpp"
#include "objects/files/walk.hpp"

namespace godwit::objects {

using model::FileEntry;
using model::FileKind;
using model::Fileset;

namespace {

bool is_directory(const FileEntry& entry) { return entry.kind == FileKind::kDirectory; }

// Whether it is dressed as the one that comes would be, of which not all can be given here.
bool is_dressed_alike(const FileEntry& comes, const FileEntry& is) {
  if (acts_as_root() && comes.user != is.user) return false;
  const bool is_given = comes.group == is.group;
  if (!is_given && may_give_to(comes.group)) return false;
  return (is.mode & 01777) == rights_of(comes, is_given);
}

bool is_same(const FileEntry& comes, const FileEntry& is) {
  return comes.kind == FileKind::kRegular && (is.kind == FileKind::kRegular || is.kind == FileKind::kHardLink) &&
         comes.size_bytes == is.size_bytes && comes.modified == is.modified && (!comes.xattrs || comes.xattrs == is.xattrs) &&
         is_dressed_alike(comes, is);
}

// Whether the group's bits of its mode are the mask of its ACL.
bool has_acl(const FileEntry& entry) {
  return entry.xattrs &&
         std::ranges::find(*entry.xattrs, "system.posix_acl_access", &model::Xattr::name) != entry.xattrs->end();
}

Result<UniqueFd> open_parent(int root, const std::string& path, const std::string& what) {
  const size_t slash = path.rfind('/');
  return open_beneath(root, slash == std::string::npos ? "" : path.substr(0, slash), O_PATH | O_DIRECTORY, Links::kNone, what);
}

}  // namespace

Result<std::vector<bool>> compare(int place, const std::string& name, const std::string& shown, Fileset& files) {
  const std::atomic<bool> never{false};
  WalkOptions options;
  options.xattrs = true;  // Directories are made anew, and keep theirs.
  options.special_advice = "and in the way at the destination: --update neither keeps nor replaces it";
  auto there = walk(place, name, options, shown, never);
  if (!there) return std::move(there).error();
  // By directory and name: whole ways would take more memory the deeper the tree is.
  std::map<std::pair<uint32_t, std::string>, uint32_t> coming;
  for (uint32_t i = 0; i < files.entries.size(); ++i)
    coming.emplace(std::pair(files.entries[i].parent, files.entries[i].name), i);
  std::vector<bool> wanted(files.entries.size(), true);
  std::vector<uint32_t> same(there->files.entries.size());  // Of what is there: its index in `files`.
  for (uint32_t i = 0; i < there->files.entries.size(); ++i) {
    FileEntry& is = there->files.entries[i];
    // Parents come first; the top is in both.
    const uint32_t parent = is.parent == model::kNoFile ? model::kNoFile : same[is.parent];
    if (is.kind == FileKind::kHardLink) {  // What it links to says how large it is.
      is.size_bytes = there->files.entries[is.same_as].size_bytes;
      is.data = there->files.entries[is.same_as].data;
      is.xattrs = there->files.entries[is.same_as].xattrs;
    }
    if (const auto found = coming.find(std::pair(parent, is.name)); found != coming.end()) {
      same[i] = found->second;
      FileEntry& comes = files.entries[found->second];
      if (is_directory(comes) != is_directory(is))
        return Error{Errc::kExists,
                     fmt::format("'{}/{}' is {} at the destination, and {} at the source", log::printable(shown),
                                 log::printable(path_of(there->files, i)), is_directory(is) ? "a directory" : "none",
                                 is_directory(comes) ? "a directory" : "none")};
      if (is_same(comes, is)) wanted[found->second] = false;
      if (is_directory(is) && !comes.xattrs) {
        if (has_acl(is)) comes.mode &= static_cast<mode_t>(~S_IRWXG) | is.mode;  // They are its mask, which is not to widen.
        comes.xattrs = std::move(is.xattrs);
      }
      continue;
    }
    FileEntry stays = is;
    if (stays.kind == FileKind::kHardLink) stays.kind = FileKind::kRegular;
    stays.same_as = model::kNoFile;
    stays.parent = parent;
    same[i] = static_cast<uint32_t>(files.entries.size());
    files.entries.push_back(std::move(stays));
    wanted.push_back(false);
  }
  return wanted;
}

Result<> link_unwanted(int place, int stage, const Fileset& files, size_t received, std::vector<bool>& wanted,
                       const TreeWriter& writer) {
  for (uint32_t i = 0; i < files.entries.size(); ++i) {
    const FileEntry& entry = files.entries[i];
    if (wanted[i] || entry.kind != FileKind::kRegular) continue;
    const std::string path = path_of(files, i);
    auto from = open_parent(place, path, writer.describe(i));
    if (!from) return std::move(from).error();
    auto to = open_parent(stage, path, writer.describe(i));
    if (!to) return std::move(to).error();
    if (linkat(from->get(), entry.name.c_str(), to->get(), entry.name.c_str(), 0) == 0) continue;
    if (i >= received) return file_error(writer.describe(i), errno);
    wanted[i] = true;
    if (!entry.data.empty()) continue;
    auto made = writer.create(i);
    if (!made) return std::move(made).error();
    if (auto dressed = writer.dress(i, made->get()); !dressed) return dressed;
  }
  return Done{};
}

}  // namespace godwit::objects
