#include "godwit-bulk/object_list.hpp"

#include <string_view>

namespace godwit::bulk {
namespace {

constexpr const char* kBlanks = " \t\r";

// The line without its kind.
Listed parse(const std::string& line) {
  for (const Kind kind : {Kind::kRegion, Kind::kDatabase, Kind::kFiles}) {
    const std::string_view word = text_of(kind);
    if (!line.starts_with(word)) continue;
    const size_t name = line.find_first_not_of(kBlanks, word.size());
    if (name != std::string::npos && name > word.size()) return Listed{kind, line.substr(name)};
  }
  return Listed{Kind::kRegion, line};
}

}  // namespace

std::vector<Listed> read_object_list(std::istream& in) {
  std::vector<Listed> listed;
  for (std::string line; std::getline(in, line);) {
    if (const size_t first = line.find_first_not_of(kBlanks); first == std::string::npos || line[first] == '#') continue;
    line.erase(0, line.find_first_not_of(kBlanks));
    if (const size_t comment = line.find(" #"); comment != std::string::npos) line.erase(comment);
    line.erase(line.find_last_not_of(kBlanks) + 1);
    listed.push_back(parse(line));
  }
  return listed;
}

}  // namespace godwit::bulk
