// Connecting: refusals, nobody there, strangers, many at once, and from thread to thread.
#include <netinet/in.h>
#include <sys/socket.h>

#include "fabric/address.hpp"
#include "fabric/little_endian.hpp"
#include "fixture.hpp"

namespace godwit::fabric {
namespace {

INSTANTIATE_TEST_SUITE_P(Providers, Handshake, testing::ValuesIn(providers()), provider_name);

TEST_P(Handshake, ARefusalArrivesWithItsCode) {
  Pair pair(GetParam());
  pair.server_side.take_incoming = [&](Incoming incoming) {
    pair.server->refuse(std::move(incoming), Refusal{Errc::kNotFound});
  };
  ASSERT_TRUE(pair.client->connect(pair.address, Hello{}, Deadline::after(5s)));
  ASSERT_TRUE(pair.run([&] { return pair.client_side.closed.has_value(); }));
  EXPECT_EQ(pair.client_side.closed->code, Errc::kNotFound);
  EXPECT_NE(pair.client_side.closed->text.find(to_string(pair.address)), std::string::npos) << pair.client_side.closed->text;
  EXPECT_TRUE(pair.client_side.opened.empty());
}

TEST_P(Handshake, AnIncomingThatIsDroppedIsRefusedAsBusy) {
  Pair pair(GetParam());
  pair.server_side.take_incoming = [](Incoming) {};
  ASSERT_TRUE(pair.client->connect(pair.address, Hello{}, Deadline::after(5s)));
  ASSERT_TRUE(pair.run([&] { return pair.client_side.closed.has_value(); }));
  EXPECT_EQ(pair.client_side.closed->code, Errc::kBusy);
}

TEST_P(Handshake, NobodyListeningIsAnErrorByTheDeadlineThatNamesTheAddress) {
  const std::string provider = GetParam();
  auto domain = open_domain(provider);
  const Address address{provider, provider == "shm" ? "godwit-nobody-there" : peer_host() + ":1"};
  const auto start = Clock::now();
  auto channel = Channel::connect(domain, address, Hello{}, Deadline::after(1s));
  EXPECT_LT(Clock::now() - start, 1500ms);
  ASSERT_FALSE(channel);
  EXPECT_TRUE(channel.error().code == Errc::kUnreachable || channel.error().code == Errc::kTimeout) << channel.error().text;
  EXPECT_NE(channel.error().text.find(to_string(address)), std::string::npos) << channel.error().text;
}

TEST_P(Handshake, TheSameLocationTwiceExists) {
  Pair pair(GetParam());
  auto other = *Hub::open(pair.domain, {});
  auto again = other->listen(pair.address.location);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Errc::kExists) << again.error().text;
}

TEST_P(Handshake, ALocationCanBeListenedAtAgainAfterItsHubIsGone) {
  auto domain = open_domain(GetParam());
  std::string location = free_location(GetParam());
  for (int i = 0; i < 3; ++i) {
    auto hub = *Hub::open(domain, {});
    auto listening = hub->listen(location);
    ASSERT_TRUE(listening) << listening.error().text;
    location = listening->location;
  }
}

TEST_P(Handshake, ReconnectsAfterAClose) {
  Pair pair(GetParam());
  for (int i = 0; i < 5; ++i) {
    pair.client_side = {};
    ASSERT_TRUE(pair.connect()) << i;
    ASSERT_TRUE(pair.client->send(pair.client_connection, random_bytes(5000, 1)));
    ASSERT_TRUE(pair.run([&] { return pair.server_side.messages.size() == static_cast<size_t>(i) + 1; })) << i;
    pair.client->close(pair.client_connection);
    pair.server_side.closed.reset();
    ASSERT_TRUE(pair.run([&] { return pair.server_side.closed.has_value(); })) << i;
  }
}

TEST_P(Handshake, AnotherThreadsHubMayAccept) {
  Pair pair(GetParam());
  std::optional<Incoming> handed;
  pair.server_side.take_incoming = [&](Incoming incoming) { handed.emplace(std::move(incoming)); };
  std::thread client([&] {
    auto channel = Channel::connect(pair.domain, pair.address, Hello{Purpose::kJob, {}}, Deadline::after(5s));
    ASSERT_TRUE(channel) << channel.error().text;
    ASSERT_TRUE(channel->send(random_bytes(50'000, 3)));
    auto answer = channel->wait(Deadline::after(5s));
    ASSERT_TRUE(answer) << answer.error().text;
    EXPECT_EQ(std::get<Message>(*answer), random_bytes(60'000, 4));
  });
  ASSERT_TRUE(run_until({{pair.server.get(), &pair.server_side}}, [&] { return handed.has_value(); }));
  std::thread worker([&] {
    auto channel = Channel::accept(pair.domain, std::move(*handed), Deadline::after(5s));
    ASSERT_TRUE(channel) << channel.error().text;
    auto request = channel->wait(Deadline::after(5s));
    ASSERT_TRUE(request) << request.error().text;
    EXPECT_EQ(std::get<Message>(*request), random_bytes(50'000, 3));
    ASSERT_TRUE(channel->send(random_bytes(60'000, 4)));
    EXPECT_EQ(channel->wait(Deadline::after(5s)).error().code, Errc::kPeerLost);
  });
  client.join();
  worker.join();
}

TEST_P(Handshake, TwoHundredConnectionsToOneHub) {
  constexpr size_t kConnections = 200;
  Pair pair(GetParam());
  std::vector<ConnectionId> ids;
  for (size_t i = 0; i < kConnections; ++i) {
    auto asked = pair.client->connect(pair.address, Hello{}, Deadline::after(10s));
    ASSERT_TRUE(asked) << asked.error().text;
    ids.push_back(*asked);
  }
  ASSERT_TRUE(
      pair.run([&] { return pair.client_side.opened.size() == kConnections && pair.server_side.opened.size() == kConnections; },
               10000ms))
      << pair.client_side.opened.size();
  pair.server_side.take_message = [&](ConnectionId id, std::span<const std::byte> message) {
    EXPECT_TRUE(pair.server->send(id, message));
  };
  for (size_t i = 0; i < kConnections; ++i) ASSERT_TRUE(pair.client->send(ids[i], random_bytes(2000, i)));
  ASSERT_TRUE(pair.run([&] { return pair.client_side.messages.size() == kConnections; }));
}

TEST_P(Handshake, AnAddressOfAnotherProviderIsInvalid) {
  Pair pair(GetParam());
  EXPECT_EQ(pair.client->connect({"carrier-pigeon", "10.0.0.1:1"}, Hello{}, Deadline::after(1s)).error().code, Errc::kInvalid);
}

TEST(MsgHandshake, ForeignBytesOnThePortHarmNobody) {
  Pair pair("tcp");
  const int stranger = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(std::stoi(pair.address.location.substr(pair.address.location.find(':') + 1))));
  ASSERT_EQ(connect(stranger, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(send(stranger, "GET / HTTP/1.1\r\n\r\n and a good deal more, so that any header is complete", 60, 0), 60);
  EXPECT_TRUE(pair.connect());
  close(stranger);
}

TEST(MsgHandshake, WorksOverIpv6) {
  auto domain = open_domain("tcp");
  auto server = *Hub::open(domain, {});
  auto listening = server->listen("[::1]:0");
  if (!listening) GTEST_SKIP() << "no IPv6 here: " << listening.error().text;
  Recorder server_side;
  Recorder client_side;
  server_side.take_incoming = [&](Incoming incoming) { EXPECT_TRUE(server->accept(std::move(incoming))); };
  auto client = *Hub::open(domain, {});
  ASSERT_TRUE(listening->location.starts_with("[::1]:")) << listening->location;
  ASSERT_TRUE(client->connect(*listening, Hello{}, Deadline::after(5s)));
  EXPECT_TRUE(run_until({{server.get(), &server_side}, {client.get(), &client_side}},
                        [&] { return !client_side.opened.empty() && !server_side.opened.empty(); }));
}

TEST(HelloBytes, AreAsDocumented) {
  const auto bytes = encode(Hello{Purpose::kStream, Id{0x0102030405060708, 0x1112131415161718}});
  const std::vector<unsigned> expected{'G', 'D', 'W', 'T', 4,    0,    3,    0,    8,    7,    6,    5,
                                       4,   3,   2,   1,   0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11};
  ASSERT_EQ(bytes.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(std::to_integer<unsigned>(bytes[i]), expected[i]) << i;
  auto decoded = decode_hello(bytes);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->purpose, Purpose::kStream);
  EXPECT_EQ(decoded->token, (Id{0x0102030405060708, 0x1112131415161718}));
}

TEST(HelloBytes, OfAnotherVersionNameBoth) {
  auto bytes = encode(Hello{});
  put_le(&bytes[4], uint16_t{9});
  auto decoded = decode_hello(bytes);
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().code, Errc::kVersion);
  EXPECT_NE(decoded.error().text.find("version 9"), std::string::npos);
}

TEST(HelloBytes, OfStrangersAreAProtocolError) {
  EXPECT_EQ(decode_hello({}).error().code, Errc::kProtocol);
  EXPECT_EQ(decode_hello(random_bytes(24, 1)).error().code, Errc::kProtocol);
  auto bytes = encode(Hello{});
  EXPECT_EQ(decode_hello(std::span(bytes).first(23)).error().code, Errc::kProtocol);
  bytes[6] = std::byte{200};
  EXPECT_EQ(decode_hello(bytes).error().code, Errc::kProtocol);
}

TEST(HelloBytes, RefusalsKeepTheirCode) {
  const auto bytes = encode(Refusal{Errc::kLimit});
  auto decoded = decode_refusal(bytes);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->code, Errc::kLimit);
}

TEST(AddressText, RoundTrips) {
  for (const std::string text : {"tcp://10.0.0.1:7411", "shm://node-a", "tcp;ofi_rxm://[::1]:1"}) {
    auto address = parse_address(text);
    ASSERT_TRUE(address);
    EXPECT_EQ(to_string(*address), text);
  }
}

TEST(AddressText, ThatIsNoneIsInvalid) {
  for (const std::string& text : {std::string("tcp:/x"), std::string("://x"), std::string("tcp://"), std::string(),
                                  std::string("tcp://a\nb"), "tcp://" + std::string(300, 'x')}) {
    EXPECT_EQ(parse_address(text).error().code, Errc::kInvalid) << text;
  }
}

}  // namespace
}  // namespace godwit::fabric
