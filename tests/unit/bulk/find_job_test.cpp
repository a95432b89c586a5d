#include "godwit-bulk/find_job.hpp"

#include <gtest/gtest.h>

#include <map>
#include <sstream>

namespace godwit::bulk {
namespace {

const std::string kSource = "tcp://n1:7411", kDestination = "tcp://n2:7411";

// A source with these jobs; of those without objects it says nothing.
class ToldJobs final : public SourceJobs {
 public:
  std::optional<std::vector<SourceJob>> list(const std::string& source) override {
    EXPECT_EQ(source, kSource);
    return jobs;
  }
  std::optional<std::vector<godwit_region_id>> objects(const std::string&, const std::string& job,
                                                       uint32_t timeout_ms) override {
    waited_ms[job] = timeout_ms;
    const auto found = objects_of.find(job);
    return found == objects_of.end() ? std::nullopt : std::optional(found->second);
  }

  std::optional<std::vector<SourceJob>> jobs = std::vector<SourceJob>{};
  std::map<std::string, std::vector<godwit_region_id>> objects_of;
  std::map<std::string, uint32_t> waited_ms;  // Of those that were asked about.
};

class FindJobTest : public ::testing::Test {
 protected:
  // A report that names these jobs.
  void report(bool is_copy, const std::vector<std::string>& named = {}) {
    std::string lines =
        std::string(R"({"tool":"godwit-bulk","report_version":1,"copy":)") + (is_copy ? "true" : "false") + "}\n";
    for (size_t i = 0; i < named.size(); ++i) {
      const std::string call = std::to_string(i);
      lines += R"({"call":)" + call + R"(,"source":")" + kSource + R"(","destination":")" + kDestination +
               R"(","kind":"region","ids":"00000000000000000000000000000001","names":["r"]})" + "\n";
      lines += R"({"call":)" + call + R"(,"job":")" + named[i] + "\"}\n";
    }
    std::istringstream in(lines);
    earlier_ = EarlierRun(in, "report.items");
  }
  void has(const std::string& id, std::vector<godwit_region_id> objects, bool is_copy = false, bool has_ended = true,
           const std::string& destination = kDestination) {
    source_.jobs->push_back({id, destination, is_copy, has_ended});
    source_.objects_of[id] = std::move(objects);
  }
  Found find() { return find_job(call_, earlier_, taken_, source_, 60'000); }

  ToldJobs source_;
  EarlierRun earlier_;
  std::unordered_set<std::string> taken_;
  OpenCall call_{"", kSource, kDestination, Kind::kRegion, {{0, 1}, {0, 2}}, {"one", "two"}};
};

TEST_F(FindJobTest, TheOneWithItsObjectsIsTheCallsAndNobodyElses) {
  report(false);
  has("others", {{0, 1}, {0, 3}});
  has("fewer", {{0, 1}});
  has("turned", {{0, 2}, {0, 1}});
  has("its", {{0, 1}, {0, 2}});
  EXPECT_EQ(find(), Found::kJob);
  EXPECT_EQ(call_.job, "its");
  EXPECT_TRUE(taken_.contains("its"));
  call_.job.clear();
  EXPECT_EQ(find(), Found::kNone) << "each job is one call's";
  EXPECT_EQ(call_.job, "");
}

TEST_F(FindJobTest, WhatGoesElsewhereOrIsNoMoveIsNotAskedAbout) {
  report(false);
  has("elsewhere", call_.ids, false, true, "tcp://n3:7411");
  has("copy", call_.ids, true);
  EXPECT_EQ(find(), Found::kNone);
  EXPECT_TRUE(source_.waited_ms.empty());
}

TEST_F(FindJobTest, AJobThatTheReportNamesIsAnotherCalls) {
  report(false, {"named"});
  has("named", call_.ids);
  EXPECT_EQ(find(), Found::kNone);
}

TEST_F(FindJobTest, ASourceThatDoesNotAnswerMayHaveIt) {
  report(false);
  source_.jobs.reset();
  EXPECT_EQ(find(), Found::kPerhaps);
}

TEST_F(FindJobTest, AJobThatRunsIsWaitedForAndMayBeItIfItDoesNotEnd) {
  report(false);
  has("runs", call_.ids, false, false);
  source_.objects_of.erase("runs");
  EXPECT_EQ(find(), Found::kPerhaps);
  EXPECT_EQ(source_.waited_ms.at("runs"), 60'000u);
  has("its", call_.ids);
  EXPECT_EQ(find(), Found::kJob);
  EXPECT_EQ(call_.job, "its");
  EXPECT_LT(source_.waited_ms.at("its"), 60'000u) << "it has ended";
}

TEST_F(FindJobTest, PathsInTheSameNumberAreNoProof) {
  report(false);
  call_.kind = Kind::kFiles;
  has("files", {{9, 9}, {8, 8}}, false, false);
  EXPECT_EQ(find(), Found::kPerhaps);
  EXPECT_EQ(call_.job, "");
  EXPECT_LT(source_.waited_ms.at("files"), 60'000u);
  source_.objects_of["files"].pop_back();
  EXPECT_EQ(find(), Found::kNone) << "another number of paths";
}

// The list begins with the newest.
TEST_F(FindJobTest, ACopyOfTheSameRegionsIsTheCallsOnlyIfItWasBegunDuringThatRun) {
  report(true, {"named"});
  has("named", {{0, 7}}, true);
  has("night before", call_.ids, true);
  EXPECT_EQ(find(), Found::kPerhaps);
  source_.jobs->insert(source_.jobs->begin(), {"its", kDestination, true, true});
  source_.objects_of["its"] = call_.ids;
  EXPECT_EQ(find(), Found::kJob);
  EXPECT_EQ(call_.job, "its");
}

TEST_F(FindJobTest, ACopyThatStillRunsIsNoneOfTheNightBefore) {
  report(true, {"named"});
  has("named", {{0, 7}}, true);
  has("runs", call_.ids, true, false);
  EXPECT_EQ(find(), Found::kJob);
  EXPECT_EQ(call_.job, "runs");
}

}  // namespace
}  // namespace godwit::bulk
