#include "fabric/half_open.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <utility>

#include "fabric/hello.hpp"

namespace godwit::fabric {

namespace {

constexpr int kSweepsInPatience = 4;
constexpr Clock::duration kPatienceMin = std::chrono::seconds(1);  // A sweep costs a little, and a slow peer is not a bad one.
// As libfabric's tcp sends it, in one piece: a head of its own (version 3 of its wire format), and connection data, which is
// our hello, or as much of tcp;ofi_rxm.
constexpr uint64_t kRequestBytes = 32 + kHelloBytes;
constexpr timeval kSecondPart{0, 1000};  // The kernel rounds up to its tick.

enum class Kind { kOther, kListening, kSilent };

// Of <netinet/tcp.h>, which cannot be with <linux/tcp.h>.
constexpr int kTcpEstablished = 1;
constexpr int kTcpListen = 10;

// -1: not a socket of an IP protocol.
int local_port(int fd) {
  sockaddr_storage own{};
  socklen_t length = sizeof(own);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&own), &length) != 0) return -1;
  if (own.ss_family != AF_INET && own.ss_family != AF_INET6) return -1;
  in_port_t port = 0;
  static_assert(offsetof(sockaddr_in, sin_port) == offsetof(sockaddr_in6, sin6_port));
  std::memcpy(&port, reinterpret_cast<const std::byte*>(&own) + offsetof(sockaddr_in, sin_port), sizeof(port));
  return ntohs(port);
}

Kind kind_of(int fd, in_port_t port) {
  if (local_port(fd) != port) return Kind::kOther;
  tcp_info info{};
  socklen_t length = sizeof(info);
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return Kind::kOther;
  if (length < offsetof(tcp_info, tcpi_bytes_received) + sizeof(info.tcpi_bytes_received)) return Kind::kOther;
  if (info.tcpi_state == kTcpListen) return Kind::kListening;
  return info.tcpi_state == kTcpEstablished && info.tcpi_bytes_received < kRequestBytes ? Kind::kSilent : Kind::kOther;
}

// 0: not a descriptor.
uint64_t inode_of(int fd) {
  struct stat status {};
  return fstat(fd, &status) == 0 ? status.st_ino : 0;
}

// Of "17"; -1 of "." and "..".
int number_of(const char* name) {
  int number = -1;
  const auto [end, error] = std::from_chars(name, name + std::strlen(name), number);
  return error == std::errc() && *end == '\0' ? number : -1;
}

}  // namespace

HalfOpen::HalfOpen(in_port_t port, Clock::duration patience)
    : port_(port),
      patience_(std::max(patience, kPatienceMin)),
      directory_fd_(open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC)),
      spare_fd_(open("/dev/null", O_RDWR | O_CLOEXEC)) {
  sweep();
}

HalfOpen::~HalfOpen() {
  if (directory_fd_ >= 0) close(directory_fd_);
  if (spare_fd_ >= 0) close(spare_fd_);
}

// The provider may close `fd` at any time, and somebody else get the number: so a duplicate is looked at again, and ended.
void HalfOpen::end(int fd, uint64_t inode) {
  if (dup3(fd, spare_fd_, O_CLOEXEC) < 0) return;
  if (kind_of(spare_fd_, port_) == Kind::kSilent && inode_of(spare_fd_) == inode) shutdown(spare_fd_, SHUT_RDWR);
  dup3(directory_fd_, spare_fd_, O_CLOEXEC);
}

void HalfOpen::look_at(int fd, Clock::time_point now) {
  switch (kind_of(fd, port_)) {
    case Kind::kOther: return;
    case Kind::kListening: setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kSecondPart, sizeof(kSecondPart)); return;
    case Kind::kSilent: break;
  }
  const uint64_t inode = inode_of(fd);
  const auto seen = silent_before_.find(inode);
  const auto since = seen == silent_before_.end() ? now : seen->second;
  if (now - since >= patience_)
    end(fd, inode);
  else
    silent_.emplace(inode, since);
}

void HalfOpen::sweep() {
  const auto now = Clock::now();
  next_ = now + patience_ / kSweepsInPatience;
  if (directory_fd_ < 0 || spare_fd_ < 0) return;
  lseek(directory_fd_, 0, SEEK_SET);
  alignas(dirent64) char entries[4096];
  for (ssize_t size = 0; (size = getdents64(directory_fd_, entries, sizeof(entries))) > 0;) {
    for (ssize_t place = 0; place < size;) {
      const auto* entry = reinterpret_cast<const dirent64*>(entries + place);
      place += entry->d_reclen;
      if (const int fd = number_of(entry->d_name); fd >= 0) look_at(fd, now);
    }
  }
  silent_before_ = std::exchange(silent_, {});
}

}  // namespace godwit::fabric
