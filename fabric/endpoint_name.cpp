#include "fabric/endpoint_name.hpp"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <memory>

namespace godwit::fabric {

namespace {

// Not "fi_shm://": to a name written so, shm appends the user and a counter, and nobody would find the listener.
constexpr std::string_view kShmPrefix = "fi_ns://";

bool is_socket_format(uint32_t format) {
  return format == FI_SOCKADDR || format == FI_SOCKADDR_IN || format == FI_SOCKADDR_IN6 || format == FI_SOCKADDR_IB;
}

Result<EndpointName> resolve_socket(const std::string& location) {
  auto parts = split_host_port(location);
  if (!parts) return std::move(parts).error();
  const auto& [host, port] = *parts;
  if (host.empty() || port.empty()) return Error{Errc::kInvalid, "'" + location + "' is no host:port"};
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (const int code = getaddrinfo(host.c_str(), port.c_str(), &hints, &found); code != 0) {
    return Error{Errc::kUnreachable, "host '" + host + "': " + gai_strerror(code)};
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, freeaddrinfo);
  const auto* start = reinterpret_cast<const std::byte*>(found->ai_addr);
  return EndpointName{found->ai_family == AF_INET6 ? uint32_t{FI_SOCKADDR_IN6} : uint32_t{FI_SOCKADDR_IN},
                      {start, start + found->ai_addrlen}};
}

Result<EndpointName> resolve_hex(uint32_t format, const std::string& text) {
  EndpointName name{format, {}};
  if (text.empty() || text.size() % 2 != 0) return Error{Errc::kInvalid, "'" + text + "' is no endpoint name in hexadecimal"};
  for (size_t i = 0; i < text.size(); i += 2) {
    const auto digit = [](char c) {
      return std::isdigit(static_cast<unsigned char>(c)) ? c - '0' : std::tolower(c) - 'a' + 10;
    };
    if (!std::isxdigit(static_cast<unsigned char>(text[i])) || !std::isxdigit(static_cast<unsigned char>(text[i + 1]))) {
      return Error{Errc::kInvalid, "'" + text + "' is no endpoint name in hexadecimal"};
    }
    name.bytes.push_back(static_cast<std::byte>(digit(text[i]) * 16 + digit(text[i + 1])));
  }
  return name;
}

std::string text_of(const sockaddr_in& address) {
  char host[INET_ADDRSTRLEN] = "?";
  inet_ntop(AF_INET, &address.sin_addr, host, sizeof(host));
  return std::string(host) + ":" + std::to_string(ntohs(address.sin_port));
}

std::string text_of(const sockaddr_in6& address) {
  char host[INET6_ADDRSTRLEN] = "?";
  inet_ntop(AF_INET6, &address.sin6_addr, host, sizeof(host));
  return "[" + std::string(host) + "]:" + std::to_string(ntohs(address.sin6_port));
}

}  // namespace

Result<std::pair<std::string, std::string>> split_host_port(const std::string& location) {
  std::string host = location;
  std::string port;
  if (!location.empty() && location.front() == '[') {
    const size_t close = location.find(']');
    if (close == std::string::npos) return Error{Errc::kInvalid, "'" + location + "' has no closing bracket"};
    host = location.substr(1, close - 1);
    const std::string rest = location.substr(close + 1);
    if (!rest.empty() && rest.front() != ':') return Error{Errc::kInvalid, "'" + location + "' is no [host]:port"};
    if (!rest.empty()) port = rest.substr(1);
  } else if (const size_t colon = location.rfind(':'); colon != std::string::npos && location.find(':') == colon) {
    host = location.substr(0, colon);
    port = location.substr(colon + 1);
  }
  const bool digits = std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!digits || port.size() > 5 || (!port.empty() && std::stoul(port) > 65535)) {
    return Error{Errc::kInvalid, "'" + port + "' is no port (0 to 65535)"};
  }
  return std::pair{host, port};
}

Result<EndpointName> resolve(const fi_info& info, const std::string& location) {
  if (is_socket_format(info.addr_format)) return resolve_socket(location);
  if (info.addr_format != FI_ADDR_STR) return resolve_hex(info.addr_format, location);
  const std::string text = std::string(kShmPrefix) + location;
  EndpointName name{FI_ADDR_STR, {}};
  name.bytes.resize(text.size() + 1);  // libfabric counts the terminating zero.
  std::memcpy(name.bytes.data(), text.c_str(), text.size() + 1);
  return name;
}

std::string location_of(const EndpointName& name) {
  if (name.format == FI_ADDR_STR) {
    const auto end = std::find(name.bytes.begin(), name.bytes.end(), std::byte{0});
    std::string text(reinterpret_cast<const char*>(name.bytes.data()), static_cast<size_t>(end - name.bytes.begin()));
    const size_t split = text.find("://");
    return split == std::string::npos ? text : text.substr(split + 3);
  }
  if (name.bytes.size() >= sizeof(sockaddr_in) && is_socket_format(name.format)) {
    sockaddr_in6 six{};
    std::memcpy(&six, name.bytes.data(), std::min(name.bytes.size(), sizeof(six)));
    if (six.sin6_family == AF_INET6 && name.bytes.size() >= sizeof(six)) return text_of(six);
    sockaddr_in four{};
    std::memcpy(&four, name.bytes.data(), sizeof(four));
    if (four.sin_family == AF_INET) return text_of(four);
  }
  std::string hex;
  for (const std::byte byte : name.bytes) {
    constexpr char kDigits[] = "0123456789abcdef";
    hex += kDigits[std::to_integer<unsigned>(byte) >> 4];
    hex += kDigits[std::to_integer<unsigned>(byte) & 15];
  }
  return hex;
}

bool is_whole(const EndpointName& name) {
  const auto family = [&] {
    sockaddr head{};
    std::memcpy(&head, name.bytes.data(), std::min(name.bytes.size(), sizeof(head)));
    return head.sa_family;
  };
  if (name.format == FI_SOCKADDR_IN) return name.bytes.size() >= sizeof(sockaddr_in) && family() == AF_INET;
  if (name.format == FI_SOCKADDR_IN6) return name.bytes.size() >= sizeof(sockaddr_in6) && family() == AF_INET6;
  if (name.format != FI_ADDR_STR) return !name.bytes.empty();
  // Of shared memory: it names a file in /dev/shm, and shows in the log.
  const auto zero = std::find(name.bytes.begin(), name.bytes.end(), std::byte{0});
  const std::string location = location_of(name);
  return name.bytes.end() - zero == 1 && !location.empty() && location.find('/') == std::string::npos &&
         std::all_of(location.begin(), location.end(),
                     [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; });
}

bool is_taken(const EndpointName& name) {
  if (name.format != FI_SOCKADDR_IN && name.format != FI_SOCKADDR_IN6) return false;
  const int probe = socket(name.format == FI_SOCKADDR_IN6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (probe < 0) return false;
  const int on = 1;  // Closed connections that linger do not count.
  setsockopt(probe, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  const bool taken =
      bind(probe, reinterpret_cast<const sockaddr*>(name.bytes.data()), static_cast<socklen_t>(name.bytes.size())) != 0 &&
      errno == EADDRINUSE;
  close(probe);
  return taken;
}

}  // namespace godwit::fabric
