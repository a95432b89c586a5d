// PlanTable's jobs: what one is made of, with whose rights it is submitted, and what became of it.
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "base/fail_point.hpp"
#include "base/log.hpp"
#include "engine/event_log.hpp"
#include "engine/plan_table.hpp"
#include "objects/files/file_user.hpp"

namespace godwit::engine {

using model::PlanKind;
using model::StageState;

// Whether anything has become of it. Blocks for file systems.
bool PlanTable::look_after_job(const KeptPlan& kept, const JobPlace& place, PlanJobProgress& job) const {
  if (const auto known = jobs_.find(job.job)) {
    const JobStatus status = known->status();
    if (!status.ended) return false;  // Also in doubt: the resolver ends it.
    job.state = status.error == Errc{} ? StageState::kDone : StageState::kFailed;
    job.error = status.error;
    job.message = log::printable(status.error_text);
    return true;
  }
  // The daemon was restarted before it was decided, or after its end was final.
  if (has_succeeded(job.job) || left_of(kept, place).empty()) {
    job.state = StageState::kDone;
    return true;
  }
  log::info("plan {}: job {} of stage '{}' did not outlive the daemon, and begins again", to_string(kept.id),
            to_string(job.job), kept.plan.stages[place.first].name);
  job.state = StageState::kWaiting;
  job.again = true;
  return true;
}

Id PlanTable::id_of(const KeptPlan& kept, size_t stage, uint32_t object) const {
  const Id known = kept.findings.stages[stage].objects[object].id;
  if (!known.is_zero()) return known;  // Else it was busy when the plan was made.
  const model::PlanObject& wanted = kept.plan.stages[stage].objects[object];
  if (const auto id = parse_id(wanted.name)) return *id;
  if (wanted.kind == PlanKind::kRegion)
    if (const auto found = store_.find(wanted.name); found.region) return found.region->id;
  if (wanted.kind == PlanKind::kDatabase)
    if (const auto found = databases_.find(wanted.name); found.database) return found.database->identity.id;
  return {};
}

bool PlanTable::is_still_here(const KeptPlan& kept, size_t stage, uint32_t object) const {
  const model::PlanObject& wanted = kept.plan.stages[stage].objects[object];
  const Id id = id_of(kept, stage, object);
  switch (wanted.kind) {  // No default: -Wswitch catches a new kind.
    case PlanKind::kRegion: {
      const auto found = store_.find(id);
      const std::string& destination = kept.plan.stages[stage].destination;
      const auto own = host_.own_addresses(destination);
      const bool within_node = std::ranges::find(own, destination) != own.end();
      if (within_node && found.region && found.region->target.name() == kept.plan.stages[stage].target) return false;
      return found.region || found.moved.address.empty();  // One that is neither is a failure that a job has to tell.
    }
    case PlanKind::kDatabase: {
      const auto found = databases_.find(id);
      return found.database || found.moved.address.empty();
    }
    case PlanKind::kFiles: return is_path_here(kept, wanted.name);
  }
  return true;
}

// As its owner sees it: what he cannot look at is left to the job, which tells why.
bool PlanTable::is_path_here(const KeptPlan& kept, const std::string& path) const {
  const objects::Permission owner = permissions_.of(kept.id);
  const auto user = objects::FileUser::find(owner.uid, owner.gid);
  if (!user) return true;
  const objects::ActAs as(*user);
  struct stat status {};
  return lstat(path.c_str(), &status) == 0 || errno != ENOENT;
}

// The objects that a job has to take: all of a copy, those that an earlier try has not moved.
std::vector<uint32_t> PlanTable::left_of(const KeptPlan& kept, const JobPlace& place) const {
  std::vector<uint32_t> objects = model::jobs_of(kept.plan.stages[place.first])[place.second].objects;
  if (!kept.plan.stages[place.first].copy)
    std::erase_if(objects, [&](uint32_t object) { return !is_still_here(kept, place.first, object); });
  return objects;
}

// As its events say, which outlive the daemon.
bool PlanTable::has_succeeded(const Id& job) const {
  if (!settings_.events) return false;
  constexpr uint64_t kLineBytesMax = 64_KiB;
  const auto count = settings_.events->read(job, UINT64_MAX, kLineBytesMax);
  if (!count || count->total == 0) return false;
  const auto last = settings_.events->read(job, count->total - 1, kLineBytesMax);
  if (!last) return false;
  const auto event = nlohmann::json::parse(last->lines, nullptr, false);
  const auto is = [&](const char* key, std::string_view text) {
    const auto found = event.find(key);
    return found != event.end() && found->is_string() && found->get<std::string>() == text;
  };
  return event.is_object() && is("event", "ended") && is("phase", model::to_string(model::Phase::kDone)) && is("error", "");
}

// What may have changed since the plan was made: permissions, the group, what has such a name. `ids`: of the objects, which the
// job then takes by them. Errors: kNotFound, kDenied.
Result<> PlanTable::check_rights(const KeptPlan& kept, const JobPlace& place, const std::vector<uint32_t>& objects,
                                 const std::vector<Id>& ids) const {
  const model::PlanStage& stage = kept.plan.stages[place.first];
  const PlanKind kind = model::jobs_of(stage)[place.second].kind;
  const objects::Caller owner = host_.caller_for(permissions_.of(kept.id));
  if (owner.may_all) return Done{};
  if (auto may = host_.check_destination(stage.destination); !may) return may;
  if (kind == PlanKind::kFiles) return Done{};  // The kernel says that.
  const bool copy = stage.copy && kind == PlanKind::kRegion;
  for (size_t i = 0; i < ids.size(); ++i) {
    const std::string& name = stage.objects[objects[i]].name;
    if (auto may = check_owned(permissions_, owner, kind, ids[i], copy, name); !may) {
      log::warn("plan {}: user {}, group {}, is refused: {}", to_string(kept.id), owner.uid, owner.gid, may.error().text);
      return may;
    }
  }
  return Done{};
}

// As a job of the plan's owner. Whether it was: it is not where nothing is left to do. Blocks for file systems. Errors: as
// check_rights() and JobTable::submit(); the journal's.
Result<bool> PlanTable::submit(const KeptPlan& kept, const JobBegin& begin) const {
  const auto& [place, job, again] = begin;
  const model::PlanStage& stage = kept.plan.stages[place.first];
  const PlanKind kind = model::jobs_of(stage)[place.second].kind;
  crash_point("plan.before.submit");
  const std::vector<uint32_t> objects = again ? left_of(kept, place) : model::jobs_of(stage)[place.second].objects;
  if (objects.empty()) return false;
  std::vector<Id> ids;
  if (kind != PlanKind::kFiles)
    for (const uint32_t object : objects) ids.push_back(id_of(kept, place.first, object));
  if (auto may = check_rights(kept, place, objects, ids); !may) return std::move(may).error();
  const objects::Permission owner = permissions_.of(kept.id);
  if (auto owned = permissions_.set(job, {owner.uid, owner.gid}, true); !owned) return std::move(owned).error();
  const auto own = host_.own_addresses(stage.destination);
  Result<Id> begun = job;
  switch (kind) {  // No default: -Wswitch catches a new kind.
    case PlanKind::kRegion: {
      MigrateRequest request;
      request.regions = ids;
      request.destination_address = stage.destination;
      request.destination_target = stage.target;
      request.copy = stage.copy;
      request.transfer = stage.transfer;
      request.job = job;
      begun = jobs_.submit(request, own);
      break;
    }
    case PlanKind::kFiles: {
      MigrateFilesRequest request;
      for (const uint32_t object : objects) request.paths.push_back(stage.objects[object].name);
      request.destination_address = stage.destination;
      request.directory = stage.directory;
      request.options.move = !stage.copy;
      request.transfer = stage.transfer;
      request.job = job;
      begun = jobs_.submit(request, own);
      break;
    }
    case PlanKind::kDatabase: {
      MigrateDatabaseRequest request;
      request.database = ids.front();
      request.destination_address = stage.destination;
      request.transfer = stage.transfer;
      request.job = job;
      begun = jobs_.submit(request, own);
      break;
    }
  }
  if (begun) return true;
  permissions_.forget(job);
  return std::move(begun).error();
}

}  // namespace godwit::engine
