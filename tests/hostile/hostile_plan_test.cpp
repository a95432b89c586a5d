// What strangers ask for the sake of plans: dry offers, probes, and documents.
#include <algorithm>
#include <string>

#include "hostile/hostile_peer.hpp"

namespace {

using godwit::Errc;
using godwit::Id;
using godwit::test::Hostile;
using godwit::test::HostilePeer;
using godwit::test::kHuge;
namespace fabric = godwit::fabric;
namespace wire = godwit::wire;

// A source that only asks.
class Asker : public HostilePeer {
 public:
  explicit Asker(const std::string& address) : HostilePeer(address, fabric::Purpose::kJob, Id{9, 9}) {}

  // How many of the objects the destination would take; nothing if it answers something else.
  std::optional<size_t> offer(const std::vector<uint64_t>& sizes, uint8_t kind = 0) {
    std::vector<flatbuffers::Offset<wire::ObjectOffer>> objects;
    for (size_t i = 0; i < sizes.size(); ++i) {
      const wire::Id id(7, i + 1);
      objects.push_back(wire::CreateObjectOffer(builder(), &id, 1, sizes[i], 0, kind));
    }
    const wire::Id job(9, 9), node(5, 5);
    const bool sent = send(wire::CreateOfferRequestDirect(builder(), &job, "tcp://127.0.0.1:1", kind == 0 ? "fast" : "", false,
                                                          65'536, 1, &objects, &node, nullptr, nullptr, false, false, true));
    const auto message = sent ? receive() : std::nullopt;
    const auto decoded = message ? godwit::protocol::decode(*message) : godwit::Error{Errc::kTimeout, ""};
    const auto* reply = decoded ? decoded->body<wire::OfferReply>() : nullptr;
    if (reply == nullptr || reply->answers() == nullptr || reply->answers()->size() != sizes.size()) return std::nullopt;
    return static_cast<size_t>(
        std::ranges::count_if(*reply->answers(), [](const auto* answer) { return answer->error() == 0; }));
  }
  Errc probe(const wire::Window& window) { return refusal_of(wire::CreateProbeRequest(builder(), &window)); }
  std::optional<uint64_t> probed(const fabric::RemoteMemory& memory) {
    const wire::Window window(memory.address, memory.key, memory.length_bytes);
    const bool sent = send(wire::CreateProbeRequest(builder(), &window));
    const auto message = sent ? receive() : std::nullopt;
    const auto decoded = message ? godwit::protocol::decode(*message) : godwit::Error{Errc::kTimeout, ""};
    const auto* reply = decoded ? decoded->body<wire::ProbeReply>() : nullptr;
    return reply == nullptr ? std::nullopt : std::optional<uint64_t>(reply->bytes());
  }
};

// It reserved, and kept it: the second time there was no room, and none for anybody else.
TEST_F(Hostile, ADryOfferOfRegionsLeavesNothingReserved) {
  constexpr uint64_t kMost = 40 << 20;  // Of 64 MiB.
  Asker source(address());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(source.offer({kMost, kMost, 1}), 2U) << i;  // The second has no room beside the first.
  EXPECT_EQ(source.offer({kHuge, kHuge, 1}), 1U);
}

TEST_F(Hostile, ADryOfferOfDatabasesOfNoKindIsAnswered) {
  Asker source(address());
  EXPECT_EQ(source.offer({1, kHuge}, 2), 0U);
}

TEST_F(Hostile, ProbesOfNothingOrTooMuchAreRefusedAndOthersStillAnswered) {
  Asker source(address());
  std::vector<std::byte> bytes(65'536);
  const auto exposed = source.expose(bytes);
  EXPECT_EQ(source.refusal_of(wire::CreateProbeRequest(source.builder())), Errc::kProtocol);
  for (const uint64_t length : {uint64_t{0}, uint64_t{(16 << 20) + 1}, kHuge, UINT64_MAX})
    EXPECT_EQ(source.probe(wire::Window(0x1000, 1, length)), Errc::kProtocol) << length;
  EXPECT_EQ(source.probed(exposed.remote()), bytes.size());
}

TEST_F(Hostile, AProbeOfMemoryThatIsNotThereEndsItsConnectionAlone) {
  Asker liar(address()), other(address());
  EXPECT_NE(liar.probe(wire::Window(0x1000, 12'345, 65'536)), Errc{});
  std::vector<std::byte> bytes(65'536);
  const auto exposed = other.expose(bytes);
  EXPECT_EQ(other.probed(exposed.remote()), bytes.size());
}

TEST_F(Hostile, PlansThatAreNoneAreRefused) {
  HostilePeer client = control();
  EXPECT_EQ(client.refusal_of(wire::CreatePlanRequest(client.builder())), Errc::kProtocol);
  EXPECT_EQ(client.refusal_of(wire::CreatePlanRequestDirect(client.builder(), "")), Errc::kInvalid);
  EXPECT_EQ(client.refusal_of(wire::CreatePlanRequestDirect(client.builder(), std::string(1 << 20, '[').c_str())),
            Errc::kInvalid);
  EXPECT_EQ(client.refusal_of(wire::CreatePlanRequestDirect(client.builder(), std::string((8 << 20) + 1, ' ').c_str())),
            Errc::kLimit);
  EXPECT_EQ(client.refusal_of(wire::CreatePlanActionRequest(client.builder())), Errc::kNotFound);
  const wire::Id id(1, 2);
  EXPECT_EQ(client.refusal_of(wire::CreatePlanActionRequest(client.builder(), &id, static_cast<wire::PlanAction>(77))),
            Errc::kProtocol);
  EXPECT_EQ(client.refusal_of(wire::CreateProbeRequest(client.builder())), Errc::kProtocol);
}

}  // namespace
