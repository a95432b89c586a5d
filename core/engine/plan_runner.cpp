// PlanTable's thread: which job of a plan begins when, and what its end means for the stages after it.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log.hpp"
#include "engine/plan_table.hpp"

namespace godwit::engine {

using model::PlanState;
using model::StageState;

namespace {
constexpr milliseconds kAskAgainAfter{5000};  // Each time the plan is written.
}

void PlanTable::run() {
  while (!stopping_) {
    std::vector<std::shared_ptr<KeptPlan>> running;
    {
      const std::lock_guard lock(mutex_);
      for (const auto& [id, kept] : plans_)
        if (kept->state == PlanState::kRunning) running.push_back(kept);
    }
    for (const auto& kept : running)
      if (!stopping_) advance(*kept);
    std::unique_lock lock(wake_mutex_);
    const auto is_woken = [this] { return woken_ || stopping_; };
    if (std::exchange(asks_again_, false))
      wake_.wait_for(lock, kAskAgainAfter, is_woken);
    else
      wake_.wait(lock, is_woken);
    woken_ = false;
  }
}

// The journal's copy; one that cannot be written is only told of: what runs goes on, and a restart finds out what became of it.
void PlanTable::write_locked(const KeptPlan& kept) {
  auto written = journal_.change_plan(kept.id, static_cast<uint8_t>(kept.state), encode_progress(kept.progress));
  if (!written) log::error("plan {}: {}", to_string(kept.id), written.error().text);
}

// As far as it goes now. Jobs are looked at and submitted without the lock: whoever asks about plans does not wait for a disk.
void PlanTable::advance(KeptPlan& kept) {
  for (bool again = true; again && !stopping_;) {
    const std::vector<JobChange> changes = look_after(kept);
    std::vector<JobBegin> begins;
    {
      const std::lock_guard lock(mutex_);
      begins = prepare_locked(kept, changes);
    }
    again = false;
    for (const JobBegin& begin : begins) again = begin_one(kept, begin) || again;
  }
}

// What became of the jobs that ran.
std::vector<PlanTable::JobChange> PlanTable::look_after(const KeptPlan& kept) const {
  std::vector<JobChange> running, changes;
  bool is_cancelled = false;
  {
    const std::lock_guard lock(mutex_);
    is_cancelled = kept.progress.cancelled;
    for (size_t stage = 0; stage < kept.progress.stages.size(); ++stage)
      for (size_t i = 0; i < kept.progress.stages[stage].jobs.size(); ++i)
        if (const PlanJobProgress& job = kept.progress.stages[stage].jobs[i]; job.state == StageState::kRunning)
          running.push_back({{stage, i}, job});
  }
  for (JobChange& one : running) {
    if (look_after_job(kept, one.place, one.now))
      changes.push_back(std::move(one));
    else if (const auto job = is_cancelled ? jobs_.find(one.now.job) : nullptr)
      jobs_.cancel(*job, "its plan was cancelled");  // Again: it may have outlived a restart.
  }
  return changes;
}

// Those that may begin now: the journal knows them before they do, so that a restart looks for them, and begins none twice.
std::vector<PlanTable::JobBegin> PlanTable::prepare_locked(KeptPlan& kept, const std::vector<JobChange>& changes) {
  for (const JobChange& change : changes) kept.progress.stages[change.place.first].jobs[change.place.second] = change.now;
  const bool changed = settle_stages_locked(kept) || !changes.empty();
  std::vector<JobBegin> begins;
  for (const auto& [stage, job] : choose_locked(kept)) {
    PlanJobProgress& progress = kept.progress.stages[stage].jobs[job];
    progress.job = random_id();
    progress.state = kept.progress.stages[stage].state = StageState::kRunning;
    begins.push_back({{stage, job}, progress.job, progress.again});
  }
  if (changed || !begins.empty()) write_locked(kept);
  if (kept.state != PlanState::kRunning)
    log::info("plan {} ('{}') is {}", to_string(kept.id), kept.plan.name, to_string(kept.state));
  return begins;
}

// Submits it, unless the plan was cancelled meanwhile. Whether it has ended already, so that more may begin.
bool PlanTable::begin_one(KeptPlan& kept, const JobBegin& begin) {
  const auto is_cancelled = [&] {
    const std::lock_guard lock(mutex_);
    return kept.progress.cancelled;
  };
  if (stopping_) return false;  // A restart finds that it is not there.
  const Result<bool> begun = is_cancelled() ? Error{Errc::kCancelled, "its plan was cancelled"} : submit(kept, begin);
  if (begun && *begun) {
    // Whoever cancelled the plan may have looked for the job before it was there.
    if (const auto job = is_cancelled() ? jobs_.find(begin.job) : nullptr) jobs_.cancel(*job, "its plan was cancelled");
    return false;
  }
  const std::lock_guard lock(mutex_);
  PlanJobProgress& progress = kept.progress.stages[begin.place.first].jobs[begin.place.second];
  if (!begun && begun.error().code == Errc::kUnreachable) {  // Nobody can say now whether it may go there.
    progress.state = StageState::kWaiting;
    asks_again_ = true;
    write_locked(kept);
    return false;
  }
  progress.state = begun ? StageState::kDone : StageState::kFailed;  // The former: nothing was left for it to do.
  if (!begun) {
    progress.error = begun.error().code;
    progress.message = log::printable(begun.error().text);
  }
  write_locked(kept);
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
std::vector<PlanTable::JobPlace> PlanTable::choose_locked(const KeptPlan& kept) const {
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

}  // namespace godwit::engine
