#include "support/proxy.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <system_error>

namespace godwit::test {
namespace {

sockaddr_in loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

void prepare(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  fcntl(fd, F_SETFL, O_NONBLOCK);
}

bool would_block(ssize_t result) { return result < 0 && (errno == EAGAIN || errno == EINTR); }

}  // namespace

Proxy::Proxy(const std::string& behind) : port_behind_(static_cast<uint16_t>(std::stoi(behind.substr(behind.rfind(':') + 1)))) {
  listening_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  sockaddr_in address = loopback(0);
  socklen_t length = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (listening_ < 0 || bind(listening_, generic, length) != 0 || listen(listening_, 64) != 0 ||
      getsockname(listening_, generic, &length) != 0)
    throw std::system_error(errno, std::generic_category(), "proxy");
  address_ = "tcp://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  thread_ = std::thread([this] { run(); });
}

Proxy::~Proxy() {
  stopping_ = true;
  thread_.join();
  for (const Connection& one : connections_) {
    close(one.outer);
    close(one.inner);
  }
  close(listening_);
}

void Proxy::mend() {
  bytes_per_second_ = 0;
  forth_cut_ = false;
  back_cut_ = false;
}

void Proxy::accept_one() {
  const int outer = accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC);
  if (outer < 0) return;
  const int inner = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port_behind_);
  if (inner < 0 || connect(inner, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    close(outer);  // Nobody is there: whoever connected hears it.
    if (inner >= 0) close(inner);
    return;
  }
  prepare(outer);
  prepare(inner);
  connections_.push_back({outer, inner, {outer, inner, true}, {inner, outer, false}});
}

bool Proxy::carry(Way& way, double seconds) {
  constexpr size_t kPieceBytes = 64 << 10;
  if (is_cut(way)) return true;
  size_t most = kPieceBytes;
  const uint64_t rate = bytes_per_second_;
  if (rate > 0) {
    way.allowance_bytes = std::min(way.allowance_bytes + seconds * static_cast<double>(rate), static_cast<double>(kPieceBytes));
    most = static_cast<size_t>(way.allowance_bytes);
    if (most == 0) return true;
  }
  for (int pieces = 0; pieces < 16; ++pieces) {  // The other way has its turn, too.
    if (way.held.empty()) {
      if (way.ended) return true;
      way.held.resize(most);
      const ssize_t got = read(way.from, way.held.data(), most);
      way.held.resize(got > 0 ? static_cast<size_t>(got) : 0);
      if (would_block(got)) return true;
      if (got <= 0) {
        way.ended = true;
        shutdown(way.to, SHUT_WR);
        return got == 0;
      }
    }
    const ssize_t sent = send(way.to, way.held.data(), std::min(most, way.held.size()), MSG_NOSIGNAL);
    if (would_block(sent)) return true;
    if (sent < 0) return false;
    way.held.erase(way.held.begin(), way.held.begin() + sent);
    if (rate > 0) {
      way.allowance_bytes -= static_cast<double>(sent);
      return true;
    }
  }
  return true;
}

void Proxy::run() {
  auto before = std::chrono::steady_clock::now();
  while (!stopping_) {
    std::vector<pollfd> sockets{{listening_, POLLIN, 0}};
    const bool is_slow = bytes_per_second_ > 0;
    for (const Connection& one : connections_)
      for (const Way* way : {&one.forth, &one.back}) {
        if (is_cut(*way) || is_slow) continue;
        if (!way->held.empty()) sockets.push_back({way->to, POLLOUT, 0});
        if (way->held.empty() && !way->ended) sockets.push_back({way->from, POLLIN, 0});
      }
    poll(sockets.data(), sockets.size(), 5);  // What others set is seen as soon.
    const auto now = std::chrono::steady_clock::now();
    const double seconds = std::chrono::duration<double>(now - before).count();
    before = now;
    accept_one();
    std::erase_if(connections_, [&](Connection& one) {
      const bool goes_on = carry(one.forth, seconds) && carry(one.back, seconds) && !(one.forth.ended && one.back.ended);
      if (goes_on) return false;
      close(one.outer);
      close(one.inner);
      return true;
    });
  }
}

}  // namespace godwit::test
