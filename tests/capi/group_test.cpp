// Three nodes that know of each other: any of them tells of, and steers, the jobs of all, and knows where an object is.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <functional>
#include <godwit/godwit.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/daemon.hpp"
#include "support/errors.hpp"
#include "support/waiting.hpp"

namespace {

using godwit::test::code_of;
using godwit::test::comes_true;
using godwit::test::Daemon;
using godwit::test::DaemonOptions;
using godwit::test::text_of;

constexpr uint64_t kMiB = 1 << 20;
constexpr const char* kNobody = "00000000000000010000000000000002";

// Addresses at ports that nobody has now.
std::vector<std::string> free_addresses(size_t count) {
  std::vector<std::string> addresses;
  std::vector<int> sockets;
  for (size_t i = 0; i < count; ++i) {
    const int one = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (one < 0 || bind(one, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        getsockname(one, reinterpret_cast<sockaddr*>(&address), &size) != 0)
      throw std::runtime_error("no free port");
    sockets.push_back(one);
    addresses.push_back("tcp://127.0.0.1:" + std::to_string(ntohs(address.sin_port)));
  }
  for (const int one : sockets) close(one);
  return addresses;
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

class GroupTest : public ::testing::Test {
 protected:
  GroupTest() {
    const auto addresses = free_addresses(3);
    DaemonOptions options;
    options.targets = {{"fast", "dram", "64MiB"}};
    options.more = R"("resume_timeout_ms": 0, "group": {"members": )" + nlohmann::json(addresses).dump() + "}";
    for (size_t i = 0; i < addresses.size(); ++i) {
      options.listen = addresses[i];
      nodes_[i] = std::make_unique<Daemon>(options);
    }
  }
  static godwit::ClientOptions client_options() {
    godwit::ClientOptions options = GODWIT_CLIENT_OPTIONS_INIT;
    options.operation_timeout_ms = 30'000;  // Nothing may wait for a silent member for so long.
    return options;
  }
  Daemon& a() { return *nodes_[0]; }
  Daemon& b() { return *nodes_[1]; }
  Daemon& c() { return *nodes_[2]; }
  godwit::Region create(Daemon& at, const std::string& name, uint64_t size = kMiB) {
    return client_.target(at.address(), "fast").create(size, name);
  }
  // From a to b, so slow that it runs until it is told otherwise.
  godwit::Migration start_slow_job(const godwit::Region& region) {
    godwit::MigrateOptions how;
    how.bandwidth = 64 << 10;
    return client_.start_migration(a().address(), {region.id()}, client_.target(b().address(), "fast"), how);
  }

  std::array<std::unique_ptr<Daemon>, 3> nodes_;
  godwit::Client client_{client_options()};
};

TEST_F(GroupTest, AJobIsSeenAndSteeredThroughAnyMember) {
  const auto region = create(a(), "moving", 8 * kMiB);
  const auto job = start_slow_job(region);
  for (Daemon* through : {&b(), &c()}) {
    const godwit::Client other(client_options());
    const auto same = other.migration(through->address(), job.id());
    same.pause();
    EXPECT_STREQ(client_.job(a().address(), job.id()).progress.phase, "paused");
    EXPECT_STREQ(other.job(through->address(), job.id()).progress.phase, "paused");
    EXPECT_EQ(other.job(through->address(), job.id()).source, a().address());
    same.resume();
    EXPECT_STRNE(client_.job(a().address(), job.id()).progress.phase, "paused");
  }
  const auto through_c = godwit::Client(client_options()).migration(c().address(), job.id());
  through_c.limit(0);
  through_c.wait(60'000);
  EXPECT_TRUE(job.test());
  const godwit::Client fresh(client_options());
  EXPECT_EQ(fresh.migration(c().address(), job.id()).results().size(), 1u);
  EXPECT_EQ(nlohmann::json::parse(fresh.migration(b().address(), job.id()).report())["bytes"], 8 * kMiB);
  EXPECT_EQ(fresh.job_events(c().address(), job.id()), client_.job_events(a().address(), job.id()));
  const auto place = client_.locate(c().address(), job.id());
  EXPECT_STREQ(place.kind, "job");
  EXPECT_EQ(place.address, a().address());
}

TEST_F(GroupTest, EveryMembersJobsAreListedAndWhoIsSilentIsNamed) {
  const auto region = create(a(), "moving", 8 * kMiB);
  const auto job = start_slow_job(region);
  const auto is_listed = [&](const std::vector<godwit::JobInfo>& jobs) {
    return std::ranges::any_of(jobs, [&](const auto& one) { return one.id == job.id() && one.source == a().address(); });
  };
  std::vector<godwit::Member> members;
  EXPECT_TRUE(is_listed(client_.group_jobs(b().address(), members)));
  ASSERT_EQ(members.size(), 3u);
  EXPECT_EQ(members[0].address, b().address());  // The one that is asked comes first.
  for (const auto& member : members) {
    EXPECT_EQ(member.error, GODWIT_OK) << member.error_text;
    EXPECT_TRUE(member.node.high != 0 || member.node.low != 0);
  }
  // One that is dead, and one that hangs, which nobody notices but by its silence.
  for (const bool hangs : {false, true}) {
    hangs ? c().freeze() : c().kill();
    EXPECT_TRUE(is_listed(client_.group_jobs(b().address(), members)));
    ASSERT_EQ(members.size(), 3u);
    for (const auto& member : members) {
      EXPECT_EQ(member.error != GODWIT_OK, member.address == c().address()) << member.address << ": " << member.error_text;
      EXPECT_EQ(member.error_text[0] != 0, member.error != GODWIT_OK);
    }
    hangs ? c().thaw() : c().start();
    EXPECT_TRUE(comes_true([&] { return client_.group(b().address())[2].error == GODWIT_OK; }));
  }
  client_.migration(c().address(), job.id()).cancel();
  EXPECT_EQ(code_of([&] { job.wait(30'000); }), GODWIT_ERR_CANCELLED);
}

TEST_F(GroupTest, AJobOfADeadNodeIsKnownToBeThere) {
  const auto region = create(a(), "moving", 8 * kMiB);
  const auto job = start_slow_job(region);
  EXPECT_EQ(client_.job(c().address(), job.id()).id, job.id());
  a().kill();
  const std::string text = text_of([&] { client_.job(c().address(), job.id()); });
  EXPECT_TRUE(contains(text, a().address())) << text;
}

TEST_F(GroupTest, ARegionIsFoundFromEveryMemberAlsoWhenItsFirstNodeIsGone) {
  {
    const auto region = create(a(), "mesh");
    region.write(100, "here", 4);
    for (Daemon* through : {&a(), &b(), &c()}) {
      EXPECT_EQ(client_.region(through->address(), "mesh").info().address, a().address());
      EXPECT_EQ(client_.region(through->address(), region.id()).info().address, a().address());
      EXPECT_EQ(client_.locate(through->address(), "mesh").address, a().address());
    }
    client_.start_migration(a().address(), {region.id()}, client_.target(b().address(), "fast"), {}).wait(60'000);
  }
  a().kill();
  const auto place = client_.locate(c().address(), "mesh");
  EXPECT_STREQ(place.kind, "region");
  EXPECT_EQ(place.address, b().address());
  EXPECT_STREQ(place.target, "fast");
  EXPECT_EQ(place.epoch, 2u);
  const auto mesh = client_.region(c().address(), "mesh");
  std::array<char, 4> bytes{};
  mesh.read(100, bytes.data(), bytes.size());
  EXPECT_EQ(std::string(bytes.data(), bytes.size()), "here");
  mesh.write(100, "gone", 4);
  EXPECT_EQ(client_.region(c().address(), mesh.id()).info().address, b().address());
}

TEST_F(GroupTest, ARegionIsFoundPastANodeThatItOnlyPassedThrough) {
  const auto id = create(a(), "mesh").id();
  client_.start_migration(a().address(), {id}, client_.target(b().address(), "fast"), {}).wait(60'000);
  client_.start_migration(b().address(), {id}, client_.target(c().address(), "fast"), {}).wait(60'000);
  b().kill();  // Which is where a's record points.
  EXPECT_EQ(client_.region(a().address(), "mesh").info().address, c().address());
  EXPECT_EQ(client_.region(a().address(), id).info().address, c().address());
}

TEST_F(GroupTest, ADatabaseIsFoundToo) {
  godwit_client* client = nullptr;
  godwit_database* database = nullptr;
  godwit_database* same = nullptr;
  ASSERT_EQ(godwit_client_open(nullptr, &client), GODWIT_OK);
  ASSERT_EQ(godwit_database_create(client, a().address().c_str(), "steps", "map", nullptr, &database), GODWIT_OK);
  ASSERT_EQ(godwit_database_open(client, c().address().c_str(), "steps", &same), GODWIT_OK) << godwit_last_error();
  godwit_database_info info{};
  EXPECT_EQ(godwit_database_stat(same, &info), GODWIT_OK);
  EXPECT_EQ(info.address, a().address());
  EXPECT_STREQ(client_.locate(b().address(), "steps").kind, "database");
  godwit_database_close(same);
  godwit_database_close(database);
  godwit_client_close(client);
}

TEST_F(GroupTest, TwoOfOneNameAreBothNamed) {
  const auto first = create(a(), "twin"), second = create(b(), "twin");
  for (const auto& call : std::vector<std::function<void()>>{[&] { client_.region(c().address(), "twin"); },
                                                             [&] { client_.locate(c().address(), "twin"); },
                                                             [&] { client_.locate(a().address(), "twin"); }}) {
    EXPECT_EQ(code_of(call), GODWIT_ERR_EXISTS);
    const std::string text = text_of(call);
    EXPECT_TRUE(contains(text, a().address()) && contains(text, b().address())) << text;
  }
  // A node's own comes first, and an id means one of them.
  EXPECT_EQ(client_.region(a().address(), "twin").info().address, a().address());
  EXPECT_EQ(client_.region(c().address(), second.id()).info().address, b().address());
}

TEST_F(GroupTest, WhatNobodyHasIsNotFoundUnlessSomebodyIsSilent) {
  const std::vector<std::function<void()>> calls{
      [&] { client_.job(a().address(), kNobody); },
      [&] { client_.job_events(a().address(), kNobody); },
      [&] { client_.migration(a().address(), kNobody); },
      [&] { client_.region(a().address(), "nowhere"); },
      [&] { client_.region(a().address(), std::string(kNobody)); },
      [&] { client_.locate(a().address(), kNobody); },
  };
  for (size_t i = 0; i < calls.size(); ++i) EXPECT_EQ(code_of(calls[i]), GODWIT_ERR_NOT_FOUND) << i << text_of(calls[i]);
  c().kill();
  for (size_t i = 0; i < calls.size(); ++i) {
    EXPECT_EQ(code_of(calls[i]), GODWIT_ERR_UNREACHABLE) << i;
    const std::string text = text_of(calls[i]);
    EXPECT_TRUE(contains(text, c().address())) << i << ": " << text;
  }
}

TEST_F(GroupTest, AClientThatStaysIsToldWhereARegionIs) {
  const auto region = create(a(), "mesh");
  godwit::ClientOptions options = client_options();
  options.do_not_follow = 1;
  const godwit::Client staying(options);
  EXPECT_EQ(code_of([&] { staying.region(b().address(), "mesh"); }), GODWIT_ERR_MOVED);
  const std::string text = text_of([&] { staying.region(b().address(), "mesh"); });
  EXPECT_TRUE(contains(text, a().address())) << text;
}

TEST(Groupless, ANodeWithoutAGroupIsItsOnlyMember) {
  const Daemon alone, other;
  const godwit::Client client;
  const auto region = client.target(alone.address(), "fast").create(100, "mesh");
  const auto members = client.group(alone.address());
  ASSERT_EQ(members.size(), 1u);
  EXPECT_EQ(members[0].address, alone.address());
  EXPECT_EQ(client.locate(alone.address(), "mesh").address, alone.address());
  EXPECT_EQ(code_of([&] { client.locate(other.address(), "mesh"); }), GODWIT_ERR_NOT_FOUND);
  EXPECT_EQ(code_of([&] { client.region(other.address(), "mesh"); }), GODWIT_ERR_NOT_FOUND);
}

}  // namespace
