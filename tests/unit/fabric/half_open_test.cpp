// Sockets that connect and do not ask for a connection end after the deadline; nobody who asked does.
#include <netinet/in.h>
#include <sys/socket.h>

#include "fixture.hpp"

namespace godwit::fabric {
namespace {

// As libfabric's tcp sends it: 32 bytes which say that 24 follow. They follow not.
constexpr unsigned char kHalfRequest[32] = {3, 0, 0, 24, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};

class Stranger {
 public:
  explicit Stranger(const Address& address) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(static_cast<uint16_t>(std::stoi(address.location.substr(address.location.find(':') + 1))));
    EXPECT_EQ(connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof(to)), 0);
  }
  ~Stranger() { close(fd_); }
  Stranger(const Stranger&) = delete;
  Stranger& operator=(const Stranger&) = delete;
  void send(std::span<const unsigned char> bytes) const {
    EXPECT_EQ(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  }
  bool has_ended() const {
    char byte = 0;
    return recv(fd_, &byte, 1, MSG_DONTWAIT) == 0;
  }

 private:
  const int fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
};

struct HalfOpenSockets : Providers {
  HubSettings settings() const {
    HubSettings made;
    made.handshake_timeout = 1000ms;
    made.heartbeat = 60'000ms;  // Whoever has connected may be silent.
    made.peer_timeout = 600'000ms;
    return made;
  }
};

INSTANTIATE_TEST_SUITE_P(Providers, HalfOpenSockets, testing::Values("tcp", "tcp;ofi_rxm"), provider_name);

TEST_P(HalfOpenSockets, EndAfterTheDeadlineAndConnectionsDoNot) {
  Pair pair(GetParam(), settings());
  ASSERT_TRUE(pair.connect());
  const Stranger silent(pair.address);
  const auto begin = Clock::now();
  ASSERT_TRUE(pair.run([&] { return silent.has_ended(); }, 10'000ms));
  EXPECT_GE(Clock::now() - begin, 1000ms);
  EXPECT_FALSE(pair.server_side.closed);
  ASSERT_TRUE(pair.client->send(pair.client_connection, random_bytes(10, 1)));
  EXPECT_TRUE(pair.run([&] { return pair.server_side.messages.size() == 1; }));
}

TEST_P(HalfOpenSockets, WithHalfARequestHoldUpNobody) {
  Pair pair(GetParam(), settings());
  const Stranger half(pair.address);
  half.send(kHalfRequest);
  ASSERT_TRUE(pair.connect());
  ASSERT_TRUE(pair.run([&] { return half.has_ended(); }, 10'000ms));
  EXPECT_FALSE(pair.server_side.closed);
}

TEST_P(HalfOpenSockets, OfOtherPortsStay) {
  Pair pair(GetParam(), settings());
  const Stranger silent(pair.address);
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(listen(listener, 1), 0);  // At a port of the kernel's choice.
  sockaddr_in here{};
  socklen_t length = sizeof(here);
  ASSERT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&here), &length), 0);
  const Stranger other({"tcp", "127.0.0.1:" + std::to_string(ntohs(here.sin_port))});
  const int accepted = accept(listener, nullptr, nullptr);
  ASSERT_TRUE(pair.run([&] { return silent.has_ended(); }, 10'000ms));
  EXPECT_FALSE(other.has_ended());
  close(accepted);
  close(listener);
}

}  // namespace
}  // namespace godwit::fabric
