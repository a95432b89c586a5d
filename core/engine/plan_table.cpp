#include "engine/plan_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/log.hpp"

namespace godwit::engine {

using model::PlanState;
using model::StageState;

Result<> PlanTable::recover() {
  auto records = journal_.plans();
  if (!records) return std::move(records).error();
  for (const journal::PlanRecord& record : *records) {
    auto plan = model::parse_plan(record.document, settings_.objects_max);
    auto findings = plan ? decode_findings(record.findings, *plan) : Result<Findings>(plan.error());
    auto progress = findings ? decode_progress(record.progress, *plan) : Result<PlanProgress>(findings.error());
    if (!progress) {
      log::error("plan {} cannot be read any more, and is forgotten: {}", to_string(record.id), progress.error().text);
      if (auto gone = journal_.forget_plan(record.id); !gone) return gone;
      continue;
    }
    const std::lock_guard lock(mutex_);
    plans_[record.id] = {record.id,           record.created_ms, static_cast<PlanState>(record.state),
                         record.document,     std::move(*plan),  std::move(*findings),
                         std::move(*progress)};
  }
  return Done{};
}

void PlanTable::start() {
  thread_ = std::thread([this] { run(); });
}

void PlanTable::stop() {
  stopping_ = true;
  wake();
  if (thread_.joinable()) thread_.join();
}

void PlanTable::wake() {
  {
    const std::lock_guard lock(wake_mutex_);
    woken_ = true;
  }
  wake_.notify_all();
}

std::string PlanTable::source() const { return own_addresses_("").front(); }

// ---------------------------------------------------------------- what clients ask

Result<KeptPlan*> PlanTable::find_locked(const Id& id) {
  const auto found = plans_.find(id);
  if (found == plans_.end())
    return Error{Errc::kNotFound, fmt::format("no plan {} with this node as its source", to_string(id))};
  return &found->second;
}

// The oldest that does not run goes.
Result<> PlanTable::make_room_locked() {
  while (plans_.size() >= kRememberedMax) {
    const KeptPlan* oldest = nullptr;
    for (const auto& [id, kept] : plans_)
      if (kept.state != PlanState::kRunning && (oldest == nullptr || kept.created_ms < oldest->created_ms)) oldest = &kept;
    if (oldest == nullptr) return Error{Errc::kLimit, fmt::format("{} plans run; no more are kept", plans_.size())};
    if (auto gone = journal_.forget_plan(oldest->id); !gone) return gone;
    plans_.erase(oldest->id);
  }
  return Done{};
}

Result<std::pair<Id, std::string>> PlanTable::make(const std::string& document) {
  auto plan = model::parse_plan(document, settings_.objects_max);
  if (!plan) return std::move(plan).error();
  const std::unique_lock making(making_, std::try_to_lock);
  if (!making) return Error{Errc::kBusy, "another plan is being made; try again"};
  KeptPlan kept;
  kept.id = random_id();
  kept.created_ms = static_cast<uint64_t>(
      std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count());
  kept.document = document;
  kept.findings = Planner(settings_, store_, filesets_, databases_, journal_.node_id(), domains_, own_addresses_,
                          jobs_.pace().limit(), stopping_)
                      .examine(*plan);
  kept.progress = progress_of(*plan);
  kept.plan = std::move(*plan);
  const std::lock_guard lock(mutex_);
  // Later than any other, also within a millisecond or when the clock is set back: plans stay in their order.
  for (const auto& [id, other] : plans_) kept.created_ms = std::max(kept.created_ms, other.created_ms + 1);
  if (auto room = make_room_locked(); !room) return std::move(room).error();
  const journal::PlanRecord record{kept.id,
                                   kept.created_ms,
                                   static_cast<uint8_t>(kept.state),
                                   kept.document,
                                   encode_findings(kept.findings),
                                   encode_progress(kept.progress)};
  if (auto written = journal_.put_plan(record); !written) return std::move(written).error();
  const Id id = kept.id;
  const KeptPlan& held = plans_.emplace(id, std::move(kept)).first->second;
  return std::pair(id, show_plan(held, source()));
}

Result<std::string> PlanTable::show(const Id& id) const {
  const std::lock_guard lock(mutex_);
  auto kept = const_cast<PlanTable*>(this)->find_locked(id);
  if (!kept) return std::move(kept).error();
  return show_plan(**kept, source());
}

std::string PlanTable::list() const {
  const std::lock_guard lock(mutex_);
  std::vector<const KeptPlan*> plans;
  for (const auto& [id, kept] : plans_) plans.push_back(&kept);
  std::ranges::sort(plans, std::ranges::greater{}, &KeptPlan::created_ms);
  return show_plans(plans, source());
}

Result<std::string> PlanTable::execute(const Id& id) {
  const std::lock_guard lock(mutex_);
  auto found = find_locked(id);
  if (!found) return std::move(found).error();
  KeptPlan& kept = **found;
  if (kept.state == PlanState::kRunning || kept.state == PlanState::kDone)
    return Error{Errc::kBusy, fmt::format("plan {} is {}", to_string(id), to_string(kept.state))};
  if (!kept.findings.ok())
    return Error{Errc::kInvalid,
                 fmt::format("plan {} would not work: look at its errors, mend what they name, and plan again", to_string(id))};
  PlanProgress progress = kept.progress;
  progress.cancelled = false;
  for (PlanStageProgress& stage : progress.stages) {
    if (stage.state == StageState::kDone) continue;
    stage.state = StageState::kWaiting;
    for (PlanJobProgress& job : stage.jobs)
      if (job.state != StageState::kDone) job = {Id{}, StageState::kWaiting, !job.job.is_zero(), Errc{}, {}};
  }
  if (auto written = journal_.change_plan(id, static_cast<uint8_t>(PlanState::kRunning), encode_progress(progress)); !written)
    return std::move(written).error();
  kept.state = PlanState::kRunning;
  kept.progress = std::move(progress);
  log::info("plan {} ('{}') begins", to_string(id), kept.plan.name);
  wake();
  return show_plan(kept, source());
}

Result<std::string> PlanTable::cancel(const Id& id) {
  const std::lock_guard lock(mutex_);
  auto found = find_locked(id);
  if (!found) return std::move(found).error();
  KeptPlan& kept = **found;
  if (kept.state != PlanState::kRunning)
    return Error{Errc::kBusy, fmt::format("plan {} does not run: it is {}", to_string(id), to_string(kept.state))};
  kept.progress.cancelled = true;
  write_locked(kept);
  for (const PlanStageProgress& stage : kept.progress.stages)
    for (const PlanJobProgress& progress : stage.jobs)
      if (const auto job = progress.state == StageState::kRunning ? jobs_.find(progress.job) : nullptr)
        jobs_.cancel(*job, "its plan was cancelled");
  wake();
  return show_plan(kept, source());
}

Result<> PlanTable::remove(const Id& id) {
  const std::lock_guard lock(mutex_);
  auto kept = find_locked(id);
  if (!kept) return std::move(kept).error();
  if ((*kept)->state == PlanState::kRunning)
    return Error{Errc::kBusy, fmt::format("plan {} runs: cancel it first", to_string(id))};
  if (auto gone = journal_.forget_plan(id); !gone) return gone;
  plans_.erase(id);
  return Done{};
}

}  // namespace godwit::engine
