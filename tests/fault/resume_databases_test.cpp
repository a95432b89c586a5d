// Jobs of databases that lose a daemon, or the connection: what has arrived is not sent again, whatever was written meanwhile.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <string_view>

#include "resuming.hpp"
#include "support/waiting.hpp"

namespace {

using namespace godwit::test;
using namespace std::string_view_literals;
namespace fs = std::filesystem;

struct CloseHandle {
  void operator()(godwit_database* database) const { godwit_database_close(database); }
};
using Handle = std::unique_ptr<godwit_database, CloseHandle>;

constexpr unsigned kKeys = 3000;
constexpr uint64_t kValueBytes = 4096;  // 12 MiB in all, which nothing can compress.

std::string key_of(unsigned i) { return "key" + std::to_string(100'000 + i); }
std::string value_of(unsigned i, unsigned version) {
  const auto bytes = pattern(kValueBytes, i * 16 + version);
  return {bytes.begin(), bytes.end()};
}

class ResumeDatabases : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    source_ = std::make_unique<Daemon>(at(from_));
    destination_ = std::make_unique<Daemon>(at(to_));
  }
  static DaemonOptions at(const TemporaryDirectory& root) {
    return resuming("60000", R"(, "database_root": ")" + root.path() + "/root\"");
  }

  bool lasts() const { return GetParam() != "map"sv; }

  void put(unsigned first, unsigned count, unsigned version) {
    const Handle database = open(*source_);
    for (unsigned i = first; i < first + count; ++i) {
      const std::string key = key_of(i), value = value_of(i, version);
      ASSERT_EQ(godwit_database_put(database.get(), key.data(), key.size(), value.data(), value.size()), GODWIT_OK)
          << godwit_last_error() << source_->log();
      keys_[key] = value;
    }
  }

  // Half of it has arrived when this returns.
  void begin(uint64_t limit = 6 * kMiB) {
    if (keys_.empty()) {
      // Small tables: some have arrived whole then, and there is something to compact.
      const std::string options =
          GetParam() == "rocksdb"sv || GetParam() == "leveldb"sv ? R"({"write_buffer_size": 524288})" : "{}";
      godwit_database* made = nullptr;
      ASSERT_EQ(
          godwit_database_create(client_.c_handle(), source_->address().c_str(), "jobs", GetParam(), options.c_str(), &made),
          GODWIT_OK)
          << godwit_last_error();
      godwit_database_close(made);
      put(0, kKeys, 0);
    }
    godwit_database_migrate_options wish = GODWIT_DATABASE_MIGRATE_OPTIONS_INIT;
    wish.xfer_size = kBlockBytes;
    wish.bandwidth = limit;
    godwit_migration* migration = nullptr;
    const Handle database = open(*source_);
    ASSERT_EQ(godwit_database_migrate_start(database.get(), destination_->address().c_str(), &wish, &migration), GODWIT_OK)
        << godwit_last_error();
    char text[33];
    ASSERT_EQ(godwit_migration_get_id(migration, text), GODWIT_OK);
    job_ = text;
    godwit_migration_close(migration);
    if (limit != 0) {
      ASSERT_TRUE(comes_true([&] { return info_of(source_->address(), job_).progress.bytes_done > 6 * kMiB; }))
          << source_->log() << destination_->log();
    }
  }
  void hurry() const { godwit::Client().migration(source_->address(), job_).limit(0); }
  bool is_paused() const { return std::string(info_of(source_->address(), job_).progress.phase) == "paused"; }
  nlohmann::json report() const { return report_of(source_->address(), job_); }
  uint64_t kept_bytes() const { return report()["blocks_kept"].get<uint64_t>() * kBlockBytes; }

  Handle open(const Daemon& node) const {
    godwit_database* found = nullptr;
    EXPECT_EQ(godwit_database_open(client_.c_handle(), node.address().c_str(), "jobs", &found), GODWIT_OK)
        << godwit_last_error() << node.log();
    return Handle(found);
  }

  std::map<std::string, std::string> pairs_at(const Daemon& node) const {
    const Handle database = open(node);
    godwit_key_value* list = nullptr;
    size_t count = 0;
    EXPECT_EQ(godwit_database_list_key_values(database.get(), nullptr, 0, nullptr, 0, 100'000, &list, &count), GODWIT_OK)
        << godwit_last_error();
    std::map<std::string, std::string> pairs;
    for (size_t i = 0; i < count; ++i)
      pairs.emplace(std::string(static_cast<const char*>(list[i].key), list[i].key_size),
                    std::string(static_cast<const char*>(list[i].value), list[i].value_size));
    godwit_free(list);
    return pairs;
  }
  static std::vector<std::string> entries(const TemporaryDirectory& root) {
    std::vector<std::string> found;
    if (fs::exists(root.path() + "/root"))
      for (const auto& entry : fs::directory_iterator(root.path() + "/root")) found.push_back(entry.path());
    return found;
  }
  // Where the database arrives.
  std::string hidden() const {
    const auto found = entries(to_);
    EXPECT_EQ(found.size(), 1U);
    return found.empty() ? std::string() : found.front();
  }

  void expect_done() {
    ASSERT_TRUE(comes_true([&] { return info_of(source_->address(), job_).ended != 0; }))
        << source_->log() << destination_->log();
    ASSERT_EQ(std::string(info_of(source_->address(), job_).progress.phase), "done") << source_->log() << destination_->log();
    EXPECT_TRUE(pairs_at(*destination_) == keys_);
    EXPECT_EQ(entries(to_).size(), lasts() ? 1U : 0U) << "something was left";
    EXPECT_TRUE(comes_true([&] { return entries(from_).empty(); })) << "something was left";
    for (const auto& daemon : {source_.get(), destination_.get()})
      for (const auto& entry : fs::directory_iterator(daemon->directory()))
        EXPECT_EQ(entry.path().string().find(".godwit-checkpoint"), std::string::npos) << entry.path();
  }

  const TemporaryDirectory from_, to_;
  const godwit::Client client_;
  std::unique_ptr<Daemon> source_, destination_;
  std::map<std::string, std::string> keys_;
  std::string job_;
};

TEST_P(ResumeDatabases, AfterTheDestinationWasKilled) {
  if (!lasts()) GTEST_SKIP() << "what had arrived was in its memory";
  begin();
  destination_->kill();
  ASSERT_TRUE(comes_true([&] { return is_paused(); }));
  put(kKeys, 20, 0);  // They arrive, too.
  put(17, 3, 1);
  destination_->start();
  hurry();
  expect_done();
  EXPECT_GE(kept_bytes(), 4 * kMiB) << report().dump(1);
}

TEST_P(ResumeDatabases, AfterTheSourceWasKilled) {
  if (!lasts()) GTEST_SKIP() << "it is gone with the source";
  begin();
  source_->kill();
  source_->start();
  hurry();
  expect_done();
  EXPECT_GE(kept_bytes(), 4 * kMiB) << report().dump(1);
}

TEST_P(ResumeDatabases, AfterBothWereKilled) {
  if (!lasts()) GTEST_SKIP() << "it is gone with the source";
  begin();
  destination_->kill();
  source_->kill();
  destination_->start();
  source_->start();
  hurry();
  expect_done();
  EXPECT_GE(kept_bytes(), 4 * kMiB) << report().dump(1);
}

TEST_P(ResumeDatabases, AfterTheDestinationWasFrozenForTooLong) {
  begin();
  destination_->freeze();
  ASSERT_TRUE(comes_true([&] { return is_paused(); }));
  put(kKeys, 20, 0);  // After all the others.
  destination_->thaw();
  hurry();
  expect_done();
  EXPECT_GE(kept_bytes(), 4 * kMiB) << report().dump(1);
}

TEST_P(ResumeDatabases, AfterTheirDaemonsWereStopped) {
  if (!lasts()) GTEST_SKIP() << "it is gone with the source";
  begin();
  EXPECT_EQ(destination_->terminate(), 0);
  EXPECT_EQ(source_->terminate(), 0);
  destination_->start();
  source_->start();
  hurry();
  expect_done();
  EXPECT_GE(kept_bytes(), 5 * kMiB) << report().dump(1);
}

INSTANTIATE_TEST_SUITE_P(Each, ResumeDatabases, testing::Values("rocksdb", "leveldb", "lmdb", "map"),
                         [](const auto& backend) { return std::string(backend.param); });

}  // namespace
