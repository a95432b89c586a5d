// Databases move between real daemons: the worked example that users come with, what fails, and what dies.
#include <gtest/gtest.h>

#include <godwit/godwit.h>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "capi/database_nodes.hpp"

namespace godwit::test {
namespace {

using namespace std::string_view_literals;

class DatabaseMigration : public testing::TestWithParam<const char*> {
 protected:
  bool lasts() const { return GetParam() != "map"sv; }
};

// The worked example, in our names, with more keys, documents, and all that may be asked for.
TEST_P(DatabaseMigration, TheWorkedExample) {
  Node source, destination;
  const Client client = open_client(), staying = open_client(false);
  const Database database = create(client.get(), *source, GetParam());
  for (int i = 0; i < 3000; ++i) ASSERT_EQ(put(database.get(), key_of(i), value_of(i)), GODWIT_OK) << godwit_last_error();
  ASSERT_EQ(put(database.get(), "empty", ""), GODWIT_OK);
  ASSERT_EQ(godwit_collection_create(database.get(), "people"), GODWIT_OK);
  uint64_t id = 0;
  for (int i = 0; i < 10; ++i)
    ASSERT_EQ(godwit_document_store(database.get(), "people", "document", 8, &id), GODWIT_OK) << godwit_last_error();
  const Database stays = open(staying.get(), *source);

  godwit_database_migrate_options options = GODWIT_DATABASE_MIGRATE_OPTIONS_INIT;
  const std::string root = destination.files();
  if (lasts()) options.new_root = root.c_str();
  options.extra_config = "{}";
  options.xfer_size = 64 << 10;
  options.verify = 1;
  ASSERT_EQ(godwit_database_migrate(database.get(), destination->address().c_str(), &options), GODWIT_OK)
      << godwit_last_error();

  // The source tells where it went, and handles of a client that follows lead there.
  EXPECT_EQ(put(stays.get(), "test", "data"), GODWIT_ERR_MOVED);
  EXPECT_NE(std::string(godwit_last_error()).find(destination->address()), std::string::npos) << godwit_last_error();
  EXPECT_EQ(open(staying.get(), *source), nullptr);
  EXPECT_EQ(put(database.get(), "test", "data"), GODWIT_OK) << godwit_last_error();
  const Database there = open(staying.get(), *destination);
  ASSERT_NE(there, nullptr) << godwit_last_error();
  for (int i = 0; i < 3000; ++i) ASSERT_EQ(get(there.get(), key_of(i)), value_of(i));
  EXPECT_EQ(get(there.get(), "empty"), "");
  EXPECT_EQ(get(there.get(), "test"), "data");
  EXPECT_EQ(count(there.get()), 3002U);
  uint64_t last = 0;
  EXPECT_EQ(godwit_collection_last_id(there.get(), "people", &last), GODWIT_OK);
  EXPECT_EQ(last, 9U);
  ASSERT_EQ(godwit_document_store(there.get(), "people", "next", 4, &id), GODWIT_OK);
  EXPECT_EQ(id, 10U);
  godwit_database_info info{};
  ASSERT_EQ(godwit_database_stat(there.get(), &info), GODWIT_OK);
  EXPECT_EQ(info.epoch, 2U);
  EXPECT_EQ(std::string(info.path).starts_with(root), lasts()) << info.path;
  EXPECT_EQ(entries(source.root()), std::vector<std::string>{});  // Its files are gone, and no checkpoint is left.

  // It is there after a restart, and comes back.
  if (lasts()) {
    destination->terminate();
    destination->start();
  }
  const Database again = open(staying.get(), *destination);
  ASSERT_NE(again, nullptr) << godwit_last_error();
  ASSERT_EQ(godwit_database_migrate(again.get(), source->address().c_str(), nullptr), GODWIT_OK) << godwit_last_error();
  EXPECT_EQ(count(database.get()), 3002U);
  EXPECT_EQ(get(open(staying.get(), *source).get(), key_of(2999)), value_of(2999));
}

TEST_P(DatabaseMigration, AnEmptyOneMoves) {
  Node source, destination;
  const Client client = open_client();
  const Database database = create(client.get(), *source, GetParam());
  ASSERT_EQ(godwit_database_migrate(database.get(), destination->address().c_str(), nullptr), GODWIT_OK) << godwit_last_error();
  EXPECT_EQ(count(database.get()), 0U);
}

// A handle that has not been used since leads to where the database is.
TEST_P(DatabaseMigration, ThereAndBackAndThereAgain) {
  Node source, destination;
  const Client client = open_client();
  const Database database = create(client.get(), *source, GetParam());
  ASSERT_EQ(put(database.get(), "key", "value"), GODWIT_OK);
  for (Node* to : {&destination, &source, &destination, &source})
    ASSERT_EQ(godwit_database_migrate(database.get(), (**to).address().c_str(), nullptr), GODWIT_OK) << godwit_last_error();
  EXPECT_EQ(get(database.get(), "key"), "value");
  godwit_database_info info{};
  ASSERT_EQ(godwit_database_stat(database.get(), &info), GODWIT_OK);
  EXPECT_EQ(info.epoch, 5U);
}

// Whatever fails, the source serves as before, and the destination has nothing of it.
TEST_P(DatabaseMigration, WhatFailsChangesNothing) {
  Node source, destination;
  const Client client = open_client();
  const Database database = create(client.get(), *source, GetParam());
  for (int i = 0; i < 100; ++i) ASSERT_EQ(put(database.get(), key_of(i), value_of(i)), GODWIT_OK);
  const Database taken = create(client.get(), *destination, "map");  // Of the same name.
  const auto fails = [&](int error, const godwit_database_migrate_options& options = GODWIT_DATABASE_MIGRATE_OPTIONS_INIT) {
    EXPECT_EQ(godwit_database_migrate(database.get(), destination->address().c_str(), &options), error) << godwit_last_error();
    EXPECT_EQ(put(database.get(), "still", "serves"), GODWIT_OK) << godwit_last_error();
    EXPECT_EQ(count(database.get()), 101U);
    EXPECT_EQ(entries(destination.root()), std::vector<std::string>{});
  };
  fails(GODWIT_ERR_EXISTS);
  ASSERT_EQ(godwit_database_destroy(taken.get()), GODWIT_OK);
  godwit_database_migrate_options options = GODWIT_DATABASE_MIGRATE_OPTIONS_INIT;
  options.extra_config = "{\"no such option\": 1}";
  fails(GODWIT_ERR_INVALID, options);
  options.extra_config = "[";
  fails(GODWIT_ERR_INVALID, options);
  options.extra_config = nullptr;
  if (lasts()) {
    options.new_root = "/etc";
    fails(GODWIT_ERR_DENIED, options);
    options.new_root = "relative";
    fails(GODWIT_ERR_INVALID, options);
  }
  EXPECT_EQ(godwit_database_migrate(database.get(), "tcp://127.0.0.1:1", nullptr), GODWIT_ERR_UNREACHABLE);
  EXPECT_EQ(put(database.get(), "still", "serves"), GODWIT_OK);
  ASSERT_EQ(godwit_database_migrate(database.get(), destination->address().c_str(), nullptr), GODWIT_OK) << godwit_last_error();
  EXPECT_EQ(count(database.get()), 101U);
}

// Every write that was acknowledged is there, whoever wrote it and whenever.
TEST_P(DatabaseMigration, WritersGoOnAndLoseNothing) {
  Node source, destination;
  const Client client = open_client();
  const Database database = create(client.get(), *source, GetParam());
  for (int i = 0; i < 2000; ++i) ASSERT_EQ(put(database.get(), key_of(i), value_of(i)), GODWIT_OK);
  std::atomic<bool> stop{false};
  std::atomic<int> written{2000};
  std::thread writer([&] {
    const Client own = open_client();
    const Database handle = open(own.get(), *source);
    for (int i = 2000; !stop; ++i) {
      ASSERT_EQ(put(handle.get(), key_of(i), value_of(i)), GODWIT_OK) << godwit_last_error();
      written = i + 1;
    }
  });
  for (int i = 0; i < 200 && written < 2100; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(godwit_database_migrate(database.get(), destination->address().c_str(), nullptr), GODWIT_OK) << godwit_last_error();
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  stop = true;
  writer.join();
  EXPECT_EQ(count(database.get()), static_cast<uint64_t>(written));
  for (int i = 0; i < written; ++i) ASSERT_EQ(get(database.get(), key_of(i)), value_of(i)) << i;
}

INSTANTIATE_TEST_SUITE_P(EachBackend, DatabaseMigration, testing::Values("map", "rocksdb", "leveldb", "lmdb"),
                         [](const auto& test) { return std::string(test.param); });

// ---------------------------------------------------------------- what is damaged, and what dies

TEST(DatabaseFaults, ACorruptOneStaysAsItIs) {
  Node source, destination;
  const Client client = open_client();
  const Database database = create(client.get(), *source, "rocksdb");
  for (int i = 0; i < 100; ++i) ASSERT_EQ(put(database.get(), key_of(i), value_of(i)), GODWIT_OK);
  source->terminate();
  const std::string directory = source.root() + "/" + entries(source.root()).at(0);
  std::ofstream(directory + "/CURRENT") << "no manifest\n";
  const auto before = entries(directory).size();
  source->start();
  const Database damaged = open(client.get(), *source);
  ASSERT_NE(damaged, nullptr) << godwit_last_error();
  EXPECT_EQ(godwit_database_migrate(damaged.get(), destination->address().c_str(), nullptr), GODWIT_ERR_CORRUPT)
      << godwit_last_error();
  EXPECT_EQ(entries(directory).size(), before);
  EXPECT_EQ(entries(destination.root()), std::vector<std::string>{});
}

struct Case {
  const char* point;
  bool at_source;
  const char* backend;
};

class DatabaseKill : public testing::TestWithParam<Case> {};

TEST_P(DatabaseKill, OneOwnerWithAllKeysAfterTheRestart) {
  const auto& [point, at_source, backend] = GetParam();
  Node source(at_source ? std::string(point) + "=1" : ""), destination(at_source ? "" : std::string(point) + "=1");
  const Client client = open_client();
  {
    const Database database = create(client.get(), *source, backend);
    for (int i = 0; i < 500; ++i) ASSERT_EQ(put(database.get(), key_of(i), value_of(i)), GODWIT_OK);
    godwit_migration* migration = nullptr;
    ASSERT_EQ(godwit_database_migrate_start(database.get(), destination->address().c_str(), nullptr, &migration), GODWIT_OK);
    (void)godwit_migration_wait(migration, 3000);
    godwit_migration_close(migration);
  }
  Daemon& victim = at_source ? *source : *destination;
  for (int i = 0; i < 250 && !victim.has_died(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  ASSERT_TRUE(victim.has_died()) << "the crash point was not reached\n" << victim.log();
  victim.set_environment({});
  victim.start();

  // Exactly one accepts writes, sooner or later; the other leads there or knows nothing of it.
  const Client staying = open_client(false, 2000);
  int owners = 0;
  Daemon* owner = nullptr;
  for (int tries = 0; tries < 400 && owners != 1; ++tries) {
    owners = 0;
    for (Daemon* daemon : {&*source, &*destination}) {
      const Database found = open(staying.get(), *daemon);
      if (!found || put(found.get(), "proof", "x") != GODWIT_OK) continue;
      ++owners;
      owner = daemon;
    }
    ASSERT_LE(owners, 1);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  ASSERT_EQ(owners, 1) << source->log() << destination->log();
  const Database database = open(staying.get(), *owner);
  EXPECT_EQ(count(database.get()), 501U);
  for (int i = 0; i < 500; ++i) ASSERT_EQ(get(database.get(), key_of(i)), value_of(i));
  // The other keeps nothing of it.
  Node& other = owner == &*source ? destination : source;
  for (int i = 0; i < 200 && !entries(other.root()).empty(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(entries(other.root()), std::vector<std::string>{});
}

INSTANTIATE_TEST_SUITE_P(
    EveryStep, DatabaseKill,
    testing::Values(Case{"source.before.send-prepare", true, "rocksdb"},
                    Case{"source.after.journal-hand-over", true, "rocksdb"}, Case{"source.after.send-commit", true, "leveldb"},
                    Case{"source.after.journal-done", true, "lmdb"}, Case{"source.after.free-objects", true, "rocksdb"},
                    Case{"destination.before.journal-prepared", false, "rocksdb"},
                    Case{"destination.after.journal-prepared", false, "rocksdb"},
                    Case{"destination.before.journal-owner", false, "leveldb"},
                    Case{"destination.before.journal-owner", false, "map"},
                    Case{"destination.after.journal-owner", false, "rocksdb"}, Case{"destination.after.serve", false, "lmdb"},
                    Case{"destination.before.forget-job", false, "rocksdb"}),
    [](const auto& test) {
      std::string name = std::string(test.param.point) + "_" + test.param.backend;
      for (char& c : name)
        if (c == '.' || c == '-') c = '_';
      return name;
    });

}  // namespace
}  // namespace godwit::test
