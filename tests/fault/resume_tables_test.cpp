// Jobs of databases that are interrupted: what their user, a compaction or the medium does to them meanwhile.
#include <sys/stat.h>

#include <fstream>

#include "resuming_databases.hpp"

namespace {

using namespace godwit::test;
namespace fs = std::filesystem;

using ResumeAnyDatabase = ResumingDatabase;

// An interruption that its user asked for. What is put is behind all other keys: of a dump, too, the rest stays as it is.
TEST_P(ResumeAnyDatabase, AfterTheyWereRolledBackToTheirCheckpoint) {
  begin();
  godwit::Client().migration(source_->address(), job_).rollback_to_checkpoint();
  ASSERT_TRUE(comes_true([&] { return is_paused(); }));
  if (lasts()) {
    destination_->kill();
    destination_->start();
  }
  put(kKeys, 20, 0);
  hurry();
  godwit::Client().migration(source_->address(), job_).resume();
  expect_done();
  EXPECT_GE(kept_bytes(), 2 * kMiB) << report().dump(1);
}

TEST_P(ResumeAnyDatabase, LeaveNothingWhereTheyAreRolledBack) {
  begin();
  destination_->kill();
  ASSERT_TRUE(comes_true([&] { return is_paused(); }));
  godwit::Client().migration(source_->address(), job_).rollback();
  EXPECT_EQ(entries(to_).size(), lasts() ? 1U : 0U);
  destination_->start();
  EXPECT_TRUE(comes_true([&] { return entries(to_).empty(); })) << destination_->log();
  EXPECT_TRUE(pairs_at(*source_) == keys_);
  EXPECT_EQ(entries(from_).size(), lasts() ? 1U : 0U) << "a checkpoint was left";
}

INSTANTIATE_TEST_SUITE_P(Each, ResumeAnyDatabase, testing::Values("rocksdb", "leveldb", "lmdb", "map"), backend_of);

// Those whose files stay as they are.
class ResumeTables : public ResumingDatabase {
 protected:
  static std::vector<std::string> tables(const std::string& directory) {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(directory))
      if (entry.path().extension() == ".sst") found.push_back(entry.path());
    std::ranges::sort(found);
    return found;
  }
};

TEST_P(ResumeTables, AfterTheDestinationWasFrozenForTooLong) {
  begin();
  destination_->freeze();
  ASSERT_TRUE(comes_true([&] { return is_paused(); }));
  put(kKeys, 20, 0);
  destination_->thaw();
  hurry();
  expect_done();
  EXPECT_GE(kept_bytes(), 2 * kMiB) << report().dump(1);
}

TEST_P(ResumeTables, ThatWereCompactedMeanwhile) {
  begin();
  destination_->kill();
  ASSERT_TRUE(comes_true([&] { return is_paused(); }));
  const std::string directory = entries(from_).front();
  const auto before = tables(directory);
  for (unsigned version = 1; version < 4; ++version) put(0, kKeys / 2, version);
  ASSERT_TRUE(comes_true([&] {
    return !std::ranges::all_of(before, [](const std::string& table) { return fs::exists(table); });
  })) << "nothing was compacted";
  destination_->start();
  hurry();
  expect_done();
}

TEST_P(ResumeTables, BeginAnewWhereTheirDirectoryIsGoneWhileTheDaemonLives) {
  begin();
  destination_->freeze();
  ASSERT_TRUE(comes_true([&] { return is_paused(); }));
  fs::remove_all(hidden());
  destination_->thaw();
  hurry();
  expect_done();
  EXPECT_EQ(kept_bytes(), 0U);
}

TEST_P(ResumeTables, WhatTheMediumLostIsSentAgain) {
  begin();
  destination_->kill();
  const auto held = tables(hidden());
  ASSERT_GE(held.size(), 4U);
  std::fstream(held[0], std::ios::in | std::ios::out | std::ios::binary).seekp(1000).write("damaged", 7);
  fs::remove(held[1]);
  fs::resize_file(held[2], 5);
  // A link in the place of one, to what is not to be touched; and what nobody asked for.
  const TemporaryDirectory elsewhere;
  fs::rename(held[3], elsewhere.path() + "/kept");
  std::ofstream(elsewhere.path() + "/kept", std::ios::trunc) << "somebody's";
  fs::create_symlink(elsewhere.path() + "/kept", held[3]);
  std::ofstream(hidden() + "/999999.sst") << "planted";
  std::ofstream(hidden() + "/LOCK") << "planted";
  fs::create_directories(hidden() + "/planted/deep");
  const std::string directory = hidden();
  destination_->start();
  hurry();
  expect_done();
  EXPECT_FALSE(fs::exists(directory + "/planted"));
  EXPECT_FALSE(fs::exists(directory + "/999999.sst"));
  EXPECT_EQ(fs::file_size(elsewhere.path() + "/kept"), 10U);
  EXPECT_GT(kept_bytes(), 0U) << report().dump(1);
}

TEST_P(ResumeTables, BeginAnewWhereTheirDirectoryIsNotOursAlone) {
  begin();
  destination_->kill();
  ASSERT_EQ(chmod(hidden().c_str(), 0777), 0);
  destination_->start();
  hurry();
  expect_done();
  EXPECT_EQ(kept_bytes(), 0U);
}

TEST_P(ResumeTables, BeginAnewWhereTheirDirectoryIsGone) {
  begin();
  destination_->kill();
  fs::remove_all(hidden());
  destination_->start();
  hurry();
  expect_done();
  EXPECT_EQ(kept_bytes(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Each, ResumeTables, testing::Values("rocksdb"), backend_of);

using ResumeMap = ResumingDatabase;

// It was in the source's memory: the destination waits for nothing.
TEST_P(ResumeMap, IsGoneWithItsSource) {
  begin();
  const auto scratch = [&] {  // The daemon removes it meanwhile.
    std::error_code gone;
    for (fs::recursive_directory_iterator entry(destination_->directory(), gone), end; entry != end; entry.increment(gone))
      if (entry->path().filename().string().starts_with(".godwit-checkpoint")) return true;
    return false;
  };
  EXPECT_TRUE(scratch());
  source_->kill();
  source_->start();
  EXPECT_TRUE(comes_true([&] { return !scratch(); })) << destination_->log();
}

INSTANTIATE_TEST_SUITE_P(Each, ResumeMap, testing::Values("map"), backend_of);

}  // namespace
