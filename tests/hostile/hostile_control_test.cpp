// Clients that send what no client of ours sends.
#include <random>

#include "hostile/hostile_peer.hpp"

namespace {

using godwit::Errc;
using godwit::test::Hostile;
using godwit::test::HostilePeer;
using godwit::test::kHuge;
namespace fabric = godwit::fabric;
namespace protocol = godwit::protocol;
namespace wire = godwit::wire;

std::vector<std::byte> copy_of(std::span<const std::byte> bytes) { return {bytes.begin(), bytes.end()}; }

// Valid requests of every kind that changes nothing, to be damaged.
std::vector<std::vector<std::byte>> harmless_requests(const wire::Id& region) {
  protocol::Encoder encoder;
  auto& builder = encoder.builder();
  const wire::Id zero(0, 0);
  std::vector<std::vector<std::byte>> all;
  all.push_back(copy_of(encoder.finish(1, wire::CreatePingRequest(builder))));
  all.push_back(copy_of(encoder.finish(2, wire::CreateTargetListRequest(builder))));
  all.push_back(copy_of(encoder.finish(3, wire::CreateRegionStatRequestDirect(builder, &region, "name"))));
  all.push_back(copy_of(encoder.finish(4, wire::CreateRegionListRequestDirect(builder, "keep", &zero, 10))));
  all.push_back(copy_of(encoder.finish(5, wire::CreateRegionReadRequest(builder, &region, 100, 1000))));
  all.push_back(copy_of(encoder.finish(6, wire::CreateRegionPersistRequest(builder, &region, 0, 4096))));
  all.push_back(copy_of(encoder.finish(7, wire::CreateJobRequest(builder, &zero, 0, wire::JobAction::cancel))));
  all.push_back(copy_of(encoder.finish(8, wire::CreateJobResultsRequest(builder, &zero, 7, 9))));
  all.push_back(copy_of(encoder.finish(9, wire::CreateDecisionRequest(builder, &zero))));
  return all;
}

TEST_F(Hostile, DamagedRequestsEndTheConnectionAtMost) {
  const auto requests = harmless_requests(region_id());
  std::mt19937 random(7);
  std::optional<HostilePeer> peer;
  int refused = 0;
  for (int round = 0; round < 2'000; ++round) {
    if (!peer || !peer->is_open()) peer.emplace(control());
    auto bytes = requests[random() % requests.size()];
    if (round % 3 == 0)
      bytes.resize(1 + random() % bytes.size());
    else
      for (unsigned damages = 1 + random() % 4; damages > 0; --damages)
        bytes[random() % bytes.size()] = static_cast<std::byte>(random());
    const Errc refusal = peer->send(bytes) ? peer->refusal() : Errc::kPeerLost;
    EXPECT_NE(refusal, Errc::kTimeout) << "no answer in round " << round;
    if (refusal != Errc{}) ++refused;
  }
  EXPECT_GT(refused, 500);
}

TEST_F(Hostile, NoiseIsAProtocolErrorAndEndsTheConnection) {
  std::mt19937 random(8);
  for (const size_t length : {1u, 3u, 4u, 8u, 100u, 16'384u, 16'385u, 1'000'000u}) {
    std::vector<std::byte> noise(length);
    for (std::byte& byte : noise) byte = static_cast<std::byte>(random());
    HostilePeer peer = control();
    ASSERT_TRUE(peer.send(noise));
    EXPECT_EQ(peer.refusal(), Errc::kProtocol) << length;
    EXPECT_EQ(peer.refusal(), Errc::kPeerLost) << length;
  }
}

TEST_F(Hostile, RangesThatWrapAreRefused) {
  HostilePeer peer = control();
  const wire::Id id = region_id();
  const std::pair<uint64_t, uint64_t> ranges[] = {
      {UINT64_MAX, 2}, {UINT64_MAX - 10, 100}, {kHuge, kHuge}, {4096, 1}, {4000, 97}, {0, 4097}, {1, UINT64_MAX}};
  for (const auto& [offset, length] : ranges) {
    EXPECT_EQ(peer.refusal_of(wire::CreateRegionReadRequest(peer.builder(), &id, offset, length)), Errc::kRange) << offset;
    EXPECT_EQ(peer.refusal_of(wire::CreateRegionPersistRequest(peer.builder(), &id, offset, length)), Errc::kRange) << offset;
  }
  const std::vector<uint8_t> data(100);
  EXPECT_EQ(peer.refusal_of(wire::CreateRegionWriteRequestDirect(peer.builder(), &id, UINT64_MAX - 10, 100, &data)),
            Errc::kRange);
  // What a message says of its own data must be so.
  EXPECT_EQ(peer.refusal_of(wire::CreateRegionWriteRequestDirect(peer.builder(), &id, 0, 4096, &data)), Errc::kProtocol);
  EXPECT_EQ(peer.refusal_of(wire::CreateRegionWriteRequestDirect(peer.builder(), &id, 0, kHuge, &data)), Errc::kProtocol);
}

TEST_F(Hostile, RegionsOfImpossibleSizesAreRefused) {
  HostilePeer peer = control();
  for (const char* target : {"fast", "keep"})
    for (const uint64_t size : {kHuge, UINT64_MAX, UINT64_MAX - 4095, uint64_t{1} << 62, uint64_t{1} << 40})
      EXPECT_EQ(peer.refusal_of(wire::CreateRegionCreateRequestDirect(peer.builder(), target, "", size)), Errc::kNoSpace)
          << target << " " << size;
  const std::vector<uint8_t> data(100);
  EXPECT_EQ(peer.refusal_of(wire::CreateRegionCreateRequestDirect(peer.builder(), "fast", "", 4096, &data)), Errc::kProtocol);
  EXPECT_EQ(peer.refusal_of(wire::CreateRegionCreateRequestDirect(peer.builder(), nullptr, "", 4096)), Errc::kProtocol);
}

TEST_F(Hostile, RequestsWithoutTheirFieldsAreRefused) {
  HostilePeer peer = control();
  auto& builder = peer.builder();
  EXPECT_EQ(peer.refusal_of(wire::CreateRegionReadRequest(builder)), Errc::kProtocol);
  EXPECT_EQ(peer.refusal_of(wire::CreateRegionWriteRequest(builder)), Errc::kProtocol);
  EXPECT_EQ(peer.refusal_of(wire::CreateRegionEraseRequest(builder)), Errc::kProtocol);
  EXPECT_EQ(peer.refusal_of(wire::CreateRegionStatRequest(builder)), Errc::kNotFound);
  EXPECT_EQ(peer.refusal_of(wire::CreateJobRequest(builder)), Errc::kNotFound);
  EXPECT_EQ(peer.refusal_of(wire::CreateJobResultsRequest(builder)), Errc::kNotFound);
  EXPECT_EQ(peer.refusal_of(wire::CreateMigrateRequest(builder)), Errc::kProtocol);
  EXPECT_EQ(peer.refusal_of(wire::CreateOfferRequest(builder)), Errc::kProtocol);  // Of another kind of connection.
  EXPECT_EQ(peer.refusal_of(wire::CreateDoneReply(builder)), Errc::kProtocol);     // No request at all.
}

TEST_F(Hostile, MigrationsThatCannotBeAreRefused) {
  HostilePeer peer = control();
  auto& builder = peer.builder();
  const wire::Id id = region_id();
  const std::vector<wire::Id> one{id}, twice{id, id}, none, many(100'001, id);
  const auto refusal = [&](const std::vector<wire::Id>& ids, const char* to, uint64_t block, uint32_t streams) {
    const wire::Transfer transfer(block, 0, streams, 0, 0, false, false, 0, 0, 0);
    return peer.refusal_of(wire::CreateMigrateRequestDirect(builder, &ids, to, "fast", false, nullptr, &transfer));
  };
  const char* elsewhere = "tcp://127.0.0.1:1";
  EXPECT_EQ(refusal(none, elsewhere, 0, 0), Errc::kInvalid);
  EXPECT_EQ(refusal(twice, elsewhere, 0, 0), Errc::kInvalid);
  EXPECT_EQ(refusal(many, elsewhere, 0, 0), Errc::kLimit);
  EXPECT_EQ(refusal(one, elsewhere, 1, 0), Errc::kInvalid);
  EXPECT_EQ(refusal(one, elsewhere, kHuge, 0), Errc::kInvalid);
  EXPECT_EQ(refusal(one, elsewhere, 0, UINT32_MAX), Errc::kInvalid);
  EXPECT_EQ(refusal(one, "nowhere", 0, 0), Errc::kInvalid);
  EXPECT_EQ(refusal(one, "tcp://a\x1b[2J:1", 0, 0), Errc::kInvalid);
}

TEST_F(Hostile, StreamsWithWindowsThatDoNotFitAreRefused) {
  const wire::Id id = region_id();
  HostilePeer peer(address(), fabric::Purpose::kStream);
  auto& builder = peer.builder();
  const wire::Window other(0, 0, 10), wrapping(UINT64_MAX, 1, 4096), huge(0, 0, kHuge);
  EXPECT_EQ(peer.refusal_of(wire::CreateRegionReadRequest(builder, &id, 0, 4096)), Errc::kProtocol);
  EXPECT_EQ(peer.refusal_of(wire::CreateRegionReadRequest(builder, &id, 0, 4096, &other)), Errc::kProtocol);
  EXPECT_EQ(peer.refusal_of(wire::CreateRegionReadRequest(builder, &id, 1, kHuge, &huge)), Errc::kRange);
  EXPECT_EQ(peer.refusal_of(wire::CreateRegionCreateRequestDirect(builder, "fast", "", kHuge, nullptr, &huge)), Errc::kNoSpace);
  EXPECT_EQ(peer.refusal_of(wire::CreatePingRequest(builder)), Errc::kProtocol);
  // Memory that nobody exposed: the access fails, and the daemon does not.
  const Errc refusal = peer.refusal_of(wire::CreateRegionReadRequest(builder, &id, 0, 4096, &wrapping));
  EXPECT_NE(refusal, Errc{});
  EXPECT_NE(refusal, Errc::kTimeout);
}

TEST_F(Hostile, PeersThatLeaveInTheMiddleAreForgotten) {
  for (int i = 0; i < 100; ++i) {
    HostilePeer peer = control();
    const auto name = "left-" + std::to_string(i);
    peer.send(wire::CreateRegionStatRequestDirect(peer.builder(), nullptr, name.c_str()));
  }
}

}  // namespace
