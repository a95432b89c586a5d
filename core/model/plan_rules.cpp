#include "model/plan_rules.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "model/plan_members.hpp"

namespace godwit::model {
namespace {

// No less than one: none would be no limit.
uint64_t milliseconds_of(double seconds) {
  constexpr double kMost = 1e15;
  return static_cast<uint64_t>(std::clamp(std::ceil(seconds * 1000), 1.0, kMost));
}

}  // namespace

Result<> settle_constraints(PlanStage& stage, const std::string& path) {
  const PlanConstraints& wanted = stage.constraints;
  const std::string constraints = path + ".constraints";
  if (wanted.validation_required && wanted.skip_validation)
    return at(constraints, "validation_required and skip_validation contradict each other: leave out one of the two");
  if (stage.strategy == PlanStrategy::kStaged && wanted.skip_validation)
    return at(constraints, "the strategy staged validates: leave out skip_validation, or take bulk");
  const bool is_emergency = stage.strategy == PlanStrategy::kEmergency;
  if (is_emergency && wanted.priority && *wanted.priority != Priority::kEmergency)
    return at(constraints,
              fmt::format("the strategy emergency and the priority {} contradict each other: leave out one of the two",
                          to_string(*wanted.priority)));
  stage.transfer.priority = is_emergency ? Priority::kEmergency : wanted.priority.value_or(Priority::kNormal);
  stage.transfer.bandwidth_bytes_per_second = wanted.bandwidth_bytes_per_second;
  stage.transfer.window = wanted.window;
  stage.transfer.verify = wanted.validation_required || stage.strategy == PlanStrategy::kStaged;
  stage.transfer.approval = wanted.approval_required.value_or(stage.strategy == PlanStrategy::kStaged);
  if (auto valid = check(stage.transfer, "block_size"); !valid) return at(path, valid.error().text);
  // Files have no writers that a job stops.
  const bool stops_writers =
      std::ranges::any_of(stage.objects, [](const PlanObject& object) { return object.kind != PlanKind::kFiles; });
  if (!wanted.max_downtime_seconds || !stops_writers) return Done{};
  if (stage.transfer.approval)
    return at(constraints,
              "writers wait for an approval as long as it takes, whatever max_downtime says: leave out one of the two (the "
              "strategy staged asks for an approval)");
  if (!wanted.force_migration) stage.transfer.max_downtime_ms = milliseconds_of(*wanted.max_downtime_seconds);
  return Done{};
}

Result<> check_places(const PlanStage& stage, const std::string& path) {
  if (stage.destination.empty()) return at(path + ".to", "missing: the address of the node where the objects go");
  std::unordered_set<std::string_view> last_names;
  for (size_t i = 0; i < stage.objects.size(); ++i) {
    const PlanObject& object = stage.objects[i];
    const std::string here = fmt::format("{}.objects[{}]", path, i);
    switch (object.kind) {  // No default: -Wswitch catches a new kind.
      case PlanKind::kRegion:
        if (stage.target.empty()) return at(path + ".target", "missing: the target there, which regions need");
        break;
      case PlanKind::kFiles:
        if (stage.directory.empty() || stage.directory[0] != '/')
          return at(path + ".directory", "must be an absolute path there, which files need");
        if (!last_names.insert(std::string_view(object.name).substr(object.name.rfind('/') + 1)).second)
          return at(here, "another path of the stage has the same last name, and they would be one at the destination");
        break;
      case PlanKind::kDatabase:
        if (stage.copy) return at(here, "databases can only be moved: give them a stage without copy");
        break;
    }
  }
  return Done{};
}

Result<> check_objects(const Plan& plan) {
  std::set<std::pair<PlanKind, std::string_view>> moved, copied;
  for (size_t i = 0; i < plan.stages.size(); ++i)
    for (size_t j = 0; j < plan.stages[i].objects.size(); ++j) {
      const PlanObject& object = plan.stages[i].objects[j];
      const std::pair<PlanKind, std::string_view> key{object.kind, object.name};
      const bool is_copy = plan.stages[i].copy;
      if (moved.contains(key) || (!is_copy && copied.contains(key)))
        return at(fmt::format("stages[{}].objects[{}]", i, j),
                  fmt::format("{} '{}' is named before, and only copies can be made more than once", to_string(object.kind),
                              object.name));
      (is_copy ? copied : moved).insert(key);
    }
  return Done{};
}

}  // namespace godwit::model
