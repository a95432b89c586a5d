// A job that is rolled back by hand at each step of its way: the source serves as before, the destination holds nothing, and
// the next try arrives. Once the cutover is decided a rollback is refused, and the job ends done.
#include <filesystem>

#include "fault/resuming.hpp"

namespace godwit::test {
namespace {

constexpr uint64_t kBytes = (3 << 20) + 12'345;

class Rollback : public testing::TestWithParam<const char*> {
 protected:
  DaemonOptions pausing(std::string_view daemon) const {
    DaemonOptions made = resuming();
    const std::string step = GetParam();
    const std::string where = step.ends_with(".block") ? "=PAUSE@5" : "=PAUSE@1";
    const bool is_of_source = step.starts_with("source.");
    if (is_of_source == (daemon == "source"))
      made.environment = {"GODWIT_FAIL=" + step + where, "GODWIT_FAIL_PAUSES=" + pauses_.path()};
    return made;
  }

  std::string start() const {
    MigrateOptions how;
    how.block_bytes = kBlockBytes;
    how.verify = true;
    const Client client;
    return client.start_migration(source_.address(), {id_}, client.target(destination_.address(), "keep"), how).id();
  }

  // Until the job stands still at the step.
  std::string start_and_arrive() const {
    std::string job;
    try {
      job = start();
    } catch (const godwit::Error& error) {
      ADD_FAILURE() << error.what();
    }
    EXPECT_TRUE(comes_true([&] { return std::filesystem::exists(pause_file()); })) << source_.log() << destination_.log();
    return job;
  }
  std::string pause_file() const { return pauses_.path() + "/" + GetParam(); }
  void leave_step() const { std::filesystem::remove(pause_file()); }

  void expect_bytes_at(const Daemon& daemon) const {
    std::vector<char> back(bytes_.size());
    Client().region(daemon.address(), id_).read(0, back.data(), back.size());
    EXPECT_TRUE(back == bytes_);
  }
  // The phase in which it ended.
  std::string phase_at_end(const std::string& job) const {
    EXPECT_TRUE(comes_true([&] { return info_of(source_.address(), job).ended != 0; })) << source_.log();
    return info_of(source_.address(), job).progress.phase;
  }

  const TemporaryDirectory pauses_;
  const std::vector<char> bytes_ = random_chars(kBytes);
  Daemon source_{pausing("source")}, destination_{pausing("destination")};
  const RegionId id_ = Client().target(source_.address(), "keep").create(bytes_.data(), bytes_.size(), "field").id();
};

class BeforeTheDecision : public Rollback {};

TEST_P(BeforeTheDecision, TheSourceServesAsBefore) {
  const std::string job = start_and_arrive();
  ASSERT_FALSE(job.empty());
  Client().migration(source_.address(), job).rollback();
  leave_step();
  EXPECT_EQ(phase_at_end(job), "rolled back") << source_.log() << destination_.log();
  expect_bytes_at(source_);
  Client().region(source_.address(), id_).write(0, bytes_.data(), 1);
  EXPECT_TRUE(comes_true([&] { return used_bytes(destination_.address(), "keep") == 0; })) << destination_.log();
  EXPECT_TRUE(Client().regions(destination_.address()).empty());
  EXPECT_EQ(phase_at_end(start()), "done") << source_.log() << destination_.log();
  expect_bytes_at(destination_);
  EXPECT_EQ(used_bytes(source_.address(), "keep"), 0U);
}

INSTANTIATE_TEST_SUITE_P(AtEachStep, BeforeTheDecision,
                         testing::Values("source.planning", "source.before.offer", "destination.before.reserve",
                                         "destination.after.reserve", "source.after.offer", "source.block", "destination.block",
                                         "source.before.send-prepare", "verify.read", "destination.before.journal-prepared",
                                         "destination.after.journal-prepared"));

class AfterTheDecision : public Rollback {};

TEST_P(AfterTheDecision, ItIsRefused) {
  const std::string job = start_and_arrive();
  ASSERT_FALSE(job.empty());
  try {
    Client().migration(source_.address(), job).rollback();
    ADD_FAILURE() << "it was taken for possible";
  } catch (const godwit::Error& error) {
    EXPECT_EQ(error.code(), GODWIT_ERR_BUSY) << error.what();
  }
  leave_step();
  EXPECT_EQ(phase_at_end(job), "done");
  expect_bytes_at(destination_);
}

INSTANTIATE_TEST_SUITE_P(AtEachStep, AfterTheDecision,
                         testing::Values("source.after.journal-hand-over", "destination.after.journal-owner",
                                         "source.after.journal-done"));

}  // namespace
}  // namespace godwit::test
