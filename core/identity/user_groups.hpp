// groups_of: which groups a user is in, as this node's directory of users has it.
#pragma once

#include <cstdint>
#include <vector>

namespace godwit::identity {

// With `gid`, the group that he works in. One whom this node does not know is in no more groups. Blocks for the node's
// directory of users. Any thread.
std::vector<uint32_t> groups_of(uint32_t uid, uint32_t gid);

}  // namespace godwit::identity
