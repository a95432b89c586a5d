#include "model/plan.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace godwit::model {
namespace {

constexpr uint32_t kObjectsMax = 100;

Result<Plan> parse(const std::string& json) { return parse_plan(json, kObjectsMax); }

// A plan of one stage with one region, and these further members of the stage.
std::string stage_with(const std::string& more) {
  return R"({"to": "tcp://n2:1", "target": "keep", "stages": [{"objects": [{"region": "field"}], )" + more + "}]}";
}
std::string constrained(const std::string& constraints, const std::string& more = {}) {
  return stage_with(R"("constraints": {)" + constraints + (more.empty() ? "}" : "}, ") + more);
}

// Why a document is refused; "" if it is not.
std::string refusal(const std::string& json) {
  const auto plan = parse(json);
  return plan ? "" : plan.error().text;
}
testing::AssertionResult refuses(const std::string& json, const std::string& words) {
  const std::string why = refusal(json);
  if (!why.empty() && why.find(words) != std::string::npos) return testing::AssertionSuccess();
  return testing::AssertionFailure() << json << "\nis " << (why.empty() ? "taken" : "refused with: " + why);
}

// Stages with one region each, and the names that each comes after ("-": nothing is said; "": none).
std::string stages_after(const std::vector<std::pair<std::string, std::string>>& stages) {
  std::string text;
  for (const auto& [name, after] : stages) {
    text += text.empty() ? "" : ", ";
    text += R"({"name": ")" + name + R"(", "objects": [{"region": ")" + name + R"("}])";
    if (after != "-") text += R"(, "after": [)" + after + "]";
    text += "}";
  }
  return R"({"to": "tcp://n2:1", "target": "keep", "stages": [)" + text + "]}";
}

// ---------------------------------------------------------------- documents

TEST(PlanDocument, SaysWhatItSays) {
  const auto plan = parse(R"({
    "name": "night", "to": "tcp://n2:1", "target": "keep", "concurrent_jobs": 3, "constraints": {"bandwidth": "50mbps"},
    "stages": [
      {"name": "one", "objects": [{"region": "field"}, {"database": "jobs"}],
       "constraints": {"time_window": "22:00-06:00", "priority": "high", "max_downtime": "1500ms", "validation_required": true},
       "transfer": {"block_size": "1MiB", "streams": 4, "compress": "zstd"}},
      {"to": "tcp://n3:1", "directory": "/in", "copy": true, "constraints": {"bandwidth": null}, "objects": [{"files": "/out/a/"}]}
    ]})");
  ASSERT_TRUE(plan) << plan.error().text;
  EXPECT_EQ(plan->name, "night");
  EXPECT_EQ(plan->concurrent_jobs, 3u);
  const PlanStage& one = plan->stages[0];
  EXPECT_EQ(one.destination, "tcp://n2:1");
  EXPECT_EQ(one.target, "keep");
  EXPECT_EQ(one.transfer.bandwidth_bytes_per_second, 6'250'000u);
  EXPECT_EQ(to_string(one.transfer.window), "22:00-06:00");
  EXPECT_EQ(one.transfer.priority, Priority::kHigh);
  EXPECT_EQ(one.constraints.max_downtime_seconds, 1.5);
  EXPECT_EQ(one.transfer.max_downtime_ms, 1500u);
  EXPECT_TRUE(one.transfer.verify);
  EXPECT_EQ(one.transfer.block_bytes, 1_MiB);
  EXPECT_EQ(one.transfer.streams, 4u);
  EXPECT_EQ(one.transfer.compression, Compression::kZstd);
  const PlanStage& two = plan->stages[1];
  EXPECT_EQ(two.name, "stage 2");
  EXPECT_EQ(two.destination, "tcp://n3:1");
  EXPECT_EQ(two.after, std::vector<uint32_t>{0});
  EXPECT_EQ(two.transfer.bandwidth_bytes_per_second, 0u);  // Taken back.
  EXPECT_EQ(two.objects[0].name, "/out/a");
  EXPECT_TRUE(two.copy);
  EXPECT_FALSE(two.transfer.verify);
}

TEST(PlanDocument, StagedVerifiesAndEmergencyIsUrgent) {
  EXPECT_TRUE(parse(stage_with(R"("strategy": "staged")"))->stages[0].transfer.verify);
  EXPECT_TRUE(parse(stage_with(R"("strategy": "staged")"))->stages[0].transfer.approval);
  EXPECT_FALSE(parse(constrained(R"("approval_required": false)", R"("strategy": "staged")"))->stages[0].transfer.approval);
  EXPECT_TRUE(parse(constrained(R"("approval_required": true)"))->stages[0].transfer.approval);
  EXPECT_EQ(parse(stage_with(R"("strategy": "emergency")"))->stages[0].transfer.priority, Priority::kEmergency);
}

TEST(PlanDocument, UnknownKeysAreRefusedByTheirPlace) {
  EXPECT_TRUE(refuses(R"({"to": "tcp://n2:1", "stage": []})", "plan: stage: unknown key"));
  EXPECT_TRUE(refuses(stage_with(R"("tos": "x")"), "stages[0].tos: unknown key"));
  EXPECT_TRUE(refuses(constrained(R"("bandwith": "1MB/s")"), "stages[0].constraints.bandwith: unknown key"));
  EXPECT_TRUE(refuses(stage_with(R"("transfer": {"stream": 1})"), "stages[0].transfer.stream: unknown key"));
  EXPECT_TRUE(refuses(R"({"to": "tcp://n2:1", "stages": [{"objects": [{"regions": "a"}]}]})",
                      "stages[0].objects[0].regions: unknown key"));
}

// Nothing would be no limit, and no clock counts for ever.
TEST(PlanDocument, JobsKeepTheDowntimeUnlessTheyAreForced) {
  const auto limit = [](const std::string& constraints) {
    return parse(constrained(constraints))->stages[0].transfer.max_downtime_ms;
  };
  EXPECT_EQ(limit(R"("max_downtime": 0)"), 1u);
  EXPECT_EQ(limit(R"("max_downtime": 0.0001)"), 1u);
  EXPECT_EQ(limit(R"("max_downtime": 1e300)"), 1'000'000'000'000'000u);
  EXPECT_EQ(limit(R"("max_downtime": "1s", "force_migration": true)"), 0u);
}

TEST(PlanDocument, ValuesThatAreNoneAreRefusedByTheirPlace) {
  EXPECT_TRUE(refuses(constrained(R"("time_window": "22-6")"), "stages[0].constraints.time_window"));
  EXPECT_TRUE(refuses(constrained(R"("bandwidth": "fast")"), "stages[0].constraints.bandwidth"));
  EXPECT_TRUE(refuses(constrained(R"("bandwidth": 0)"), "stages[0].constraints.bandwidth"));
  EXPECT_TRUE(refuses(constrained(R"("max_downtime": "5")"), "stages[0].constraints.max_downtime"));
  EXPECT_TRUE(refuses(constrained(R"("max_downtime": -1)"), "stages[0].constraints.max_downtime"));
  EXPECT_TRUE(refuses(constrained(R"("priority": 9)"), "stages[0].constraints.priority"));
  EXPECT_TRUE(refuses(constrained(R"("skip_validation": 1)"), "stages[0].constraints.skip_validation"));
  EXPECT_TRUE(refuses(stage_with(R"("strategy": "quick")"), "bulk, staged, emergency"));
  EXPECT_TRUE(refuses(stage_with(R"("transfer": {"block_size": 1})"), "block_size"));
  EXPECT_TRUE(refuses(stage_with(R"("name": "a\nb")"), "stages[0].name"));
  EXPECT_TRUE(refuses(stage_with(R"("name": "")"), "stages[0].name"));
  EXPECT_TRUE(refuses(R"({"to": "tcp://n2:1", "stages": []})", "stages"));
  EXPECT_TRUE(refuses(R"({"to": "tcp://n2:1", "stages": [{"objects": []}]})", "stages[0].objects"));
  EXPECT_TRUE(refuses(R"({"to": "tcp://n2:1", "stages": [{"objects": [{}]}]})", "stages[0].objects[0]"));
  EXPECT_TRUE(refuses(R"({"stages": [{"target": "keep", "objects": [{"region": "a"}]}]})", "stages[0].to: missing"));
  EXPECT_TRUE(refuses(R"({"to": "tcp://n2:1", "stages": [{"objects": [{"region": "a"}]}]})", "stages[0].target: missing"));
  EXPECT_TRUE(refuses(R"({"to": "tcp://n2:1", "stages": [{"objects": [{"files": "/a"}]}]})", "stages[0].directory"));
  EXPECT_TRUE(refuses(R"({"to": "tcp://n2:1", "directory": "/in", "stages": [{"objects": [{"files": "a"}]}]})", "absolute"));
  EXPECT_TRUE(refuses("[]", "object"));
  EXPECT_TRUE(refuses("{", "not JSON"));
  EXPECT_TRUE(refuses("", "not JSON"));
}

TEST(PlanDocument, StrategiesOfOtherReleasesAreNamedAsSuch) {
  for (const char* strategy : {"live", "incremental", "postcopy"})
    EXPECT_TRUE(refuses(stage_with(std::string(R"("strategy": ")") + strategy + "\""), "of this release"));
}

TEST(PlanDocument, ContradictionsAreRefused) {
  EXPECT_TRUE(refuses(constrained(R"("validation_required": true, "skip_validation": true)"), "contradict"));
  EXPECT_TRUE(refuses(constrained(R"("skip_validation": true)", R"("strategy": "staged")"), "staged validates"));
  EXPECT_TRUE(refuses(constrained(R"("max_downtime": "1h")", R"("strategy": "staged")"), "whatever max_downtime says"));
  EXPECT_TRUE(refuses(constrained(R"("max_downtime": "1h", "approval_required": true)"), "whatever max_downtime says"));
  EXPECT_TRUE(refuses(constrained(R"("bandwidth": "1MB/s")", R"("strategy": "emergency")"), "bandwidth"));
  EXPECT_TRUE(refuses(constrained(R"("time_window": "01:00-02:00")", R"("strategy": "emergency")"), "time window"));
  EXPECT_TRUE(refuses(constrained(R"("priority": "low")", R"("strategy": "emergency")"), "contradict"));
  EXPECT_TRUE(refuses(constrained(R"("approval_required": true)", R"("strategy": "emergency")"), "approval"));
  EXPECT_TRUE(refuses(constrained(R"("priority": "emergency", "bandwidth": "1MB/s")"), "bandwidth"));
  // Between the plan's and a stage's, too.
  EXPECT_TRUE(refuses(R"({"to": "tcp://n2:1", "target": "keep", "constraints": {"validation_required": true},
                          "stages": [{"constraints": {"skip_validation": true}, "objects": [{"region": "a"}]}]})",
                      "stages[0].constraints"));
  EXPECT_TRUE(parse(R"({"to": "tcp://n2:1", "target": "keep", "constraints": {"validation_required": true},
                        "stages": [{"constraints": {"validation_required": null, "skip_validation": true},
                                    "objects": [{"region": "a"}]}]})"));
  EXPECT_TRUE(refuses(R"({"to": "tcp://n2:1", "stages": [{"copy": true, "objects": [{"database": "a"}]}]})", "only be moved"));
}

TEST(PlanDocument, NoObjectLeavesTwice) {
  const auto twice = [](const char* copy_first, const char* copy_second) {
    return std::string(R"({"to": "tcp://n2:1", "target": "keep", "stages": [{"objects": [{"region": "a"}], "copy": )") +
           copy_first + R"(}, {"target": "fast", "objects": [{"region": "a"}], "copy": )" + copy_second + "}]}";
  };
  EXPECT_TRUE(refuses(twice("false", "false"), "stages[1].objects[0]"));
  EXPECT_TRUE(refuses(twice("true", "false"), "named before"));
  EXPECT_TRUE(parse(twice("true", "true")));
  EXPECT_TRUE(
      refuses(R"({"to": "tcp://n2:1", "directory": "/in", "stages": [{"objects": [{"files": "/a/x"}, {"files": "/b/x"}]}]})",
              "last name"));
}

TEST(PlanDocument, OrdersThatCannotBeKeptAreRefused) {
  EXPECT_TRUE(refuses(stages_after({{"a", R"("b")"}, {"b", R"("a")"}}), "for itself"));
  EXPECT_TRUE(refuses(stages_after({{"a", R"("a")"}}), "for itself"));
  EXPECT_TRUE(refuses(stages_after({{"a", R"("c")"}, {"b", "-"}, {"c", "-"}}), "for itself"));
  EXPECT_TRUE(refuses(stages_after({{"a", R"("none")"}}), "there is no stage 'none'"));
  EXPECT_TRUE(refuses(stages_after({{"a", "-"}, {"a", "-"}}), "another stage is named 'a'"));
}

TEST(PlanDocument, IsBounded) {
  std::vector<std::pair<std::string, std::string>> stages;
  for (size_t i = 0; i <= kPlanStagesMax; ++i) stages.emplace_back("s" + std::to_string(i), "-");
  EXPECT_EQ(parse_plan(stages_after(stages), 1000).error().code, Errc::kLimit);
  stages.pop_back();
  EXPECT_TRUE(parse_plan(stages_after(stages), 1000));
  EXPECT_EQ(parse_plan(stages_after(stages), 100).error().code, Errc::kLimit);  // Objects in all.
  EXPECT_EQ(parse(std::string(kPlanBytesMax + 1, ' ')).error().code, Errc::kLimit);
  EXPECT_TRUE(refuses(std::string(1000, '['), "too deep"));
  EXPECT_TRUE(refuses(R"({"a": "[[[[[[[[[[[[[[[[\"[[[["})", "unknown key"));  // Brackets in a text are none.
}

TEST(PlanDocument, DurationsHaveUnits) {
  EXPECT_EQ(*parse_duration("500ms"), 0.5);
  EXPECT_EQ(*parse_duration("30s"), 30);
  EXPECT_EQ(*parse_duration("1.5m"), 90);
  EXPECT_EQ(*parse_duration("2h"), 7200);
  for (const char* bad : {"", "s", "5", "-1s", "5 s", "5d", "1e3s", "nans", "infs"}) EXPECT_FALSE(parse_duration(bad)) << bad;
}

// ---------------------------------------------------------------- jobs and order

TEST(PlanJobs, RegionsShareOneFilesAnotherAndEachDatabaseHasItsOwn) {
  PlanStage stage;
  for (const PlanKind kind : {PlanKind::kDatabase, PlanKind::kRegion, PlanKind::kFiles, PlanKind::kDatabase, PlanKind::kRegion})
    stage.objects.push_back({kind, "x"});
  const auto jobs = jobs_of(stage);
  ASSERT_EQ(jobs.size(), 4u);
  EXPECT_EQ(jobs[0].objects, std::vector<uint32_t>{0});
  EXPECT_EQ(jobs[1].objects, (std::vector<uint32_t>{1, 4}));
  EXPECT_EQ(jobs[2].objects, std::vector<uint32_t>{2});
  EXPECT_EQ(jobs[3].objects, std::vector<uint32_t>{3});
}

class PlanOrder : public testing::Test {
 protected:
  // a -> b -> c, and d beside them; e after b and d.
  Plan plan_ = *parse(stages_after({{"a", ""}, {"b", "-"}, {"c", "-"}, {"d", ""}, {"e", R"("b", "d")"}}));
  std::vector<StageState> states_ = std::vector<StageState>(5, StageState::kWaiting);
};

TEST_F(PlanOrder, AStageBeginsWhenAllBeforeItAreDone) {
  EXPECT_EQ(ready(plan_, states_), (std::vector<uint32_t>{0, 3}));
  states_[0] = StageState::kRunning;
  EXPECT_EQ(ready(plan_, states_), std::vector<uint32_t>{3});
  states_[0] = states_[1] = StageState::kDone;
  EXPECT_EQ(ready(plan_, states_), (std::vector<uint32_t>{2, 3}));
  states_[3] = StageState::kDone;
  EXPECT_EQ(ready(plan_, states_), (std::vector<uint32_t>{2, 4}));
}

TEST_F(PlanOrder, OfThoseThatMayBeginTheMoreUrgentComesFirst) {
  plan_.stages[3].transfer.priority = Priority::kHigh;
  EXPECT_EQ(ready(plan_, states_), (std::vector<uint32_t>{3, 0}));
  plan_.stages[0].transfer.priority = Priority::kEmergency;
  EXPECT_EQ(ready(plan_, states_), (std::vector<uint32_t>{0, 3}));
}

TEST_F(PlanOrder, AFailureStopsWhatComesAfterItNearAndFarAndNothingElse) {
  states_[0] = StageState::kFailed;
  states_[3] = StageState::kRunning;
  skip_unreachable(plan_, states_);
  EXPECT_EQ(states_, (std::vector<StageState>{StageState::kFailed, StageState::kSkipped, StageState::kSkipped,
                                              StageState::kRunning, StageState::kSkipped}));
  EXPECT_EQ(outcome(states_, false), PlanState::kRunning);
  states_[3] = StageState::kDone;
  EXPECT_EQ(outcome(states_, false), PlanState::kFailed);
  EXPECT_EQ(outcome(states_, true), PlanState::kCancelled);
}

TEST_F(PlanOrder, APlanIsDoneWhenAllStagesAreEvenIfItWasCancelledTooLate) {
  EXPECT_EQ(outcome(states_, false), PlanState::kRunning);
  std::ranges::fill(states_, StageState::kDone);
  EXPECT_EQ(outcome(states_, false), PlanState::kDone);
  EXPECT_EQ(outcome(states_, true), PlanState::kDone);
}

// ---------------------------------------------------------------- estimates

TEST(PlanEstimate, IsTheBytesAtTheRateOrTheLimit) {
  EXPECT_EQ(seconds_of(1000, 100, 0), 10);
  EXPECT_EQ(seconds_of(1000, 100, 50), 20);
  EXPECT_EQ(seconds_of(1000, 100, 500), 10);
  EXPECT_FALSE(seconds_of(1000, 0, 50));
}

TEST(PlanEstimate, WritersWaitForAllOfARegionAndForTheLastPassOfALiveDatabase) {
  EXPECT_EQ(bytes_stopped(PlanKind::kRegion, 1_GiB, false), 1_GiB);
  EXPECT_EQ(bytes_stopped(PlanKind::kFiles, 1_GiB, false), 0u);
  EXPECT_EQ(bytes_stopped(PlanKind::kDatabase, 1_GiB, false), 1_GiB);
  EXPECT_EQ(bytes_stopped(PlanKind::kDatabase, 1_GiB, true), 16_MiB);
  EXPECT_EQ(bytes_stopped(PlanKind::kDatabase, 1_MiB, true), 1_MiB);
}

TEST_F(PlanOrder, ThePlanTakesItsLongestWayOrTheTimeOfItsLinkOrTheSum) {
  const std::vector<double> seconds{1, 2, 4, 10, 1};
  EXPECT_EQ(seconds_of_all(plan_, seconds, 0), 11);   // d, e.
  EXPECT_EQ(seconds_of_all(plan_, seconds, 15), 15);  // Side by side they share one link.
  plan_.concurrent_jobs = 1;
  EXPECT_EQ(seconds_of_all(plan_, seconds, 0), 18);
}

}  // namespace
}  // namespace godwit::model
