// RegionList: the file of --list, an id or a name a line.
#pragma once

#include <istream>
#include <string>
#include <vector>

namespace godwit::bulk {

// Lines without what surrounds them: white space, comments (# at the start of a line, or after a blank), and empty lines.
// Whether all of it could be read, the stream says.
std::vector<std::string> read_region_list(std::istream& in);

}  // namespace godwit::bulk
