#include "objects/files/file_roots.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include "base/log.hpp"

namespace godwit::objects {

Result<std::string> normal_path(const std::string& path) {
  const auto wrong = [&](const char* why) {
    return Error{Errc::kInvalid, fmt::format("the path '{}' {}", log::printable(path), why)};
  };
  if (!path.starts_with('/')) return wrong("is not absolute");
  if (path.find('\0') != std::string::npos) return wrong("has a NUL in it");
  std::string normal;
  for (size_t at = 0; at < path.size();) {
    const size_t end = std::min(path.find('/', at + 1), path.size());
    const std::string part = path.substr(at + 1, end - at - 1);
    if (part == "..") return wrong("has '..' in it");
    if (!part.empty() && part != ".") normal += "/" + part;
    at = end;
  }
  return normal.empty() ? "/" : normal;
}

Result<const FileRoot*> FileRoots::allowed(const std::string& normal, RootUse use) const {
  size_t longest = 0;
  const FileRoot* allowing = nullptr;  // Of those with the longest path: several entries may say of one what it allows.
  for (const FileRoot& root : roots_) {
    const bool within = root.path == "/" || normal == root.path || normal.starts_with(root.path + "/");
    if (!within || root.path.size() < longest) continue;
    if (root.path.size() > longest) allowing = nullptr;
    longest = root.path.size();
    if (use == RootUse::kRead ? root.readable : root.writable) allowing = &root;
  }
  if (allowing != nullptr) return allowing;
  return Error{Errc::kDenied, fmt::format("'{}' lies below no directory that this node's file_roots let {}",
                                          log::printable(normal), use == RootUse::kRead ? "be read" : "be written")};
}

Result<RootedDirectory> FileRoots::open(const std::string& path, RootUse use, const FileUserPtr& user) const {
  auto normal = normal_path(path);
  if (!normal) return std::move(normal).error();
  auto root = allowed(*normal, use);
  if (!root) return std::move(root).error();
  const std::string& top = (*root)->path;
  const UniqueFd fd(::open(top.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return file_error(fmt::format("the root '{}'", top), errno);
  const size_t skip = top == "/" ? 1 : std::min(top.size() + 1, normal->size());
  const ActAs as(user);
  auto opened =
      open_beneath(fd.get(), normal->substr(skip), O_PATH | O_DIRECTORY, Links::kInside, "'" + log::printable(*normal) + "'");
  if (!opened) return std::move(opened).error();
  return RootedDirectory{std::move(*opened), std::move(*normal)};
}

Result<RootedDirectory> FileRoots::open_parent(const std::string& path, RootUse use, const FileUserPtr& user) const {
  auto normal = normal_path(path);
  if (!normal) return std::move(normal).error();
  const std::string parent = normal->substr(0, std::max<size_t>(1, normal->rfind('/')));
  auto root = allowed(*normal, use);
  if (!root) return std::move(root).error();
  if ((*root)->path != *normal) return open(parent, use, user);
  const ActAs as(user);
  UniqueFd fd(::open(parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return file_error("'" + log::printable(parent) + "'", errno);
  return RootedDirectory{std::move(fd), parent};
}

}  // namespace godwit::objects
