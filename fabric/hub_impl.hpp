// Hub::Impl: the connections, and the rules that are the same over MSG and RDM endpoints. Internal to fabric/.
//
// hub.cpp opens and closes connections, hub_proof.cpp lets both ends prove who they are, hub_loop.cpp runs the loop,
// hub_transfer.cpp sends and posts RMA.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "fabric/connector.hpp"
#include "fabric/half_open.hpp"
#include "fabric/hub.hpp"
#include "fabric/hub_core.hpp"

namespace godwit::fabric {

class Hub::Impl {
 public:
  Impl(std::shared_ptr<Domain> domain, HubSettings settings) : core_(std::move(domain), settings) {}
  ~Impl();
  Result<> open();

  // hub.cpp
  Result<Address> listen(const std::string& location);
  Result<ConnectionId> connect(const Address& address, const Hello& hello, Deadline deadline);
  Result<ConnectionId> accept(Incoming::State& incoming);
  void close(ConnectionId id);
  std::string peer(ConnectionId id) const;
  Identity identity(ConnectionId id) const;
  const Domain& domain() { return core_.domain(); }
  void wake() { core_.waiter().wake(); }

  // hub_transfer.cpp
  Result<> send(ConnectionId id, std::span<const std::byte> message);
  struct Rma {
    Operation::Kind kind;
    std::span<std::byte> local;
    const Registration& registration;
    const RemoteMemory& remote;
    uint64_t remote_offset_bytes;
    uint64_t token;
  };
  Result<> post_rma(ConnectionId id, const Rma& rma);

  // hub_loop.cpp
  Result<size_t> progress(HubHandler& handler, Deadline deadline);

 private:
  // hub.cpp
  Connection& add(std::string peer, Clock::time_point give_up);
  Connection* find(ConnectionId id);
  Connection* find_open(ConnectionId id);
  Connection* find_talking(ConnectionId id);
  void release(ConnectionId id);

  // hub_proof.cpp
  // The transport is there: the proof begins, if one is asked for.
  void begin_proof(HubHandler& handler, Connection& connection);
  void follow_proof(HubHandler& handler, Connection& connection, Proof::Step step);
  void on_proof_message(HubHandler& handler, Connection& connection, std::span<const std::byte> message);
  // Looks at all that await their proof's outcome.
  void look_at_proofs(HubHandler& handler);
  void now_open(HubHandler& handler, Connection& connection);

  // hub_loop.cpp
  Result<size_t> poll_once(HubHandler& handler);
  Result<size_t> handle_completions(HubHandler& handler);
  Result<size_t> handle_events(HubHandler& handler);
  void on_completion(HubHandler& handler, const Completion& done);
  void on_received(HubHandler& handler, const Completion& done);
  void on_packet(HubHandler& handler, ConnectionId id, std::span<const std::byte> packet);
  void deliver_early(HubHandler& handler, ConnectionId id);
  void on_data(HubHandler& handler, Connection& connection, const PacketHeader& header, std::span<const std::byte> payload);
  // `connection` held `before_bytes` and may hold more now: ends the greediest if all together hold more than they may.
  void bound_buffers(const Connection& connection, uint64_t before_bytes);
  void on_rma_over(HubHandler& handler, const Completion& done);
  void on_opened(HubHandler& handler, ConnectionId id);
  void fail(HubHandler& handler, ConnectionId id, const Error& reason);
  void check_clocks(HubHandler& handler);
  void attend();
  Clock::time_point next_check() const;

  // hub_transfer.cpp
  void pump(Connection& connection);
  void queue(Connection& connection, std::span<const std::byte> message);
  // Sends as many of a message's `bytes` as there is room for; returns how many. `message_bytes`: of the whole message.
  size_t transmit(Connection& connection, std::span<const std::byte> bytes, uint64_t message_bytes);
  // Returns false when there is no room now, or the connection failed.
  bool post_packet(Connection& connection, PacketKind kind, uint64_t value, std::span<const std::byte> payload);
  void say_bye(Connection& connection);
  void flush(Connection& connection, Deadline deadline);

  HubCore core_;
  std::unique_ptr<Connector> connector_;
  ConnectorEvents events_;
  std::optional<HalfOpen> half_open_;  // While we listen where peers come as sockets.
  std::unordered_map<uint64_t, std::unique_ptr<Connection>> connections_;
  std::vector<std::unique_ptr<Connection>> graveyard_;  // Closed inside a handler's call; its message may still be looked at.
  size_t delivered_ = 0;                                // In this turn of the loop.
  std::optional<ConnectionId> failing_;                 // Whose last calls are being made; none after its owner closed it.

  // The attended clock: time in which we could have heard our peers. Time that the owner spent elsewhere does not count,
  // so that a long computation is not taken for the silence of all peers.
  Clock::duration attended_{};
  Clock::time_point looked_ = Clock::now();
  Clock::time_point checked_ = Clock::now();
  bool waiting_ = false;
};

}  // namespace godwit::fabric
