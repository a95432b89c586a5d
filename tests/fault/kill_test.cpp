// kill -9 of either daemon at every step of the cutover: after the restart exactly one node owns the region, and its bytes are
// those that were acknowledged.
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "godwit/godwit.hpp"
#include "support/daemon.hpp"

namespace {

using godwit::test::Daemon;
using godwit::test::DaemonOptions;

constexpr uint64_t kRegionBytes = 3 << 20;  // Several blocks, the last one short.

std::vector<char> pattern() {
  std::vector<char> bytes(kRegionBytes + 12345);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 31 + i / 4096);
  return bytes;
}

DaemonOptions options(const std::string& crash_point) {
  DaemonOptions made;
  made.targets = {{"fast", "dram"}, {"keep", "pmem"}};
  made.more = "\"resolve_interval_ms\": 50, \"connect_timeout_ms\": 2000";
  if (!crash_point.empty()) made.environment = {"GODWIT_FAIL=" + crash_point + "=EIO"};
  return made;
}

struct Found {
  int owners = 0;
  std::string address;
};

// Who serves the region once everybody has come to rest.
Found owner_of(godwit::RegionId id, const std::vector<std::string>& addresses) {
  const auto patience_ends = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  Found found;
  do {
    found = {};
    godwit::Client client;
    for (const std::string& address : addresses)
      for (const auto& info : client.regions(address)) {
        if (info.id.high != id.high || info.id.low != id.low) continue;
        try {  // Listed is not enough: it must serve reads and writes.
          const auto region = client.region(address, id);
          char byte = 0;
          region.read(0, &byte, 1);
          if (std::string(region.info().address) != address) continue;
          ++found.owners;
          found.address = address;
        } catch (const godwit::Error&) {
        }
      }
    if (found.owners == 1) return found;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  } while (std::chrono::steady_clock::now() < patience_ends);
  return found;
}

uint64_t used_bytes(const std::string& address, const std::string& target) {
  return godwit::Client().target(address, target).info().used_bytes;
}

struct Case {
  const char* crash_point;
  bool at_source;
};

class KillTest : public testing::TestWithParam<Case> {};

TEST_P(KillTest, OneOwnerWithAllBytesAfterTheRestart) {
  const Case& where = GetParam();
  Daemon source(options(where.at_source ? where.crash_point : ""));
  Daemon destination(options(where.at_source ? "" : where.crash_point));
  const std::vector<char> bytes = pattern();
  godwit::RegionId id{};
  {
    godwit::ClientOptions client_options = GODWIT_CLIENT_OPTIONS_INIT;
    client_options.connect_timeout_ms = 2000;
    const godwit::Client client(client_options);
    const auto region = client.target(source.address(), "keep").create(bytes.data(), bytes.size(), "field");
    id = region.id();
    try {
      const auto migration = client.start_migration(source.address(), {id}, client.target(destination.address(), "keep"));
      migration.wait(3000);
    } catch (const godwit::Error&) {  // Of one kind or another: a daemon dies under it.
    }
  }
  Daemon& victim = where.at_source ? source : destination;
  const auto patience_ends = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (!victim.has_died() && std::chrono::steady_clock::now() < patience_ends)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  ASSERT_TRUE(victim.has_died()) << "the crash point was not reached\n" << victim.log();
  victim.set_environment({});
  victim.start();

  const Found found = owner_of(id, {source.address(), destination.address()});
  ASSERT_EQ(found.owners, 1) << "source:\n" << source.log() << "destination:\n" << destination.log();
  const godwit::Client client;
  const auto region = client.region(found.address, id);
  std::vector<char> back(bytes.size());
  region.read(0, back.data(), back.size());
  EXPECT_TRUE(back == bytes);
  region.write(0, "x", 1);  // It accepts writes.

  // The other node keeps no space of it.
  const std::string other = found.address == source.address() ? destination.address() : source.address();
  for (int i = 0; i < 200 && used_bytes(other, "keep") != 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(used_bytes(other, "keep"), 0U);
  // A handle opened at the source leads to the owner, by id and by name.
  EXPECT_EQ(std::string(client.region(source.address(), id).info().address), found.address);
}

INSTANTIATE_TEST_SUITE_P(EveryStep, KillTest,
                         testing::Values(Case{"source.before.send-prepare", true}, Case{"source.after.send-prepare", true},
                                         Case{"source.after.journal-hand-over", true}, Case{"source.after.send-commit", true},
                                         Case{"source.before.journal-done", true}, Case{"source.after.journal-done", true},
                                         Case{"source.after.free-objects", true}, Case{"source.after.send-release", true},
                                         Case{"destination.before.journal-prepared", false},
                                         Case{"destination.after.journal-prepared", false},
                                         Case{"destination.before.journal-owner", false},
                                         Case{"destination.after.journal-owner", false}, Case{"destination.after.serve", false},
                                         Case{"destination.before.forget-job", false}),
                         [](const auto& test) {
                           std::string name = test.param.crash_point;
                           for (char& c : name)
                             if (c == '.' || c == '-') c = '_';
                           return name;
                         });

TEST(Kill, ADramSourceThatDiesAfterPreparingIsAdoptedByTheDestination) {
  Daemon source(options("source.after.send-prepare"));
  Daemon destination(options(""));
  const std::vector<char> bytes = pattern();
  godwit::RegionId id{};
  {
    const godwit::Client client;
    const auto region = client.target(source.address(), "fast").create(bytes.data(), bytes.size());
    id = region.id();
    try {
      region.migrate(client.target(destination.address(), "keep"));
    } catch (const godwit::Error&) {
    }
  }
  for (int i = 0; i < 250 && !source.has_died(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  ASSERT_TRUE(source.has_died());
  source.set_environment({});
  source.start();
  const Found found = owner_of(id, {source.address(), destination.address()});
  ASSERT_EQ(found.owners, 1) << source.log() << destination.log();
  EXPECT_EQ(found.address, destination.address());
  std::vector<char> back(bytes.size());
  godwit::Client().region(found.address, id).read(0, back.data(), back.size());
  EXPECT_TRUE(back == bytes);
}

TEST(Kill, ADestinationThatLosesItsDramCopyBeforeItOwnsGivesTheRegionBack) {
  Daemon source(options(""));
  Daemon destination(options("destination.before.journal-owner"));
  const std::vector<char> bytes = pattern();
  godwit::RegionId id{};
  {
    const godwit::Client client;
    const auto region = client.target(source.address(), "fast").create(bytes.data(), bytes.size(), "field");
    id = region.id();
    try {
      client.start_migration(source.address(), {id}, client.target(destination.address(), "fast")).wait(3000);
    } catch (const godwit::Error&) {
    }
  }
  for (int i = 0; i < 250 && !destination.has_died(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  ASSERT_TRUE(destination.has_died());
  destination.set_environment({});
  destination.start();
  const Found found = owner_of(id, {source.address(), destination.address()});
  ASSERT_EQ(found.owners, 1) << source.log() << destination.log();
  EXPECT_EQ(found.address, source.address());
  std::vector<char> back(bytes.size());
  godwit::Client().region(found.address, "field").read(0, back.data(), back.size());
  EXPECT_TRUE(back == bytes);
}

TEST(Kill, ASourceKilledWhileBlocksMoveLeavesNothingAtTheDestination) {
  Daemon source(options(""));
  Daemon destination(options(""));
  std::vector<char> bytes(48 << 20, 'a');
  godwit::RegionId id{};
  {
    const godwit::Client client;
    const auto region = client.target(source.address(), "keep").create(bytes.data(), bytes.size());
    id = region.id();
    const auto migration = client.start_migration(source.address(), {id}, client.target(destination.address(), "keep"));
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    source.kill();
  }
  source.start();
  const Found found = owner_of(id, {source.address(), destination.address()});
  ASSERT_EQ(found.owners, 1) << source.log() << destination.log();
  const std::string other = found.address == source.address() ? destination.address() : source.address();
  for (int i = 0; i < 200 && used_bytes(other, "keep") != 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(used_bytes(other, "keep"), 0U);
}

}  // namespace
