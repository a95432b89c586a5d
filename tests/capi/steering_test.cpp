// Jobs that are paused, resumed and limited while they run.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>
#include <godwit/godwit.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "support/daemon.hpp"
#include "support/errors.hpp"
#include "support/waiting.hpp"

namespace {

using godwit::test::code_of;
using godwit::test::comes_true;
using godwit::test::Daemon;
using godwit::test::DaemonOptions;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr uint64_t kMiB = 1 << 20;

godwit::Progress progress_of(const godwit::Migration& job) {
  godwit::Progress progress{};
  job.test(&progress);
  return progress;
}

std::string phase_of(const godwit::Migration& job) { return progress_of(job).phase; }

class Steering : public ::testing::Test {
 protected:
  static std::vector<unsigned char> bytes_of(uint64_t size) {
    std::vector<unsigned char> bytes(size);
    for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<unsigned char>(i * 2654435761u >> 9);
    return bytes;
  }
  static DaemonOptions options(const std::string& more = {}) {
    DaemonOptions all;
    all.targets = {{"fast", "dram", "128MiB"}};
    all.more = more;
    return all;
  }
  // A daemon that thinks that it starts so many seconds before noon, when windows until 12:00 end.
  static DaemonOptions before_noon(int seconds_before) {
    const std::time_t now = std::time(nullptr);
    std::tm local{};
    localtime_r(&now, &local);
    const int second_of_day = (local.tm_hour * 60 + local.tm_min) * 60 + local.tm_sec;
    const int ahead =
        (12 * 3600 - seconds_before - second_of_day + 86'400) % 86'400 + 86'400;  // Never 0, which a fail point cannot be.
    DaemonOptions how_it_runs = options();
    how_it_runs.environment = {"GODWIT_FAIL=clock.ahead=" + std::to_string(ahead)};
    return how_it_runs;
  }
  godwit::Region region(const Daemon& at, uint64_t size) {
    const auto bytes = bytes_of(size);
    return client_.target(at.address(), "fast").create(bytes.data(), size);
  }
  godwit::Migration start(const Daemon& from, const Daemon& to, const godwit::Region& region,
                          const godwit::MigrateOptions& how) {
    return client_.start_migration(from.address(), {region.id()}, client_.target(to.address(), "fast"), how);
  }
  // Of a region to the other daemon, at `bandwidth`.
  godwit::Migration start(const Daemon& from, const Daemon& to, const godwit::Region& region, uint64_t bandwidth) {
    godwit::MigrateOptions how;
    how.bandwidth = bandwidth;
    return start(from, to, region, how);
  }
  bool holds(const godwit::Region& region, uint64_t size) {
    std::vector<unsigned char> bytes(size);
    region.read(0, bytes.data(), size);
    return bytes == bytes_of(size);
  }

  godwit::Client client_;
};

TEST_F(Steering, APausedJobSendsNothingAndGoesOnWhereItWas) {
  constexpr uint64_t kSize = 16 * kMiB;
  // Longer than a transfer may be silent: a pause is not that.
  const Daemon here(options(R"("stall_timeout_ms": 2000)")), there(options(R"("stall_timeout_ms": 2000)"));
  const godwit::Region moving = region(here, kSize);
  const godwit::Migration job = start(here, there, moving, kMiB);
  ASSERT_TRUE(comes_true([&] { return progress_of(job).bytes_done > 0; }));
  job.pause();
  job.pause();
  EXPECT_EQ(phase_of(job), "paused");
  std::this_thread::sleep_for(seconds(1));  // What was on its way arrives.
  const uint64_t before = progress_of(job).bytes_done;
  std::this_thread::sleep_for(seconds(3));
  EXPECT_EQ(progress_of(job).bytes_done, before);
  EXPECT_LT(before, kSize);
  job.resume();
  EXPECT_NE(phase_of(job), "paused");
  job.limit(0);
  job.wait();
  const auto report = nlohmann::json::parse(job.report());
  EXPECT_EQ(report["bytes"], kSize);  // Nothing went twice.
  EXPECT_EQ(report["blocks_resent"], 0);
  EXPECT_TRUE(holds(moving, kSize));
  EXPECT_EQ(code_of([&] { job.pause(); }), GODWIT_ERR_BUSY);
  EXPECT_EQ(code_of([&] { job.resume(); }), GODWIT_ERR_BUSY);
  EXPECT_EQ(code_of([&] { job.limit(1); }), GODWIT_ERR_BUSY);
}

TEST_F(Steering, APausedJobCanBeCancelledAndItsSourceServes) {
  const Daemon here(options()), there(options());
  const godwit::Region staying = region(here, 8 * kMiB);
  const godwit::Migration job = start(here, there, staying, kMiB / 2);
  ASSERT_TRUE(comes_true([&] { return progress_of(job).bytes_done > 0; }));
  job.pause();
  job.cancel();
  EXPECT_EQ(code_of([&] { job.wait(20'000); }), GODWIT_ERR_CANCELLED);
  EXPECT_TRUE(holds(staying, 8 * kMiB));
  staying.write(0, "new", 3);
  EXPECT_TRUE(comes_true([&] { return client_.target(there.address(), "fast").info().used_bytes == 0; }));
}

TEST_F(Steering, ADestinationThatDiesDuringAPauseEndsTheJob) {
  const Daemon here(options());
  Daemon there(options());
  const godwit::Region staying = region(here, 8 * kMiB);
  const godwit::Migration job = start(here, there, staying, kMiB / 2);
  ASSERT_TRUE(comes_true([&] { return progress_of(job).bytes_done > 0; }));
  job.pause();
  there.kill();
  EXPECT_NE(code_of([&] { job.wait(30'000); }), GODWIT_ERR_TIMEOUT);
  EXPECT_EQ(phase_of(job), "failed");
  EXPECT_TRUE(holds(staying, 8 * kMiB));
}

// The cutover would be a while away.
TEST_F(Steering, WritersThatAreStoppedForTooLongEndTheJob) {
  const Daemon here(options()), there(options());
  const godwit::Region staying = region(here, 16 * kMiB);
  godwit::MigrateOptions how;
  how.bandwidth = kMiB;
  how.max_downtime_ms = 300;
  const godwit::Migration job = start(here, there, staying, how);
  EXPECT_EQ(code_of([&] { job.wait(); }), GODWIT_ERR_LIMIT);
  const auto report = nlohmann::json::parse(job.report());
  EXPECT_EQ(report["phase"], "failed");
  EXPECT_NE(report["error_text"].get<std::string>().find("max_downtime"), std::string::npos) << report["error_text"];
  EXPECT_GE(report["writers_stopped_seconds"], 0.3);
  EXPECT_LT(report["bytes"], 16 * kMiB);
  EXPECT_TRUE(holds(staying, 16 * kMiB));
  staying.write(0, "new", 3);
  EXPECT_TRUE(comes_true([&] { return client_.target(there.address(), "fast").info().used_bytes == 0; }));
  how.bandwidth = 0;  // With time enough it goes.
  how.max_downtime_ms = 60'000;
  start(here, there, staying, how).wait();
  EXPECT_EQ(client_.regions(here.address()).size(), 0u);
}

// Nobody who writes has to wait for it.
TEST_F(Steering, ACancelTakesEffectWhileTheDestinationReadsBack) {
  const Daemon here(options());
  for (const bool by_downtime : {false, true}) {
    const godwit::test::TemporaryDirectory pauses;
    DaemonOptions slow = options();
    slow.environment = {"GODWIT_FAIL=verify.read=PAUSE@1", "GODWIT_FAIL_PAUSES=" + pauses.path()};
    const Daemon there(slow);
    const godwit::Region staying = region(here, kMiB);
    godwit::MigrateOptions how;
    how.verify = true;
    how.max_downtime_ms = by_downtime ? 5000 * static_cast<uint64_t>(godwit::test::patience_times()) : 0;
    const godwit::Migration job = start(here, there, staying, how);
    const std::string reads_back = pauses.path() + "/verify.read";
    const auto is_reading_back = [&] { return std::filesystem::exists(reads_back); };
    ASSERT_TRUE(comes_true(is_reading_back));
    if (!by_downtime) job.cancel();
    EXPECT_TRUE(comes_true([&] { return code_of([&] { staying.write(0, "new", 3); }) == GODWIT_OK; }));
    EXPECT_TRUE(is_reading_back());
    std::filesystem::remove(reads_back);
    EXPECT_EQ(code_of([&] { job.wait(); }), by_downtime ? GODWIT_ERR_LIMIT : GODWIT_ERR_CANCELLED);
    EXPECT_TRUE(comes_true([&] { return client_.target(there.address(), "fast").info().used_bytes == 0; }));
  }
}

// As its operator's program is asked.
TEST_F(Steering, WritersDoNotWaitForADestinationThatThinksAboutAnOffer) {
  const godwit::test::TemporaryDirectory scratch;
  const std::string asked = scratch.path() + "/asked", go = scratch.path() + "/go", program = scratch.path() + "/program";
  std::ofstream(program) << "#!/bin/sh\ntouch " << asked << "\nuntil [ -e " << go << " ]; do sleep 0.05; done\nrm " << asked
                         << "\n";
  ASSERT_EQ(chmod(program.c_str(), 0755), 0);
  const Daemon here(options()), there(options(R"("hooks": {"before": ")" + program + "\"}"));
  const godwit::Region staying = region(here, kMiB);
  godwit::MigrateOptions how;
  how.max_downtime_ms = 1000 * static_cast<uint64_t>(godwit::test::patience_times());
  const godwit::Migration job = start(here, there, staying, how);
  ASSERT_TRUE(comes_true([&] { return std::filesystem::exists(asked); }));
  EXPECT_TRUE(comes_true([&] { return code_of([&] { staying.write(0, "new", 3); }) == GODWIT_OK; }));
  EXPECT_EQ(code_of([&] { job.wait(); }), GODWIT_ERR_LIMIT);
  std::ofstream(go) << "go";  // Only now.
  EXPECT_TRUE(comes_true([&] { return !std::filesystem::exists(asked); }));
  EXPECT_TRUE(comes_true([&] { return client_.target(there.address(), "fast").info().used_bytes == 0; }));
}

TEST_F(Steering, AJobThatNeedsApprovalWaitsForItBeforeItsCutover) {
  const Daemon here(options()), there(options());
  for (const bool at_once : {false, true}) {
    const godwit::Region moving = region(here, kMiB);
    godwit::MigrateOptions wish;
    wish.approval = true;
    const auto job = client_.start_migration(here.address(), {moving.id()}, client_.target(there.address(), "fast"), wish);
    ASSERT_TRUE(comes_true([&] { return phase_of(job) == "validation"; }));
    EXPECT_EQ(progress_of(job).bytes_done, kMiB);
    EXPECT_EQ(code_of([&] { job.wait(300); }), GODWIT_ERR_TIMEOUT);
    EXPECT_EQ(client_.regions(there.address()).size(), at_once ? 1U : 0U);
    if (at_once)
      job.cutover();
    else
      job.approve();
    job.wait();
    EXPECT_TRUE(holds(moving, kMiB));
    EXPECT_EQ(code_of([&] { job.cutover(); }), GODWIT_ERR_BUSY);
  }
}

TEST_F(Steering, AnotherJobRunsWhileOneIsPaused) {
  const Daemon here(options(R"("jobs_max": 1)")), there(options());
  const godwit::Region first = region(here, 8 * kMiB), second = region(here, kMiB), third = region(here, kMiB);
  const godwit::Migration slow = start(here, there, first, kMiB / 4);
  ASSERT_TRUE(comes_true([&] { return progress_of(slow).bytes_done > 0; }));
  const godwit::Migration queued = start(here, there, second, 0);
  queued.pause();  // It has not begun: it lets the next one pass.
  const godwit::Migration urgent = start(here, there, third, 0);
  EXPECT_EQ(code_of([&] { urgent.wait(300); }), GODWIT_ERR_TIMEOUT);
  slow.pause();
  urgent.wait(20'000);
  EXPECT_EQ(phase_of(slow), "paused");
  EXPECT_EQ(phase_of(queued), "paused");
  slow.limit(0);
  slow.resume();
  queued.resume();
  slow.wait(20'000);
  queued.wait(20'000);
  EXPECT_TRUE(holds(first, 8 * kMiB) && holds(second, kMiB) && holds(third, kMiB));
}

// Peers give each other up after five seconds of silence, but neither while one of them has something else to do, nor while a
// job is paused between two of its steps.
TEST_F(Steering, PeersAreKeptAliveDuringLongPausesAndProgramsThatTakeLong) {
  const godwit::test::TemporaryDirectory programs;
  const std::string slow = programs.path() + "/slow";
  std::ofstream(slow) << "#!/bin/sh\nsleep 6\n";
  ASSERT_EQ(::chmod(slow.c_str(), 0700), 0);
  const Daemon here(options());
  const Daemon there(options(R"("hooks": {"before": ")" + slow + R"(", "after": ")" + slow + "\"}"));
  const godwit::Region moving = region(here, kMiB);
  const godwit::Migration job = start(here, there, moving, 0);
  ASSERT_TRUE(comes_true([&] { return phase_of(job) == "pre-sync"; }));
  job.pause();  // While the destination's program runs: the offer is answered later.
  std::this_thread::sleep_for(seconds(13));
  EXPECT_EQ(phase_of(job), "paused");
  EXPECT_EQ(progress_of(job).bytes_done, 0u);
  job.resume();
  job.wait(60'000);
  EXPECT_TRUE(holds(moving, kMiB));
}

TEST_F(Steering, AJobThatIsPausedBeforeItBeginsCanBeCancelled) {
  const Daemon here(options(R"("jobs_max": 1)")), there(options());
  const godwit::Region first = region(here, 8 * kMiB), second = region(here, kMiB);
  const godwit::Migration slow = start(here, there, first, kMiB / 4);
  const godwit::Migration queued = start(here, there, second, 0);
  queued.pause();
  slow.cancel();
  EXPECT_EQ(code_of([&] { slow.wait(20'000); }), GODWIT_ERR_CANCELLED);
  EXPECT_EQ(phase_of(queued), "paused");
  queued.cancel();
  EXPECT_EQ(code_of([&] { queued.wait(20'000); }), GODWIT_ERR_CANCELLED);
  EXPECT_TRUE(holds(second, kMiB));
  second.write(0, "new", 3);
}

// Never faster; how close it comes is for a benchmark.
TEST_F(Steering, AJobKeepsItsLimitAndAnotherOneHoldsAtOnce) {
  const Daemon here(options()), there(options());
  const godwit::Region first = region(here, 8 * kMiB), second = region(here, 64 * kMiB);
  const auto begin = steady_clock::now();
  start(here, there, first, 8 * kMiB).wait();
  EXPECT_GE(steady_clock::now() - begin, milliseconds(900));
  const godwit::Migration job = start(here, there, second, 64 * 1024);  // Would take a quarter of an hour.
  ASSERT_TRUE(comes_true([&] { return progress_of(job).bytes_done > 0; }));
  EXPECT_EQ(client_.jobs(here.address()).front().bandwidth, 64u * 1024);
  job.limit(0);
  EXPECT_EQ(client_.jobs(here.address()).front().bandwidth, 0u);
  job.wait(60'000);
  EXPECT_TRUE(holds(second, 64 * kMiB));
}

TEST_F(Steering, ANodeKeepsItsLimitOverAllItsJobs) {
  const Daemon here(options(R"("bandwidth": "8MiB/s")")), there(options());
  const godwit::Region first = region(here, 4 * kMiB), second = region(here, 4 * kMiB);
  godwit_client* client = client_.c_handle();
  uint64_t limit = 0;
  ASSERT_EQ(godwit_node_get_limit(client, here.address().c_str(), &limit), GODWIT_OK);
  EXPECT_EQ(limit, 8 * kMiB);
  const auto begin = steady_clock::now();
  const godwit::Migration one = start(here, there, first, 0), other = start(here, there, second, 0);
  one.wait();
  other.wait();
  EXPECT_GE(steady_clock::now() - begin, milliseconds(800));
  ASSERT_EQ(godwit_node_limit(client, here.address().c_str(), 0), GODWIT_OK);
  ASSERT_EQ(godwit_node_get_limit(client, here.address().c_str(), &limit), GODWIT_OK);
  EXPECT_EQ(limit, 0u);
}

TEST_F(Steering, JobsOfAHigherPriorityBeginFirstAndAnEmergencyAtOnce) {
  const Daemon here(options(R"("jobs_max": 1, "bandwidth": "4MiB/s")")), there(options());
  const godwit::Region first = region(here, 8 * kMiB);
  const godwit::Migration slow = start(here, there, first, kMiB / 4);
  ASSERT_TRUE(comes_true([&] { return progress_of(slow).bytes_done > 0; }));
  std::vector<godwit::Region> regions;
  std::vector<godwit::Migration> jobs;
  for (const int priority : {GODWIT_PRIORITY_LOW, GODWIT_PRIORITY_NORMAL, GODWIT_PRIORITY_HIGH, GODWIT_PRIORITY_EMERGENCY}) {
    regions.push_back(region(here, 4096));
    godwit::MigrateOptions how;
    how.priority = priority;
    jobs.push_back(start(here, there, regions.back(), how));
  }
  jobs[3].wait(20'000);  // Although the only place is taken.
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(phase_of(jobs[i]), "planning");
  slow.limit(0);
  for (const auto& job : jobs) job.wait(20'000);
  slow.wait(20'000);
  // They ran one after the other: what one waited for is in its report.
  const auto waited = [&](size_t i) { return nlohmann::json::parse(jobs[i].report())["phases"][0]["seconds"].get<double>(); };
  EXPECT_LT(waited(2), waited(1));  // Although it came later.
  EXPECT_LT(waited(1), waited(0));
}

// The daemon's clock can be set ahead: the window is over when the job begins, or soon afterwards.
TEST_F(Steering, AJobSendsOnlyInItsTimeWindowUntilItIsToldToGoOn) {
  const Daemon here(before_noon(5)), there(options());
  const godwit::Region first = region(here, 32 * kMiB), second = region(here, kMiB);
  godwit::MigrateOptions how;
  how.time_window = "06:00-12:00";
  how.bandwidth = 512 * 1024;  // A minute.
  const godwit::Migration job = start(here, there, first, how);
  how.time_window = "14:00-15:00";
  how.bandwidth = 0;
  const godwit::Migration waits = start(here, there, second, how);
  EXPECT_EQ(phase_of(waits), "paused");
  EXPECT_STREQ(client_.jobs(here.address()).front().time_window, "14:00-15:00");
  EXPECT_TRUE(comes_true([&] { return phase_of(job) == "paused"; }));
  EXPECT_LT(progress_of(job).bytes_done, 32 * kMiB);
  waits.resume();
  waits.wait(20'000);
  EXPECT_TRUE(holds(second, kMiB));
  job.limit(0);
  EXPECT_EQ(phase_of(job), "paused");
  job.resume();
  job.wait(30'000);
  EXPECT_TRUE(holds(first, 32 * kMiB));
}

// Its approval comes when the window is over: nothing is cut over before the next one.
TEST_F(Steering, AnApprovalOutsideOfTheTimeWindowWaitsForIt) {
  const Daemon here(before_noon(10)), there(options());
  const godwit::Region first = region(here, kMiB), second = region(here, 32 * kMiB);
  godwit::MigrateOptions how;
  how.time_window = "06:00-12:00";
  how.bandwidth = 512 * 1024;
  const godwit::Migration tells = start(here, there, second, how);  // When the window is over: a minute is too long for it.
  how.bandwidth = 0;
  how.approval = true;
  const godwit::Migration job = start(here, there, first, how);
  ASSERT_TRUE(comes_true([&] { return phase_of(job) == "validation"; }));
  ASSERT_TRUE(comes_true([&] { return phase_of(tells) == "paused"; }));
  EXPECT_EQ(phase_of(job), "validation");
  job.approve();
  ASSERT_TRUE(comes_true([&] { return phase_of(job) == "paused"; }));
  EXPECT_EQ(client_.regions(there.address()).size(), 0U);
  job.resume();  // Lifts the window.
  job.wait(30'000);
  EXPECT_TRUE(holds(first, kMiB));
  tells.cancel();
}

TEST_F(Steering, WhatContradictsItselfIsRefused) {
  const Daemon here(options());
  const godwit::Region staying = region(here, 4096);
  godwit::MigrateOptions how;
  how.priority = GODWIT_PRIORITY_EMERGENCY;
  how.bandwidth = 1;
  EXPECT_EQ(code_of([&] { start(here, here, staying, how); }), GODWIT_ERR_INVALID);
  how.bandwidth = 0;
  how.time_window = "22:00-06:00";
  EXPECT_EQ(code_of([&] { start(here, here, staying, how); }), GODWIT_ERR_INVALID);
  how.priority = 17;
  EXPECT_EQ(code_of([&] { start(here, here, staying, how); }), GODWIT_ERR_INVALID);
  how.priority = GODWIT_PRIORITY_LOW;
  how.time_window = "at night";
  EXPECT_EQ(code_of([&] { start(here, here, staying, how); }), GODWIT_ERR_INVALID);
  how.time_window.clear();
  how.compression = -1;
  EXPECT_EQ(code_of([&] { start(here, here, staying, how); }), GODWIT_ERR_INVALID);
}

TEST_F(Steering, AVerifiedJobReadsItsTargetBackAndNamesWhatDiffers) {
  const Daemon here(options());
  DaemonOptions broken = options();
  broken.targets.push_back({"disk", "file"});
  const Daemon there(broken);
  const godwit::Region moving = region(here, 4 * kMiB);
  godwit::MigrateOptions how;
  how.verify = true;
  how.copy = true;
  for (const char* target : {"fast", "disk"}) {
    const godwit::Migration job =
        client_.start_migration(here.address(), {moving.id()}, client_.target(there.address(), target), how);
    job.wait(20'000);
    std::vector<std::string> phases;
    const auto report = nlohmann::json::parse(job.report());
    for (const auto& phase : report["phases"]) phases.push_back(phase["phase"]);
    EXPECT_NE(std::find(phases.begin(), phases.end(), "validation"), phases.end());
  }
}

TEST_F(Steering, AMediumThatGivesOtherBytesEndsAVerifiedJobAndTheSourceServes) {
  const Daemon here(options());
  DaemonOptions rotten = options();
  rotten.targets.push_back({"disk", "file"});
  rotten.environment = {"GODWIT_FAIL=verify.read=1"};
  const Daemon there(rotten);
  const godwit::Region staying = region(here, 4 * kMiB);
  godwit::MigrateOptions how;
  how.verify = true;
  for (const char* target : {"fast", "disk"}) {
    const godwit::Migration job =
        client_.start_migration(here.address(), {staying.id()}, client_.target(there.address(), target), how);
    EXPECT_EQ(code_of([&] { job.wait(20'000); }), GODWIT_ERR_DIGEST);
    EXPECT_NE(std::string(godwit_last_error()).find("block 0"), std::string::npos) << godwit_last_error();
    EXPECT_TRUE(holds(staying, 4 * kMiB));
    EXPECT_TRUE(comes_true([&] { return client_.target(there.address(), target).info().used_bytes == 0; }));
  }
}

TEST(Rates, AreReadAsPeopleWriteThem) {
  const auto rate = [](const char* text) {
    uint64_t bytes = 7;
    return godwit_rate_parse(text, &bytes) == GODWIT_OK ? bytes : UINT64_MAX;
  };
  EXPECT_EQ(rate("50mbps"), 6'250'000u);
  EXPECT_EQ(rate("1.5gbps"), 187'500'000u);
  EXPECT_EQ(rate("8bps"), 1u);
  EXPECT_EQ(rate("7bps"), 1u);  // 0 would be no limit.
  EXPECT_EQ(rate("0bps"), 0u);
  EXPECT_EQ(rate("50MBps"), 50'000'000u);
  EXPECT_EQ(rate("100MB/s"), 100'000'000u);
  EXPECT_EQ(rate("2GiB/s"), uint64_t{2} << 30);
  EXPECT_EQ(rate("4096"), 4096u);
  EXPECT_EQ(rate("0"), 0u);
  for (const char* bad : {"", "fast", "/s", "bps", "-1", "1/s/s", "1 lightyear", "mbps", "10 m/h", "99999999999EiB/s"})
    EXPECT_EQ(rate(bad), UINT64_MAX) << bad;
  EXPECT_EQ(godwit_rate_parse(nullptr, nullptr), GODWIT_ERR_INVALID);
}

}  // namespace
