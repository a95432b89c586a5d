// Jobs of files that lose a daemon, or the connection: what has arrived is not sent again.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "resuming.hpp"
#include "support/waiting.hpp"

namespace {

using namespace godwit::test;
namespace fs = std::filesystem;

void write_all(const std::string& path, const std::vector<char>& bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

// Of each entry below `root`: what it is, its mode, and what it holds.
std::map<std::string, std::string> tree_of(const std::string& root) {
  std::map<std::string, std::string> tree;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root)) {
    struct stat status {};
    EXPECT_EQ(lstat(entry.path().c_str(), &status), 0);
    std::string what = std::to_string(status.st_mode) + " " + std::to_string(status.st_nlink) + " ";
    if (entry.is_symlink())
      what += fs::read_symlink(entry.path()).string();
    else if (entry.is_regular_file())
      what += std::to_string(status.st_mtim.tv_sec) + " " + read_file(entry.path());
    tree.emplace(entry.path().lexically_relative(root).string(), what);
  }
  return tree;
}

class ResumeFiles : public testing::Test {
 protected:
  void SetUp() override {
    const std::string roots = ", \"file_roots\": [{\"path\": \"" + from_.path() +
                              "\", \"access\": \"read-write\"}, {\"path\": \"" + to_.path() +
                              "\", \"access\": \"read-write\"}]";
    source_ = std::make_unique<Daemon>(resuming("60000", roots));
    destination_ = std::make_unique<Daemon>(resuming("60000", roots));
    const std::string tree = from_.path() + "/tree";
    fs::create_directories(tree + "/small/closed");
    write_all(tree + "/big", random_chars(8 * kMiB));
    write_all(tree + "/read-only", random_chars(2 * kMiB + 17, 3));
    for (unsigned i = 0; i < 60; ++i) write_all(tree + "/small/" + std::to_string(i), random_chars(40'000 + i * 97, i));
    write_all(tree + "/small/closed/in", random_chars(1000, 5));
    write_all(tree + "/empty", {});
    fs::create_symlink("big", tree + "/link");
    fs::create_hard_link(tree + "/small/7", tree + "/seven");
    write_all(tree + "/sparse", {});
    fs::resize_file(tree + "/sparse", 4 * kMiB);
    std::fstream(tree + "/sparse", std::ios::in | std::ios::out | std::ios::binary).seekp(2 * kMiB).write("middle", 6);
    ASSERT_EQ(chmod((tree + "/read-only").c_str(), 0444), 0);
    ASSERT_EQ(chmod((tree + "/small/closed").c_str(), 0555), 0);
    sent_ = tree_of(tree);
  }
  void TearDown() override {
    for (const auto* root : {&from_, &to_})
      if (fs::exists(root->path() + "/tree/small/closed")) (void)chmod((root->path() + "/tree/small/closed").c_str(), 0755);
  }

  // Limited: half of it has arrived when this returns, and the rest takes its time until hurry().
  void begin(bool limited = true, bool update = false) {
    const godwit::Client client;
    godwit_fileset_options wish = GODWIT_FILESET_OPTIONS_INIT;
    wish.block_bytes = kBlockBytes;
    wish.bandwidth = limited ? 6 * kMiB : 0;
    wish.move = !update;
    wish.update = update;
    godwit_migration* migration = nullptr;
    const std::string path = from_.path() + "/tree";
    const char* paths[] = {path.c_str()};
    ASSERT_EQ(godwit_fileset_migrate_start(client.c_handle(), source_->address().c_str(), paths, 1,
                                           destination_->address().c_str(), to_.path().c_str(), &wish, &migration),
              GODWIT_OK)
        << godwit_last_error();
    char text[33];
    ASSERT_EQ(godwit_migration_get_id(migration, text), GODWIT_OK);
    job_ = text;
    godwit_migration_close(migration);
    if (limited) {
      ASSERT_GT(crawl_after(source_->address(), job_, 6 * kMiB), 0U) << source_->log() << destination_->log();
    }
  }
  void hurry() const { godwit::Client().migration(source_->address(), job_).limit(0); }
  nlohmann::json report() const { return report_of(source_->address(), job_); }

  void expect_done(bool moved = true) {
    ASSERT_TRUE(comes_true([&] { return info_of(source_->address(), job_).ended != 0; }))
        << source_->log() << destination_->log();
    EXPECT_EQ(std::string(info_of(source_->address(), job_).progress.phase), "done") << source_->log() << destination_->log();
    const auto arrived = tree_of(to_.path() + "/tree");
    ASSERT_EQ(arrived.size(), sent_.size());
    for (const auto& [name, what] : sent_) EXPECT_TRUE(arrived.contains(name) && arrived.at(name) == what) << name;
    EXPECT_EQ(std::distance(fs::directory_iterator(to_.path()), {}), 1) << "something was left";
    EXPECT_EQ(std::distance(fs::directory_iterator(from_.path()), {}), moved ? 0 : 1) << "something was left";
  }
  bool is_told(const std::string& why) const {
    return std::string(info_of(source_->address(), job_).error_text).find(why) != std::string::npos;
  }
  uint64_t kept_bytes() const { return report()["blocks_kept"].get<uint64_t>() * kBlockBytes; }

  const TemporaryDirectory from_, to_;
  std::unique_ptr<Daemon> source_, destination_;
  std::map<std::string, std::string> sent_;
  std::string job_;
};

TEST_F(ResumeFiles, AfterTheSourceWasKilled) {
  begin();
  source_->kill();
  source_->start();
  hurry();
  expect_done();
  EXPECT_GE(kept_bytes(), 4 * kMiB) << report().dump(1);
}

TEST_F(ResumeFiles, AfterTheDestinationWasFrozenForTooLong) {
  begin();
  destination_->freeze();
  ASSERT_TRUE(comes_true([&] { return std::string(info_of(source_->address(), job_).progress.phase) == "paused"; }));
  destination_->thaw();
  hurry();
  expect_done();
  EXPECT_GE(kept_bytes(), 4 * kMiB) << report().dump(1);
}

// All of it was there, and durable, when the source died.
TEST_F(ResumeFiles, AfterTheDestinationHadPromisedThem) {
  source_->terminate();
  source_->set_environment({"GODWIT_FAIL=source.after.send-prepare=EIO"});
  source_->start();
  begin(false);
  ASSERT_TRUE(comes_true([&] { return source_->has_died(); })) << source_->log();
  source_->set_environment({});
  source_->start();
  expect_done();
  EXPECT_EQ(report()["blocks_kept"], report()["blocks"]) << report().dump(1);
}

// The tree that they replace may have changed meanwhile: it is compared again, and only what differs is wanted.
TEST_F(ResumeFiles, ThatAreBroughtUpToDate) {
  fs::copy(from_.path() + "/tree", to_.path() + "/tree", fs::copy_options::recursive | fs::copy_options::copy_symlinks);
  const auto unchanged = fs::last_write_time(from_.path() + "/tree/read-only");
  fs::last_write_time(to_.path() + "/tree/read-only", unchanged);
  begin(true, true);
  source_->kill();
  source_->start();
  hurry();
  expect_done(false);
  EXPECT_LT(report()["bytes"].get<uint64_t>(), 11 * kMiB) << "what is the same does not travel";
}

// What has arrived is of another tree.
TEST_F(ResumeFiles, ThatChangedWhileTheSourceWasDown) {
  begin();
  source_->kill();
  write_all(from_.path() + "/tree/big", random_chars(8 * kMiB, 99));
  sent_ = tree_of(from_.path() + "/tree");
  source_->start();
  hurry();
  expect_done();
  EXPECT_EQ(kept_bytes(), 0U);
}

TEST_F(ResumeFiles, AfterTheDestinationWasKilled) {
  begin();
  godwit::Client().migration(source_->address(), job_).checkpoint();
  destination_->kill();
  destination_->start();
  hurry();
  expect_done();
  EXPECT_GE(kept_bytes(), 4 * kMiB) << report().dump(1);
}

TEST_F(ResumeFiles, AfterBothWereKilled) {
  begin();
  godwit::Client().migration(source_->address(), job_).checkpoint();
  destination_->kill();
  source_->kill();
  destination_->start();
  source_->start();
  hurry();
  expect_done();
  EXPECT_GE(kept_bytes(), 4 * kMiB) << report().dump(1);
}

TEST_F(ResumeFiles, AfterTheDestinationWasStopped) {
  begin();
  EXPECT_EQ(destination_->terminate(), 0);
  EXPECT_FALSE(fs::exists(to_.path() + "/tree"));
  destination_->start();
  hurry();
  expect_done();
  EXPECT_GE(kept_bytes(), 6 * kMiB) << "what had arrived was noted: " << report().dump(1);
}

// The tree was whole, with its links and modes, but not promised yet.
TEST_F(ResumeFiles, AfterTheDestinationWasKilledBeforeItsPromise) {
  destination_->terminate();
  destination_->set_environment({"GODWIT_FAIL=destination.before.journal-prepared=EIO"});
  destination_->start();
  begin();
  godwit::Client().migration(source_->address(), job_).checkpoint();
  hurry();
  ASSERT_TRUE(comes_true([&] { return destination_->has_died(); })) << destination_->log();
  destination_->set_environment({});
  destination_->start();
  expect_done();
  EXPECT_GE(kept_bytes(), 4 * kMiB) << report().dump(1);
}

// As if its file system were not mounted. The source has decided by then.
TEST_F(ResumeFiles, WaitForWhatWasPromisedAndIsNotThere) {
  destination_->terminate();
  destination_->set_environment({"GODWIT_FAIL=destination.before.journal-owner=EIO"});
  destination_->start();
  begin(false);
  ASSERT_TRUE(comes_true([&] { return destination_->has_died(); })) << destination_->log();
  const TemporaryDirectory elsewhere;
  const std::string name = "/.godwit-" + job_ + ".in";
  for (const bool whole : {false, true}) {
    const std::string lost = whole ? name : name + "/tree";
    fs::rename(to_.path() + lost, elsewhere.path() + "/lost");
    destination_->set_environment({});
    destination_->start();
    // The source asks again and again, and hears why not.
    ASSERT_TRUE(comes_true([&] { return is_told("is not in '.godwit-"); })) << source_->log();
    EXPECT_EQ(info_of(source_->address(), job_).ended, 0) << source_->log();
    EXPECT_TRUE(fs::exists(from_.path() + "/.godwit-" + job_ + ".out/tree/big"));
    destination_->kill();
    EXPECT_FALSE(fs::exists(to_.path() + "/tree"));
    fs::rename(elsewhere.path() + "/lost", to_.path() + lost);
  }
  destination_->start();
  expect_done();
}

TEST_F(ResumeFiles, WhatTheMediumLostIsSentAgain) {
  begin();
  godwit::Client().migration(source_->address(), job_).checkpoint();
  destination_->kill();
  const std::string hidden = to_.path() + "/.godwit-" + job_ + ".in/tree";
  ASSERT_TRUE(fs::exists(hidden + "/big")) << destination_->log();
  std::fstream(hidden + "/big", std::ios::in | std::ios::out | std::ios::binary).seekp(kMiB).write("damaged", 7);
  if (fs::exists(hidden + "/read-only")) fs::resize_file(hidden + "/read-only", 5);
  fs::remove(hidden + "/empty");
  for (unsigned i = 0; i < 60; ++i) fs::remove(hidden + "/small/" + std::to_string(i));
  destination_->start();
  hurry();
  expect_done();
  EXPECT_GT(kept_bytes(), kMiB) << report().dump(1);
}

// Somebody who may write there has put his own in its place.
TEST_F(ResumeFiles, BeginAnewWhereTheirDirectoryIsNotOurs) {
  begin();
  godwit::Client().migration(source_->address(), job_).checkpoint();
  destination_->kill();
  const std::string hidden = to_.path() + "/.godwit-" + job_ + ".in";
  fs::copy(hidden, hidden + "2", fs::copy_options::recursive | fs::copy_options::copy_symlinks);
  fs::remove_all(hidden);
  fs::rename(hidden + "2", hidden);
  destination_->start();
  hurry();
  expect_done();
  EXPECT_EQ(kept_bytes(), 0U);
}

TEST_F(ResumeFiles, BeginAnewWhereADirectoryIsGone) {
  begin();
  godwit::Client().migration(source_->address(), job_).checkpoint();
  destination_->kill();
  fs::remove_all(to_.path() + "/.godwit-" + job_ + ".in/tree/small");
  destination_->start();
  hurry();
  expect_done();
  EXPECT_EQ(kept_bytes(), 0U);
}

// Their listing is of no use to a restart: it says what differed.
TEST_F(ResumeFiles, ThatAreBroughtUpToDateLeaveNothingAtADestinationThatIsStopped) {
  fs::create_directories(to_.path() + "/tree");
  begin(true, true);
  EXPECT_EQ(destination_->terminate(), 0);
  EXPECT_EQ(std::distance(fs::directory_iterator(to_.path()), {}), 1);
  destination_->start();
  hurry();
  expect_done(false);
  EXPECT_EQ(kept_bytes(), 0U);
}

TEST_F(ResumeFiles, LeaveNothingWhereTheyAreRolledBack) {
  begin();
  source_->kill();
  source_->start();
  godwit::Client().migration(source_->address(), job_).rollback();
  EXPECT_TRUE(comes_true([&] { return fs::is_empty(to_.path()); })) << destination_->log();
  EXPECT_EQ(tree_of(from_.path() + "/tree"), sent_);
}

}  // namespace
