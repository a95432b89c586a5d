// A plan's document: JSON text into stages.
//
// Must hold: whatever is accepted keeps its bounds, contradicts itself nowhere, and can be played to its end; what is refused
// is kInvalid or kLimit, with a text that can be logged. No exception of the JSON library comes through.
#include "model/plan.hpp"

#include "base/log.hpp"
#include "fuzz.hpp"

namespace godwit::fuzz {
namespace {

using namespace model;

constexpr uint32_t kObjectsMax = 64;

void check(const Plan& plan) {
  must(!plan.stages.empty() && plan.stages.size() <= kPlanStagesMax, "a plan has stages, and not too many");
  size_t objects = 0;
  for (const PlanStage& stage : plan.stages) {
    objects += stage.objects.size();
    must(!stage.objects.empty() && !stage.name.empty() && !stage.destination.empty(), "a stage says what goes where");
    must(bool(model::check(stage.transfer)), "a transfer does not contradict itself");
    must(!(stage.transfer.verify && stage.constraints.skip_validation), "nothing is validated that is not to be");
    must(!stage.constraints.max_downtime_seconds || *stage.constraints.max_downtime_seconds >= 0, "no time is less than none");
    for (const uint32_t before : stage.after) must(before < plan.stages.size(), "a stage comes after one that there is");
    size_t shared = 0;
    for (const PlanJob& job : jobs_of(stage)) shared += job.objects.size();
    must(shared == stage.objects.size(), "every object has its job");
  }
  must(objects <= kObjectsMax, "a plan has no more objects than it may");
  std::vector<StageState> states(plan.stages.size(), StageState::kWaiting);
  for (auto next = ready(plan, states); !next.empty(); next = ready(plan, states))
    for (const uint32_t stage : next) states[stage] = StageState::kDone;
  must(outcome(states, false) == PlanState::kDone, "every stage gets its turn");
  const std::vector<double> seconds(plan.stages.size(), 1);
  must(seconds_of_all(plan, seconds, 0) <= static_cast<double>(seconds.size()), "stages take no longer than one after another");
}

}  // namespace
}  // namespace godwit::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace godwit;
  const auto plan = model::parse_plan({reinterpret_cast<const char*>(data), size}, fuzz::kObjectsMax);
  if (plan) {
    fuzz::check(*plan);
    return 0;
  }
  fuzz::must(plan.error().code == Errc::kInvalid || plan.error().code == Errc::kLimit, "a bad plan is kInvalid or kLimit",
             plan.error().text);
  fuzz::must(log::printable(plan.error().text) == plan.error().text, "an error can be logged", plan.error().text);
  return 0;
}
