// Hub: the connections of one thread, and the loop that drives them.
//
// One thread owns a hub and calls everything but wake(). Over MSG providers each connection is an endpoint of its own on
// the hub's event and completion queue; over RDM providers they share one endpoint and are told apart by a number in
// each message. Users cannot tell which.
//
// Messages arrive whole, in order, exactly once, or the connection closes. RMA is ordered with nothing: its completion at
// the initiator is the guarantee (FI_DELIVERY_COMPLETE for writes, the bytes themselves for reads).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/deadline.hpp"
#include "base/result.hpp"
#include "fabric/address.hpp"
#include "fabric/domain.hpp"
#include "fabric/guard.hpp"
#include "fabric/hello.hpp"

namespace godwit::fabric {

// Names a connection of one hub; never reused by it.
enum class ConnectionId : uint64_t {};

// Of one send on the wire, header included; longer messages travel in fragments. Part of the protocol, so no setting.
constexpr size_t kPacketBytes = 16384;

struct HubSettings {
  // Posted for each connection. A sender has up to 8 packets on the wire and is told of their arrival before we look at them:
  // twice as many, or it meets a receiver that is not ready, and verbs then rests for 0.6 ms (a third of the messages per
  // second).
  uint32_t receive_buffers = 16;
  uint64_t message_bytes_max = 32u << 20;  // A longer one closes the connection (kProtocol).
  // Of all connections: of messages half received, and of messages that their peers do not take. Beyond it the connection that
  // has the most is closed (kLimit).
  uint64_t buffered_bytes_max = 256u << 20;
  milliseconds heartbeat{1000};          // A silent connection is probed this often, while its owner waits on it ...
  milliseconds peer_timeout{5000};       // ... and closed with kPeerLost when nothing came for so long.
  milliseconds handshake_timeout{5000};  // For an incoming connection to say hello.
  std::chrono::microseconds spin{50};    // Busy polling before a wait blocks: latency against processor time.
};

// A connection that was asked for and not yet accepted. Movable to another thread's hub of the same domain.
// Destroyed without accept(): refused with kBusy.
class Incoming {
 public:
  Incoming(Incoming&&) noexcept;
  Incoming& operator=(Incoming&&) noexcept;
  ~Incoming();

  const Hello& hello() const;
  const std::string& peer() const;  // For errors and logs.

  struct State;
  explicit Incoming(std::unique_ptr<State> state);

 private:
  friend class Hub;
  std::unique_ptr<State> state_;
};

// Who is told what happened; called by the hub's thread from inside progress(). May call any method of the hub.
class HubHandler {
 public:
  virtual ~HubHandler() = default;
  // A hello arrived at listen()'s address and was valid. (An invalid one has been refused already.)
  virtual void on_incoming(Incoming incoming) = 0;
  // connect() or accept() succeeded, and if the domain's guard or the peer asks for it, both have proved who they are: messages
  // and RMA may start.
  virtual void on_open(ConnectionId connection) = 0;
  // `message` is valid during the call only.
  virtual void on_message(ConnectionId connection, std::span<const std::byte> message) = 0;
  // The read or write posted with `token` has ended. On success its bytes are in place.
  virtual void on_rma(ConnectionId connection, uint64_t token, Result<> outcome) = 0;
  // The last call for this connection: closed by the peer, lost, or never opened. Every outstanding RMA has been reported
  // before it. Not called for close() by the owner. Errors: kUnreachable, kTimeout, kPeerLost, kVersion, kProtocol, kFabric;
  // kDenied, one side could not prove who it is; or the peer's refusal.
  virtual void on_closed(ConnectionId connection, Error reason) = 0;
};

class Hub {
 public:
  // Errors: kFabric, kMemory.
  static Result<std::unique_ptr<Hub>> open(std::shared_ptr<Domain> domain, HubSettings settings);
  // Closes every connection; outstanding RMA has ended in hardware when it returns.
  ~Hub();
  Hub(const Hub&) = delete;
  Hub& operator=(const Hub&) = delete;

  // Starts to listen; returns the address peers connect to (with the port that was chosen for ":0" or no port).
  // Errors: kFabric, kExists when somebody listens there.
  Result<Address> listen(const std::string& location);

  // Starts to connect; on_open or on_closed follows, the latter no later than the deadline. Errors: kInvalid, kFabric.
  Result<ConnectionId> connect(const Address& address, const Hello& hello, Deadline deadline);
  // Starts to accept; on_open or on_closed follows. Errors: kFabric.
  Result<ConnectionId> accept(Incoming incoming);
  void refuse(Incoming incoming, Refusal refusal);

  // Queues a message of 1 to message_bytes_max bytes; copies it. Errors: kPeerLost, not open any more; kLimit.
  Result<> send(ConnectionId connection, std::span<const std::byte> message);
  // Asks for an RMA; on_rma(token) follows. `local` lies in `registration` and stays valid until then; at most
  // limits().max_message_bytes long. Errors: kPeerLost; kLimit; kRange, `local` outside the registration or longer than
  // the remote memory from `remote_offset_bytes` on; kBusy, the queue is full: progress() and try again; kFabric.
  Result<> read(ConnectionId connection, std::span<std::byte> local, const Registration& registration,
                const RemoteMemory& remote, uint64_t remote_offset_bytes, uint64_t token);
  Result<> write(ConnectionId connection, std::span<const std::byte> local, const Registration& registration,
                 const RemoteMemory& remote, uint64_t remote_offset_bytes, uint64_t token);

  // Runs the loop once: delivers what has happened, or waits for something until the deadline or wake(), then delivers that.
  // Returns how many events it delivered. Blocks without using the processor, after settings.spin of polling.
  // Errors: kFabric, the queues are broken: destroy the hub.
  Result<size_t> progress(HubHandler& handler, Deadline deadline);
  // Ends a wait in progress() now, or the next one. Any thread.
  void wake();

  // Flushes queued messages for at most a second, then ends outstanding RMA and frees the connection. No call follows for it.
  void close(ConnectionId connection);
  // For errors and logs: "tcp://10.0.0.2:40123", or what the provider tells.
  std::string peer(ConnectionId connection) const;
  // Of the peer of an open connection; of another one nobody's.
  Identity identity(ConnectionId connection) const;
  const Domain& domain() const;

 private:
  class Impl;
  explicit Hub(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace godwit::fabric
