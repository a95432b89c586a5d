// PlanTable's thread: which job of a plan begins when, and what its end means for the stages after it.
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "base/log.hpp"
#include "engine/event_log.hpp"
#include "engine/plan_table.hpp"

namespace godwit::engine {

using model::PlanKind;
using model::PlanState;
using model::StageState;

void PlanTable::run() {
  while (!stopping_) {
    {
      const std::lock_guard lock(mutex_);
      for (auto& [id, kept] : plans_)
        if (kept.state == PlanState::kRunning && !stopping_) advance_locked(kept);
    }
    std::unique_lock lock(wake_mutex_);
    wake_.wait(lock, [this] { return woken_ || stopping_; });
    woken_ = false;
  }
}

// The journal's copy; one that cannot be written is only told of: what runs goes on, and a restart finds out what became of it.
void PlanTable::write_locked(const KeptPlan& kept) {
  auto written = journal_.change_plan(kept.id, static_cast<uint8_t>(kept.state), encode_progress(kept.progress));
  if (!written) log::error("plan {}: {}", to_string(kept.id), written.error().text);
}

void PlanTable::advance_locked(KeptPlan& kept) {
  for (bool again = true; again;) {
    again = false;
    bool changed = look_after_locked(kept);
    changed = settle_stages_locked(kept) || changed;
    const std::vector<JobPlace> places = choose_locked(kept);
    for (const auto& [stage, job] : places) {
      PlanJobProgress& progress = kept.progress.stages[stage].jobs[job];
      progress.job = random_id();
      progress.state = kept.progress.stages[stage].state = StageState::kRunning;
    }
    if (changed || !places.empty()) write_locked(kept);  // Before they begin: a restart looks for these jobs.
    for (const JobPlace& place : places) {
      PlanJobProgress& progress = kept.progress.stages[place.first].jobs[place.second];
      if (auto begun = begin_locked(kept, place, progress.job); !begun) {
        progress.state = StageState::kFailed;
        progress.error = begun.error().code;
        progress.message = log::printable(begun.error().text);
        again = true;
      } else if (!jobs_.find(progress.job)) {  // Nothing was left for it to do.
        progress.state = StageState::kDone;
        again = true;
      }
    }
  }
  if (kept.state != PlanState::kRunning)
    log::info("plan {} ('{}') is {}", to_string(kept.id), kept.plan.name, to_string(kept.state));
}

// What became of the jobs that ran. Whether anything has changed.
bool PlanTable::look_after_locked(KeptPlan& kept) {
  bool changed = false;
  for (size_t stage = 0; stage < kept.progress.stages.size(); ++stage)
    for (size_t i = 0; i < kept.progress.stages[stage].jobs.size(); ++i) {
      PlanJobProgress& job = kept.progress.stages[stage].jobs[i];
      if (job.state == StageState::kRunning) changed = look_after_job_locked(kept, {stage, i}, job) || changed;
    }
  return changed;
}

bool PlanTable::look_after_job_locked(const KeptPlan& kept, const JobPlace& place, PlanJobProgress& job) {
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

bool PlanTable::settle_stages_locked(KeptPlan& kept) const {
  std::vector<StageState> before, states;
  for (PlanStageProgress& stage : kept.progress.stages) {
    before.push_back(stage.state);
    const auto has = [&](StageState state) {
      return std::ranges::find(stage.jobs, state, &PlanJobProgress::state) != stage.jobs.end();
    };
    // One that fails takes what has not begun with it.
    if ((has(StageState::kFailed) || kept.progress.cancelled) && has(StageState::kWaiting))
      for (PlanJobProgress& job : stage.jobs)
        if (job.state == StageState::kWaiting) job.state = StageState::kSkipped;
    if (stage.state == StageState::kRunning && !has(StageState::kRunning) && !has(StageState::kWaiting))
      stage.state = has(StageState::kFailed) || has(StageState::kSkipped) ? StageState::kFailed : StageState::kDone;
    if (stage.state == StageState::kWaiting && kept.progress.cancelled) stage.state = StageState::kSkipped;
    states.push_back(stage.state);
  }
  model::skip_unreachable(kept.plan, states);
  for (size_t i = 0; i < states.size(); ++i) {
    kept.progress.stages[i].state = states[i];
    if (states[i] == StageState::kSkipped)
      for (PlanJobProgress& job : kept.progress.stages[i].jobs) job.state = StageState::kSkipped;
  }
  kept.state = model::outcome(states, kept.progress.cancelled);
  return states != before || kept.state != PlanState::kRunning;
}

// Those that may begin now.
std::vector<PlanTable::JobPlace> PlanTable::choose_locked(KeptPlan& kept) const {
  std::vector<StageState> states;
  size_t running = 0;
  for (const PlanStageProgress& stage : kept.progress.stages) {
    // Of one that runs some jobs may wait.
    states.push_back(stage.state == StageState::kRunning ? StageState::kWaiting : stage.state);
    running += static_cast<size_t>(std::ranges::count(stage.jobs, StageState::kRunning, &PlanJobProgress::state));
  }
  const size_t most = kept.plan.concurrent_jobs == 0 ? settings_.jobs_max : kept.plan.concurrent_jobs;
  std::vector<JobPlace> places;
  if (kept.progress.cancelled || kept.state != PlanState::kRunning) return places;
  for (const uint32_t stage : model::ready(kept.plan, states))
    for (size_t job = 0; job < kept.progress.stages[stage].jobs.size() && running + places.size() < most; ++job)
      if (kept.progress.stages[stage].jobs[job].state == StageState::kWaiting) places.emplace_back(stage, job);
  return places;
}

// ---------------------------------------------------------------- jobs

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
  struct stat status {};
  switch (wanted.kind) {  // No default: -Wswitch catches a new kind.
    case PlanKind::kRegion: {
      const auto found = store_.find(id);
      const std::string& destination = kept.plan.stages[stage].destination;
      const auto own = own_addresses_(destination);
      const bool within_node = std::ranges::find(own, destination) != own.end();
      if (within_node && found.region && found.region->target.name() == kept.plan.stages[stage].target) return false;
      return found.region || found.moved.address.empty();  // One that is neither is a failure that a job has to tell.
    }
    case PlanKind::kDatabase: {
      const auto found = databases_.find(id);
      return found.database || found.moved.address.empty();
    }
    case PlanKind::kFiles: return lstat(wanted.name.c_str(), &status) == 0 || errno != ENOENT;
  }
  return true;
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

// Nothing is begun where nothing is left to do.
Result<> PlanTable::begin_locked(const KeptPlan& kept, const JobPlace& place, const Id& job) {
  const model::PlanStage& stage = kept.plan.stages[place.first];
  const bool again = kept.progress.stages[place.first].jobs[place.second].again;
  const PlanKind kind = model::jobs_of(stage)[place.second].kind;
  const std::vector<uint32_t> objects = again ? left_of(kept, place) : model::jobs_of(stage)[place.second].objects;
  if (objects.empty()) return Done{};
  const auto own = own_addresses_(stage.destination);
  Result<Id> begun = job;
  switch (kind) {  // No default: -Wswitch catches a new kind.
    case PlanKind::kRegion: {
      MigrateRequest request;
      for (const uint32_t object : objects) request.regions.push_back(id_of(kept, place.first, object));
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
      request.database = id_of(kept, place.first, objects.front());
      request.destination_address = stage.destination;
      request.transfer = stage.transfer;
      request.job = job;
      begun = jobs_.submit(request, own);
      break;
    }
  }
  if (!begun) return std::move(begun).error();
  return Done{};
}

}  // namespace godwit::engine
