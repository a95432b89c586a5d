// Database requests that no client of ours sends: lengths that lie, windows that are not what they say.
#include <cstring>
#include <random>

#include "hostile/hostile_peer.hpp"
#include "protocol/batch.hpp"

namespace {

using godwit::Errc;
using godwit::test::Hostile;
using godwit::test::HostilePeer;
namespace fabric = godwit::fabric;
namespace protocol = godwit::protocol;
namespace wire = godwit::wire;
using Operation = wire::DatabaseOperation;

class HostileDatabase : public Hostile {
 protected:
  void SetUp() override {
    HostilePeer peer = control();
    ASSERT_TRUE(peer.send(wire::CreateDatabaseCreateRequestDirect(peer.builder(), "victim", "map", "")));
    const auto bytes = peer.receive();
    ASSERT_TRUE(bytes);
    const auto message = protocol::decode(*bytes);
    ASSERT_TRUE(message);
    const auto* reply = message->body<wire::DatabaseReply>();
    ASSERT_NE(reply, nullptr);
    id_ = *reply->database()->id();
    std::string batch;
    protocol::append_record(batch, "key", "value");
    EXPECT_EQ(work(peer, Operation::put, batch), Errc{});
  }
  // What was stored is still all there is.
  void TearDown() override {
    HostilePeer peer = control();
    ASSERT_TRUE(peer.send(wire::CreateDatabaseWorkRequest(peer.builder(), &id_, Operation::count)));
    const auto bytes = peer.receive();
    ASSERT_TRUE(bytes);
    const auto message = protocol::decode(*bytes);
    ASSERT_TRUE(message);
    ASSERT_NE(message->body<wire::DatabaseWorkReply>(), nullptr);
    EXPECT_EQ(message->body<wire::DatabaseWorkReply>()->number(), 1u);
    Hostile::TearDown();
  }
  Errc work(HostilePeer& peer, Operation operation, const std::string& batch, const wire::Window* from = nullptr,
            const wire::Window* to = nullptr) {
    auto& builder = peer.builder();
    const auto bytes = batch.empty() ? flatbuffers::Offset<flatbuffers::Vector<uint8_t>>()
                                     : builder.CreateVector(reinterpret_cast<const uint8_t*>(batch.data()), batch.size());
    return peer.refusal_of(wire::CreateDatabaseWorkRequest(builder, &id_, operation, bytes, from, 1 << 20, to));
  }
  HostilePeer stream() const { return {address(), fabric::Purpose::kStream}; }

  wire::Id id_;
};

std::string head(uint32_t key_bytes, uint64_t value_bytes) {
  std::string text(protocol::kRecordHeadBytes, '\0');
  std::memcpy(text.data(), &key_bytes, sizeof key_bytes);
  std::memcpy(text.data() + sizeof key_bytes, &value_bytes, sizeof value_bytes);
  return text;
}

TEST_F(HostileDatabase, BatchesThatLieAreRefusedByEveryOperation) {
  const std::pair<std::string, Errc> batches[] = {
      {"short", Errc::kProtocol},
      {head(0, 1) + "v", Errc::kProtocol},
      {head(3, 100) + "key", Errc::kProtocol},
      {head(100, 0) + "key", Errc::kProtocol},
      {head(3, UINT64_MAX - 1) + "key", Errc::kLimit},
      {head(3, UINT64_MAX - 2) + "key", Errc::kLimit},
      {head(UINT32_MAX, 0) + "key", Errc::kLimit},
      {head(3, protocol::kValueBytesMax + 1) + "key", Errc::kLimit},
      {std::string(protocol::kInlineBatchBytesMax + 1, '\0'), Errc::kLimit},
  };
  HostilePeer peer = control();
  for (const auto& [batch, code] : batches)
    for (const Operation operation : {Operation::put, Operation::get, Operation::length, Operation::erase})
      EXPECT_EQ(work(peer, operation, batch), code) << wire::EnumNameDatabaseOperation(operation) << batch.size();
  // A value that is said to be absent cannot be stored.
  EXPECT_EQ(work(peer, Operation::put, head(3, protocol::kAbsent) + "new"), Errc::kProtocol);
  EXPECT_EQ(work(peer, Operation::document_load, "1234567"), Errc::kProtocol);
  EXPECT_EQ(work(peer, Operation::document_load, "12345678"), Errc::kInvalid);  // No collection is named.
}

TEST_F(HostileDatabase, RequestsThatLackWhatTheyNeed) {
  HostilePeer peer = control();
  auto& builder = peer.builder();
  EXPECT_EQ(peer.refusal_of(wire::CreateDatabaseWorkRequest(builder)), Errc::kProtocol);
  EXPECT_EQ(work(peer, static_cast<Operation>(99), ""), Errc::kProtocol);
  const wire::Id unknown(1, 2);
  EXPECT_EQ(peer.refusal_of(wire::CreateDatabaseWorkRequest(builder, &unknown)), Errc::kNotFound);
  EXPECT_EQ(peer.refusal_of(wire::CreateDatabaseStatRequest(builder)), Errc::kNotFound);
  EXPECT_EQ(peer.refusal_of(wire::CreateDatabaseDestroyRequest(builder)), Errc::kProtocol);
  EXPECT_EQ(peer.refusal_of(wire::CreateDatabaseCreateRequest(builder)), Errc::kInvalid);
  EXPECT_EQ(peer.refusal_of(wire::CreateDatabaseCreateRequestDirect(builder, "", "map", "")), Errc::kInvalid);
  EXPECT_EQ(peer.refusal_of(wire::CreateDatabaseCreateRequestDirect(builder, "../../etc", "rocksdb", "")), Errc::kUnsupported);
  EXPECT_EQ(peer.refusal_of(wire::CreateDatabaseCreateRequestDirect(builder, "a\nb", "map", "")), Errc::kInvalid);
  EXPECT_EQ(peer.refusal_of(wire::CreateDatabaseCreateRequestDirect(builder, "\xff", "map", "")), Errc::kInvalid);
  const std::string nested(4000, '[');
  EXPECT_EQ(peer.refusal_of(wire::CreateDatabaseCreateRequestDirect(builder, "x", "map", nested.c_str())), Errc::kInvalid);
  const wire::Window window(0, 0, 16);
  EXPECT_EQ(work(peer, Operation::put, "", &window), Errc::kProtocol);  // Outside of a stream.
}

TEST_F(HostileDatabase, WindowsThatAreTooLargeAreRefusedBeforeAnythingIsAllocated) {
  for (const uint64_t length : {protocol::kBatchBytesMax + 1, uint64_t{1} << 40, UINT64_MAX}) {
    const wire::Window window(0, 0, length);
    HostilePeer sends = stream(), receives = stream();
    EXPECT_EQ(work(sends, Operation::put, "", &window), Errc::kLimit);
    EXPECT_EQ(work(receives, Operation::list_keys, "", nullptr, &window), Errc::kLimit);
  }
  const wire::Window window(0, 0, 16);
  HostilePeer both = stream();
  EXPECT_EQ(work(both, Operation::put, "batch", &window), Errc::kProtocol);
}

TEST_F(HostileDatabase, AWindowThatIsNotThereFailsThatStreamAlone) {
  const wire::Window nowhere(0x1000, 0xdead, 100'000);
  HostilePeer peer = stream();
  EXPECT_NE(work(peer, Operation::put, "", &nowhere), Errc{});
}

TEST_F(HostileDatabase, NoiseInBatchesStoresNothing) {
  std::mt19937 random(11);
  HostilePeer peer = control();
  int refused = 0;
  for (int round = 0; round < 500; ++round) {
    std::string noise(1 + random() % 200, '\0');
    for (char& byte : noise) byte = static_cast<char>(random());
    for (const Operation operation : {Operation::put, Operation::document_update, Operation::erase})
      if (work(peer, operation, noise) != Errc{}) ++refused;
  }
  EXPECT_EQ(refused, 1500);
}

}  // namespace
