// Many bad peers at once: the daemon stays up, its memory bounded, and others are served meanwhile.
#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
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

// Sockets that never become a connection of ours: silent ones, and ones that send a byte of nothing each second. Those that the
// daemon gives up are opened again.
class HalfOpenFlood {
 public:
  HalfOpenFlood(const std::string& address, size_t count) : sockets_(count, -1) {
    const auto parts = *fabric::split_host_port(fabric::parse_address(address)->location);
    to_.sin_family = AF_INET;
    inet_pton(AF_INET, parts.first.c_str(), &to_.sin_addr);
    to_.sin_port = htons(static_cast<uint16_t>(std::stoi(parts.second)));
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

  sockaddr_in to_{};
  std::vector<int> sockets_;
  std::atomic<size_t> opened_{0};
  std::atomic<bool> stop_{false};
  std::thread thread_;
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
  // libfabric has no deadline for who is silent from the start, but notices who leaves.
  const auto end = Clock::now() + 20s;
  while (descriptors() > before_descriptors + 10 && Clock::now() < end) std::this_thread::sleep_for(100ms);
  EXPECT_LE(descriptors(), before_descriptors + 10);
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
