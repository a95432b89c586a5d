// Messages: whole, in order, of every size.
#include "fixture.hpp"

namespace godwit::fabric {
namespace {

INSTANTIATE_TEST_SUITE_P(Providers, Fabric, testing::ValuesIn(providers()), provider_name);

TEST_P(Fabric, HelloReachesTheListener) {
  Pair pair(GetParam());
  ASSERT_TRUE(pair.connect());
  EXPECT_EQ(pair.hello.purpose, Purpose::kStream);
  EXPECT_EQ(pair.hello.token, (Id{1, 2}));
  EXPECT_NE(pair.client->peer(pair.client_connection).find(pair.address.location), std::string::npos);
  EXPECT_TRUE(pair.server->peer(pair.server_connection).starts_with(pair.address.provider + "://"));
}

TEST_P(Fabric, MessagesArriveWholeAndInOrderInBothDirections) {
  Pair pair(GetParam());
  ASSERT_TRUE(pair.connect());
  std::vector<std::vector<std::byte>> sent;
  for (const size_t size : {size_t{1}, size_t{2}, size_t{100}, size_t{4096}, kPacketBytes - 24, kPacketBytes - 23,
                            size_t{100'000}, size_t{1} << 20, size_t{8} << 20, size_t{3}}) {
    sent.push_back(random_bytes(size, size));
    ASSERT_TRUE(pair.client->send(pair.client_connection, sent.back()));
    ASSERT_TRUE(pair.server->send(pair.server_connection, sent.back()));
  }
  ASSERT_TRUE(pair.run([&] { return pair.server_side.messages.size() == 10 && pair.client_side.messages.size() == 10; }));
  EXPECT_EQ(pair.server_side.messages, sent);
  EXPECT_EQ(pair.client_side.messages, sent);
}

TEST_P(Fabric, ManySmallMessagesKeepTheirOrder) {
  Pair pair(GetParam());
  ASSERT_TRUE(pair.connect());
  for (uint64_t i = 0; i < 5000; ++i) ASSERT_TRUE(pair.client->send(pair.client_connection, random_bytes(1 + i % 300, i)));
  ASSERT_TRUE(pair.run([&] { return pair.server_side.messages.size() == 5000; }));
  for (uint64_t i = 0; i < 5000; ++i) ASSERT_EQ(pair.server_side.messages[i], random_bytes(1 + i % 300, i)) << i;
}

TEST_P(Fabric, WhatWasSentBeforeCloseArrivesBeforeOnClosed) {
  Pair pair(GetParam());
  ASSERT_TRUE(pair.connect());
  std::thread closer([&] {
    for (uint64_t i = 0; i < 100; ++i) ASSERT_TRUE(pair.client->send(pair.client_connection, random_bytes(20'000, i)));
    pair.client->close(pair.client_connection);
  });
  ASSERT_TRUE(run_until({{pair.server.get(), &pair.server_side}}, [&] { return pair.server_side.closed.has_value(); }));
  closer.join();
  EXPECT_EQ(pair.server_side.messages.size(), 100u);
  EXPECT_EQ(pair.server_side.closed->code, Errc::kPeerLost);
}

TEST_P(Fabric, MessagesOutsideTheLimitsAreRefused) {
  HubSettings settings;
  settings.message_bytes_max = 1000;
  Pair pair(GetParam(), settings);
  ASSERT_TRUE(pair.connect());
  EXPECT_EQ(pair.client->send(pair.client_connection, {}).error().code, Errc::kLimit);
  EXPECT_EQ(pair.client->send(pair.client_connection, random_bytes(1001, 1)).error().code, Errc::kLimit);
  EXPECT_TRUE(pair.client->send(pair.client_connection, random_bytes(1000, 1)));
  EXPECT_EQ(pair.client->send(ConnectionId{7}, random_bytes(1, 1)).error().code, Errc::kPeerLost);
}

TEST_P(Fabric, WhatWaitsToBeWholeIsBounded) {
  HubSettings settings;
  settings.buffered_bytes_max = 1 << 20;
  Pair pair(GetParam(), settings);
  pair.client = *Hub::open(pair.domain, {});
  ASSERT_TRUE(pair.connect());
  ASSERT_TRUE(pair.client->send(pair.client_connection, random_bytes(8 << 20, 1)));
  ASSERT_TRUE(pair.run([&] { return pair.server_side.closed && pair.client_side.closed; }));
  EXPECT_EQ(pair.server_side.closed->code, Errc::kLimit) << pair.server_side.closed->text;
  EXPECT_TRUE(pair.server_side.messages.empty());
  // Others are served.
  pair.client_side = {};
  ASSERT_TRUE(pair.connect());
  ASSERT_TRUE(pair.client->send(pair.client_connection, random_bytes(500'000, 2)));
  EXPECT_TRUE(pair.run([&] { return pair.server_side.messages.size() == 1; }));
}

TEST_P(Fabric, WhatWaitsToBeTakenIsBounded) {
  HubSettings settings;
  settings.buffered_bytes_max = 1 << 20;
  Pair pair(GetParam(), settings);
  ASSERT_TRUE(pair.connect());
  const auto message = random_bytes(500'000, 1);
  for (int i = 0; i < 10; ++i) [[maybe_unused]] const auto sent = pair.server->send(pair.server_connection, message);
  ASSERT_TRUE(run_until({{pair.server.get(), &pair.server_side}}, [&] { return pair.server_side.closed.has_value(); }));
  EXPECT_EQ(pair.server_side.closed->code, Errc::kLimit) << pair.server_side.closed->text;
}

}  // namespace
}  // namespace godwit::fabric
