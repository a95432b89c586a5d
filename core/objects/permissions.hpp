// Permissions: whose each region, database and job of this node is, and who else may read or write it.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/id.hpp"
#include "base/result.hpp"
#include "journal/journal.hpp"

namespace godwit::objects {

struct Permission {
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint32_t mode = 0600;  // As a file's: 0400 read, 0200 write, of the owner; then of the group, then of others.
  bool operator==(const Permission&) const = default;
};

// Who asks; one that nobody has set may nothing.
struct Caller {
  bool may_all = false;  // The daemon's own user, an administrator, another daemon; or nobody has to prove anything.
  uint32_t uid = UINT32_MAX;
  uint32_t gid = UINT32_MAX;
  std::vector<uint32_t> groups = {};  // Besides.
};

enum class Want { kRead, kWrite };

// Thread-safe. What has no record here is the daemon's own user's, with mode 0600.
class Permissions {
 public:
  explicit Permissions(journal::Journal& journal);
  // At the start, before anything is served: what the journal has. Errors: those of the journal.
  Result<> load();
  // Forgets, also in the journal, whatever `is_known` does not know. Errors: those of the journal.
  Result<> keep_only(const std::function<bool(const Id&)>& is_known);

  Permission of(const Id& id) const;
  // That of the daemon's own user.
  const Permission& own() const { return own_; }
  // `lasting`: also after a restart; then durable when it returns (blocks). Errors: those of the journal; nothing has changed.
  Result<> set(const Id& id, const Permission& permission, bool lasting) {
    return set_all(std::span(&id, 1), std::span(&permission, 1), lasting);
  }
  // The same of many: `permissions[i]` is of ids[i].
  Result<> set_all(std::span<const Id> ids, std::span<const Permission> permissions, bool lasting);
  // Nothing is left of it. The journal's record may stay until the next start, if the disk fails. Blocks for the disk.
  void forget(const Id& id);
  // The same of a job that nobody remembers any more. As long as the journal has anything of it, a restart has to know with
  // whose rights to end it: then its record stays until the next start has done so.
  void forget_job(const Id& job);

  // What a new object of this caller gets.
  Permission of_new(const Caller& caller) const;
  bool may(const Caller& caller, const Id& id, Want want) const;
  bool is_owner(const Caller& caller, const Id& id) const;
  // Errors: kNotFound, the caller may not even read it: as if it were not here; kDenied, it may read and not write it. `what`:
  // its kind and name, for the text.
  Result<> check(const Caller& caller, const Id& id, Want want, const std::string& what) const;

 private:
  struct Kept {
    Permission permission;
    bool lasting;
  };

  journal::Journal& journal_;
  const Permission own_;
  std::mutex writing_;                    // One change at a time; held while the disk is waited for. Before mutex_.
  mutable std::mutex mutex_;              // Guards all below.
  std::unordered_map<Id, Kept> records_;  // But those that say no more than `own_`.
};

}  // namespace godwit::objects
