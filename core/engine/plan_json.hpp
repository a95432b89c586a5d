// What a node keeps of a plan, and its texts: those of the journal, and the one that clients are shown (docs/howto/plan.md).
#pragma once

#include <string>
#include <vector>

#include "engine/planner.hpp"

namespace godwit::engine {

struct PlanJobProgress {
  Id job;  // Zero: none was begun yet.
  model::StageState state = model::StageState::kWaiting;
  bool again = false;  // An earlier job of it came to nothing, or to a part.
  Errc error{};
  std::string message;
};
struct PlanStageProgress {
  model::StageState state = model::StageState::kWaiting;
  std::vector<PlanJobProgress> jobs;  // As model::jobs_of().
};
struct PlanProgress {
  std::vector<PlanStageProgress> stages;
  bool cancelled = false;
};
PlanProgress progress_of(const model::Plan& plan);

struct KeptPlan {
  Id id;
  uint64_t created_ms = 0;  // Since 1970.
  std::string document;
  model::Plan plan;
  Findings findings;
  // Constant until here.
  model::PlanState state = model::PlanState::kPlanned;
  PlanProgress progress;
};

struct ShownPlan {
  const KeptPlan& kept;
  objects::Permission permission;
};
// `source`: an address of this node.
std::string show_plan(const ShownPlan& plan, const std::string& source);
// An array of plans without their stages.
std::string show_plans(const std::vector<ShownPlan>& plans, const std::string& source);

std::string encode_findings(const Findings& findings);
std::string encode_progress(const PlanProgress& progress);
// Of that plan. Errors: kCorrupt.
Result<Findings> decode_findings(const std::string& text, const model::Plan& plan);
Result<PlanProgress> decode_progress(const std::string& text, const model::Plan& plan);

}  // namespace godwit::engine
