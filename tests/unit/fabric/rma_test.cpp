// RMA: both directions, every size, many at once, and its limits.
#include <algorithm>

#include "fabric/buffer_pool.hpp"
#include "fixture.hpp"

namespace godwit::fabric {
namespace {

INSTANTIATE_TEST_SUITE_P(Providers, Rma, testing::ValuesIn(providers()), provider_name);

// A pair, memory that the server exposes, and memory of the client's own.
struct Exposed : Pair {
  Exposed(const std::string& provider, size_t size, Access access) : Pair(provider), remote(size), local(size) {
    auto exposed = domain->register_memory(remote, access);
    EXPECT_TRUE(exposed) << exposed.error().text;
    exposure = std::make_unique<Registration>(std::move(*exposed));
    auto own = domain->register_memory(local, Access::kLocal);
    EXPECT_TRUE(own) << own.error().text;
    registration = std::make_unique<Registration>(std::move(*own));
  }

  Result<> read(size_t offset, size_t length, uint64_t token) {
    return client->read(client_connection, std::span(local).subspan(offset, length), *registration, exposure->remote(), offset,
                        token);
  }
  Result<> write(size_t offset, size_t length, uint64_t token) {
    return client->write(client_connection, std::span(local).subspan(offset, length), *registration, exposure->remote(), offset,
                         token);
  }
  // Posts `count` operations of `each` bytes, making progress while the queue is full; then waits for all of them.
  bool transfer(bool is_read, size_t count, size_t each) {
    for (size_t i = 0; i < count; ++i) {
      for (;;) {
        auto posted = is_read ? read(i * each, each, i) : write(i * each, each, i);
        if (posted) break;
        if (posted.error().code != Errc::kBusy) {
          ADD_FAILURE() << posted.error().text;
          return false;
        }
        if (!run([&, turns = 0]() mutable { return ++turns > 1; })) return false;
      }
    }
    if (!run([&] { return client_side.outcomes.size() == count; })) return false;
    return std::ranges::all_of(client_side.outcomes, [](const auto& entry) {
      EXPECT_TRUE(entry.second) << entry.second.error().text;
      return static_cast<bool>(entry.second);
    });
  }

  std::vector<std::byte> remote;
  std::vector<std::byte> local;
  std::unique_ptr<Registration> exposure;
  std::unique_ptr<Registration> registration;
};

TEST_P(Rma, ReadsFetchTheExposedBytes) {
  const uint64_t largest = std::min<uint64_t>((8 << 20) + 5, open_domain(GetParam())->limits().max_message_bytes);
  for (const size_t size : {size_t{1}, size_t{777}, size_t{4096}, size_t{1} << 20, size_t{largest}}) {
    Exposed pair(GetParam(), size, Access::kRemoteRead);
    ASSERT_TRUE(pair.connect());
    const auto expected = random_bytes(size, size);
    std::copy(expected.begin(), expected.end(), pair.remote.begin());
    ASSERT_TRUE(pair.transfer(true, 1, size));
    EXPECT_EQ(pair.local, expected);
  }
}

TEST_P(Rma, ManyReadsInFlight) {
  Exposed pair(GetParam(), 2000 * 4096, Access::kRemoteRead);
  const auto expected = random_bytes(pair.remote.size(), 5);
  std::copy(expected.begin(), expected.end(), pair.remote.begin());
  ASSERT_TRUE(pair.connect());
  ASSERT_TRUE(pair.transfer(true, 2000, 4096));
  EXPECT_EQ(pair.local, expected);
}

TEST_P(Rma, ManyWritesInFlight) {
  Exposed pair(GetParam(), 2000 * 4096, Access::kRemoteWrite);
  const auto expected = random_bytes(pair.remote.size(), 6);
  std::copy(expected.begin(), expected.end(), pair.local.begin());
  ASSERT_TRUE(pair.connect());
  ASSERT_TRUE(pair.transfer(false, 2000, 4096));
  EXPECT_EQ(pair.remote, expected);
}

TEST_P(Rma, LargeOperationsBothWays) {
  Exposed pair(GetParam(), size_t{32} << 20, Access::kRemoteRead);
  const auto expected = random_bytes(pair.remote.size(), 7);
  std::copy(expected.begin(), expected.end(), pair.remote.begin());
  ASSERT_TRUE(pair.connect());
  ASSERT_TRUE(pair.transfer(true, 4, size_t{8} << 20));
  EXPECT_EQ(pair.local, expected);

  Exposed back(GetParam(), size_t{32} << 20, Access::kRemoteWrite);
  std::copy(expected.begin(), expected.end(), back.local.begin());
  ASSERT_TRUE(back.connect());
  ASSERT_TRUE(back.transfer(false, 4, size_t{8} << 20));
  EXPECT_EQ(back.remote, expected);
}

TEST_P(Rma, TheListenersSideMayReadToo) {
  Exposed pair(GetParam(), 1 << 20, Access::kLocal);
  std::vector<std::byte> bytes = random_bytes(1 << 20, 9);
  auto exposed = pair.domain->register_memory(bytes, Access::kRemoteRead);
  ASSERT_TRUE(exposed);
  ASSERT_TRUE(pair.connect());
  ASSERT_TRUE(pair.server->read(pair.server_connection, pair.local, *pair.registration, exposed->remote(), 0, 42));
  ASSERT_TRUE(pair.run([&] { return pair.server_side.outcomes.contains(42); }));
  EXPECT_TRUE(pair.server_side.outcomes.at(42));
  EXPECT_EQ(pair.local, bytes);
}

TEST_P(Rma, OutsideTheLimitsIsRefusedBeforeItIsPosted) {
  Exposed pair(GetParam(), 8192, Access::kRemoteRead);
  ASSERT_TRUE(pair.connect());
  std::vector<std::byte> elsewhere(100);
  const RemoteMemory remote = pair.exposure->remote();
  Hub& hub = *pair.client;
  const auto read = [&](std::span<std::byte> to, uint64_t offset) {
    return hub.read(pair.client_connection, to, *pair.registration, remote, offset, 1);
  };
  EXPECT_EQ(read(elsewhere, 0).error().code, Errc::kRange);
  EXPECT_EQ(read(pair.local, 1).error().code, Errc::kRange);
  EXPECT_EQ(read(std::span(pair.local).first(1), 8192).error().code, Errc::kRange);
  EXPECT_EQ(read(std::span(pair.local).first(2), UINT64_MAX).error().code, Errc::kRange) << "a sum that wraps";
  EXPECT_EQ(read({}, 0).error().code, Errc::kLimit);
  const std::span<std::byte> huge(pair.local.data(), pair.domain->limits().max_message_bytes + 1);
  EXPECT_EQ(read(huge, 0).error().code, Errc::kLimit);
  EXPECT_EQ(hub.read(ConnectionId{3}, pair.local, *pair.registration, remote, 0, 1).error().code, Errc::kPeerLost);
  EXPECT_TRUE(read(pair.local, 0));
  ASSERT_TRUE(pair.run([&] { return !pair.client_side.outcomes.empty(); }));
}

TEST_P(Rma, AFullQueueIsBusyAndDrains) {
  Exposed pair(GetParam(), 64, Access::kRemoteRead);
  ASSERT_TRUE(pair.connect());
  size_t posted = 0;
  for (; posted < 100'000; ++posted) {
    auto outcome = pair.read(0, 64, posted);
    if (outcome) continue;
    ASSERT_EQ(outcome.error().code, Errc::kBusy);
    break;
  }
  EXPECT_GE(posted, 64u) << "room for a window";
  EXPECT_LT(posted, 100'000u);
  ASSERT_TRUE(pair.run([&] { return pair.client_side.outcomes.size() == posted; }));
  EXPECT_TRUE(pair.read(0, 64, posted));
}

TEST_P(Rma, MessagesPassBetweenReads) {
  Exposed pair(GetParam(), size_t{16} << 20, Access::kRemoteRead);
  ASSERT_TRUE(pair.connect());
  for (size_t i = 0; i < 16; ++i) {
    ASSERT_TRUE(pair.read(i << 20, 1 << 20, i));
    ASSERT_TRUE(pair.client->send(pair.client_connection, random_bytes(1000, i)));
    ASSERT_TRUE(pair.server->send(pair.server_connection, random_bytes(40'000, i)));
  }
  ASSERT_TRUE(pair.run([&] {
    return pair.client_side.outcomes.size() == 16 && pair.client_side.messages.size() == 16 &&
           pair.server_side.messages.size() == 16;
  }));
}

TEST(Registration, OfNoBytesIsInvalid) {
  EXPECT_EQ(open_domain("tcp")->register_memory({}, Access::kLocal).error().code, Errc::kInvalid);
}

TEST(Registration, ForLocalUseOverTcpRegistersNothing) {
  auto domain = open_domain("tcp");
  std::vector<std::byte> bytes(4096);
  auto local = domain->register_memory(bytes, Access::kLocal);
  ASSERT_TRUE(local);
  EXPECT_EQ(local->descriptor(), nullptr);
  EXPECT_EQ(domain->registered_bytes(), 0u);
  auto exposed = domain->register_memory(bytes, Access::kRemoteRead);
  ASSERT_TRUE(exposed);
  EXPECT_EQ(domain->registered_bytes(), 4096u);
  EXPECT_EQ(exposed->remote().length_bytes, 4096u);
  { const Registration moved = std::move(*exposed); }
  EXPECT_EQ(domain->registered_bytes(), 0u);
}

TEST(Registration, KeysCannotBeGuessed) {
  auto domain = open_domain("tcp");
  std::vector<std::byte> bytes(4096);
  auto first = domain->register_memory(bytes, Access::kRemoteRead);
  auto second = domain->register_memory(bytes, Access::kRemoteRead);
  ASSERT_TRUE(first && second);
  EXPECT_GT(first->remote().key, 1u << 20);
  EXPECT_NE(first->remote().key + 1, second->remote().key);
}

TEST(BufferPool, BuffersAreEqualAlignedAndApart) {
  auto pool = BufferPool::create(open_domain("tcp"), 10'000, 3, Access::kRemoteWrite);
  ASSERT_TRUE(pool) << pool.error().text;
  EXPECT_EQ(pool->buffers(), 3u);
  EXPECT_EQ(pool->buffer(0).size() % 4096, 0u);
  EXPECT_GE(pool->buffer(0).size(), 10'000u);
  EXPECT_EQ(pool->buffer(2).data(), pool->buffer(0).data() + pool->remote_offset_bytes(2));
  EXPECT_EQ(pool->registration().bytes().data(), pool->buffer(0).data());
  BufferPool moved = std::move(*pool);
  moved.buffer(2).back() = std::byte{1};
}

}  // namespace
}  // namespace godwit::fabric
