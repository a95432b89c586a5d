// Plan: several migrations of one source node, in stages with an order between them: what its user wrote, what contradicts
// itself in it, and what may begin next. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/units.hpp"
#include "model/transfer.hpp"

namespace godwit::model {

enum class PlanStrategy : uint8_t {
  kBulk,
  kStaged,     // As bulk, and what was stored is read back before the cutover.
  kEmergency,  // At the highest priority, without a limit.
};
std::string_view to_string(PlanStrategy strategy);

// The numbers of journal::ObjectKind.
enum class PlanKind : uint8_t { kRegion = 0, kFiles = 1, kDatabase = 2 };
// The key of such an object in a document: "region", "files", "database".
std::string_view to_string(PlanKind kind);

struct PlanConstraints {
  TimeWindow window = {};
  uint64_t bandwidth_bytes_per_second = 0;
  std::optional<double> max_downtime_seconds = {};
  std::optional<Priority> priority = {};
  bool validation_required = false;
  bool skip_validation = false;
  std::optional<bool> approval_required = {};  // Nothing: as the strategy is.
  bool force_migration = false;
};

struct PlanObject {
  PlanKind kind = PlanKind::kRegion;
  std::string name;  // Or id; of files: the absolute path.
};

struct PlanStage {
  std::string name;
  std::vector<uint32_t> after;  // Stages, by index: all of them have to be done first.
  std::string destination;      // An address.
  std::string target;           // There, for regions.
  std::string directory;        // There, for files.
  PlanStrategy strategy = PlanStrategy::kBulk;
  PlanConstraints constraints = {};  // Those of the plan with those of the stage in their place.
  Transfer transfer = {};            // What all of the above means for its jobs.
  bool copy = false;
  std::vector<PlanObject> objects;
};

struct Plan {
  std::string name;
  uint32_t concurrent_jobs = 0;  // Of the plan's at once; 0: as many as its node runs.
  std::vector<PlanStage> stages;
};

constexpr size_t kPlanBytesMax = 8_MiB;  // What is told of a plan repeats the names in it, and has to fit into a message.
constexpr size_t kPlanStagesMax = 256;

// Reads a document as docs/howto/plan.md says. Errors: kInvalid, no JSON, an unknown key, a value that is none, or what
// contradicts itself: the text begins with the path of it ("stages[1].constraints"); kLimit, longer than kPlanBytesMax, or more
// stages, or objects than `objects_max` in a stage.
Result<Plan> parse_plan(std::string_view json, uint32_t objects_max);

// "500ms", "30s", "5m", "1h", in seconds. Errors: kInvalid.
Result<double> parse_duration(std::string_view text);

// The jobs of a stage, in the order of its objects: one of all regions, one of all files, one of each database.
struct PlanJob {
  PlanKind kind = PlanKind::kRegion;
  std::vector<uint32_t> objects;  // By index in the stage.
};
std::vector<PlanJob> jobs_of(const PlanStage& stage);

// Numbers are in the journal: append only.
enum class StageState : uint8_t {
  kWaiting = 0,
  kRunning = 1,
  kDone = 2,
  kFailed = 3,
  kSkipped = 4,  // One that it comes after has failed, or the plan was cancelled before its turn.
};
std::string_view to_string(StageState state);
enum class PlanState : uint8_t { kPlanned = 0, kRunning = 1, kDone = 2, kFailed = 3, kCancelled = 4 };
std::string_view to_string(PlanState state);

// The stages that wait, and whose predecessors are all done: of the highest priority first, then in the plan's order.
// `states`: one for each stage.
std::vector<uint32_t> ready(const Plan& plan, std::span<const StageState> states);
// Skips what waits and can never begin: it comes after a stage that has failed or was skipped, near or far.
void skip_unreachable(const Plan& plan, std::span<StageState> states);
// kRunning until no stage waits or runs.
PlanState outcome(std::span<const StageState> states, bool cancelled);

// ---- estimates; a rate of 0 is unknown

// Of so many bytes at `rate` bytes a second, or at `limit` if there is one and it is less; nothing if the rate is unknown.
std::optional<double> seconds_of(uint64_t bytes, double rate, uint64_t limit);
// How many of an object's bytes travel while its writers are stopped. `live`: it makes passes while they go on.
uint64_t bytes_stopped(PlanKind kind, uint64_t bytes, bool live);
// Of the whole plan: no less than its longest way of stages, nor than `link_seconds`, the time of all its bytes on the one link
// of its source; with one job at a time, the sum. `stage_seconds`: one for each stage.
double seconds_of_all(const Plan& plan, std::span<const double> stage_seconds, double link_seconds);

}  // namespace godwit::model
