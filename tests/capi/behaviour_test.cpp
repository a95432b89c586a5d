// What users rely on beyond single calls: threads, following, dead and hanging daemons, cancelling.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <functional>
#include <godwit/godwit.hpp>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "support/daemon.hpp"
#include "support/errors.hpp"

namespace {

using godwit::test::code_of;
using godwit::test::Daemon;
using godwit::test::DaemonOptions;
using godwit::test::text_of;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

std::vector<unsigned char> pattern(size_t size, unsigned seed) {
  std::vector<unsigned char> bytes(size);
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<unsigned char>((i * 2654435761u + seed) >> 7);
  return bytes;
}

std::vector<unsigned char> content(const godwit::Region& region) {
  std::vector<unsigned char> bytes(region.size());
  region.read(0, bytes.data(), bytes.size());
  return bytes;
}

// A client's work of a little of everything; throws if a byte is wrong.
void work_with(const godwit::Client& client, const std::string& address, unsigned seed) {
  const godwit::Target fast = client.target(address, "fast");
  for (unsigned i = 0; i < 20; ++i) {
    const size_t size = i % 4 == 3 ? 300'000 : 4'096;  // By RMA, and inside the message.
    const auto bytes = pattern(size, seed * 1000 + i);
    const godwit::Region region = fast.create(bytes.data(), bytes.size());
    if (content(region) != bytes) throw std::runtime_error("other bytes came back");
    const auto changed = pattern(size, seed * 1000 + i + 500);
    region.write(0, changed.data(), changed.size());
    if (content(client.region(address, region.id())) != changed) throw std::runtime_error("the change is not there");
    region.erase();
  }
}

void work_in_threads(const std::vector<const godwit::Client*>& clients, const std::string& address) {
  std::atomic<int> failures{0};
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < clients.size(); ++i)
    threads.emplace_back([&, i] {
      try {
        work_with(*clients[i], address, i);
      } catch (const std::exception& error) {
        ADD_FAILURE() << error.what();
        ++failures;
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
}

TEST(Threads, EightShareOneClient) {
  const Daemon daemon;
  const godwit::Client client;
  work_in_threads(std::vector<const godwit::Client*>(8, &client), daemon.address());
  EXPECT_EQ(client.target(daemon.address(), "fast").info().regions, 0u);
}

TEST(Threads, TwoClientsOfOneProcessAreIndependent) {
  const Daemon daemon;
  const godwit::Client one;
  {
    const godwit::Client two;
    work_in_threads({&one, &two, &one, &two}, daemon.address());
  }
  work_with(one, daemon.address(), 9);
}

TEST(Threads, EightShareOneRegion) {
  constexpr size_t kShare = 10'000;
  const Daemon daemon;
  const godwit::Client client;
  const godwit::Region region = client.target(daemon.address(), "fast").create(8 * kShare);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < 8; ++i)
    threads.emplace_back([&, i] {
      const std::vector<unsigned char> bytes(kShare, static_cast<unsigned char>(i + 1));
      for (size_t at = 0; at < kShare; at += 1'000) region.write(i * kShare + at, bytes.data(), 1'000);
    });
  for (std::thread& thread : threads) thread.join();
  const auto bytes = content(region);
  for (size_t i = 0; i < bytes.size(); ++i) ASSERT_EQ(bytes[i], i / kShare + 1) << "at " << i;
}

TEST(LastError, BelongsToTheThread) {
  const godwit::Client client;
  EXPECT_EQ(code_of([&] { (void)client.ping("nonsense"); }), GODWIT_ERR_INVALID);
  const std::string here = godwit_last_error();
  std::thread([] { EXPECT_STREQ(godwit_last_error(), ""); }).join();
  EXPECT_EQ(here, godwit_last_error());
  EXPECT_NE(here, "");
}

TEST(Handles, KeepTheirClientAlive) {
  const Daemon daemon;
  auto client = std::make_unique<godwit::Client>();
  auto target = std::make_unique<godwit::Target>(client->target(daemon.address(), "fast"));
  const godwit::Region region = target->create("field", 5);
  target.reset();
  client.reset();
  EXPECT_EQ(region.size(), 5u);
}

TEST(Following, OldHandlesReachTheRegionAfterTwoMoves) {
  const Daemon a;
  const Daemon b;
  const godwit::Client client, bystander;
  const auto bytes = pattern(100'000, 1);
  const godwit::Region region = client.target(a.address(), "fast").create(bytes.data(), bytes.size(), "field");
  const godwit::Region old = bystander.region(a.address(), "field");
  const godwit::Region at_b = region.migrate(client.target(b.address(), "fast"));
  at_b.migrate(client.target(b.address(), "keep"));
  EXPECT_EQ(content(old), bytes);
  EXPECT_EQ(old.info().address, b.address());
  EXPECT_EQ(old.info().target, std::string("keep"));
  EXPECT_EQ(old.info().epoch, region.info().epoch);
  old.write(0, "x", 1);
  old.persist(0, 1);
  EXPECT_EQ(content(at_b)[0], 'x');
  old.erase();
  EXPECT_EQ(code_of([&] { region.size(); }), GODWIT_ERR_NOT_FOUND);
}

TEST(Following, BackAndForthEndsWhereTheRegionIs) {
  const Daemon a;
  const Daemon b;
  const godwit::Client client;
  const godwit::Region region = client.target(a.address(), "fast").create("field", 5);
  const godwit::Region old = client.region(a.address(), region.id());
  for (int i = 0; i < 3; ++i) {
    region.migrate(client.target(b.address(), "fast"));
    region.migrate(client.target(a.address(), "fast"));
  }
  EXPECT_EQ(old.info().address, a.address());
  EXPECT_EQ(client.region(b.address(), region.id()).info().address, a.address());
}

TEST(Following, IsLeftToTheCallerIfItWantsThat) {
  const Daemon a;
  const Daemon b;
  godwit::ClientOptions options = GODWIT_CLIENT_OPTIONS_INIT;
  options.do_not_follow = 1;
  const godwit::Client client(options);
  const godwit::Region region = client.target(a.address(), "fast").create("field", 5);
  const godwit::Region moved = region.migrate(client.target(b.address(), "fast"));
  char byte = 0;
  EXPECT_EQ(code_of([&] { region.read(0, &byte, 1); }), GODWIT_ERR_MOVED);
  EXPECT_EQ(code_of([&] { region.write(0, &byte, 1); }), GODWIT_ERR_MOVED);
  EXPECT_EQ(code_of([&] { region.persist(0, 1); }), GODWIT_ERR_MOVED);
  EXPECT_EQ(code_of([&] { region.size(); }), GODWIT_ERR_MOVED);
  EXPECT_EQ(code_of([&] { region.erase(); }), GODWIT_ERR_MOVED);
  EXPECT_EQ(code_of([&] { (void)client.region(a.address(), region.id()); }), GODWIT_ERR_MOVED);
  EXPECT_NE(text_of([&] { region.size(); }).find(b.address()), std::string::npos);
  EXPECT_EQ(content(moved), std::vector<unsigned char>({'f', 'i', 'e', 'l', 'd'}));
}

TEST(DeadDaemon, IsNamedWithinTheConnectTimeout) {
  Daemon daemon;
  godwit::ClientOptions options = GODWIT_CLIENT_OPTIONS_INIT;
  options.connect_timeout_ms = 1'000;
  const godwit::Client client(options);
  const godwit::Region region = client.target(daemon.address(), "fast").create(10);
  daemon.kill();
  const auto start = steady_clock::now();
  char byte = 0;
  for (int i = 0; i < 3; ++i) {
    const std::string text = text_of([&] { region.read(0, &byte, 1); });
    EXPECT_NE(text.find(daemon.address()), std::string::npos) << text;
    EXPECT_NE(text.find(godwit::to_string(region.id())), std::string::npos) << text;
  }
  EXPECT_EQ(code_of([&] { client.ping(daemon.address()); }), GODWIT_ERR_UNREACHABLE);
  EXPECT_LT(steady_clock::now() - start, seconds(4));
}

TEST(DeadDaemon, IsTalkedToAgainAfterItsRestart) {
  Daemon daemon;
  const godwit::Client client;
  const godwit::Target keep = client.target(daemon.address(), "keep");
  const auto bytes = pattern(200'000, 3);
  const godwit::Region region = keep.create(bytes.data(), bytes.size());
  for (const bool gently : {true, false}) {
    if (gently)
      EXPECT_EQ(daemon.terminate(), 0);
    else
      daemon.kill();
    daemon.start();
    EXPECT_EQ(content(region), bytes);  // On connections that had died meanwhile: control and stream.
  }
  keep.create("made once", 9).erase();
}

TEST(DeadDaemon, CreateOnAConnectionThatRestedForLong) {
  const Daemon daemon;
  const godwit::Client client;
  const godwit::Target fast = client.target(daemon.address(), "fast");
  for (const int pause_ms : {30, 2'100, 6'500}) {  // The daemon gives up silent connections after 5 s.
    std::this_thread::sleep_for(milliseconds(pause_ms));
    fast.create("field", 5).erase();
  }
}

TEST(HangingDaemon, IsFoundOutByItsSilence) {
  Daemon daemon;
  godwit::ClientOptions options = GODWIT_CLIENT_OPTIONS_INIT;
  options.operation_timeout_ms = 700;
  const godwit::Client client(options);
  const auto bytes = pattern(1'000'000, 4);
  const godwit::Region region = client.target(daemon.address(), "fast").create(bytes.data(), bytes.size());
  auto late = pattern(1'000'000, 5);
  daemon.freeze();
  const auto start = steady_clock::now();
  EXPECT_EQ(code_of([&] { region.size(); }), GODWIT_ERR_TIMEOUT);
  const int error = code_of([&] { region.read(0, late.data(), late.size()); });
  EXPECT_TRUE(error == GODWIT_ERR_TIMEOUT || error == GODWIT_ERR_PEER_LOST) << error;
  EXPECT_LT(steady_clock::now() - start, seconds(10));
  // What it does when it wakes up does not reach the buffer any more.
  const auto untouched = late;
  daemon.thaw();
  EXPECT_EQ(content(region), bytes);
  std::this_thread::sleep_for(milliseconds(300));
  EXPECT_EQ(late, untouched);
}

TEST(Progress, IsReportedWhileItLasts) {
  const Daemon a;
  const Daemon b;
  const godwit::Client client;
  const godwit::Region region = client.target(a.address(), "fast").create(48u << 20);
  std::vector<uint64_t> bytes_done;
  godwit::MigrateOptions options;
  options.progress = [&](const godwit::Progress& progress) {
    bytes_done.push_back(progress.bytes_done);
    return true;
  };
  region.migrate(client.target(b.address(), "fast"), options);
  ASSERT_FALSE(bytes_done.empty());
  EXPECT_TRUE(std::is_sorted(bytes_done.begin(), bytes_done.end()));
  EXPECT_EQ(bytes_done.back(), 48u << 20);
}

// Enough regions that the job cannot be over at the first progress report.
std::vector<godwit::RegionId> make_many(const godwit::Target& target, size_t count) {
  std::vector<godwit::RegionId> ids;
  for (size_t i = 0; i < count; ++i) ids.push_back(target.create(16'384).id());
  return ids;
}

TEST(Cancel, LeavesEveryRegionOnExactlyOneNode) {
  const Daemon a;
  const Daemon b;
  const godwit::Client client;
  const godwit::Target from = client.target(a.address(), "fast"), to = client.target(b.address(), "fast");
  const auto ids = make_many(from, 2'000);
  const godwit::Migration migration = client.start_migration(a.address(), ids, to);
  migration.cancel();
  const int error = code_of([&] { migration.wait(30'000); });
  EXPECT_TRUE(error == GODWIT_ERR_CANCELLED || error == GODWIT_ERR_PARTIAL || error == GODWIT_OK) << error;
  EXPECT_TRUE(migration.test());
  EXPECT_EQ(from.info().regions + to.info().regions, ids.size());
  for (size_t i = 0; i < ids.size(); i += 100) EXPECT_EQ(client.region(a.address(), ids[i]).size(), 16'384u);
}

TEST(Cancel, ComesFromTheCallback) {
  const Daemon a;
  const Daemon b;
  const godwit::Client client;
  const godwit::Target from = client.target(a.address(), "fast"), to = client.target(b.address(), "keep");
  const auto ids = make_many(from, 3'000);
  godwit::MigrateOptions options;
  options.progress = [](const godwit::Progress&) { return false; };
  const godwit::Migration migration = client.start_migration(a.address(), ids, to, options);
  const int error = code_of([&] { migration.wait(); });
  EXPECT_TRUE(error == GODWIT_ERR_CANCELLED || error == GODWIT_ERR_PARTIAL || error == GODWIT_OK) << error;
  EXPECT_EQ(from.info().regions + to.info().regions, ids.size());
}

TEST(Cancel, WhatTheCallbackThrowsReachesTheCaller) {
  const Daemon a;
  const Daemon b;
  const godwit::Client client;
  const godwit::Region region = client.target(a.address(), "fast").create(1'000);
  godwit::MigrateOptions options;
  options.progress = [](const godwit::Progress&) -> bool { throw std::out_of_range("mine"); };
  EXPECT_THROW(region.migrate(client.target(b.address(), "fast"), options), std::out_of_range);
  EXPECT_EQ(region.size(), 1'000u);
}

TEST(Waiting, EndsAtItsTimeoutWhileTheJobGoesOn) {
  const Daemon a;
  const Daemon b;
  const godwit::Client client;
  const godwit::Target to = client.target(b.address(), "keep");
  const auto ids = make_many(client.target(a.address(), "fast"), 3'000);
  const godwit::Migration migration = client.start_migration(a.address(), ids, to);
  const int error = code_of([&] { migration.wait(1); });
  EXPECT_TRUE(error == GODWIT_ERR_TIMEOUT || error == GODWIT_OK) << error;
  const std::string id = migration.id();
  client.migration(a.address(), id).wait(60'000);
  EXPECT_EQ(to.info().regions, ids.size());
  EXPECT_EQ(migration.results().size(), ids.size());
}

TEST(Listing, PagesThroughMoreRegionsThanOneMessageHolds) {
  const Daemon daemon;
  const godwit::Client client;
  auto ids = make_many(client.target(daemon.address(), "fast"), 2'500);
  std::vector<std::string> made, listed;
  for (const godwit::RegionId id : ids) made.push_back(godwit::to_string(id));
  for (const godwit::RegionInfo& info : client.regions(daemon.address())) listed.push_back(godwit::to_string(info.id));
  std::sort(made.begin(), made.end());
  EXPECT_EQ(made, listed);
}

TEST(Inline, LimitDecidesBetweenMessageAndRma) {
  const Daemon daemon;
  godwit::ClientOptions options = GODWIT_CLIENT_OPTIONS_INIT;
  options.inline_bytes = 1;  // All but single bytes by RMA.
  const godwit::Client client(options);
  const godwit::Target fast = client.target(daemon.address(), "fast");
  for (const size_t size : {1u, 2u, 4'095u, 70'000u}) {
    const auto bytes = pattern(size, static_cast<unsigned>(size));
    const godwit::Region region = fast.create(bytes.data(), size);
    EXPECT_EQ(content(region), bytes);
    region.write(size / 2, bytes.data(), size - size / 2);
  }
}

}  // namespace
