// Peers that die, fall silent, or go without a word.
#include "child.hpp"

namespace godwit::fabric {
namespace {

INSTANTIATE_TEST_SUITE_P(Providers, Peer, testing::ValuesIn(providers()), provider_name);

HubSettings impatient() {
  HubSettings settings;
  settings.heartbeat = 100ms;
  settings.peer_timeout = 1000ms;
  return settings;
}

TEST_P(Peer, KilledIsNoticedWithinThePeerTimeout) {
  ToChild peer(GetParam(), 4096, impatient());
  ASSERT_TRUE(peer.channel);
  peer.stop();
  const auto start = Clock::now();
  peer.child.kill_now();
  auto event = peer.channel->wait(Deadline::after(5s));
  ASSERT_FALSE(event);
  EXPECT_EQ(event.error().code, Errc::kPeerLost) << event.error().text;
  EXPECT_NE(event.error().text.find(peer.address.location), std::string::npos) << event.error().text;
  EXPECT_LT(Clock::now() - start, 2500ms);
  EXPECT_EQ(peer.channel->send(random_bytes(10, 1)).error().code, Errc::kPeerLost) << "and it stays so";
}

TEST_P(Peer, KilledEndsItsOutstandingReadsBeforeOnClosed) {
  constexpr size_t kEach = 1 << 20;
  ToChild peer(GetParam(), 32 * kEach, impatient());
  ASSERT_TRUE(peer.channel);
  peer.stop();  // So that reads stay under way where the target's processor takes part.
  for (uint64_t i = 0; i < 32; ++i) {
    ASSERT_TRUE(peer.channel->read(std::span(peer.local).subspan(i * kEach, kEach), *peer.registration, peer.remote, i * kEach,
                                   i, Deadline::after(5s)));
  }
  peer.child.kill_now();
  size_t ended = 0;
  for (;;) {
    auto event = peer.channel->wait(Deadline::after(5s));
    if (!event) {
      EXPECT_EQ(event.error().code, Errc::kPeerLost) << event.error().text;
      break;
    }
    if (std::holds_alternative<RmaDone>(*event)) ++ended;
  }
  EXPECT_EQ(ended, 32u);
  // The buffers are ours again: nothing may land in them any more.
  std::fill(peer.local.begin(), peer.local.end(), std::byte{0});
}

TEST_P(Peer, ReadsFromAKilledPeerFail) {
  ToChild peer(GetParam(), 4096, impatient());
  ASSERT_TRUE(peer.channel);
  peer.stop();
  peer.child.kill_now();
  auto posted = peer.channel->read(peer.local, *peer.registration, peer.remote, 0, 1, Deadline::after(3s));
  if (posted) {
    auto event = peer.channel->wait(Deadline::after(5s));
    if (event && std::holds_alternative<RmaDone>(*event)) {
      EXPECT_FALSE(std::get<RmaDone>(*event).outcome);
    }
  }
  for (auto event = peer.channel->wait(Deadline::after(5s)); event; event = peer.channel->wait(Deadline::after(5s))) {
  }
}

TEST_P(Peer, ThatStopsLookingIsLost) {
  ToChild peer(GetParam(), 4096, impatient());
  ASSERT_TRUE(peer.channel);
  peer.stop();
  const auto start = Clock::now();
  auto event = peer.channel->wait(Deadline::after(5s));
  ASSERT_FALSE(event);
  EXPECT_EQ(event.error().code, Errc::kPeerLost) << event.error().text;
  EXPECT_GT(Clock::now() - start, 900ms);
  EXPECT_LT(Clock::now() - start, 2500ms);
}

TEST_P(Peer, SilentConnectionsLiveByHeartbeats) {
  HubSettings settings = impatient();
  settings.peer_timeout = 400ms;
  Pair pair(GetParam(), settings);
  ASSERT_TRUE(pair.connect());
  EXPECT_FALSE(pair.run([&] { return pair.client_side.closed || pair.server_side.closed; }, 1500ms));
  ASSERT_TRUE(pair.client->send(pair.client_connection, random_bytes(10, 1)));
  EXPECT_TRUE(pair.run([&] { return pair.server_side.messages.size() == 1; }));
}

TEST_P(Peer, OurOwnAbsenceIsNotItsSilence) {
  HubSettings settings = impatient();
  settings.peer_timeout = 300ms;
  ToChild peer(GetParam(), 4096, settings);
  ASSERT_TRUE(peer.channel);
  std::this_thread::sleep_for(1s);  // Computing, say: longer than the peer timeout.
  ASSERT_TRUE(peer.channel->send(random_bytes(100, 1)));
  auto event = peer.channel->wait(Deadline::after(2s));
  EXPECT_TRUE(event) << event.error().text;
}

TEST_P(Peer, ThatLeavesBeforeItWasSeenHarmsNobody) {
  Pair pair(GetParam());
  pair.server_side.take_incoming = [](Incoming) {};
  {
    Child child({"leave", to_string(pair.address)});
    EXPECT_EQ(child.wait(), 0);
    EXPECT_FALSE(pair.run([] { return false; }, 300ms)) << "this is where it would crash";
  }
  pair.server_side.take_incoming = [&](Incoming incoming) { EXPECT_TRUE(pair.server->accept(std::move(incoming))); };
  EXPECT_TRUE(pair.connect());
}

TEST_P(Peer, KilledListenerMayStartAgainAtOnce) {
  const std::string provider = GetParam();
  std::string location = free_location(provider, peer_host());
  for (int i = 0; i < 3; ++i) {
    Child child({"serve", provider, location, "4096", "50"});
    const Address address = child.address();
    location = address.location;
    auto channel = Channel::connect(open_domain(provider), address, Hello{}, Deadline::after(5s));
    ASSERT_TRUE(channel) << channel.error().text;
    const std::string stop = "stop";
    ASSERT_TRUE(channel->send(std::as_bytes(std::span(stop))));
    EXPECT_EQ(child.line(), "stopped");
    if (i == 0 && provider == "shm") {
      // Left as a crash leaves it: Child removes the file of the next rounds only.
      child.kill_now();
      ASSERT_TRUE(std::filesystem::exists("/dev/shm/" + location));
      Child next({"serve", provider, location, "4096", "50"});
      EXPECT_EQ(next.address().location, location);
    }
  }
}

}  // namespace
}  // namespace godwit::fabric
