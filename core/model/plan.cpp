#include "model/plan.hpp"

#include <algorithm>
#include <numeric>

namespace godwit::model {

std::string_view to_string(PlanStrategy strategy) {
  switch (strategy) {  // No default: -Wswitch catches a new one.
    case PlanStrategy::kBulk: return "bulk";
    case PlanStrategy::kStaged: return "staged";
    case PlanStrategy::kEmergency: return "emergency";
  }
  return "unknown";
}

std::string_view to_string(PlanKind kind) {
  switch (kind) {  // No default: -Wswitch catches a new one.
    case PlanKind::kRegion: return "region";
    case PlanKind::kFiles: return "files";
    case PlanKind::kDatabase: return "database";
  }
  return "unknown";
}

std::string_view to_string(StageState state) {
  switch (state) {  // No default: -Wswitch catches a new one.
    case StageState::kWaiting: return "waiting";
    case StageState::kRunning: return "running";
    case StageState::kDone: return "done";
    case StageState::kFailed: return "failed";
    case StageState::kSkipped: return "skipped";
  }
  return "unknown";
}

std::string_view to_string(PlanState state) {
  switch (state) {  // No default: -Wswitch catches a new one.
    case PlanState::kPlanned: return "planned";
    case PlanState::kRunning: return "running";
    case PlanState::kDone: return "done";
    case PlanState::kFailed: return "failed";
    case PlanState::kCancelled: return "cancelled";
  }
  return "unknown";
}

std::vector<PlanJob> jobs_of(const PlanStage& stage) {
  std::vector<PlanJob> jobs;
  for (uint32_t i = 0; i < stage.objects.size(); ++i) {
    const PlanKind kind = stage.objects[i].kind;
    const auto shared = std::ranges::find(jobs, kind, &PlanJob::kind);
    if (kind != PlanKind::kDatabase && shared != jobs.end())
      shared->objects.push_back(i);
    else
      jobs.push_back({kind, {i}});
  }
  return jobs;
}

std::vector<uint32_t> ready(const Plan& plan, std::span<const StageState> states) {
  std::vector<uint32_t> stages;
  for (uint32_t i = 0; i < plan.stages.size(); ++i)
    if (states[i] == StageState::kWaiting &&
        std::ranges::all_of(plan.stages[i].after, [&](uint32_t before) { return states[before] == StageState::kDone; }))
      stages.push_back(i);
  std::ranges::stable_sort(stages, std::ranges::greater{},
                           [&](uint32_t stage) { return rank_of(plan.stages[stage].transfer.priority); });
  return stages;
}

void skip_unreachable(const Plan& plan, std::span<StageState> states) {
  const auto is_lost = [&](uint32_t stage) {
    return states[stage] == StageState::kFailed || states[stage] == StageState::kSkipped;
  };
  for (bool changed = true; changed;) {
    changed = false;
    for (uint32_t i = 0; i < plan.stages.size(); ++i)
      if (states[i] == StageState::kWaiting && std::ranges::any_of(plan.stages[i].after, is_lost)) {
        states[i] = StageState::kSkipped;
        changed = true;
      }
  }
}

PlanState outcome(std::span<const StageState> states, bool cancelled) {
  const auto has = [&](StageState state) { return std::ranges::find(states, state) != states.end(); };
  if (has(StageState::kRunning) || has(StageState::kWaiting)) return PlanState::kRunning;
  if (!has(StageState::kFailed) && !has(StageState::kSkipped)) return PlanState::kDone;
  return cancelled ? PlanState::kCancelled : PlanState::kFailed;
}

std::optional<double> seconds_of(uint64_t bytes, double rate, uint64_t limit) {
  if (!(rate > 0)) return std::nullopt;
  if (limit > 0) rate = std::min(rate, static_cast<double>(limit));
  return static_cast<double>(bytes) / rate;
}

uint64_t bytes_stopped(PlanKind kind, uint64_t bytes, bool live) {
  constexpr uint64_t kLastPassBytes =
      16_MiB;      // A job makes passes until no more than that is left (engine/outbound_transfer.cpp).
  switch (kind) {  // No default: -Wswitch catches a new one.
    case PlanKind::kRegion: return bytes;
    case PlanKind::kFiles: return 0;  // Nobody is kept from them.
    case PlanKind::kDatabase: return live ? std::min(bytes, kLastPassBytes) : bytes;
  }
  return bytes;
}

double seconds_of_all(const Plan& plan, std::span<const double> stage_seconds, double link_seconds) {
  if (plan.concurrent_jobs == 1) return std::accumulate(stage_seconds.begin(), stage_seconds.end(), 0.0);
  // The end of each stage, once those of all before it are known.
  std::vector<double> ends(plan.stages.size(), 0);
  std::vector<StageState> states(plan.stages.size(), StageState::kWaiting);
  for (auto next = ready(plan, states); !next.empty(); next = ready(plan, states))
    for (const uint32_t stage : next) {
      double begin = 0;
      for (const uint32_t before : plan.stages[stage].after) begin = std::max(begin, ends[before]);
      ends[stage] = begin + stage_seconds[stage];
      states[stage] = StageState::kDone;
    }
  return std::max(link_seconds, *std::ranges::max_element(ends));
}

}  // namespace godwit::model
