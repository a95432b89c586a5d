// ObjectList: the file of --list, an object a line.
#pragma once

#include <istream>
#include <string>
#include <vector>

#include "godwit-bulk/items.hpp"

namespace godwit::bulk {

struct Listed {
  Kind kind = Kind::kRegion;
  std::string name;  // Or id; of files: the path. Never empty.
};

// "region NAME", "database NAME" or "files PATH"; a line that begins with none of these words and a blank is a region's name or
// id. Lines come without what surrounds them: white space, comments (# at the start of a line, or after a blank), and empty
// lines. Whether all of it could be read, the stream says.
std::vector<Listed> read_object_list(std::istream& in);

}  // namespace godwit::bulk
