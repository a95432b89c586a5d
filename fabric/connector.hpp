// Connector: what differs between MSG and RDM endpoints: how a hub listens, connects, accepts and ends. Internal to fabric/.
#pragma once

#include <rdma/fi_domain.h>
#include <rdma/fi_eq.h>

#include <deque>
#include <memory>
#include <string>
#include <variant>

#include "fabric/connection.hpp"
#include "fabric/endpoint_name.hpp"
#include "fabric/packet.hpp"

namespace godwit::fabric {

// What a connector tells the hub's loop.
struct Opened {
  ConnectionId id;
};
struct Broken {
  ConnectionId id;
  Error reason;
};
struct Asked {
  Incoming incoming;
};
using ConnectorEvent = std::variant<Opened, Broken, Asked>;
using ConnectorEvents = std::deque<ConnectorEvent>;

struct Incoming::State {
  virtual ~State() = default;
  // Any thread, once. Does not block.
  virtual void refuse(Refusal refusal) = 0;

  std::shared_ptr<Domain> domain;
  Hello hello;
  std::string peer;
};

class HubCore;  // The hub's queues and operations (hub_core.hpp).

class Connector {
 public:
  static Result<std::unique_ptr<Connector>> open_msg(HubCore& core);
  static Result<std::unique_ptr<Connector>> open_rdm(HubCore& core);
  virtual ~Connector() = default;

  // As Hub's.
  virtual Result<Address> listen(const std::string& location) = 0;
  virtual Result<> connect(Connection& connection, const EndpointName& to, const Hello& hello) = 0;
  virtual Result<> accept(Connection& connection, Incoming::State& incoming) = 0;

  // Appends what has happened. Errors: kFabric, the hub is broken.
  virtual Result<> poll(ConnectorEvents& events) = 0;
  // A packet of a handshake, or for no connection.
  virtual void on_handshake(const PacketHeader& header, std::span<const std::byte> payload, ConnectorEvents& events) = 0;
  // A receive of the endpoint's own has been dealt with.
  virtual Result<> repost(Operation* operation) = 0;
  virtual std::span<const std::byte> received(const Operation& operation, size_t length_bytes) const = 0;

  // Ends the connection: when it returns, the provider touches none of its memory. Completions may still be in the queue.
  virtual void end(Connection& connection, ConnectorEvents& events) = 0;
  // True: something waits that no queue will tell of; poll again soon.
  virtual bool restless() const = 0;
};

}  // namespace godwit::fabric
