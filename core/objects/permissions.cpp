#include "objects/permissions.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "base/log.hpp"

namespace godwit::objects {

Permissions::Permissions(journal::Journal& journal) : journal_(journal), own_{geteuid(), getegid()} {}

Result<> Permissions::load() {
  const auto records = journal_.permissions();
  if (!records) return records.error();
  const std::lock_guard lock(mutex_);
  for (const journal::PermissionRecord& record : *records) records_[record.id] = {{record.uid, record.gid, record.mode}, true};
  return Done{};
}

Result<> Permissions::keep_only(const std::function<bool(const Id&)>& is_known) {
  const std::lock_guard writing(writing_);
  const std::lock_guard lock(mutex_);
  std::vector<Id> unknown;
  for (const auto& [id, kept] : records_)
    if (!is_known(id)) unknown.push_back(id);
  if (unknown.empty()) return Done{};
  if (auto forgotten = journal_.forget_permissions(unknown); !forgotten) return forgotten;
  for (const Id& id : unknown) records_.erase(id);
  return Done{};
}

Permission Permissions::of(const Id& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = records_.find(id);
  return found == records_.end() ? own_ : found->second.permission;
}

Result<> Permissions::set_all(std::span<const Id> ids, std::span<const Permission> permissions, bool lasting) {
  const std::lock_guard writing(writing_);
  std::vector<std::pair<Id, Kept>> changed;
  std::vector<journal::PermissionRecord> durable;
  {
    const std::lock_guard lock(mutex_);
    for (size_t i = 0; i < ids.size(); ++i) {
      const auto found = records_.find(ids[i]);
      if (found == records_.end() && permissions[i] == own_) continue;
      const bool has_lasted = found != records_.end() && found->second.lasting;
      if (found != records_.end() && found->second.permission == permissions[i] && (has_lasted || !lasting)) continue;
      changed.push_back({ids[i], {permissions[i], lasting || has_lasted}});
      if (lasting || has_lasted) durable.push_back({ids[i], permissions[i].uid, permissions[i].gid, permissions[i].mode});
    }
  }
  if (!durable.empty())
    if (auto put = journal_.put_permissions(durable); !put) return put;
  const std::lock_guard lock(mutex_);
  for (const auto& [id, kept] : changed) records_[id] = kept;
  return Done{};
}

void Permissions::forget(const Id& id) {
  const std::lock_guard writing(writing_);
  {
    const std::lock_guard lock(mutex_);
    const auto found = records_.find(id);
    if (found == records_.end()) return;
    const bool lasts = found->second.lasting;
    records_.erase(found);
    if (!lasts) return;
  }
  if (auto forgotten = journal_.forget_permissions(std::span(&id, 1)); !forgotten)
    log::warn("{}: who may use it stays in the journal until the next start: {}", to_string(id), forgotten.error().text);
}

void Permissions::forget_job(const Id& job) {
  {
    const std::lock_guard lock(mutex_);
    if (!records_.contains(job)) return;
  }
  const auto is_left = journal_.has_job(job);
  if (!is_left)
    log::warn("job {}: whose it was stays in the journal until the next start: {}", to_string(job), is_left.error().text);
  if (is_left && !*is_left) forget(job);
}

Permission Permissions::of_new(const Caller& caller) const {
  return caller.may_all ? own_ : Permission{caller.uid, caller.gid};
}

bool Permissions::is_owner(const Caller& caller, const Id& id) const { return caller.may_all || of(id).uid == caller.uid; }

bool Permissions::may(const Caller& caller, const Id& id, Want want) const {
  if (caller.may_all) return true;
  const Permission permission = of(id);
  const bool in_group = caller.gid == permission.gid || std::ranges::find(caller.groups, permission.gid) != caller.groups.end();
  const uint32_t shift = caller.uid == permission.uid ? 6 : in_group ? 3 : 0;  // The first that fits decides, as for files.
  return ((permission.mode >> shift) & (want == Want::kRead ? 4 : 2)) != 0;
}

Result<> Permissions::check(const Caller& caller, const Id& id, Want want, const std::string& what) const {
  if (!may(caller, id, Want::kRead)) {
    log::warn("user {}, group {}, is refused: {} is not theirs to read", caller.uid, caller.gid, what);
    return Error{Errc::kNotFound, fmt::format("no {} here", what)};
  }
  if (want == Want::kRead || may(caller, id, want)) return Done{};
  log::warn("user {}, group {}, is refused: {} is not theirs to write", caller.uid, caller.gid, what);
  return Error{Errc::kDenied, fmt::format("user {} may read {}, and not change it", caller.uid, what)};
}

}  // namespace godwit::objects
