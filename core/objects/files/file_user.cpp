#include "objects/files/file_user.hpp"

#include <fmt/format.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <string>

#include "base/log.hpp"

namespace godwit::objects {
namespace {

constexpr size_t kGroupsMax = 65536;  // NGROUPS_MAX of Linux.
constexpr size_t kPasswdBytesMax = size_t{1} << 20;

using Capabilities = std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3>;

// Of the calling thread.
bool get_capabilities(Capabilities& capabilities) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  return syscall(SYS_capget, &header, capabilities.data()) == 0;
}
bool set_capabilities(const Capabilities& capabilities) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  return syscall(SYS_capset, &header, capabilities.data()) == 0;
}
// Of this thread alone: the C library's function changes all.
bool set_groups(const std::vector<gid_t>& groups) { return syscall(SYS_setgroups, groups.size(), groups.data()) == 0; }

uid_t file_system_uid() { return static_cast<uid_t>(setfsuid(static_cast<uid_t>(-1))); }
gid_t file_system_gid() { return static_cast<gid_t>(setfsgid(static_cast<gid_t>(-1))); }

// What every thread of the daemon has; it does not change while it runs.
struct OwnRights {
  uid_t uid = geteuid();
  gid_t gid = getegid();
  std::vector<gid_t> groups = {};
  Capabilities capabilities{};
  bool is_known = false;

  OwnRights() {
    const int count = getgroups(0, nullptr);
    if (count < 0) return;
    groups.resize(static_cast<size_t>(count));
    is_known = getgroups(count, groups.data()) == count && get_capabilities(capabilities);
  }
};
const OwnRights& own_rights() {
  static const OwnRights own;
  return own;
}

thread_local const FileUser* acting = nullptr;

// Nobody may go on with rights that are not known.
[[noreturn]] void end_process(const char* what, int number) {
  log::error("{}: errno {}; the daemon ends, rather than use wrong rights", what, number);
  std::abort();
}

// False, errno set: what has been changed is to be given back.
bool take_rights(const FileUser& user) {
  errno = EPERM;
  if (!own_rights().is_known || !set_groups(user.groups)) return false;
  setfsgid(user.gid);
  setfsuid(user.uid);
  // What overrides a file's mode or a quota. It stays permitted: so the thread gets it back.
  Capabilities none = own_rights().capabilities;
  for (auto& part : none) part.effective = 0;
  if (!set_capabilities(none)) return false;
  errno = EPERM;  // The two do not say themselves whether they did it.
  return file_system_uid() == user.uid && file_system_gid() == user.gid;
}

void give_back_rights() {
  const OwnRights& own = own_rights();
  if (!set_capabilities(own.capabilities)) end_process("capset(2)", errno);
  setfsuid(own.uid);
  setfsgid(own.gid);
  if (!set_groups(own.groups)) end_process("setgroups(2)", errno);
  if (file_system_uid() != own.uid || file_system_gid() != own.gid) end_process("setfsuid(2)", EPERM);
}

bool has_capability(unsigned number) {
  return own_rights().is_known && ((own_rights().capabilities[number / 32].effective >> (number % 32)) & 1) != 0;
}

// In a user namespace it may be that nobody can be that user: better known before it is needed.
Result<FileUserPtr> tried(std::shared_ptr<FileUser> user) {
  const bool taken = take_rights(*user);
  const int why = errno;
  give_back_rights();
  if (!taken) return error_from_errno(Errc::kDenied, fmt::format("this node's daemon cannot act as user {}", user->uid), why);
  return FileUserPtr(std::move(user));
}

}  // namespace

Result<> check_can_act() {
  if (geteuid() == 0 && has_capability(CAP_SETUID) && has_capability(CAP_SETGID)) return Done{};
  if (geteuid() == 0)
    return Error{Errc::kDenied,
                 "this node's daemon may not act as others (it lacks CAP_SETUID or CAP_SETGID), and so does file work for its "
                 "own user and its administrators only"};
  return Error{Errc::kDenied,
               fmt::format("this node's daemon runs as user {}, and does file work for that user and its administrators only; "
                           "one that runs as root does it for everybody, with their rights",
                           geteuid())};
}

Result<FileUserPtr> FileUser::find(uid_t uid, gid_t gid) {
  if (uid == geteuid()) return FileUserPtr();
  if (auto can = check_can_act(); !can) return std::move(can).error();
  passwd entry{};
  passwd* found = nullptr;
  std::vector<char> text(4096);
  int number = 0;
  while ((number = getpwuid_r(uid, &entry, text.data(), text.size(), &found)) == ERANGE && text.size() < kPasswdBytesMax)
    text.resize(text.size() * 2);
  if (number != 0 && number != ENOENT && number != ESRCH)  // Which mean that there is none.
    return error_from_errno(Errc::kIo, fmt::format("this node's directory of users, about user {}", uid), number);
  if (found == nullptr)
    return Error{Errc::kNotFound, fmt::format("this node knows no user {}: files are read and written only for users that it "
                                              "knows (getent passwd {})",
                                              uid, uid)};
  auto user = std::make_shared<FileUser>();
  user->uid = uid;
  int count = 64;
  user->groups.resize(static_cast<size_t>(count));
  while (getgrouplist(entry.pw_name, entry.pw_gid, user->groups.data(), &count) < 0) {
    const size_t wanted = std::max(static_cast<size_t>(std::max(count, 0)), user->groups.size() + 1);
    if (wanted > kGroupsMax) return Error{Errc::kLimit, fmt::format("user {} is in more than {} groups", uid, kGroupsMax)};
    user->groups.resize(wanted);
    count = static_cast<int>(wanted);
  }
  user->groups.resize(static_cast<size_t>(count));
  user->gid = std::ranges::find(user->groups, gid) != user->groups.end() ? gid : entry.pw_gid;
  return tried(std::move(user));
}

Result<FileUserPtr> FileUser::without_groups(uid_t uid) {
  constexpr gid_t kNoGroup = 65534;
  if (auto can = check_can_act(); !can) return std::move(can).error();
  auto user = std::make_shared<FileUser>();
  user->uid = uid;
  user->gid = kNoGroup;
  return tried(std::move(user));
}

ActAs::ActAs(const FileUser* user) {
  if (user == nullptr || acting == user || (acting != nullptr && acting->uid == user->uid)) return;
  if (acting != nullptr) end_process("acting as two users at once", EINVAL);
  if (!take_rights(*user)) end_process("taking a user's rights", errno);
  acting = user;
  changed_ = true;
}

ActAs::~ActAs() {
  if (!changed_) return;
  acting = nullptr;
  give_back_rights();
}

uid_t acting_uid() { return acting != nullptr ? acting->uid : geteuid(); }

bool acts_as_root() { return acting_uid() == 0; }

bool may_give_to(gid_t group) {
  const gid_t own = acting != nullptr ? acting->gid : own_rights().gid;
  const std::vector<gid_t>& groups = acting != nullptr ? acting->groups : own_rights().groups;
  return acts_as_root() || group == own || std::ranges::find(groups, group) != groups.end();
}

}  // namespace godwit::objects
