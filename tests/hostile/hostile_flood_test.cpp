// Many bad peers at once: the daemon stays up, its memory bounded, and others are served meanwhile.
#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <span>
#include <thread>

#include "fabric/endpoint_name.hpp"
#include "hostile/hostile_peer.hpp"

namespace {

using namespace std::chrono_literals;
using godwit::Errc;
using godwit::Id;
using godwit::test::Hostile;
using godwit::test::HostilePeer;
using Clock = std::chrono::steady_clock;
namespace fabric = godwit::fabric;
namespace wire = godwit::wire;

sockaddr_in socket_address(const std::string& address) {
  const auto parts = *fabric::split_host_port(fabric::parse_address(address)->location);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  inet_pton(AF_INET, parts.first.c_str(), &to.sin_addr);
  to.sin_port = htons(static_cast<uint16_t>(std::stoi(parts.second)));
  return to;
}

// Sockets that never become a connection of ours: silent ones, and ones that send a byte of nothing each second. Those that the
// daemon gives up are opened again.
class HalfOpenFlood {
 public:
  HalfOpenFlood(const std::string& address, size_t count) : to_(socket_address(address)), sockets_(count, -1) {
    thread_ = std::thread([this] { run(); });
    while (opened_ < count) std::this_thread::sleep_for(1ms);
  }
  ~HalfOpenFlood() {
    stop_ = true;
    thread_.join();
    for (const int socket : sockets_) close(socket);
  }

 private:
  void run() {
    auto next_byte = Clock::now();
    while (!stop_) {
      const bool send_byte = Clock::now() >= next_byte;
      if (send_byte) next_byte += 1s;
      for (size_t i = 0; i < sockets_.size(); ++i) {
        char byte = 0;
        if (sockets_[i] >= 0 && recv(sockets_[i], &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0) {
          close(sockets_[i]);
          sockets_[i] = -1;
        }
        if (sockets_[i] < 0) open(sockets_[i]);
        if (send_byte && i % 2 == 0) [[maybe_unused]]
          const auto sent = send(sockets_[i], &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
      }
      std::this_thread::sleep_for(20ms);
    }
  }
  void open(int& socket_fd) {
    socket_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    [[maybe_unused]] const int begun = connect(socket_fd, reinterpret_cast<const sockaddr*>(&to_), sizeof(to_));
    ++opened_;
  }

  const sockaddr_in to_;
  std::vector<int> sockets_;
  std::atomic<size_t> opened_{0};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

// What libfabric's tcp sends first: 32 bytes that say that 24 follow, which are our hello. They follow not.
constexpr unsigned char kHalfRequest[32] = {3, 0, 0, 24, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};

// Sockets that stay as they are, whatever the daemon does.
class Strangers {
 public:
  Strangers(const std::string& address, size_t count) : sockets_(count, -1) {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    const sockaddr_in to = socket_address(address);
    for (int& each : sockets_) {
      each = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      EXPECT_EQ(connect(each, reinterpret_cast<const sockaddr*>(&to), sizeof(to)), 0);
    }
  }
  ~Strangers() {
    for (const int each : sockets_) close(each);
  }
  Strangers(const Strangers&) = delete;
  Strangers& operator=(const Strangers&) = delete;
  // To those that still take them.
  void send(std::span<const unsigned char> bytes) {
    for (const int each : sockets_)
      [[maybe_unused]] const auto sent = ::send(each, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  }

 private:
  std::vector<int> sockets_;
};

class Flood : public Hostile {
 protected:
  uint64_t resident_bytes() const {
    std::ifstream file("/proc/" + std::to_string(pid()) + "/statm");
    uint64_t total = 0, resident = 0;
    file >> total >> resident;
    return resident * 4096;
  }
  ptrdiff_t descriptors() const {
    using std::filesystem::directory_iterator;
    return std::distance(directory_iterator("/proc/" + std::to_string(pid()) + "/fd"), directory_iterator());
  }
  // Reads of the region by an honest client, in a quarter of a second.
  size_t reads() {
    HostilePeer client = control();
    const wire::Id id = region_id();
    const auto end = Clock::now() + 250ms;
    size_t count = 0;
    for (; Clock::now() < end; ++count)
      EXPECT_EQ(client.refusal_of(wire::CreateRegionReadRequest(client.builder(), &id, 0, 4096)), Errc{});
    return count;
  }
};

TEST_F(Flood, OfHalfOpenConnectionsLeavesOthersHalfTheirRate) {
  std::vector<double> ratios;
  const uint64_t before_bytes = resident_bytes();
  const auto before_descriptors = descriptors();
  for (int i = 0; i < 7; ++i) {
    const auto quiet = static_cast<double>(reads());
    const HalfOpenFlood flood(address(), 400);
    ratios.push_back(static_cast<double>(reads()) / quiet);
  }
  std::ranges::nth_element(ratios, ratios.begin() + 3);
  EXPECT_GE(ratios[3], 0.5);
  EXPECT_LT(resident_bytes(), before_bytes + (64 << 20));
  // Those that are not given up leave.
  const auto end = Clock::now() + 20s;
  while (descriptors() > before_descriptors + 10 && Clock::now() < end) std::this_thread::sleep_for(100ms);
  EXPECT_LE(descriptors(), before_descriptors + 10);
}

// connect_timeout_ms is 5 s. Whoever was there before, and says nothing either, is no stranger.
class HalfOpen : public Flood {
 protected:
  // Until the daemon holds as many descriptors as before; an honest client is served all the time, `each_second` is called.
  void ends_them(ptrdiff_t before_descriptors, const std::function<void()>& each_second) {
    HostilePeer client = control();
    const wire::Id id = region_id();
    const auto end = Clock::now() + 20s;
    auto next = Clock::now();
    size_t slowest_ms = 0;
    while (descriptors() > before_descriptors + 1 && Clock::now() < end) {  // One more: the client.
      const auto begin = Clock::now();
      ASSERT_EQ(client.refusal_of(wire::CreateRegionReadRequest(client.builder(), &id, 0, 4096)), Errc{});
      slowest_ms = std::max(slowest_ms, static_cast<size_t>((Clock::now() - begin) / 1ms));
      if (begin >= next) {
        each_second();
        next = begin + 1s;
      }
      std::this_thread::sleep_for(50ms);
    }
    EXPECT_LE(descriptors(), before_descriptors + 1);
    EXPECT_LT(slowest_ms, 1'500u);
  }
};

TEST_F(HalfOpen, SilentSocketsEndAfterTheDeadline) {
  HostilePeer idle = control();
  const auto before_descriptors = descriptors();
  const Strangers strangers(address(), 1'000);
  while (descriptors() < before_descriptors + 1'000) std::this_thread::sleep_for(10ms);
  ends_them(before_descriptors, [] {});
  const wire::Id id = region_id();
  EXPECT_EQ(idle.refusal_of(wire::CreateRegionReadRequest(idle.builder(), &id, 0, 4096)), Errc{});
}

TEST_F(HalfOpen, SocketsThatSendAByteASecondEndAfterTheDeadline) {
  const auto before_descriptors = descriptors();
  Strangers strangers(address(), 200);
  size_t sent = 0;
  ends_them(before_descriptors, [&] { strangers.send({&kHalfRequest[sent++ % sizeof(kHalfRequest)], 1}); });
}

// libfabric waits for the second half of a request, and everything with it.
TEST_F(HalfOpen, HalfARequestHoldsNobodyUp) {
  const auto before_descriptors = descriptors();
  Strangers strangers(address(), 50);
  strangers.send(kHalfRequest);
  ends_them(before_descriptors, [] {});
}

// As many as are served at once, none of which offers anything.
TEST_F(Flood, OfSilentSourcesDoesNotKeepMigrationsOut) {
  std::vector<HostilePeer> silent;
  for (int i = 0; i < 64; ++i) silent.emplace_back(address(), fabric::Purpose::kJob);
  const auto offer = [this] {
    HostilePeer source(address(), fabric::Purpose::kJob, Id{}, false);
    if (!source.is_open()) return Errc::kBusy;
    return source.refusal_of(wire::CreateOfferRequest(source.builder()));  // Empty: refused, by one who listens.
  };
  const auto end = Clock::now() + 20s;
  Errc answer = offer();
  while (answer != Errc::kProtocol && Clock::now() < end) {
    std::this_thread::sleep_for(100ms);
    answer = offer();
  }
  EXPECT_EQ(answer, Errc::kProtocol);
}

TEST_F(Flood, OfRequestsWithoutReadingTheAnswersIsBounded) {
  const uint64_t before_bytes = resident_bytes();
  {
    std::vector<HostilePeer> peers;
    for (int i = 0; i < 20; ++i) peers.push_back(control());
    const wire::Id id = region_id();
    // 20 peers, 3,000 answers of 4 KiB for each: 240 MB if all were kept for them; a disk-bound request in between.
    for (int round = 0; round < 3'000; ++round)
      for (HostilePeer& peer : peers) {
        if (!peer.is_open()) continue;
        peer.send(wire::CreateRegionReadRequest(peer.builder(), &id, 0, 4096));
        if (round % 10 == 0) peer.send(wire::CreateRegionPersistRequest(peer.builder(), &id, 0, 4096));
      }
    EXPECT_LT(resident_bytes(), before_bytes + (400u << 20));
    EXPECT_GT(reads(), 0U);
  }
  EXPECT_GT(reads(), 0U);
}

}  // namespace
