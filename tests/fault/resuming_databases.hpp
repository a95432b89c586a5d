// What the tests of jobs of databases that go on share.
#pragma once

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <string_view>

#include "resuming.hpp"
#include "support/waiting.hpp"

namespace godwit::test {

struct CloseHandle {
  void operator()(godwit_database* database) const { godwit_database_close(database); }
};
using Handle = std::unique_ptr<godwit_database, CloseHandle>;

constexpr unsigned kKeys = 2000;
constexpr unsigned kBatch = 100;
constexpr uint64_t kValueBytes = 4096;  // 8 MiB in all, which nothing can compress.

inline std::string key_of(unsigned i) { return "key" + std::to_string(100'000 + i); }
inline std::string value_of(unsigned i, unsigned version) {
  const auto bytes = random_chars(kValueBytes, i * 16 + version);
  return {bytes.begin(), bytes.end()};
}

class ResumingDatabase : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    source_ = std::make_unique<Daemon>(at(from_));
    destination_ = std::make_unique<Daemon>(at(to_));
  }
  static DaemonOptions at(const TemporaryDirectory& root) {
    return resuming("60000", R"(, "database_root": ")" + root.path() + "/root\"");
  }

  bool lasts() const { return std::string_view(GetParam()) != "map"; }

  void put(unsigned first, unsigned count, unsigned version) {
    std::vector<std::string> names, texts;
    for (unsigned i = first; i < first + count; ++i) {
      names.push_back(key_of(i));
      texts.push_back(value_of(i, version));
      keys_[names.back()] = texts.back();
    }
    const Handle database = open(*source_);
    for (unsigned from = 0; from < count; from += kBatch) {  // So that a table is written now and then.
      std::vector<const void*> keys, values;
      std::vector<size_t> key_sizes;
      std::vector<uint64_t> value_sizes;
      for (unsigned i = from; i < std::min(count, from + kBatch); ++i) {
        keys.push_back(names[i].data());
        key_sizes.push_back(names[i].size());
        values.push_back(texts[i].data());
        value_sizes.push_back(texts[i].size());
      }
      ASSERT_EQ(godwit_database_put_multi(database.get(), keys.size(), keys.data(), key_sizes.data(), values.data(),
                                          value_sizes.data()),
                GODWIT_OK)
          << godwit_last_error() << source_->log();
    }
  }

  void put_all() {
    // Small tables: some have arrived whole then, and there is something to compact.
    const std::string options = std::string_view(GetParam()) == "rocksdb" || std::string_view(GetParam()) == "leveldb"
                                    ? R"({"write_buffer_size": 524288})"
                                    : "{}";
    godwit_database* made = nullptr;
    ASSERT_EQ(
        godwit_database_create(client_.c_handle(), source_->address().c_str(), "jobs", GetParam(), options.c_str(), &made),
        GODWIT_OK)
        << godwit_last_error();
    godwit_database_close(made);
    put(0, kKeys, 0);
  }
  void start_job(uint64_t limit) {
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
  }
  // Half of it has arrived when this returns, and the rest takes its time until hurry().
  void begin(uint64_t limit = 8 * kMiB) {
    if (keys_.empty()) put_all();
    start_job(limit);
    if (limit != 0) {
      arrived_bytes_ = crawl_after(source_->address(), job_, 4 * kMiB);
      ASSERT_GT(arrived_bytes_, 0U) << source_->log() << destination_->log();
    }
  }
  void hurry() const { godwit::Client().migration(source_->address(), job_).limit(0); }
  bool is_paused() const { return std::string(info_of(source_->address(), job_).progress.phase) == "paused"; }
  nlohmann::json report() const { return report_of(source_->address(), job_); }
  // Of what had arrived when begin() returned, at most what comes in a checkpoint interval at its limit was sent again.
  void expect_all_kept_but_an_interval() const {
    constexpr uint64_t kIntervalBytes = 8 * kMiB / 5;  // resuming(): 200 ms.
    EXPECT_GE(kept_bytes() + kIntervalBytes, arrived_bytes_) << report().dump(1);
  }
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
    if (std::filesystem::exists(root.path() + "/root"))
      for (const auto& entry : std::filesystem::directory_iterator(root.path() + "/root")) found.push_back(entry.path());
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
    for (const auto* daemon : {source_.get(), destination_.get()})
      for (const auto& entry : std::filesystem::recursive_directory_iterator(daemon->directory()))
        EXPECT_FALSE(entry.path().filename().string().starts_with(".godwit-checkpoint")) << entry.path();
  }

  const TemporaryDirectory from_, to_;
  const godwit::Client client_;
  std::unique_ptr<Daemon> source_, destination_;
  std::map<std::string, std::string> keys_;
  std::string job_;
  uint64_t arrived_bytes_ = 0;
};

// "rocksdb", ... of a test's parameter.
inline std::string backend_of(const testing::TestParamInfo<const char*>& of) { return of.param; }

}  // namespace godwit::test
