#include "engine/plan_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/log.hpp"

namespace godwit::engine {

using model::PlanState;
using model::StageState;
using objects::Caller;
using objects::Permission;
using objects::Want;

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
    keep_locked(
        std::make_shared<KeptPlan>(KeptPlan{record.id, record.created_ms, record.document, std::move(*plan),
                                            std::move(*findings), static_cast<PlanState>(record.state), std::move(*progress)}));
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

std::string PlanTable::source() const { return host_.own_addresses("").front(); }

// ---------------------------------------------------------------- what clients ask

Result<std::shared_ptr<KeptPlan>> PlanTable::find_locked(const Caller& caller, const Id& id, Want want) const {
  const auto found = plans_.find(id);
  if (found == plans_.end() || !permissions_.may(caller, id, Want::kRead)) {
    if (found != plans_.end())
      log::warn("user {}, group {}, is refused: plan {} is not theirs to read", caller.uid, caller.gid, to_string(id));
    return Error{Errc::kNotFound, fmt::format("no plan {} with this node as its source", to_string(id))};
  }
  if (want == Want::kWrite && !permissions_.may(caller, id, want)) {
    log::warn("user {}, group {}, is refused: plan {} is not theirs to steer", caller.uid, caller.gid, to_string(id));
    return Error{Errc::kDenied, fmt::format("user {} may see plan {}, and not steer it", caller.uid, to_string(id))};
  }
  return found->second;
}

std::string PlanTable::show_locked(const KeptPlan& kept) const { return show_plan({kept, permissions_.of(kept.id)}, source()); }

bool PlanTable::knows(const Id& id) const {
  const std::lock_guard lock(known_mutex_);
  return known_.contains(id);
}

void PlanTable::keep_locked(std::shared_ptr<KeptPlan> kept) {
  const Id id = kept->id;
  plans_.insert_or_assign(id, std::move(kept));
  const std::lock_guard lock(known_mutex_);
  known_.insert(id);
}

void PlanTable::drop_locked(const Id& id) {
  plans_.erase(id);
  const std::lock_guard lock(known_mutex_);
  known_.erase(id);
}

// For one more of this owner. Of whoever has most of those that do not run the oldest goes; where a user has as many as one may
// have, his own. `gone`: whose permissions nobody needs any more. Errors: kLimit; the journal's.
Result<> PlanTable::make_room_locked(const Permission& owner, std::vector<Id>& gone) {
  struct Share {
    size_t kept = 0, idle = 0;
    const KeptPlan* oldest = nullptr;  // Of those that do not run.
  };
  const bool is_user = owner.uid != permissions_.own().uid;
  for (;;) {
    std::map<uint32_t, Share> shares;
    for (const auto& [id, kept] : plans_) {
      Share& share = shares[permissions_.of(id).uid];
      ++share.kept;
      if (kept->state == PlanState::kRunning) continue;
      ++share.idle;
      if (share.oldest == nullptr || kept->created_ms < share.oldest->created_ms) share.oldest = kept.get();
    }
    const Share own = shares[owner.uid];
    const bool has_his = is_user && own.kept >= kRememberedOfUserMax;
    if (!has_his && plans_.size() < kRememberedMax) return Done{};
    const auto most = std::ranges::max_element(shares, {}, [](const auto& share) { return share.second.idle; });
    const KeptPlan* oldest = has_his ? own.oldest : most->second.oldest;
    if (oldest == nullptr)
      return Error{Errc::kLimit, fmt::format("{} plans run; no more are kept", has_his ? own.kept : plans_.size())};
    const Id id = oldest->id;
    if (auto forgotten = journal_.forget_plan(id); !forgotten) return forgotten;
    drop_locked(id);
    gone.push_back(id);
  }
}

Result<std::pair<Id, std::string>> PlanTable::make(const Caller& caller, const std::string& document) {
  auto plan = model::parse_plan(document, settings_.objects_max);
  if (!plan) return std::move(plan).error();
  const std::unique_lock making(making_, std::try_to_lock);
  if (!making) return Error{Errc::kBusy, "another plan is being made; try again"};
  KeptPlan kept;
  kept.id = random_id();
  kept.created_ms = static_cast<uint64_t>(
      std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count());
  kept.document = document;
  const Permission owner = permissions_.of_new(caller);
  kept.findings = Planner(settings_, store_, filesets_, databases_, permissions_, journal_.node_id(), domains_, host_,
                          {owner, caller}, jobs_.pace().limit(), stopping_)
                      .examine(*plan);
  kept.progress = progress_of(*plan);
  kept.plan = std::move(*plan);
  const Id id = kept.id;
  if (show_plan({kept, owner}, source()).size() >= kAccountBytesMax)
    return Error{Errc::kLimit, "the plan's account is longer than a message may be: make several plans of it"};
  // Before the plan is there, and in the journal first: one without an owner would be the daemon's.
  if (auto owned = permissions_.set(id, owner, true); !owned) return std::move(owned).error();
  std::vector<Id> gone;
  auto shown = [&]() -> Result<std::string> {
    const std::lock_guard lock(mutex_);
    // Later than any other, also within a millisecond or when the clock is set back: plans stay in their order.
    for (const auto& [other_id, other] : plans_) kept.created_ms = std::max(kept.created_ms, other->created_ms + 1);
    if (auto room = make_room_locked(owner, gone); !room) return std::move(room).error();
    const journal::PlanRecord record{id,
                                     kept.created_ms,
                                     static_cast<uint8_t>(kept.state),
                                     kept.document,
                                     encode_findings(kept.findings),
                                     encode_progress(kept.progress)};
    if (auto written = journal_.put_plan(record); !written) return std::move(written).error();
    const auto shared = std::make_shared<KeptPlan>(std::move(kept));
    keep_locked(shared);
    return show_locked(*shared);
  }();
  if (!shown) gone.push_back(id);
  for (const Id& one : gone) permissions_.forget(one);
  if (!shown) return std::move(shown).error();
  return std::pair(id, std::move(*shown));
}

Result<std::string> PlanTable::show(const Caller& caller, const Id& id) const {
  const std::lock_guard lock(mutex_);
  const auto kept = find_locked(caller, id, Want::kRead);
  if (!kept) return kept.error();
  return show_locked(**kept);
}

std::string PlanTable::list(const Caller& caller) const {
  const std::lock_guard lock(mutex_);
  std::vector<ShownPlan> plans;
  std::vector<const KeptPlan*> newest_first;
  for (const auto& [id, kept] : plans_)
    if (permissions_.may(caller, id, Want::kRead)) newest_first.push_back(kept.get());
  std::ranges::sort(newest_first, std::ranges::greater{}, &KeptPlan::created_ms);
  for (const KeptPlan* kept : newest_first) plans.push_back({*kept, permissions_.of(kept->id)});
  return show_plans(plans, source());
}

Result<std::string> PlanTable::execute(const Caller& caller, const Id& id) {
  const std::lock_guard lock(mutex_);
  auto found = find_locked(caller, id, Want::kWrite);
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
  return show_locked(kept);
}

Result<std::string> PlanTable::cancel(const Caller& caller, const Id& id) {
  std::vector<Id> running;
  std::string shown;
  {
    const std::lock_guard lock(mutex_);
    auto found = find_locked(caller, id, Want::kWrite);
    if (!found) return std::move(found).error();
    KeptPlan& kept = **found;
    if (kept.state != PlanState::kRunning)
      return Error{Errc::kBusy, fmt::format("plan {} does not run: it is {}", to_string(id), to_string(kept.state))};
    kept.progress.cancelled = true;
    write_locked(kept);
    for (const PlanStageProgress& stage : kept.progress.stages)
      for (const PlanJobProgress& progress : stage.jobs)
        if (progress.state == StageState::kRunning) running.push_back(progress.job);
    shown = show_locked(kept);
  }
  // One that is being submitted now is not found yet: begin_one() looks when it has been.
  for (const Id& one : running)
    if (const auto job = jobs_.find(one)) jobs_.cancel(*job, "its plan was cancelled");
  wake();
  return shown;
}

Result<> PlanTable::remove(const Caller& caller, const Id& id) {
  {
    const std::lock_guard lock(mutex_);
    const auto kept = find_locked(caller, id, Want::kWrite);
    if (!kept) return kept.error();
    if ((*kept)->state == PlanState::kRunning)
      return Error{Errc::kBusy, fmt::format("plan {} runs: cancel it first", to_string(id))};
    if (auto gone = journal_.forget_plan(id); !gone) return gone;
    drop_locked(id);
  }
  permissions_.forget(id);
  return Done{};
}

}  // namespace godwit::engine
