#include "godwit-h5stage/source.hpp"

#include <fmt/format.h>
#include <godwit/godwit.h>

#include <algorithm>

#include "godwit-h5stage/failure.hpp"

namespace godwit::h5stage {
namespace {

bool is_at_or_below(std::string_view path, std::string_view above) {
  if (above == "/") return true;
  return path.starts_with(above) && (path.size() == above.size() || path[above.size()] == '/');
}

// "fields//t/" is "/fields/t".
std::string absolute(std::string_view name) {
  std::string path;
  for (const char letter : name) {
    if (path.empty() && letter != '/') path = "/";
    if (letter != '/' || path.empty() || path.back() != '/') path += letter;
  }
  if (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

std::vector<std::string> split(std::string_view list) {
  std::vector<std::string> names(1);
  for (size_t at = 0; at < list.size(); ++at) {
    const bool is_escaped = list[at] == '\\' && at + 1 < list.size() && (list[at + 1] == ',' || list[at + 1] == '\\');
    if (is_escaped) {
      names.back() += list[++at];
    } else if (list[at] == ',') {
      names.emplace_back();
    } else {
      names.back() += list[at];
    }
  }
  return names;
}

}  // namespace

Source parse_source(std::string_view text, const std::function<bool(const std::string&)>& exists) {
  size_t end = text.size();
  while (end != std::string_view::npos && end > 0 && !exists(std::string(text.substr(0, end)))) end = text.rfind(':', end - 1);
  if (end == std::string_view::npos || end == 0) end = std::min(text.find(':'), text.size());
  Source source;
  source.file = text.substr(0, end);
  if (source.file.empty()) throw Failure(GODWIT_ERR_INVALID, fmt::format("'{}' names no file", text));
  if (end == text.size()) return source;
  for (const std::string& name : split(text.substr(end + 1))) {
    if (name.empty()) throw Failure(GODWIT_ERR_INVALID, fmt::format("'{}' has a dataset without a name", text));
    std::string path = absolute(name);
    if (std::ranges::find(source.paths, path) == source.paths.end()) source.paths.push_back(std::move(path));
  }
  return source;
}

Take take_of(const Source& source, std::string_view path) {
  if (source.paths.empty()) return Take::kWhole;
  Take take = Take::kNothing;
  for (const std::string& named : source.paths) {
    if (is_at_or_below(path, named)) return Take::kWhole;
    if (is_at_or_below(named, path)) take = Take::kPassage;
  }
  return take;
}

size_t named_by(const Source& source, std::string_view path) {
  return static_cast<size_t>(std::ranges::find(source.paths, path) - source.paths.begin());
}

}  // namespace godwit::h5stage
