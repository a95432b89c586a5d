// The handshake over RDM endpoints; opening and closing the endpoint is in rdm_endpoint.cpp.
#include "fabric/connector_rdm.hpp"

#include <rdma/fi_errno.h>

#include <algorithm>
#include <cstring>

#include "fabric/failure.hpp"
#include "fabric/introduction.hpp"
#include "fabric/local_endpoints.hpp"

namespace godwit::fabric {

namespace {

// For the RMA of a connection that ends to be over, before the endpoint is closed to make it so.
constexpr auto kRmaGrace = std::chrono::milliseconds(200);

struct RdmIncoming final : Incoming::State {
  ~RdmIncoming() override {
    if (!answered) refuse(Refusal{Errc::kBusy});
  }
  void refuse(Refusal refusal) override {
    answered = true;
    refusals->add({from, local, number, refusal});
  }

  std::shared_ptr<Refusals> refusals;
  EndpointName from;
  bool local = false;
  uint64_t number = 0;  // The asker's, of the connection.
  bool answered = false;
};

std::vector<std::byte> make_packet(const PacketHeader& header, std::span<const std::byte> payload) {
  std::vector<std::byte> packet(kHeaderBytes + payload.size());
  encode(header, packet.data());
  std::copy(payload.begin(), payload.end(), packet.begin() + kHeaderBytes);
  return packet;
}

std::vector<std::byte> make_introduction(PacketKind kind, uint64_t to, uint64_t number, const Hello& hello,
                                         const EndpointName& name) {
  return make_packet({kind, 0, to, number}, encode_introduction(hello, name));
}

}  // namespace

Result<fi_addr_t> RdmConnector::use(const EndpointName& name) {
  if (name.format != name_.format) {
    return Error{Errc::kInvalid, location_of(name) + " is an address of another kind than this hub's, " + location_of(name_)};
  }
  // Addresses that only the provider knows: all of one kind are of one length, and it reads that much.
  if (name.format != FI_ADDR_STR && name.bytes.size() < name_.bytes.size())
    return Error{Errc::kInvalid, location_of(name) + " is too short for an address of this provider"};
  for (auto& [known, peer] : peers_) {
    if (known != name) continue;
    ++peer.users;
    return peer.address;
  }
  fi_addr_t address = FI_ADDR_UNSPEC;
  const int count = fi_av_insert(addresses_.get(), name.bytes.data(), 1, &address, 0, nullptr);
  if (count != 1) {
    return Error{Errc::kUnreachable, "fi_av_insert: " + location_of(name) + " cannot be addressed" +
                                         (count < 0 ? std::string(": ") + fi_strerror(-count) : std::string())};
  }
  peers_.emplace_back(name, Peer{address, 1});
  return address;
}

// Forgets the address with its last user: shm has room for 256 peers, and every client that ever came was one.
void RdmConnector::unuse(const EndpointName& name) {
  for (auto entry = peers_.begin(); entry != peers_.end(); ++entry) {
    if (entry->first != name) continue;
    if (--entry->second.users == 0) {
      fi_av_remove(addresses_.get(), &entry->second.address, 1, 0);
      peers_.erase(entry);
    }
    return;
  }
}

void RdmConnector::set_peer(Connection& connection, fi_addr_t address, const EndpointName& name) {
  connection.address = address;
  const std::string location = location_of(name);
  connection.local_name = name.format == FI_ADDR_STR && LocalEndpoints::is_ours(location) ? location : std::string();
}

Result<> RdmConnector::connect(Connection& connection, const EndpointName& to, const Hello& hello) {
  if (!endpoint_) {
    if (auto opened = open_endpoint(EndpointName{to.format, {}}); !opened) return opened;
  }
  if (!exists(to)) return Error{Errc::kUnreachable, "nobody listens there"};
  auto address = use(to);
  if (!address) return std::move(address).error();
  connection.endpoint = endpoint_.get();
  set_peer(connection, *address, to);
  connection.unsent = true;
  const uint64_t number = static_cast<uint64_t>(connection.id);
  links_[number] = Link{&connection, to};
  handshakes_.push_back({make_introduction(PacketKind::kHello, 0, number, hello, name_towards(to)), to, *address, connection.id,
                         !connection.local_name.empty(), false, connection.give_up});
  return Done{};
}

Result<> RdmConnector::accept(Connection& connection, Incoming::State& incoming) {
  auto& asked = static_cast<RdmIncoming&>(incoming);
  if (!endpoint_) {
    if (auto opened = open_endpoint(EndpointName{asked.from.format, {}}); !opened) return opened;
  }
  auto address = use(asked.from);
  if (!address) return std::move(address).error();
  asked.answered = true;
  connection.endpoint = endpoint_.get();
  connection.unsent = true;
  set_peer(connection, *address, asked.from);
  connection.remote_number = asked.number;
  const uint64_t number = static_cast<uint64_t>(connection.id);
  links_[number] = Link{&connection, asked.from};
  handshakes_.push_back({make_introduction(PacketKind::kAccept, asked.number, number, asked.hello, name_towards(asked.from)),
                         asked.from, *address, connection.id, !connection.local_name.empty(), true, connection.give_up});
  return Done{};
}

Result<> RdmConnector::poll(ConnectorEvents& events) {
  for (Refusals::Refused& refused : refusals_->take()) {
    if (!endpoint_) continue;
    auto address = use(refused.to);
    if (!address) continue;  // A peer that cannot be told finds out at its deadline.
    const auto payload = encode(refused.refusal);
    handshakes_.push_back({make_packet({PacketKind::kRefuse, 0, refused.number, 0}, payload), refused.to, *address,
                           ConnectionId{}, refused.local, false, Clock::now() + core_.settings().handshake_timeout});
  }
  for (auto handshake = handshakes_.begin(); handshake != handshakes_.end();) {
    const bool refusal = handshake->connection == ConnectionId{};
    const ssize_t code = post(*handshake);
    if (code == -FI_EAGAIN && (!refusal || Clock::now() < handshake->give_up)) {  // The hub's clock ends the others.
      ++handshake;
      continue;
    }
    if (refusal) {
      if (code == 0) refused_at_ = Clock::now();
      unuse(handshake->to);
    } else if (code != 0) {
      events.push_back(
          Broken{handshake->connection, Error{Errc::kUnreachable, "sending a hello to " + location_of(handshake->to) + ": " +
                                                                      fi_strerror(static_cast<int>(-code))}});
    } else if (const auto link = links_.find(static_cast<uint64_t>(handshake->connection)); link != links_.end()) {
      link->second.connection->unsent = false;
      if (handshake->opens) events.push_back(Opened{handshake->connection});
    }
    handshake = handshakes_.erase(handshake);
  }
  return Done{};
}

void RdmConnector::on_handshake(const PacketHeader& header, std::span<const std::byte> payload, ConnectorEvents& events) {
  if (header.kind == PacketKind::kHello) {
    on_hello(header, payload, events);
    return;
  }
  const auto link = links_.find(header.to);
  if (link == links_.end()) return;
  Connection& connection = *link->second.connection;
  if (connection.phase != Connection::Phase::kOpening || connection.accepted) return;
  connection.met = true;
  if (header.kind == PacketKind::kAccept) {
    on_accept(link->second, header, payload, events);
    return;
  }
  auto refusal = decode_refusal(payload);
  events.push_back(Broken{connection.id, refusal ? Error{refusal->code, connection.peer + " refused the connection: " +
                                                                            std::string(error_row(refusal->code).meaning)}
                                                 : Error{Errc::kVersion, connection.peer + ": " + refusal.error().text}});
}

void RdmConnector::on_hello(const PacketHeader& header, std::span<const std::byte> payload, ConnectorEvents& events) {
  const auto name = introduced_name(payload);
  if (!name) return;  // Nobody to answer to.
  // Known now, or never: one that has closed since must not look like one of another process.
  const bool local = name->format == FI_ADDR_STR && LocalEndpoints::is_ours(location_of(*name));
  auto hello = decode_hello(payload);
  if (!hello || !listening_) {
    refusals_->add({*name, local, header.value, Refusal{hello ? Errc::kUnreachable : hello.error().code}});
    return;
  }
  auto state = std::make_unique<RdmIncoming>();
  state->domain = core_.shared_domain();
  state->hello = *hello;
  state->peer = core_.domain().provider() + "://" + location_of(*name);
  state->refusals = refusals_;
  state->from = *name;
  state->local = local;
  state->number = header.value;
  events.push_back(Asked{Incoming(std::move(state))});
}

void RdmConnector::on_accept(Link& link, const PacketHeader& header, std::span<const std::byte> payload,
                             ConnectorEvents& events) {
  Connection& connection = *link.connection;
  const auto name = introduced_name(payload);
  const auto hello = decode_hello(payload);
  if (!hello || !name) {
    const std::string why = hello ? "the peer's answer is damaged" : hello.error().text;
    events.push_back(Broken{connection.id, Error{Errc::kVersion, connection.peer + ": " + why}});
    return;
  }
  // Another hub of the listener may serve us: from now on we talk to its endpoint.
  auto address = use(*name);
  if (!address) {
    events.push_back(Broken{connection.id, std::move(address).error()});
    return;
  }
  unuse(link.peer);
  link.peer = *name;
  set_peer(connection, *address, *name);
  connection.remote_number = header.value;
  connection.hello.proof = hello->proof;
  events.push_back(Opened{connection.id});
}

void RdmConnector::end(Connection& connection, ConnectorEvents& events) {
  const auto link = links_.find(static_cast<uint64_t>(connection.id));
  if (link == links_.end()) return;
  std::erase_if(handshakes_, [&](const Handshake& handshake) { return handshake.connection == connection.id; });
  const EndpointName peer = link->second.peer;
  links_.erase(link);
  // Also if no packet could be sent: shm introduces itself first, and may wait for an answer to that.
  if (!connection.met) unmet_ = true;
  const Deadline deadline = Deadline::after(kRmaGrace);
  while (core_.rmas_under_way(connection) > 0) {
    if (!core_.collect() || deadline.passed()) {
      reset_endpoint(connection, events);
      return;
    }
  }
  // What is left are sends from our own buffers, which stay until the provider is done with them.
  core_.orphan(connection);
  connection.endpoint = nullptr;
  unuse(peer);
}

Result<std::unique_ptr<Connector>> Connector::open_rdm(HubCore& core) {
  // The endpoint is opened by the first use: its address depends on it.
  return std::unique_ptr<Connector>(std::make_unique<RdmConnector>(core));
}

}  // namespace godwit::fabric
