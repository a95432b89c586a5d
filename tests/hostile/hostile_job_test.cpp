// Sources that offer what cannot be, announce what is not so, or ask for a cutover that they have no right to.
#include <algorithm>

#include "base/digest.hpp"
#include "hostile/hostile_peer.hpp"
#include "model/compression.hpp"

namespace {

using godwit::Errc;
using godwit::Id;
using godwit::test::Hostile;
using godwit::test::HostilePeer;
using godwit::test::kHuge;
namespace fabric = godwit::fabric;
namespace wire = godwit::wire;

constexpr uint64_t kBlock = 65'536;

// A source of another daemon; its job has the number `job`.
class Source : public HostilePeer {
 public:
  Source(const std::string& address, uint64_t job) : HostilePeer(address, fabric::Purpose::kJob, Id{9, job}), job_(9, job) {}

  Errc offer(const std::vector<uint64_t>& sizes, uint64_t block_bytes = kBlock, const char* target = "fast",
             uint32_t streams = 1) {
    return send_offer(sizes, block_bytes, target, streams) ? refusal() : Errc::kPeerLost;
  }
  bool send_offer(const std::vector<uint64_t>& sizes, uint64_t block_bytes, const char* target, uint32_t streams) {
    std::vector<flatbuffers::Offset<wire::ObjectOffer>> objects;
    for (size_t i = 0; i < sizes.size(); ++i) {
      const wire::Id id(job_.low(), i + 1);
      objects.push_back(wire::CreateObjectOffer(builder(), &id, 1, sizes[i]));
    }
    const wire::Id node(5, 5);
    return send(wire::CreateOfferRequestDirect(builder(), &job_, "tcp://127.0.0.1:1", target, false, block_bytes, streams,
                                               &objects, &node));
  }
  // The answer to an offer: which of its objects the destination took; empty if it took none of it.
  std::vector<bool> accepted() {
    const auto message = receive();
    if (!message) return {};
    const auto decoded = godwit::protocol::decode(*message);
    const auto* reply = decoded ? decoded->body<wire::OfferReply>() : nullptr;
    if (reply == nullptr) return {};
    std::vector<bool> took;
    for (const auto* answer : *reply->answers()) took.push_back(answer->error() == 0);
    return took;
  }
  Errc announce(uint32_t block, uint64_t offset, uint64_t window_bytes) {
    return announce_at(wire::Window(0x1000, 1, window_bytes), {block, 0, offset, wire::DigestValue(1, 2), 0, 0});
  }
  // Block 0, compressed in some way; the window is as long as that.
  Errc announce_compressed(uint32_t stored_bytes, uint8_t compression, uint8_t shuffle_bytes) {
    return announce_at(wire::Window(0x1000, 1, stored_bytes),
                       {0, stored_bytes, 0, wire::DigestValue(1, 2), compression, shuffle_bytes});
  }
  Errc announce_at(const wire::Window& window, const wire::ReadyBlock& block) {
    const std::vector<wire::ReadyBlock> blocks{block};
    return refusal_of(wire::CreateBlocksReadyDirect(builder(), &window, &blocks));
  }
  // What the destination says of block 0, which is announced like this; nothing if it says something else.
  std::optional<Errc> outcome_of_block(const wire::Window& window, const wire::ReadyBlock& block) {
    const std::vector<wire::ReadyBlock> blocks{block};
    if (!send(wire::CreateBlocksReadyDirect(builder(), &window, &blocks))) return std::nullopt;
    const auto message = receive();
    const auto decoded = message ? godwit::protocol::decode(*message) : godwit::Error{Errc::kTimeout, ""};
    const auto* done = decoded ? decoded->body<wire::BlocksDone>() : nullptr;
    if (done == nullptr || done->blocks()->size() != 1) return std::nullopt;
    const int32_t error = done->blocks()->Get(0)->error();
    return error == 0 ? Errc{} : godwit::error_from_number(error);
  }
  const wire::Id& job() const { return job_; }

 private:
  const wire::Id job_;
};

TEST_F(Hostile, OffersThatCannotBeAreRefused) {
  Source source(address(), 1);
  EXPECT_EQ(source.refusal_of(wire::CreateOfferRequest(source.builder())), Errc::kProtocol);
  EXPECT_EQ(source.offer({4096}, 0), Errc::kInvalid);
  EXPECT_EQ(source.offer({4096}, kHuge), Errc::kInvalid);
  EXPECT_EQ(source.offer({4096}, kBlock, "nothing"), Errc::kNotFound);
  EXPECT_EQ(source.offer(std::vector<uint64_t>(100'001, 1)), Errc::kLimit);
}

// Sizes that no target holds are refused one by one; the space of the others is given back when the source leaves.
TEST_F(Hostile, ImpossibleSizesAreRefusedOneByOne) {
  Source source(address(), 2);
  ASSERT_TRUE(source.send_offer({100, kHuge, UINT64_MAX, uint64_t{1} << 62, 0, 100}, kBlock, "fast", 1));
  EXPECT_EQ(source.accepted(), (std::vector<bool>{true, false, false, false, true, true}));
}

TEST_F(Hostile, TheSameJobTwiceExists) {
  Source first(address(), 3), second(address(), 3);
  EXPECT_EQ(first.offer({4096}), Errc{});
  EXPECT_EQ(second.offer({4096}), Errc::kExists);
}

// An object that is served here already is not overwritten.
TEST_F(Hostile, ARegionThatIsHereCannotBeOfferedAgain) {
  Source source(address(), 4);
  const wire::Id id = region_id(), node(5, 5);
  const std::vector objects{wire::CreateObjectOffer(source.builder(), &id, 100, 4096)};
  ASSERT_TRUE(source.send(wire::CreateOfferRequestDirect(source.builder(), &source.job(), "tcp://127.0.0.1:1", "fast", false,
                                                         kBlock, 1, &objects, &node)));
  EXPECT_EQ(source.accepted(), std::vector<bool>{false});
}

TEST_F(Hostile, AnnouncementsThatCannotBeEndTheJob) {
  uint64_t job = 10;
  const auto refusal = [&](uint32_t block, uint64_t offset, uint64_t window_bytes) {
    Source source(address(), job++);
    EXPECT_EQ(source.offer({3 * kBlock}), Errc{});
    return source.announce(block, offset, window_bytes);
  };
  EXPECT_EQ(refusal(3, 0, 3 * kBlock), Errc::kProtocol);  // The job has blocks 0 to 2.
  EXPECT_EQ(refusal(UINT32_MAX, 0, 3 * kBlock), Errc::kProtocol);
  EXPECT_EQ(refusal(0, 0, kBlock - 1), Errc::kProtocol);           // Outside its window.
  EXPECT_EQ(refusal(0, UINT64_MAX, 3 * kBlock), Errc::kProtocol);  // It wraps.
  EXPECT_EQ(refusal(0, UINT64_MAX - kBlock + 1, 3 * kBlock), Errc::kProtocol);
}

TEST_F(Hostile, ABlockTwiceEndsTheJob) {
  Source source(address(), 20);
  ASSERT_EQ(source.offer({3 * kBlock}), Errc{});
  const wire::Window window(0x1000, 1, 3 * kBlock);
  const std::vector<wire::ReadyBlock> blocks{{1, 0, 0, wire::DigestValue(1, 2), 0, 0},
                                             {1, 0, 0, wire::DigestValue(1, 2), 0, 0}};
  EXPECT_EQ(source.refusal_of(wire::CreateBlocksReadyDirect(source.builder(), &window, &blocks)), Errc::kProtocol);
}

TEST_F(Hostile, CompressedBlocksThatCannotBeEndTheJob) {
  uint64_t job = 30;
  const auto refusal = [&](uint32_t stored_bytes, uint8_t compression, uint8_t shuffle_bytes) {
    Source source(address(), job++);
    EXPECT_EQ(source.offer({3 * kBlock}), Errc{});
    return source.announce_compressed(stored_bytes, compression, shuffle_bytes);
  };
  EXPECT_EQ(refusal(100, 9, 1), Errc::kProtocol);  // There is no such compression.
  EXPECT_EQ(refusal(100, UINT8_MAX, 1), Errc::kProtocol);
  EXPECT_EQ(refusal(100, 0, 0), Errc::kProtocol);  // Not compressed, and stored as less.
  EXPECT_EQ(refusal(100, 2, 3), Errc::kProtocol);  // Nor are there such elements.
  EXPECT_EQ(refusal(100, 2, UINT8_MAX), Errc::kProtocol);
  EXPECT_EQ(refusal(0, 1, 1), Errc::kProtocol);
  EXPECT_EQ(refusal(kBlock, 1, 1), Errc::kProtocol);  // Not less than the block.
  EXPECT_EQ(refusal(UINT32_MAX, 2, 1), Errc::kProtocol);
}

// The window is held against what travels, not against the block's length.
TEST_F(Hostile, ACompressedBlockOutsideItsWindowEndsTheJob) {
  Source source(address(), 40);
  ASSERT_EQ(source.offer({3 * kBlock}), Errc{});
  const wire::Window window(0x1000, 1, 1000);
  EXPECT_EQ(source.announce_at(window, {0, 100, 901, wire::DigestValue(1, 2), 1, 1}), Errc::kProtocol);
}

// It counts as a wrong digest, again and again; the right bytes then land all the same.
TEST_F(Hostile, ABlockThatDoesNotDecompressHasToBeSentAgain) {
  std::vector<std::byte> bytes(kBlock, std::byte{0xa5}), block(kBlock, std::byte{7}), room(kBlock);
  std::optional<fabric::Registration> exposed;
  for (const uint8_t compression : std::initializer_list<uint8_t>{1, 2}) {
    Source source(address(), 40u + compression);
    exposed.emplace(source.expose(bytes));
    const wire::Window window(exposed->remote().address, exposed->remote().key, exposed->remote().length_bytes);
    ASSERT_EQ(source.offer({kBlock}), Errc{});
    const wire::DigestValue digest = godwit::protocol::to_wire(godwit::digest_of(block));
    for (const uint32_t stored_bytes : {1u, 1000u, static_cast<uint32_t>(kBlock - 1)})
      for (const uint8_t shuffle_bytes : std::initializer_list<uint8_t>{0, 1, 2, 4, 8})
        EXPECT_EQ(source.outcome_of_block(window, {0, stored_bytes, 0, digest, compression, shuffle_bytes}), Errc::kDigest);
    godwit::model::Compressor compressor(static_cast<godwit::model::Compression>(compression));
    const auto stored = compressor.compress(block, room);
    ASSERT_TRUE(stored);
    std::copy_n(room.begin(), stored->bytes, bytes.begin());
    EXPECT_EQ(source.outcome_of_block(window, {0, stored->bytes, 0, digest, compression, stored->element_bytes}), Errc{});
    std::ranges::fill(bytes, std::byte{0xa5});
    exposed.reset();
  }
}

TEST_F(Hostile, MemoryThatNobodyExposedEndsTheJob) {
  Source source(address(), 21);
  ASSERT_EQ(source.offer({kBlock}), Errc{});
  const Errc refusal = source.announce(0, 0, kBlock);
  EXPECT_NE(refusal, Errc{});
  EXPECT_NE(refusal, Errc::kTimeout);
}

// Not one block arrived: nothing may be promised, and nothing is served.
TEST_F(Hostile, ACutoverBeforeTheBlocksIsRefused) {
  Source source(address(), 22);
  ASSERT_EQ(source.offer({kBlock}), Errc{});
  ASSERT_TRUE(source.send(wire::CreatePassDone(source.builder())));
  EXPECT_EQ(source.refusal_of(wire::CreatePrepareRequest(source.builder(), &source.job())), Errc::kProtocol);
  const auto outcome = source.outcome_of(wire::CreateCommitRequest(source.builder(), &source.job()));
  ASSERT_TRUE(outcome);
  EXPECT_NE(*outcome, wire::Outcome::committed);
  HostilePeer client = control();
  const wire::Id id(22, 1);
  EXPECT_EQ(client.refusal_of(wire::CreateRegionReadRequest(client.builder(), &id, 0, 10)), Errc::kNotFound);
}

TEST_F(Hostile, DecisionsAboutUnknownJobsChangeNothing) {
  Source source(address(), 23);
  const wire::Id unknown(1, 1);
  EXPECT_EQ(source.outcome_of(wire::CreatePrepareRequest(source.builder(), &unknown)), wire::Outcome::unknown);
  EXPECT_EQ(source.outcome_of(wire::CreateCommitRequest(source.builder(), &unknown)), wire::Outcome::unknown);
  EXPECT_EQ(source.outcome_of(wire::CreateAbortRequest(source.builder(), &unknown)), wire::Outcome::unknown);
  EXPECT_EQ(source.outcome_of(wire::CreateReleaseRequest(source.builder())), wire::Outcome::released);
  EXPECT_EQ(source.refusal_of(wire::CreatePingRequest(source.builder())), Errc::kProtocol);
}

// Who did not offer the job has no blocks to promise: the objects stay with the streams that fill them.
TEST_F(Hostile, ACutoverOnAnotherConnectionIsRefused) {
  Source source(address(), 24), other(address(), 24);
  ASSERT_EQ(source.offer({kBlock}), Errc{});
  EXPECT_EQ(other.outcome_of(wire::CreatePrepareRequest(other.builder(), &other.job())), wire::Outcome::unknown);
  EXPECT_EQ(source.announce(5, 0, kBlock), Errc::kProtocol) << "its own connection is served as before";
}

// The stream that uses the objects ends first.
TEST_F(Hostile, AnAbortOnAnotherConnectionEndsTheStream) {
  Source source(address(), 25), other(address(), 25);
  ASSERT_EQ(source.offer({kBlock}), Errc{});
  EXPECT_EQ(other.outcome_of(wire::CreateAbortRequest(other.builder(), &other.job())), wire::Outcome::aborted);
}

// Each job ends with its own conversation, whatever others say on theirs.
TEST_F(Hostile, AConversationSpeaksOfNoOtherJob) {
  Source victim(address(), 26);
  ASSERT_EQ(victim.offer({8 << 20}), Errc{});
  Source source(address(), 27);
  ASSERT_EQ(source.offer({8 << 20}), Errc{});
  ASSERT_TRUE(source.send(wire::CreatePassDone(source.builder())));
  EXPECT_EQ(source.outcome_of(wire::CreateAbortRequest(source.builder(), &victim.job())), wire::Outcome::unknown);
  const wire::Id nobody(1, 1);
  EXPECT_EQ(source.outcome_of(wire::CreateAbortRequest(source.builder(), &nobody)), wire::Outcome::unknown);
  EXPECT_EQ(victim.announce(UINT32_MAX, 0, kBlock), Errc::kProtocol) << "it is still there";
}

// A pass belongs to the conversation that offered the job: nobody else begins one over its objects, or fails them by it.
TEST_F(Hostile, APassOnAnotherConnectionIsRefused) {
  Source victim(address(), 28), other(address(), 28);
  ASSERT_EQ(victim.offer({kBlock}), Errc{});
  ASSERT_TRUE(victim.send(wire::CreatePassDone(victim.builder())));
  EXPECT_EQ(other.outcome_of(wire::CreateReleaseRequest(other.builder(), &other.job())), wire::Outcome::released);
  const wire::Id id(28, 1), node(5, 5);
  const std::vector objects{wire::CreateObjectOffer(other.builder(), &id, 1, kBlock)};
  const auto list = other.builder().CreateVector(objects);
  const auto source = other.builder().CreateString("tcp://127.0.0.1:1");
  const auto target = other.builder().CreateString("fast");
  wire::OfferRequestBuilder pass(other.builder());
  pass.add_job(&other.job());
  pass.add_source(source);
  pass.add_target(target);
  pass.add_block_bytes(kBlock);
  pass.add_streams(1);
  pass.add_objects(list);
  pass.add_node(&node);
  pass.add_pass(1);
  EXPECT_EQ(other.refusal_of(pass.Finish()), Errc::kProtocol);
}

TEST_F(Hostile, SourcesThatLeaveGiveTheSpaceBack) {
  for (uint64_t i = 0; i < 20; ++i) {
    Source source(address(), 100 + i);
    EXPECT_EQ(source.offer({8 << 20, 8 << 20}, kBlock, i % 2 ? "keep" : "fast", UINT32_MAX), Errc{}) << i;
  }
}

}  // namespace
