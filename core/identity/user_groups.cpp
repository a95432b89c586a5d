#include "identity/user_groups.hpp"

#include <grp.h>
#include <pwd.h>

#include <algorithm>
#include <cerrno>

namespace godwit::identity {

std::vector<uint32_t> groups_of(uint32_t uid, uint32_t gid) {
  constexpr int kGroupsMax = 1024;
  constexpr size_t kEntryBytesMax = 1 << 20;
  std::vector<char> room(16384);
  passwd entry{};
  passwd* found = nullptr;
  int failed = 0;
  while ((failed = getpwuid_r(uid, &entry, room.data(), room.size(), &found)) == ERANGE && room.size() < kEntryBytesMax)
    room.resize(room.size() * 2);
  if (failed != 0 || found == nullptr) return {};
  std::vector<gid_t> groups(kGroupsMax);
  int count = kGroupsMax;
  getgrouplist(found->pw_name, gid, groups.data(), &count);
  groups.resize(static_cast<size_t>(std::clamp(count, 0, kGroupsMax)));
  return {groups.begin(), groups.end()};
}

}  // namespace godwit::identity
