// The one endpoint of a hub over RDM: its name, its receives, its end.
#include <netinet/in.h>
#include <rdma/fi_cm.h>
#include <rdma/fi_errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>

#include "fabric/connector_rdm.hpp"
#include "fabric/failure.hpp"
#include "fabric/introduction.hpp"
#include "fabric/local_endpoints.hpp"

namespace godwit::fabric {

namespace {

constexpr uint32_t kReceives = 32;    // For all connections together.
constexpr size_t kShmQueueMax = 256;  // Entries: shm's default of 1,024 costs every hub 16 MiB of shared memory.
constexpr auto kRefusalGrace = std::chrono::milliseconds(20);

bool set_source(fi_info& info, const EndpointName& name) {
  free(info.src_addr);
  info.src_addr = nullptr;
  info.src_addrlen = 0;
  if (name.bytes.empty()) return true;
  info.src_addr = malloc(name.bytes.size());
  if (!info.src_addr) return false;
  std::memcpy(info.src_addr, name.bytes.data(), name.bytes.size());
  info.src_addrlen = name.bytes.size();
  return true;
}

// Our address as the peer at `to` sees it: that of the interface through which packets to it leave.
EndpointName source_towards(const EndpointName& to) {
  sockaddr_storage own{};
  socklen_t length = sizeof(own);
  const int family = to.format == FI_SOCKADDR_IN6 ? AF_INET6 : AF_INET;
  const int probe = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);  // Connecting a datagram socket sends nothing.
  if (probe < 0) return {};
  const bool known =
      ::connect(probe, reinterpret_cast<const sockaddr*>(to.bytes.data()), static_cast<socklen_t>(to.bytes.size())) == 0 &&
      getsockname(probe, reinterpret_cast<sockaddr*>(&own), &length) == 0;
  close(probe);
  if (!known) return {};
  const auto* start = reinterpret_cast<const std::byte*>(&own);
  return EndpointName{to.format, {start, start + length}};
}

bool is_wildcard(const EndpointName& name) {
  const auto is_zero = [](std::byte byte) { return byte == std::byte{0}; };
  const auto host = [&](size_t offset, size_t length) { return std::span(name.bytes).subspan(offset, length); };
  if (name.format == FI_SOCKADDR_IN && name.bytes.size() >= sizeof(sockaddr_in)) {
    return std::ranges::all_of(host(offsetof(sockaddr_in, sin_addr), 4), is_zero);
  }
  if (name.format == FI_SOCKADDR_IN6 && name.bytes.size() >= sizeof(sockaddr_in6)) {
    return std::ranges::all_of(host(offsetof(sockaddr_in6, sin6_addr), 16), is_zero);
  }
  return false;
}

}  // namespace

RdmConnector::~RdmConnector() {
  ConnectorEvents ignored;
  [[maybe_unused]] const auto polled = poll(ignored);  // A last chance for refusals,
  const auto grace = refused_at_ + kRefusalGrace - Clock::now();
  if (grace > Clock::duration::zero()) std::this_thread::sleep_for(grace);  // and time for the refused to look.
  close_endpoint();
}

Result<Address> RdmConnector::listen(const std::string& location) {
  if (listening_) return Error{Errc::kExists, "this hub listens already"};
  if (endpoint_) return Error{Errc::kInvalid, "over this provider a hub listens before it connects"};
  std::string text = location;
  const uint32_t format = core_.domain().info()->addr_format;
  if (format == FI_ADDR_STR && (text.empty() || text.size() > 200 || text.find('/') != text.npos)) {
    return Error{Errc::kInvalid, "'" + text + "' is no name for shared memory: 1 to 200 characters, no '/'"};
  }
  EndpointName source{format, {}};
  if (format == FI_ADDR_STR || format == FI_SOCKADDR_IN || format == FI_SOCKADDR_IN6) {
    if (format != FI_ADDR_STR) {
      auto parts = split_host_port(location);
      if (!parts) return std::move(parts).error();
      if (parts->first.empty()) parts->first = "0.0.0.0";
      if (parts->first.find(':') != std::string::npos) parts->first = "[" + parts->first + "]";
      text = parts->first + ":" + (parts->second.empty() ? "0" : parts->second);
    }
    auto name = resolve(*core_.domain().info(), text);
    if (!name) return std::move(name).error();
    source = std::move(*name);
  }
  if (auto opened = open_endpoint(source); !opened) {
    return with_context("listening at " + core_.domain().provider() + "://" + location, std::move(opened).error());
  }
  listening_ = true;
  return Address{core_.domain().provider(), location_of(name_)};
}

// `source` without bytes: an address of our own that peers of its format can reach.
Result<> RdmConnector::open_endpoint(EndpointName source) {
  fi_info* const offered = core_.domain().info();
  if (source.bytes.empty() && source.format == FI_ADDR_STR) {
    LocalEndpoints::sweep();
    auto name = resolve(*offered, LocalEndpoints::next_name());
    if (!name) return std::move(name).error();
    source = std::move(*name);
  } else if (source.bytes.empty() && offered->src_addr && offered->addr_format == source.format) {
    const auto* start = static_cast<const std::byte*>(offered->src_addr);
    source.bytes.assign(start, start + offered->src_addrlen);
  } else if (source.bytes.empty() && (source.format == FI_SOCKADDR_IN || source.format == FI_SOCKADDR_IN6)) {
    auto name = resolve(*offered, source.format == FI_SOCKADDR_IN6 ? "[::]:0" : "0.0.0.0:0");
    if (!name) return std::move(name).error();
    source = std::move(*name);
  }
  info_.reset(fi_dupinfo(offered));
  if (!info_ || !set_source(*info_, source)) return Error{Errc::kMemory, "fi_dupinfo: no memory"};
  info_->addr_format = source.format;
  if (source.format == FI_ADDR_STR) {
    info_->tx_attr->size = std::min(info_->tx_attr->size, kShmQueueMax);
    info_->rx_attr->size = std::min(info_->rx_attr->size, kShmQueueMax);
  }
  auto pool = BufferPool::create(core_.shared_domain(), kPacketBytes, kReceives, Access::kLocal);
  if (!pool) return std::move(pool).error();
  receive_pool_.emplace(std::move(*pool));
  auto bound = bind_endpoint();
  if (!bound) close_endpoint();
  return bound;
}

Result<> RdmConnector::bind_endpoint() {
  fi_av_attr attr{};
  attr.type = info_->domain_attr->av_type == FI_AV_UNSPEC ? FI_AV_TABLE : info_->domain_attr->av_type;
  fid_av* addresses = nullptr;
  int code = fi_av_open(core_.domain().domain(), &attr, &addresses, nullptr);
  if (code != 0) return fabric_error("fi_av_open", code);
  addresses_.reset(addresses);
  fid_ep* endpoint = nullptr;
  code = fi_endpoint(core_.domain().domain(), info_.get(), &endpoint, nullptr);
  if (code == 0) {
    endpoint_.reset(endpoint);
    code = fi_ep_bind(endpoint, &addresses->fid, 0);
  }
  if (code == 0) code = fi_ep_bind(endpoint, &core_.queue()->fid, FI_TRANSMIT | FI_RECV);
  if (code == 0) code = fi_enable(endpoint);
  if (code == -FI_EBUSY || code == -FI_EADDRINUSE) return Error{Errc::kExists, "somebody listens there"};
  if (code != 0) return fabric_error("fi_enable", code);
  enabled_ = true;
  name_ = EndpointName{info_->addr_format, std::vector<std::byte>(kNameBytesMax)};
  size_t length = name_.bytes.size();
  if (code = fi_getname(&endpoint->fid, name_.bytes.data(), &length); code != 0) return fabric_error("fi_getname", code);
  name_.bytes.resize(std::min(length, name_.bytes.size()));
  if (name_.format == FI_ADDR_STR) LocalEndpoints::add(location_of(name_));
  for (uint32_t i = 0; i < kReceives; ++i) {
    Operation* operation = core_.start(Operation::Kind::kReceive, nullptr);
    if (!operation) return Error{Errc::kLimit, "no room in the completion queue"};
    operation->buffer = i;
    if (auto posted = repost(operation); !posted) {
      core_.finish(operation);
      return posted;
    }
    receives_.push_back(operation);
  }
  return Done{};
}

Result<> RdmConnector::repost(Operation* operation) {
  const auto buffer = receive_pool_->buffer(operation->buffer).first(kPacketBytes);
  const ssize_t code = fi_recv(endpoint_.get(), buffer.data(), buffer.size(), receive_pool_->registration().descriptor(),
                               FI_ADDR_UNSPEC, operation);
  if (code != 0) return fabric_error("fi_recv", code);
  return Done{};
}

std::span<const std::byte> RdmConnector::received(const Operation& operation, size_t length_bytes) const {
  const auto buffer = receive_pool_->buffer(operation.buffer);
  return buffer.first(std::min(length_bytes, buffer.size()));
}

ssize_t RdmConnector::post(const Handshake& handshake) {
  const bool local = handshake.to.format == FI_ADDR_STR && handshake.local;
  const auto held = local ? LocalEndpoints::hold(location_of(handshake.to)) : std::shared_lock<std::shared_mutex>();
  if (local && !held) return -FI_ECONNREFUSED;
  Operation* operation = core_.start(Operation::Kind::kSend, nullptr);
  if (!operation) return -FI_EAGAIN;
  const auto buffer = core_.send_buffer(*operation);
  std::memcpy(buffer.data(), handshake.packet.data(), handshake.packet.size());
  operation->token = static_cast<uint64_t>(handshake.connection);
  const ssize_t code = fi_send(endpoint_.get(), buffer.data(), handshake.packet.size(), core_.send_descriptor(*operation),
                               handshake.address, operation);
  if (code != 0) core_.finish(operation);
  return code;
}

void RdmConnector::close_endpoint() {
  if (enabled_) {
    for (Operation* receive : receives_) fi_cancel(&endpoint_->fid, receive);
    // rxm posts cancelled receives again to what it has closed, unless their completions were taken before.
    for (int i = 0; i < 3; ++i) {
      if (!core_.collect()) break;
    }
  }
  const bool shm = enabled_ && name_.format == FI_ADDR_STR;
  if (shm) LocalEndpoints::remove(location_of(name_));
  // A peer's first look at what we sent maps our memory by its name, and shm does not survive that it is gone.
  const bool keep = shm && unmet_ && !listening_ && LocalEndpoints::keep(location_of(name_));
  endpoint_.reset();
  if (keep) LocalEndpoints::restore(location_of(name_));
  unmet_ = false;
  if (enabled_) {
    [[maybe_unused]] const auto collected = core_.collect();  // All that can still come has come.
    core_.abandon_all();
  }
  enabled_ = false;
  receives_.clear();
  addresses_.reset();
  receive_pool_.reset();
  peers_.clear();
}

// The one way to take back memory that the provider may still write to for a peer that does not answer. No provider
// can cancel an RMA, and the bytes of a late one must not land in a buffer that has a new owner.
void RdmConnector::reset_endpoint(const Connection& cause, ConnectorEvents& events) {
  for (auto& [number, link] : links_) {
    for (const Operation* operation : link.connection->operations) {
      if (is_rma(operation->kind)) {
        link.connection->lost_rmas.push_back(operation->token);
      }
    }
    link.connection->endpoint = nullptr;
    events.push_back(Broken{link.connection->id, Error{Errc::kPeerLost, "the endpoint was closed to end the RMA of " +
                                                                            cause.peer + ", which did not answer"}});
    link.connection->failure = Error{Errc::kPeerLost, "the endpoint was closed to end the RMA of " + cause.peer};
  }
  links_.clear();
  handshakes_.clear();
  const EndpointName name = name_;
  close_endpoint();
  // If it fails, connect() and accept() open another; a listener that is gone shows in the log of those who ask.
  if (listening_ && !open_endpoint(name)) listening_ = false;
}

EndpointName RdmConnector::name_towards(const EndpointName& to) const {
  if (!is_wildcard(name_)) return name_;
  EndpointName own = source_towards(to);
  if (own.bytes.size() < sizeof(sockaddr_in) || name_.bytes.size() < sizeof(sockaddr_in)) return name_;
  // The port is at the same place for both IP versions.
  static_assert(offsetof(sockaddr_in, sin_port) == offsetof(sockaddr_in6, sin6_port));
  std::memcpy(&own.bytes[offsetof(sockaddr_in, sin_port)], &name_.bytes[offsetof(sockaddr_in, sin_port)], sizeof(in_port_t));
  return own;
}

bool RdmConnector::exists(const EndpointName& name) {
  if (name.format != FI_ADDR_STR) return true;  // The network knows.
  struct stat ignored {};
  return stat(shm_path(location_of(name)).c_str(), &ignored) == 0;
}

}  // namespace godwit::fabric
