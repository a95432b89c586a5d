#include "identity/user_groups.hpp"

#include <grp.h>
#include <pwd.h>

#include <algorithm>

namespace godwit::identity {

std::vector<uint32_t> groups_of(uint32_t uid, uint32_t gid) {
  constexpr int kGroupsMax = 1024;
  std::vector<char> room(16384);
  passwd entry{};
  passwd* found = nullptr;
  if (getpwuid_r(uid, &entry, room.data(), room.size(), &found) != 0 || found == nullptr) return {};
  std::vector<gid_t> groups(kGroupsMax);
  int count = kGroupsMax;
  getgrouplist(found->pw_name, gid, groups.data(), &count);
  groups.resize(static_cast<size_t>(std::clamp(count, 0, kGroupsMax)));
  return {groups.begin(), groups.end()};
}

}  // namespace godwit::identity
