// MSG endpoints: one for each connection; the provider's connection manager carries the hellos.
#include <rdma/fi_cm.h>
#include <rdma/fi_errno.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <unordered_map>

#include "fabric/connector.hpp"
#include "fabric/failure.hpp"
#include "fabric/hub_core.hpp"

namespace godwit::fabric {

namespace {

constexpr size_t kConnectionDataMax = 256;

// Lives as long as an Incoming that may still refuse through it.
struct Listener {
  Fid<fid_eq> events;  // Closed last.
  Fid<fid_pep> endpoint;
};

struct MsgIncoming final : Incoming::State {
  ~MsgIncoming() override {
    if (info) refuse(Refusal{Errc::kBusy});
  }
  void refuse(Refusal refusal) override {
    const auto bytes = encode(refusal);
    // A peer that is gone needs no refusal.
    fi_reject(listener->endpoint.get(), info->handle, bytes.data(), bytes.size());
    info.reset();
  }

  std::shared_ptr<Listener> listener;
  InfoPtr info;  // Null once answered.
};

// `copy` gets `name` as its address; false: no memory.
bool set_address(void*& address, size_t& length, const EndpointName& name) {
  free(address);
  address = malloc(name.bytes.size());
  length = address ? name.bytes.size() : 0;
  if (address) std::memcpy(address, name.bytes.data(), length);
  return address != nullptr;
}

std::string text_of_address(const Domain& domain, uint32_t format, const void* address, size_t length) {
  const auto* start = static_cast<const std::byte*>(address);
  return to_string(Address{domain.provider(), location_of(EndpointName{format, {start, start + length}})});
}

// verbs resolves the peer's address when the endpoint is made: that nobody has it is found then.
Error opening_error(std::string_view call, int code) {
  switch (-code) {
    case FI_ETIMEDOUT:
    case FI_EHOSTUNREACH:
    case FI_ENETUNREACH:
    case FI_EADDRNOTAVAIL:
    case FI_ENODEV:
    case FI_ECONNREFUSED:
      return Error{Errc::kUnreachable, std::string(call) + ": " + fi_strerror(-code) + "; no host answers at that address"};
    default: return fabric_error(call, code);
  }
}

// What a peer that is not ours, or of another version, makes of our side.
Error foreign(Error error) { return Error{Errc::kVersion, std::move(error.text)}; }

class MsgConnector final : public Connector {
 public:
  explicit MsgConnector(HubCore& core) : core_(core) {}
  Result<> open();

  Result<Address> listen(const std::string& location) override;
  Result<> connect(Connection& connection, const EndpointName& to, const Hello& hello) override;
  Result<> accept(Connection& connection, Incoming::State& incoming) override;
  Result<> poll(ConnectorEvents& events) override;
  void on_handshake(const PacketHeader&, std::span<const std::byte>, ConnectorEvents&) override {}
  Result<> repost(Operation* operation) override;
  std::span<const std::byte> received(const Operation& operation, size_t length_bytes) const override;
  void end(Connection& connection, ConnectorEvents& events) override;
  bool restless() const override { return false; }

 private:
  Result<> open_endpoint(Connection& connection, fi_info* info);
  Result<> post(Connection& connection, Operation* operation);
  void on_request(InfoPtr info, std::span<const std::byte> data, ConnectorEvents& events);
  void on_error(const fi_eq_err_entry& failed, ConnectorEvents& events);
  void on_connected(Connection& connection, std::span<const std::byte> data, ConnectorEvents& events);
  Connection* find(fid_t fid) const;

  HubCore& core_;
  std::shared_ptr<Listener> listener_;  // Holds the event queue, also while nobody listens.
  std::unordered_map<fid_t, Connection*> endpoints_;
};

Result<> MsgConnector::open() {
  fi_eq_attr attr{};
  attr.wait_obj = core_.domain().limits().has_wait_fd ? FI_WAIT_FD : FI_WAIT_NONE;
  fid_eq* queue = nullptr;
  if (const int code = fi_eq_open(core_.domain().fabric(), &attr, &queue, nullptr); code != 0) {
    return fabric_error("fi_eq_open", code);
  }
  listener_ = std::make_shared<Listener>();
  listener_->events.reset(queue);
  if (attr.wait_obj == FI_WAIT_FD) return core_.waiter().add(core_.domain().fabric(), &queue->fid);
  return Done{};
}

Result<Address> MsgConnector::listen(const std::string& location) {
  if (listener_->endpoint) return Error{Errc::kExists, "this hub listens already"};
  auto parts = split_host_port(location);
  if (!parts) return std::move(parts).error();
  const std::string port = parts->second.empty() ? "0" : parts->second;
  const std::string host = parts->first.empty() ? "0.0.0.0" : parts->first;
  const bool six = host.find(':') != host.npos;
  auto name = resolve(*core_.domain().info(), (six ? "[" + host + "]" : host) + ":" + port);
  if (!name) return std::move(name).error();
  // Of the kernel's sockets only: the ports of RDMA devices are their own, and one may listen at both.
  if (core_.domain().provider() == "tcp" && is_taken(*name))
    return Error{Errc::kExists, "somebody listens at " + core_.domain().provider() + "://" + location};
  const InfoPtr info(fi_dupinfo(core_.domain().info()));
  if (!info || !set_address(info->src_addr, info->src_addrlen, *name)) return Error{Errc::kMemory, "fi_dupinfo: no memory"};
  info->addr_format = name->format;

  fid_pep* endpoint = nullptr;
  int code = fi_passive_ep(core_.domain().fabric(), info.get(), &endpoint, nullptr);  // verbs binds here, tcp in fi_listen.
  if (code == -FI_EADDRINUSE)
    return Error{Errc::kExists, "somebody listens at " + core_.domain().provider() + "://" + location};
  if (code != 0) return with_context(location, fabric_error("fi_passive_ep", code));
  Fid<fid_pep> owner(endpoint);
  code = fi_pep_bind(endpoint, &listener_->events->fid, 0);
  if (code == 0) code = fi_listen(endpoint);
  if (code == -FI_EADDRINUSE)
    return Error{Errc::kExists, "somebody listens at " + core_.domain().provider() + "://" + location};
  if (code != 0) return with_context(location, fabric_error("fi_listen", code));
  EndpointName bound{name->format, std::vector<std::byte>(kConnectionDataMax)};
  size_t length = bound.bytes.size();
  if (code = fi_getname(&endpoint->fid, bound.bytes.data(), &length); code != 0) return fabric_error("fi_getname", code);
  bound.bytes.resize(std::min(length, bound.bytes.size()));
  listener_->endpoint = std::move(owner);
  return Address{core_.domain().provider(), location_of(bound)};
}

Result<> MsgConnector::post(Connection& connection, Operation* operation) {
  const auto buffer = connection.receive_pool->buffer(operation->buffer).first(kPacketBytes);
  const ssize_t code = fi_recv(connection.endpoint, buffer.data(), buffer.size(),
                               connection.receive_pool->registration().descriptor(), FI_ADDR_UNSPEC, operation);
  if (code != 0) return fabric_error("fi_recv", code);
  return Done{};
}

Result<> MsgConnector::repost(Operation* operation) { return post(*operation->connection, operation); }

std::span<const std::byte> MsgConnector::received(const Operation& operation, size_t length_bytes) const {
  const auto buffer = operation.connection->receive_pool->buffer(operation.buffer);
  return buffer.first(std::min(length_bytes, buffer.size()));
}

Result<> MsgConnector::open_endpoint(Connection& connection, fi_info* info) {
  auto pool = BufferPool::create(core_.shared_domain(), kPacketBytes, core_.settings().receive_buffers, Access::kLocal);
  if (!pool) return std::move(pool).error();
  fid_ep* endpoint = nullptr;
  int code = fi_endpoint(core_.domain().domain(), info, &endpoint, nullptr);
  if (code != 0) return opening_error("fi_endpoint", code);
  connection.receive_pool.emplace(std::move(*pool));
  connection.own_endpoint.reset(endpoint);
  connection.endpoint = endpoint;
  code = fi_ep_bind(endpoint, &listener_->events->fid, 0);
  if (code == 0) code = fi_ep_bind(endpoint, &core_.queue()->fid, FI_TRANSMIT | FI_RECV);
  if (code == 0) code = fi_enable(endpoint);
  if (code != 0) return opening_error("fi_enable", code);
  endpoints_[&endpoint->fid] = &connection;
  for (uint32_t i = 0; i < core_.settings().receive_buffers; ++i) {
    Operation* operation = core_.start(Operation::Kind::kReceive, &connection);
    if (!operation) return Error{Errc::kLimit, "this hub serves as many connections as its completion queue can"};
    operation->buffer = i;
    if (auto posted = post(connection, operation); !posted) {
      core_.finish(operation);
      return posted;
    }
  }
  return Done{};
}

Result<> MsgConnector::connect(Connection& connection, const EndpointName& to, const Hello& hello) {
  const InfoPtr info(fi_dupinfo(core_.domain().info()));
  if (!info || !set_address(info->dest_addr, info->dest_addrlen, to)) return Error{Errc::kMemory, "fi_dupinfo: no memory"};
  if (info->addr_format != to.format) {  // The other IP version: our own address, if we have one, does not fit.
    free(info->src_addr);
    info->src_addr = nullptr;
    info->src_addrlen = 0;
    info->addr_format = to.format;
  }
  if (auto opened = open_endpoint(connection, info.get()); !opened) return opened;
  const auto bytes = encode(hello);
  if (const int code = fi_connect(connection.endpoint, to.bytes.data(), bytes.data(), bytes.size()); code != 0) {
    return opening_error("fi_connect", code);
  }
  return Done{};
}

Result<> MsgConnector::accept(Connection& connection, Incoming::State& incoming) {
  auto& asked = static_cast<MsgIncoming&>(incoming);
  if (auto opened = open_endpoint(connection, asked.info.get()); !opened) {
    if (connection.own_endpoint) asked.info.reset();  // It took the request over; closing it answers.
    return opened;
  }
  const auto bytes = encode(asked.hello);
  const int code = fi_accept(connection.endpoint, bytes.data(), bytes.size());
  asked.info.reset();  // Answered, one way or the other.
  if (code != 0) return fabric_error("fi_accept", code);
  return Done{};
}

Connection* MsgConnector::find(fid_t fid) const {
  const auto found = endpoints_.find(fid);
  return found == endpoints_.end() ? nullptr : found->second;
}

void MsgConnector::on_request(InfoPtr info, std::span<const std::byte> data, ConnectorEvents& events) {
  auto state = std::make_unique<MsgIncoming>();
  state->domain = core_.shared_domain();
  state->listener = listener_;
  state->info = std::move(info);
  const fi_info& asked = *state->info;
  state->peer = asked.dest_addr ? text_of_address(core_.domain(), asked.addr_format, asked.dest_addr, asked.dest_addrlen)
                                : core_.domain().provider() + "://?";
  auto hello = decode_hello(data);
  if (!hello) {
    state->refuse(Refusal{hello.error().code});
    return;
  }
  state->hello = *hello;
  events.push_back(Asked{Incoming(std::move(state))});
}

void MsgConnector::on_connected(Connection& connection, std::span<const std::byte> data, ConnectorEvents& events) {
  // Only the side that asked gets connection data.
  if (!connection.accepted) {
    const auto hello = decode_hello(data);
    if (!hello) {
      events.push_back(Broken{connection.id, foreign(with_context(connection.peer, hello.error()))});
      return;
    }
    connection.hello.proof = hello->proof;
  }
  events.push_back(Opened{connection.id});
}

void MsgConnector::on_error(const fi_eq_err_entry& failed, ConnectorEvents& events) {
  const Connection* connection = find(failed.fid);
  if (!connection) return;
  if (connection->phase != Connection::Phase::kOpening) {
    events.push_back(Broken{connection->id, operation_error("connection to " + connection->peer, failed.err)});
    return;
  }
  if (failed.err_data_size > 0) {
    auto refusal = decode_refusal({static_cast<const std::byte*>(failed.err_data), failed.err_data_size});
    if (!refusal) {
      events.push_back(Broken{connection->id, foreign(with_context(connection->peer, std::move(refusal).error()))});
    } else {
      events.push_back(Broken{connection->id, Error{refusal->code, connection->peer + " refused the connection: " +
                                                                       std::string(error_row(refusal->code).meaning)}});
    }
    return;
  }
  events.push_back(Broken{connection->id, Error{failed.err == FI_ETIMEDOUT ? Errc::kTimeout : Errc::kUnreachable,
                                                "connecting to " + connection->peer + ": " + fi_strerror(failed.err) +
                                                    "; is a daemon listening there?"}});
}

Result<> MsgConnector::poll(ConnectorEvents& events) {
  // The entry, then connection data.
  alignas(fi_eq_cm_entry) std::array<std::byte, sizeof(fi_eq_cm_entry) + kConnectionDataMax> read{};
  for (;;) {
    uint32_t event = 0;
    const ssize_t size = fi_eq_read(listener_->events.get(), &event, read.data(), read.size(), 0);
    if (size == -FI_EAGAIN) return Done{};
    if (size == -FI_EAVAIL) {
      fi_eq_err_entry failed{};
      std::byte data[kConnectionDataMax];
      failed.err_data = data;
      failed.err_data_size = sizeof(data);
      const ssize_t code = fi_eq_readerr(listener_->events.get(), &failed, 0);
      if (code < 0 && code != -FI_EAGAIN) return fabric_error("fi_eq_readerr", code);
      if (code > 0) on_error(failed, events);
      continue;
    }
    if (size < 0) return fabric_error("fi_eq_read", size);
    fi_eq_cm_entry entry{};
    std::memcpy(&entry, read.data(), std::min(static_cast<size_t>(size), sizeof(entry)));
    const auto data = std::span<const std::byte>(read).subspan(
        sizeof(entry), static_cast<size_t>(size) - std::min(static_cast<size_t>(size), sizeof(entry)));
    if (event == FI_CONNREQ) {
      on_request(InfoPtr(entry.info), data, events);
    } else if (Connection* connection = find(entry.fid)) {
      if (event == FI_CONNECTED) on_connected(*connection, data, events);
      if (event == FI_SHUTDOWN) {
        events.push_back(Broken{connection->id, Error{Errc::kPeerLost, connection->peer + " closed the connection, or died"}});
      }
    }
  }
}

void MsgConnector::end(Connection& connection, ConnectorEvents&) {
  if (!connection.own_endpoint) return;
  endpoints_.erase(&connection.own_endpoint->fid);
  fi_shutdown(connection.endpoint, 0);
  // Closing takes the queue pair or socket away from the provider: nothing reads or writes our memory after it.
  connection.own_endpoint.reset();
  connection.endpoint = nullptr;
  [[maybe_unused]] const auto collected = core_.collect();  // What was flushed; the next turn reports a broken queue.
  core_.abandon(connection);
}

}  // namespace

Result<std::unique_ptr<Connector>> Connector::open_msg(HubCore& core) {
  auto connector = std::make_unique<MsgConnector>(core);
  if (auto opened = connector->open(); !opened) return std::move(opened).error();
  return std::unique_ptr<Connector>(std::move(connector));
}

}  // namespace godwit::fabric
