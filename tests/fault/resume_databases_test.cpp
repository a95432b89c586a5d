// Jobs of databases whose daemons end: what has arrived is not sent again, whatever was written meanwhile.
#include "resuming_databases.hpp"

namespace {

using namespace godwit::test;

using ResumeDatabases = ResumingDatabase;

TEST_P(ResumeDatabases, AfterTheDestinationWasKilled) {
  begin();
  destination_->kill();
  ASSERT_TRUE(comes_true([&] { return is_paused(); }));
  put(kKeys, 20, 0);  // They arrive, too.
  put(17, 3, 1);
  destination_->start();
  hurry();
  expect_done();
  expect_all_kept_but_an_interval();
}

TEST_P(ResumeDatabases, AfterTheSourceWasKilled) {
  begin();
  source_->kill();
  source_->start();
  hurry();
  expect_done();
  expect_all_kept_but_an_interval();
}

TEST_P(ResumeDatabases, AfterBothWereKilled) {
  begin();
  destination_->kill();
  source_->kill();
  destination_->start();
  source_->start();
  hurry();
  expect_done();
  expect_all_kept_but_an_interval();
}

TEST_P(ResumeDatabases, AfterTheirDaemonsWereStopped) {
  begin();
  EXPECT_EQ(destination_->terminate(), 0);
  EXPECT_EQ(source_->terminate(), 0);
  destination_->start();
  source_->start();
  hurry();
  expect_done();
  EXPECT_GE(kept_bytes(), 3 * kMiB) << report().dump(1);
}

// The destination had opened it, and its library had made files of its own.
TEST_P(ResumeDatabases, AfterTheDestinationHadPromisedThem) {
  destination_->terminate();
  destination_->set_environment({"GODWIT_FAIL=destination.after.journal-prepared=EIO"});
  destination_->start();
  begin(0);
  ASSERT_TRUE(comes_true([&] { return destination_->has_died(); })) << destination_->log();
  ASSERT_TRUE(comes_true([&] { return is_paused(); }));
  put(5, 1, 1);
  destination_->set_environment({});
  destination_->start();
  expect_done();
  EXPECT_GE(kept_bytes(), 2 * kMiB) << report().dump(1);
}

// The same where the destination lives: it has it open.
TEST_P(ResumeDatabases, AfterTheSourceWasKilledWithThePromise) {
  source_->terminate();
  source_->set_environment({"GODWIT_FAIL=source.after.send-prepare=EIO"});
  source_->start();
  begin(0);
  ASSERT_TRUE(comes_true([&] { return source_->has_died(); })) << source_->log();
  source_->set_environment({});
  source_->start();
  expect_done();
  EXPECT_GE(kept_bytes(), 2 * kMiB) << report().dump(1);
}

INSTANTIATE_TEST_SUITE_P(Each, ResumeDatabases, testing::Values("rocksdb", "leveldb", "lmdb"), backend_of);

}  // namespace
