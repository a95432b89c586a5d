// Jobs some of whose objects were refused, and that a restart interrupts: their results tell of all that was asked for.
#include <gtest/gtest.h>

#include <map>

#include "resuming.hpp"
#include "support/waiting.hpp"

namespace {

using namespace godwit::test;

constexpr uint64_t kRegionBytes = 4 * kMiB;

// Two daemons, and three regions at one of them, "taken" of which the other has a region of that name already. The parameter:
// whether they are copied.
class ResumeResults : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    source_ = std::make_unique<Daemon>(resuming());
    destination_ = std::make_unique<Daemon>(resuming());
    const godwit::Client client;
    const auto bytes = random_chars(kRegionBytes);
    taken_ = client.target(destination_->address(), "keep").create(bytes.data(), 1, "taken").id();
    for (const char* name : {"first", "taken", "last"})
      asked_.push_back(client.target(source_->address(), "keep").create(bytes.data(), bytes.size(), name).id());
  }
  void begin(uint64_t bandwidth) {
    const godwit::Client client;
    godwit::MigrateOptions wish;
    wish.copy = GetParam();
    wish.block_bytes = kBlockBytes;
    wish.bandwidth = bandwidth;
    const auto migration =
        client.start_migration(source_->address(), asked_, client.target(destination_->address(), "keep"), wish);
    job_ = migration.id();
  }
  std::vector<godwit::MigrateResult> results() const { return godwit::Client().migration(source_->address(), job_).results(); }
  void expect_all_told() const {
    const auto told = results();
    ASSERT_EQ(told.size(), asked_.size()) << source_->log();
    for (size_t i = 0; i < told.size(); ++i) {
      EXPECT_EQ(told[i].source_id.low, asked_[i].low) << i;
      EXPECT_EQ(told[i].error, i == 1 ? GODWIT_ERR_EXISTS : GODWIT_OK) << i;
    }
  }
  void expect_done() const {
    ASSERT_TRUE(comes_true([&] { return info_of(source_->address(), job_).ended != 0; })) << source_->log();
    expect_all_told();
    const godwit_job_info info = info_of(source_->address(), job_);
    EXPECT_EQ(info.error, GODWIT_ERR_PARTIAL) << info.error_text;
    EXPECT_EQ(info.progress.objects_done, 2U);
    const godwit::Client client;
    const auto told = results();
    std::vector<char> back(kRegionBytes);
    for (const size_t i : {size_t{0}, size_t{2}}) {
      client.region(destination_->address(), told[i].destination_id).read(0, back.data(), back.size());
      EXPECT_TRUE(back == random_chars(kRegionBytes));
    }
    client.region(source_->address(), asked_[1]).write(0, "serves", 6);
  }

  std::unique_ptr<Daemon> source_, destination_;
  std::vector<godwit::RegionId> asked_;
  godwit::RegionId taken_{};
  std::string job_;
};

TEST_P(ResumeResults, AfterTheSourceWasKilledOnItsWay) {
  begin(2 * kMiB);
  ASSERT_TRUE(comes_true([&] { return info_of(source_->address(), job_).progress.bytes_done > kMiB; }));
  for (int restarts = 0; restarts < 2; ++restarts) {  // What was read from the journal is written there again.
    source_->kill();
    // Nothing would stand in its way now; but its user was told.
    if (restarts == 0) godwit::Client().region(destination_->address(), taken_).erase();
    source_->start();
    ASSERT_TRUE(comes_true([&] { return info_of(source_->address(), job_).progress.bytes_done > kMiB; })) << source_->log();
  }
  godwit::Client().migration(source_->address(), job_).limit(0);
  expect_done();
}

TEST_P(ResumeResults, AfterTheSourceWasKilledWithItsDecision) {
  source_->terminate();
  source_->set_environment({"GODWIT_FAIL=source.before.send-commit=EIO"});
  source_->start();
  begin(0);
  ASSERT_TRUE(comes_true([&] { return source_->has_died(); })) << source_->log();
  source_->set_environment({});
  source_->start();
  expect_done();
}

INSTANTIATE_TEST_SUITE_P(Each, ResumeResults, testing::Values(false, true),
                         [](const auto& of) { return std::string(of.param ? "Copy" : "Move"); });

}  // namespace
