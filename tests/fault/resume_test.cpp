// Jobs that lose a daemon, or the connection, on their way: they go on by themselves, and what has arrived is not sent again.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <godwit/godwit.hpp>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "resuming.hpp"
#include "support/errors.hpp"
#include "support/waiting.hpp"

namespace {

using namespace godwit::test;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr uint64_t kBytes = 24 * kMiB;

// Two daemons and a job that takes some seconds.
class Resume : public ::testing::Test {
 protected:
  // Half of it has arrived when this returns, and the rest takes its time until hurry().
  void begin(const std::string& from, const std::string& to, bool copy = false, const DaemonOptions& how = resuming(),
             bool approval = false) {
    source_ = std::make_unique<Daemon>(how);
    destination_ = std::make_unique<Daemon>(how);
    to_ = to;
    bytes_ = random_chars(kBytes);
    const godwit::Client client;
    const auto region = client.target(source_->address(), from).create(bytes_.data(), bytes_.size(), "field");
    id_ = region.id();
    godwit::MigrateOptions wish;
    wish.copy = copy;
    wish.approval = approval;
    wish.block_bytes = kBlockBytes;
    wish.bandwidth = 10 * kMiB;
    const auto migration = client.start_migration(source_->address(), {id_}, client.target(destination_->address(), to), wish);
    job_ = migration.id();
    ASSERT_GT(crawl_after(source_->address(), job_, kBytes / 2), 0U) << source_->log() << destination_->log();
  }
  // What has arrived outlives the destination from now on.
  void note() const { godwit::Client().migration(source_->address(), job_).checkpoint(); }
  uint64_t arrived() const { return info_of(source_->address(), job_).progress.bytes_done; }
  bool has_ended() const { return info_of(source_->address(), job_).ended != 0; }

  // The rest need not take long.
  void hurry() const { godwit::Client().migration(source_->address(), job_).limit(0); }

  void expect_done(bool copy = false) {
    ASSERT_TRUE(comes_true([&] { return has_ended(); })) << source_->log() << destination_->log();
    const godwit_job_info info = info_of(source_->address(), job_);
    ASSERT_EQ(std::string(info.progress.phase), "done") << info.error_text << source_->log() << destination_->log();
    const auto results = godwit::Client().migration(source_->address(), job_).results();
    ASSERT_EQ(results.size(), 1U);
    const godwit::Client client;
    const auto region = client.region(destination_->address(), results[0].destination_id);
    std::vector<char> back(bytes_.size());
    region.read(0, back.data(), back.size());
    EXPECT_TRUE(back == bytes_);
    EXPECT_TRUE(comes_true([&] {
      return used_bytes(source_->address(), "keep") + used_bytes(source_->address(), "fast") +
                 used_bytes(source_->address(), "disk") ==
             (copy ? kBytes : 0);
    }));
  }
  // Of what had arrived, at most this was sent again.
  void expect_kept(uint64_t at_least_bytes) const {
    const auto report = report_of(source_->address(), job_);
    EXPECT_GE(report["blocks_kept"].get<uint64_t>() * kBlockBytes, at_least_bytes) << report.dump(1);
    EXPECT_GE(report["attempts"].get<uint64_t>(), 2U);
    EXPECT_EQ(report["blocks"].get<uint64_t>(), kBytes / kBlockBytes);
  }

  std::unique_ptr<Daemon> source_, destination_;
  std::vector<char> bytes_;
  godwit::RegionId id_{};
  std::string job_, to_;
};

// What had arrived before the last interval is noted without being asked for; how exact that is, `godwit-bench resume`
// measures.
TEST_F(Resume, AfterTheDestinationWasKilled) {
  begin("keep", "keep");
  std::this_thread::sleep_for(patience_times() * seconds(2));  // Ten intervals, for a slow disk.
  destination_->kill();
  ASSERT_TRUE(comes_true([&] { return std::string(info_of(source_->address(), job_).progress.phase) == "paused"; }));
  EXPECT_NE(std::string(info_of(source_->address(), job_).error_text).find("waits for"), std::string::npos);
  destination_->start();
  hurry();
  expect_done();
  expect_kept(kBytes / 2);
}

TEST_F(Resume, AfterTheSourceWasKilled) {
  begin("keep", "disk");
  source_->kill();
  source_->start();
  hurry();
  expect_done();
  expect_kept(kBytes / 2);
  // It is told what the job went through before, too.
  const auto report = report_of(source_->address(), job_);
  std::vector<std::string> phases;
  for (const auto& phase : report["phases"]) phases.push_back(phase["phase"]);
  ASSERT_GE(phases.size(), 3U);
  EXPECT_EQ(std::vector(phases.begin(), phases.begin() + 3), (std::vector<std::string>{"planning", "pre-sync", "sync"}));
  EXPECT_EQ(std::ranges::count(phases, "sync"), 2) << report.dump(1);
}

TEST_F(Resume, AfterBothWereKilled) {
  begin("disk", "keep");
  note();
  source_->kill();
  destination_->kill();
  source_->start();
  destination_->start();
  hurry();
  expect_done();
  expect_kept(kBytes / 2);
}

TEST_F(Resume, AfterEachWasStoppedAndNothingIsSentTwice) {
  begin("keep", "keep");
  EXPECT_EQ(destination_->terminate(), 0);
  destination_->start();
  ASSERT_TRUE(comes_true([&] { return arrived() > kBytes / 2; }));
  EXPECT_EQ(source_->terminate(), 0);
  source_->start();
  ASSERT_EQ(godwit::Client().jobs(source_->address()).size(), 1U) << source_->log() << destination_->log();
  hurry();
  expect_done();
  expect_kept(kBytes / 2);
}

TEST_F(Resume, ACopyWhoseSourceWasKilled) {
  begin("keep", "keep", true);
  source_->kill();
  source_->start();
  hurry();
  expect_done(true);
  expect_kept(kBytes / 2);
}

// A restart loses what a volatile target holds: all of it is sent again, and the job goes on all the same.
TEST_F(Resume, ToMemoryOfADestinationThatWasKilled) {
  begin("keep", "fast");
  destination_->kill();
  destination_->start();
  hurry();
  expect_done();
}

// The daemon lives: its memory still has what arrived.
TEST_F(Resume, FromMemoryToADestinationThatWasFrozenForTooLong) {
  begin("fast", "fast");
  destination_->freeze();
  ASSERT_TRUE(comes_true([&] { return std::string(info_of(source_->address(), job_).progress.phase) == "paused"; }));
  destination_->thaw();
  hurry();
  expect_done();
  expect_kept(kBytes / 2);
}

TEST_F(Resume, WritersGoOnWhileItWaitsAndWhatTheyWroteArrives) {
  begin("keep", "keep");
  note();
  destination_->kill();
  ASSERT_TRUE(comes_true([&] { return std::string(info_of(source_->address(), job_).progress.phase) == "paused"; }));
  godwit::Client().region(source_->address(), id_).write(1 * kMiB + 17, "written meanwhile", 17);
  std::copy_n("written meanwhile", 17, bytes_.begin() + kMiB + 17);
  destination_->start();
  hurry();
  expect_done();
  expect_kept(kBytes / 2 - kBlockBytes);
}

// A block that the medium gives back differently is sent again, whatever the journal says of it.
TEST_F(Resume, WhatTheMediumLostIsSentAgain) {
  begin("keep", "disk");
  note();
  destination_->kill();
  {
    std::fstream file(destination_->directory() + "/disk.data", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(64 * 1024);
    file.write("not what was there", 18);
  }
  destination_->start();
  hurry();
  expect_done();
  expect_kept(kBytes / 2 - kBlockBytes);
}

TEST_F(Resume, RolledBackWhileItWaits) {
  begin("keep", "keep");
  destination_->kill();
  ASSERT_TRUE(comes_true([&] { return std::string(info_of(source_->address(), job_).progress.phase) == "paused"; }));
  godwit::Client().migration(source_->address(), job_).rollback();
  ASSERT_TRUE(comes_true([&] { return has_ended(); }));
  EXPECT_EQ(std::string(info_of(source_->address(), job_).progress.phase), "rolled back");
  godwit::Client().region(source_->address(), id_).write(0, bytes_.data(), 1);
  destination_->start();
  // The source, asked, knows nothing of the job any more.
  EXPECT_TRUE(comes_true([&] { return used_bytes(destination_->address(), "keep") == 0; }));
  source_->kill();
  source_->start();
  EXPECT_EQ(godwit::Client().jobs(source_->address()).size(), 0U) << "a job that was rolled back does not come again";
}

TEST_F(Resume, RolledBackOnItsWay) {
  begin("keep", "keep");
  godwit::Client().migration(source_->address(), job_).rollback();
  ASSERT_TRUE(comes_true([&] { return has_ended(); }));
  EXPECT_EQ(std::string(info_of(source_->address(), job_).progress.phase), "rolled back");
  EXPECT_TRUE(comes_true([&] { return used_bytes(destination_->address(), "keep") == 0; }));
  std::vector<char> back(bytes_.size());
  const godwit::Client client;
  client.region(source_->address(), id_).read(0, back.data(), back.size());
  EXPECT_TRUE(back == bytes_);
  EXPECT_EQ(code_of([&] { client.migration(source_->address(), job_).rollback(); }), GODWIT_ERR_BUSY);
}

// Writers, which had waited, go on; what has arrived stays, and only what they wrote is sent again.
TEST_F(Resume, RolledBackToItsCheckpoint) {
  begin("keep", "keep");
  const godwit::Client client;
  const auto migration = client.migration(source_->address(), job_);
  const uint64_t before = arrived();
  migration.rollback_to_checkpoint();
  EXPECT_EQ(std::string(info_of(source_->address(), job_).progress.phase), "paused");
  ASSERT_TRUE(comes_true([&] {
    return code_of([&] { client.region(source_->address(), id_).write(0, "changed", 7); }) == GODWIT_OK;
  })) << source_->log();
  std::memcpy(bytes_.data(), "changed", 7);
  EXPECT_GE(used_bytes(destination_->address(), "keep"), kBytes) << "its space is kept";
  migration.limit(0);
  migration.resume();
  expect_done();
  expect_kept(before - 2 * kBlockBytes);
  EXPECT_EQ(report_of(source_->address(), job_)["attempts"], 2);
  EXPECT_EQ(code_of([&] { migration.rollback_to_checkpoint(); }), GODWIT_ERR_BUSY);
}

// As it waits for its approval nothing can pause it, and all has arrived.
TEST_F(Resume, RolledBackToItsCheckpointBeforeItsApproval) {
  begin("keep", "keep", false, resuming(), true);
  const godwit::Client client;
  const auto migration = client.migration(source_->address(), job_);
  migration.limit(0);
  ASSERT_TRUE(comes_true([&] { return std::string(info_of(source_->address(), job_).progress.phase) == "validation"; }));
  EXPECT_EQ(code_of([&] { migration.pause(); }), GODWIT_ERR_BUSY);
  migration.rollback_to_checkpoint();
  ASSERT_TRUE(comes_true([&] {
    return code_of([&] { client.region(source_->address(), id_).write(0, bytes_.data(), 7); }) == GODWIT_OK;
  })) << source_->log();
  destination_->kill();  // It is noted.
  source_->kill();
  destination_->start();
  source_->start();
  ASSERT_TRUE(comes_true([&] { return std::string(info_of(source_->address(), job_).progress.phase) == "paused"; }));
  const auto again = client.migration(source_->address(), job_);
  again.resume();
  again.approve();
  expect_done();
  expect_kept(kBytes);
}

TEST_F(Resume, APausedJobIsNotGivenUpForItsPause) {
  begin("keep", "keep", false, resuming("5000"));
  const godwit::Client client;
  client.migration(source_->address(), job_).rollback_to_checkpoint();
  std::this_thread::sleep_for(milliseconds(7000));
  hurry();
  client.migration(source_->address(), job_).resume();
  expect_done();
  expect_kept(kBytes / 2 - 2 * kBlockBytes);
}

// Recovered, and before its first attempt; and while it waits for its peer.
TEST_F(Resume, RolledBackToItsCheckpointOnceMore) {
  begin("keep", "keep");
  const godwit::Client client;
  const auto is_writable = [&] {
    return comes_true(
        [&] { return code_of([&] { client.region(source_->address(), id_).write(0, bytes_.data(), 7); }) == GODWIT_OK; });
  };
  client.migration(source_->address(), job_).rollback_to_checkpoint();
  source_->kill();
  source_->start();
  client.migration(source_->address(), job_).rollback_to_checkpoint();
  EXPECT_TRUE(is_writable()) << source_->log();
  destination_->kill();
  client.migration(source_->address(), job_).resume();
  std::this_thread::sleep_for(milliseconds(300));
  client.migration(source_->address(), job_).rollback_to_checkpoint();
  destination_->start();
  std::this_thread::sleep_for(milliseconds(3000));
  EXPECT_EQ(std::string(info_of(source_->address(), job_).progress.phase), "paused");
  EXPECT_TRUE(is_writable()) << source_->log();
  hurry();
  client.migration(source_->address(), job_).resume();
  expect_done();
  expect_kept(kBytes / 2 - 2 * kBlockBytes);
}

TEST_F(Resume, APeerThatNeverComesBackIsGivenUp) {
  begin("keep", "keep", false, resuming("1500"));
  destination_->kill();
  ASSERT_TRUE(comes_true([&] { return has_ended(); }));
  const godwit_job_info info = info_of(source_->address(), job_);
  EXPECT_EQ(std::string(info.progress.phase), "failed");
  EXPECT_EQ(info.error, GODWIT_ERR_PEER_LOST) << info.error_text;
  EXPECT_NE(std::string(info.error_text).find("did not come back"), std::string::npos) << info.error_text;
  godwit::Client().region(source_->address(), id_).write(0, "x", 1);
}

TEST_F(Resume, TheDestinationGivesASourceUpThatNeverComesBack) {
  begin("keep", "keep", false, resuming("1500"));
  source_->kill();
  EXPECT_TRUE(comes_true([&] { return used_bytes(destination_->address(), "keep") == 0; })) << destination_->log();
}

TEST_F(Resume, APausedJobStaysPausedOverARestart) {
  begin("keep", "keep");
  godwit::Client().migration(source_->address(), job_).pause();
  source_->kill();
  source_->start();
  std::this_thread::sleep_for(milliseconds(500));
  EXPECT_EQ(std::string(info_of(source_->address(), job_).progress.phase), "paused");
  EXPECT_EQ(info_of(source_->address(), job_).bandwidth, kCrawl);
  hurry();
  godwit::Client().migration(source_->address(), job_).resume();
  expect_done();
  expect_kept(kBytes / 2);
}

// Its user has been told that it is cancelled: no restart brings it back, and nobody waits for it.
TEST_F(Resume, AJobThatIsCancelledAfterARestartDoesNotComeAgain) {
  begin("keep", "keep");
  godwit::Client().migration(source_->address(), job_).pause();
  source_->kill();
  source_->start();
  godwit::Client().migration(source_->address(), job_).cancel();
  ASSERT_TRUE(comes_true([&] { return has_ended(); }));
  EXPECT_EQ(info_of(source_->address(), job_).error, GODWIT_ERR_CANCELLED);
  EXPECT_TRUE(comes_true([&] { return used_bytes(destination_->address(), "keep") == 0; }));
  source_->kill();
  source_->start();
  EXPECT_EQ(godwit::Client().jobs(source_->address()).size(), 0U);
  godwit::Client().region(source_->address(), id_).write(0, bytes_.data(), 1);
}

TEST_F(Resume, ACheckpointAtOncesKeepsAllThatHasArrived) {
  begin("keep", "keep", false, resuming("60000", ", \"log_level\": \"debug\""));
  const uint64_t before = arrived();
  note();
  destination_->kill();
  destination_->start();
  hurry();
  expect_done();
  expect_kept(before);
}

// ---------------------------------------------------------------- every step, and other kinds of objects

struct Case {
  const char* crash_point;
  bool at_source;
};

class ResumeStep : public testing::TestWithParam<Case> {};

// Whoever dies, wherever: after the restart the job comes to its end.
TEST_P(ResumeStep, EndsAtTheDestination) {
  const Case& where = GetParam();
  Daemon source(resuming());
  Daemon destination(resuming());
  Daemon& victim = where.at_source ? source : destination;
  victim.terminate();
  victim.set_environment({std::string("GODWIT_FAIL=") + where.crash_point + "=EIO"});
  victim.start();
  const std::vector<char> bytes = random_chars(3 * kMiB + 12345);
  godwit::RegionId id{};
  {
    const godwit::Client client;
    const auto region = client.target(source.address(), "keep").create(bytes.data(), bytes.size(), "field");
    id = region.id();
    try {
      client.start_migration(source.address(), {id}, client.target(destination.address(), "keep")).wait(3000);
    } catch (const godwit::Error&) {  // Of one kind or another: a daemon dies under it.
    }
  }
  ASSERT_TRUE(comes_true([&] { return victim.has_died(); })) << "the crash point was not reached\n" << victim.log();
  victim.set_environment({});
  victim.start();
  const auto is_there = [&] {
    const godwit::Client client;
    for (const auto& info : client.regions(destination.address()))
      if (info.id.high == id.high && info.id.low == id.low) return used_bytes(source.address(), "keep") == 0;
    return false;
  };
  ASSERT_TRUE(comes_true(is_there)) << "source:\n" << source.log() << "destination:\n" << destination.log();
  const godwit::Client client;
  const auto region = client.region(source.address(), id);  // It leads there.
  EXPECT_EQ(std::string(region.info().address), destination.address());
  std::vector<char> back(bytes.size());
  region.read(0, back.data(), back.size());
  EXPECT_TRUE(back == bytes);
  region.write(0, "x", 1);
}

INSTANTIATE_TEST_SUITE_P(EveryStep, ResumeStep,
                         testing::Values(Case{"source.before.send-prepare", true}, Case{"source.after.send-prepare", true},
                                         Case{"source.after.journal-hand-over", true}, Case{"source.after.send-commit", true},
                                         Case{"source.before.journal-done", true}, Case{"source.after.journal-done", true},
                                         Case{"destination.before.journal-prepared", false},
                                         Case{"destination.after.journal-prepared", false},
                                         Case{"destination.before.journal-owner", false},
                                         Case{"destination.after.journal-owner", false}),
                         [](const auto& test) {
                           std::string name = test.param.crash_point;
                           for (char& c : name)
                             if (c == '.' || c == '-') c = '_';
                           return name;
                         });

// Source and destination are one daemon, with a record of each side; so are the region's two places.
TEST(ResumeWithinANode, AfterItWasKilled) {
  Daemon node(resuming());
  const auto bytes = random_chars(kBytes);
  godwit::RegionId id{};
  std::string job;
  {
    const godwit::Client client;
    id = client.target(node.address(), "keep").create(bytes.data(), bytes.size(), "field").id();
    godwit::MigrateOptions wish;
    wish.block_bytes = kBlockBytes;
    wish.bandwidth = 10 * kMiB;
    job = client.start_migration(node.address(), {id}, client.target(node.address(), "disk"), wish).id();
  }
  ASSERT_GT(crawl_after(node.address(), job, kBytes / 2), 0U) << node.log();
  godwit::Client().migration(node.address(), job).checkpoint();
  node.kill();
  node.start();
  godwit::Client().migration(node.address(), job).limit(0);
  ASSERT_TRUE(comes_true([&] { return info_of(node.address(), job).ended != 0; })) << node.log();
  EXPECT_EQ(std::string(info_of(node.address(), job).progress.phase), "done") << node.log();
  EXPECT_GE(report_of(node.address(), job)["blocks_kept"].get<uint64_t>() * kBlockBytes, kBytes / 2);
  const godwit::Client client;
  const auto region = client.region(node.address(), id);
  EXPECT_EQ(std::string(region.info().target), "disk");
  std::vector<char> back(bytes.size());
  region.read(0, back.data(), back.size());
  EXPECT_TRUE(back == bytes);
  EXPECT_TRUE(comes_true([&] { return used_bytes(node.address(), "keep") == 0; }));
}

}  // namespace
