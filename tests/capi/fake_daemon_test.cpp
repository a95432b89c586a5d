// How the client takes daemons that answer late, wrongly, elsewhere, or not at all.
#include <godwit/godwit.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "support/fake_daemon.hpp"

namespace {

using godwit::Errc;
using godwit::Error;
using godwit::test::FakeDaemon;
namespace wire = godwit::wire;
using Bytes = std::span<const std::byte>;
using Connection = godwit::fabric::ConnectionId;
using Request = godwit::protocol::Decoded;

const wire::Id kRegion(1, 2);
constexpr const char* kRegionText = "00000000000000010000000000000002";

template <auto F>
struct Closer {
  template <class T>
  void operator()(T* handle) const {
    F(handle);
  }
};
using ClientPtr = std::unique_ptr<godwit_client, Closer<&godwit_client_close>>;
using RegionPtr = std::unique_ptr<godwit_region, Closer<&godwit_region_close>>;
using TargetPtr = std::unique_ptr<godwit_target, Closer<&godwit_target_close>>;

ClientPtr open_client(uint32_t operation_timeout_ms = 5'000) {
  godwit_client_options options = GODWIT_CLIENT_OPTIONS_INIT;
  options.operation_timeout_ms = operation_timeout_ms;
  godwit_client* client = nullptr;
  EXPECT_EQ(godwit_client_open(&options, &client), GODWIT_OK);
  return ClientPtr(client);
}

RegionPtr open_region(const ClientPtr& client, const FakeDaemon& daemon) {
  godwit_region* region = nullptr;
  EXPECT_EQ(godwit_region_open(client.get(), daemon.address().c_str(), kRegionText, &region), GODWIT_OK) << godwit_last_error();
  return RegionPtr(region);
}

Bytes region_reply(FakeDaemon& daemon, uint64_t number) {
  auto& builder = daemon.encoder().builder();
  const auto entry = wire::CreateRegionEntryDirect(builder, &kRegion, 1, 100, "", "fast", daemon.address().c_str());
  return daemon.encoder().finish(number, wire::CreateRegionReply(builder, entry));
}

Bytes done(FakeDaemon& daemon, uint64_t number) {
  return daemon.encoder().finish(number, wire::CreateDoneReply(daemon.encoder().builder()));
}

Bytes pong(FakeDaemon& daemon, uint64_t number) {
  return daemon.encoder().finish(number, wire::CreatePingReplyDirect(daemon.encoder().builder(), &kRegion, "", "0.1.0"));
}

// Answers what opens handles; `rest` answers all else.
FakeDaemon::Script with_handles(FakeDaemon::Script rest) {
  return [rest = std::move(rest)](FakeDaemon& daemon, Connection connection, const Request& request) -> Bytes {
    auto& builder = daemon.encoder().builder();
    switch (request.type()) {
      case wire::Body::RegionStatRequest: return region_reply(daemon, request.request());
      case wire::Body::TargetListRequest: {
        const std::vector targets{wire::CreateTargetEntryDirect(builder, "fast", "dram", "none", 100, 0, 100, 0)};
        return daemon.encoder().finish(request.request(), wire::CreateTargetListReplyDirect(builder, &targets));
      }
      default: return rest(daemon, connection, request);
    }
  };
}

TEST(Replies, LateOnesToEarlierRequestsAreIgnored) {
  FakeDaemon daemon([](FakeDaemon& self, Connection connection, const Request& request) {
    self.send(connection, done(self, request.request() - 1));
    self.send(connection, done(self, request.request() + 7));
    return pong(self, request.request());
  });
  const ClientPtr client = open_client();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(godwit_ping(client.get(), daemon.address().c_str(), nullptr), GODWIT_OK);
}

TEST(Replies, AnswerToAnotherQuestionIsAProtocolError) {
  FakeDaemon daemon([](FakeDaemon& self, Connection, const Request& request) { return done(self, request.request()); });
  const ClientPtr client = open_client();
  EXPECT_EQ(godwit_ping(client.get(), daemon.address().c_str(), nullptr), GODWIT_ERR_PROTOCOL);
  EXPECT_NE(std::string(godwit_last_error()).find(daemon.address()), std::string::npos) << godwit_last_error();
}

TEST(Replies, DamagedOneIsAProtocolErrorAndTheNextCallWorks) {
  int asked = 0;
  FakeDaemon daemon([&](FakeDaemon& self, Connection, const Request& request) -> Bytes {
    static constexpr std::array<std::byte, 40> kGarbage{std::byte{40}};
    return ++asked == 1 ? Bytes(kGarbage) : pong(self, request.request());
  });
  const ClientPtr client = open_client();
  EXPECT_EQ(godwit_ping(client.get(), daemon.address().c_str(), nullptr), GODWIT_ERR_PROTOCOL);
  EXPECT_EQ(godwit_ping(client.get(), daemon.address().c_str(), nullptr), GODWIT_OK);
  EXPECT_EQ(daemon.connections(), 2);
}

TEST(Replies, ErrorsOfUnknownNumbersAreInternal) {
  FakeDaemon daemon([](FakeDaemon& self, Connection, const Request& request) {
    return self.encoder().error(request.request(), Error{static_cast<Errc>(-999), "from the\nfuture"});
  });
  const ClientPtr client = open_client();
  EXPECT_EQ(godwit_ping(client.get(), daemon.address().c_str(), nullptr), GODWIT_ERR_INTERNAL);
  EXPECT_NE(std::string(godwit_last_error()).find("from the\\x0afuture"), std::string::npos) << godwit_last_error();
}

TEST(Replies, SilenceEndsAtTheOperationTimeout) {
  FakeDaemon daemon([](FakeDaemon&, Connection, const Request&) { return Bytes{}; });
  const ClientPtr client = open_client(200);
  EXPECT_EQ(godwit_ping(client.get(), daemon.address().c_str(), nullptr), GODWIT_ERR_TIMEOUT);
  EXPECT_NE(std::string(godwit_last_error()).find(daemon.address()), std::string::npos) << godwit_last_error();
}

// A daemon that clears or flushes gigabytes says nothing for longer than other peers may.
TEST(Replies, SilenceOfSixSecondsIsBorne) {
  FakeDaemon daemon([](FakeDaemon& self, Connection, const Request& request) {
    std::this_thread::sleep_for(std::chrono::seconds(6));
    return pong(self, request.request());
  });
  const ClientPtr client = open_client(20'000);
  EXPECT_EQ(godwit_ping(client.get(), daemon.address().c_str(), nullptr), GODWIT_OK) << godwit_last_error();
}

TEST(Replies, ShortReadIsAProtocolErrorAndLeavesTheBufferAlone) {
  FakeDaemon daemon(with_handles([](FakeDaemon& self, Connection, const Request& request) {
    const std::vector<uint8_t> three{1, 2, 3};
    return self.encoder().finish(request.request(), wire::CreateRegionReadReplyDirect(self.encoder().builder(), &three));
  }));
  const ClientPtr client = open_client();
  const RegionPtr region = open_region(client, daemon);
  std::array<char, 4> bytes{'a', 'b', 'c', 'd'};
  EXPECT_EQ(godwit_region_read(region.get(), 0, bytes.data(), 4), GODWIT_ERR_PROTOCOL);
  EXPECT_EQ(bytes, (std::array<char, 4>{'a', 'b', 'c', 'd'}));
}

TEST(Replies, ListThatDoesNotAdvanceEnds) {
  FakeDaemon daemon([](FakeDaemon& self, Connection, const Request& request) {
    auto& builder = self.encoder().builder();
    const std::vector regions{wire::CreateRegionEntryDirect(builder, &kRegion, 1, 100, "", "fast", "")};
    return self.encoder().finish(request.request(), wire::CreateRegionListReplyDirect(builder, &regions, true));
  });
  const ClientPtr client = open_client();
  godwit_region_info* infos = nullptr;
  size_t count = 0;
  EXPECT_EQ(godwit_region_list(client.get(), daemon.address().c_str(), nullptr, &infos, &count), GODWIT_ERR_PROTOCOL);
  EXPECT_EQ(infos, nullptr);
  int told = 0;
  const auto count_it = [](const godwit_region_info*, void* context) { return ++*static_cast<int*>(context) < 0 ? 1 : 0; };
  EXPECT_EQ(godwit_region_each(client.get(), daemon.address().c_str(), nullptr, count_it, &told), GODWIT_ERR_PROTOCOL);
  EXPECT_EQ(told, 2);
}

// What a call exposes of its caller's memory it exposes until it returns: to who answers it, and to nobody any later.
TEST(Windows, CloseWithTheirCall) {
  const std::vector<std::byte> secret(100'000, std::byte{42});
  // The daemon's thread's, until it is gone.
  godwit::fabric::RemoteMemory window;
  std::optional<godwit::Result<>> during, after;
  std::vector<std::byte> seen;
  {
    FakeDaemon daemon(with_handles([&](FakeDaemon& self, Connection connection, const Request& request) -> Bytes {
      const uint64_t number = request.request();
      if (const auto* write = request.body<wire::RegionWriteRequest>()) {
        window = {write->window()->address(), write->window()->key(), write->window()->length_bytes()};
        self.read(connection, window, 4096, [&, connection, number](godwit::Result<> outcome) {
          during = std::move(outcome);
          seen.assign(self.bytes_read().begin(), self.bytes_read().end());
          self.send(connection, done(self, number));
        });
        return {};
      }
      if (after) return pong(self, number);  // The connection may have ended with the read.
      self.read(connection, window, 4096, [&, connection, number](godwit::Result<> outcome) {
        after = std::move(outcome);
        if (!*after) self.send(connection, pong(self, number));
      });
      return {};
    }));
    const ClientPtr client = open_client();
    const RegionPtr region = open_region(client, daemon);
    ASSERT_EQ(godwit_region_write(region.get(), 0, secret.data(), secret.size()), GODWIT_OK) << godwit_last_error();
    EXPECT_EQ(godwit_ping(client.get(), daemon.address().c_str(), nullptr), GODWIT_OK) << godwit_last_error();
  }
  ASSERT_TRUE(during && *during) << (during ? during->error().text : "never ended");
  EXPECT_EQ(window.length_bytes, secret.size());
  EXPECT_EQ(seen, std::vector<std::byte>(4096, std::byte{42}));
  ASSERT_TRUE(after) << "never ended";
  EXPECT_FALSE(*after) << "memory was read that nobody exposes any more";
}

TEST(Moved, CircleOfNodesEndsAfterSixteenHops) {
  FakeDaemon daemon(with_handles([](FakeDaemon& self, Connection, const Request& request) {
    return self.encoder().error(request.request(), Error{Errc::kMoved, "moved on"}, self.address(), "fast");
  }));
  const ClientPtr client = open_client();
  const RegionPtr region = open_region(client, daemon);
  const int before = daemon.messages();
  EXPECT_EQ(godwit_region_write(region.get(), 0, "x", 1), GODWIT_ERR_MOVED);
  EXPECT_EQ(daemon.messages() - before, 17);
}

TEST(Moved, NewPlaceIsRememberedByTheHandle) {
  FakeDaemon there(
      with_handles([](FakeDaemon& self, Connection, const Request& request) { return done(self, request.request()); }));
  FakeDaemon here(with_handles([&](FakeDaemon& self, Connection, const Request& request) {
    return self.encoder().error(request.request(), Error{Errc::kMoved, "moved on"}, there.address(), "fast");
  }));
  const ClientPtr client = open_client();
  const RegionPtr region = open_region(client, here);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(godwit_region_write(region.get(), 0, "x", 1), GODWIT_OK);
  EXPECT_EQ(here.messages(), 2);  // The open, and the first write.
  EXPECT_EQ(there.messages(), 3);
}

TEST(Moved, WithoutAnAddressItIsTheCallersError) {
  FakeDaemon daemon(with_handles([](FakeDaemon& self, Connection, const Request& request) {
    return self.encoder().error(request.request(), Error{Errc::kMoved, "moved, who knows where"});
  }));
  const ClientPtr client = open_client();
  EXPECT_EQ(godwit_region_write(open_region(client, daemon).get(), 0, "x", 1), GODWIT_ERR_MOVED);
}

TEST(Busy, WriteWaitsUntilTheRegionServesAgain) {
  int asked = 0;
  FakeDaemon daemon(with_handles([&](FakeDaemon& self, Connection, const Request& request) {
    return ++asked < 5 ? self.encoder().error(request.request(), Error{Errc::kBusy, "quiesced"})
                       : done(self, request.request());
  }));
  const ClientPtr client = open_client();
  EXPECT_EQ(godwit_region_write(open_region(client, daemon).get(), 0, "x", 1), GODWIT_OK);
  EXPECT_EQ(daemon.connections(), 1);
}

TEST(Busy, LargeWriteWaitsToo) {
  int asked = 0;
  FakeDaemon daemon(with_handles([&](FakeDaemon& self, Connection, const Request& request) {
    return ++asked < 5 ? self.encoder().error(request.request(), Error{Errc::kBusy, "quiesced"})
                       : done(self, request.request());
  }));
  const ClientPtr client = open_client();
  const std::vector<char> large(100'000);
  EXPECT_EQ(godwit_region_write(open_region(client, daemon).get(), 0, large.data(), large.size()), GODWIT_OK);
}

TEST(Busy, WriteGivesUpAtTheOperationTimeout) {
  FakeDaemon daemon(with_handles([](FakeDaemon& self, Connection, const Request& request) {
    return self.encoder().error(request.request(), Error{Errc::kBusy, "quiesced"});
  }));
  const ClientPtr client = open_client(300);
  EXPECT_EQ(godwit_region_write(open_region(client, daemon).get(), 0, "x", 1), GODWIT_ERR_BUSY);
}

TEST(Busy, EraseDoesNotWait) {
  FakeDaemon daemon(with_handles([](FakeDaemon& self, Connection, const Request& request) {
    return self.encoder().error(request.request(), Error{Errc::kBusy, "it is being migrated"});
  }));
  const ClientPtr client = open_client();
  const RegionPtr region = open_region(client, daemon);
  const int before = daemon.messages();
  EXPECT_EQ(godwit_region_erase(region.get()), GODWIT_ERR_BUSY);
  EXPECT_EQ(daemon.messages() - before, 1);
}

TEST(BrokenConnection, WriteIsSentOnceMoreOnAFreshOne) {
  std::atomic<int> asked = 0;  // Counted by the daemon's thread.
  FakeDaemon daemon(with_handles([&](FakeDaemon& self, Connection connection, const Request& request) -> Bytes {
    if (++asked > 1) return done(self, request.request());
    self.hang_up(connection);
    return {};
  }));
  const ClientPtr client = open_client();
  EXPECT_EQ(godwit_region_write(open_region(client, daemon).get(), 0, "x", 1), GODWIT_OK);
  EXPECT_EQ(asked.load(), 2);
}

TEST(BrokenConnection, WriteIsNotSentAThirdTime) {
  FakeDaemon daemon(with_handles([](FakeDaemon& self, Connection connection, const Request&) -> Bytes {
    self.hang_up(connection);
    return {};
  }));
  const ClientPtr client = open_client();
  const RegionPtr region = open_region(client, daemon);
  const int before = daemon.messages();
  EXPECT_EQ(godwit_region_write(region.get(), 0, "x", 1), GODWIT_ERR_PEER_LOST);
  EXPECT_EQ(daemon.messages() - before, 2);
}

TEST(BrokenConnection, CreateIsSentOnce) {
  FakeDaemon daemon(with_handles([](FakeDaemon& self, Connection connection, const Request&) -> Bytes {
    self.hang_up(connection);
    return {};
  }));
  const ClientPtr client = open_client();
  godwit_target* target = nullptr;
  godwit_region* region = nullptr;
  ASSERT_EQ(godwit_target_open(client.get(), daemon.address().c_str(), "fast", &target), GODWIT_OK);
  const TargetPtr owner(target);
  const int before = daemon.messages();
  EXPECT_EQ(godwit_region_create(target, "once", 10, &region), GODWIT_ERR_PEER_LOST);
  EXPECT_EQ(daemon.messages() - before, 1);
}

TEST(BrokenConnection, CreateFindsOutBeforeItSends) {
  bool is_new = true;
  FakeDaemon daemon(with_handles([&](FakeDaemon& self, Connection connection, const Request& request) -> Bytes {
    if (request.type() == wire::Body::RegionCreateRequest) return region_reply(self, request.request());
    if (!is_new) return pong(self, request.request());
    is_new = false;
    self.send(connection, pong(self, request.request()));
    self.hang_up(connection);  // After the answer, while the client's connection rests.
    return {};
  }));
  const ClientPtr client = open_client();
  godwit_target* target = nullptr;
  godwit_region* region = nullptr;
  ASSERT_EQ(godwit_target_open(client.get(), daemon.address().c_str(), "fast", &target), GODWIT_OK);
  const TargetPtr owner(target);
  ASSERT_EQ(godwit_ping(client.get(), daemon.address().c_str(), nullptr), GODWIT_OK) << godwit_last_error();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_EQ(godwit_region_create(target, "once", 10, &region), GODWIT_OK) << godwit_last_error();
  godwit_region_close(region);
}

}  // namespace
