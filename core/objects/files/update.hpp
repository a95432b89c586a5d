// Update: what a tree that is at the destination already gives to the one that comes.
#pragma once

#include <string>
#include <vector>

#include "model/fileset.hpp"
#include "objects/files/tree_writer.hpp"

namespace godwit::objects {

// Compares `files`, which come, with the tree `name` in `place`. The result says of each entry whether its data have to come:
// not those of a regular file of the same size and time of modification, with the mode and the group that the one which comes
// would be given (as root: and its owner), and, if its attributes were asked for, with the same. A directory
// in both whose attributes were not asked for keeps those that it has there. What is only there is appended to `files`, and
// stays. Errors: kExists, what is a directory in one is none in the other; kUnsupported, a special file is there, which could
// neither stay nor be replaced; as walk().
Result<std::vector<bool>> compare(int place, const std::string& name, const std::string& shown, model::Fileset& files);

// Gives the tree under `writer`, whose frame is made, the files that need not come, as further names of those at `place`.
// Those of the first `received` entries that cannot be linked are wanted after all. Errors: as TreeWriter::make_frame().
Result<> link_unwanted(int place, int stage, const model::Fileset& files, size_t received, std::vector<bool>& wanted,
                       const TreeWriter& writer);

}  // namespace godwit::objects
