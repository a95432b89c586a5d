#include "godwit-bulk/region_list.hpp"

namespace godwit::bulk {

std::vector<std::string> read_region_list(std::istream& in) {
  std::vector<std::string> names;
  for (std::string line; std::getline(in, line);) {
    if (const size_t first = line.find_first_not_of(" \t\r"); first == std::string::npos || line[first] == '#') continue;
    line.erase(0, line.find_first_not_of(" \t\r"));
    if (const size_t comment = line.find(" #"); comment != std::string::npos) line.erase(comment);
    line.erase(line.find_last_not_of(" \t\r") + 1);
    names.push_back(line);
  }
  return names;
}

}  // namespace godwit::bulk
