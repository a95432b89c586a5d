// Connection: what a hub knows of one peer. Used by the hub's thread only; internal to fabric/.
#pragma once

#include <rdma/fabric.h>
#include <rdma/fi_domain.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fabric/buffer_pool.hpp"
#include "fabric/domain.hpp"
#include "fabric/guard.hpp"
#include "fabric/hub.hpp"
#include "fabric/packet.hpp"

namespace godwit::fabric {

struct Connection;

// One asynchronous operation that the provider knows by its address.
struct Operation {
  fi_context2 context{};  // The provider's scratch space (FI_CONTEXT, FI_CONTEXT2); first, so that its address is ours.
  enum class Kind : uint8_t { kReceive, kSend, kRead, kWrite };
  Kind kind = Kind::kReceive;
  bool active = false;               // Between start() and finish().
  Connection* connection = nullptr;  // Null: the endpoint's own receive, or the connection is gone.
  size_t place = 0;                  // In connection->operations.
  uint64_t token = 0;                // kRead, kWrite: the user's. kSend of a handshake: the connection's number.
  uint64_t serial = 0;               // Counts operations in the order in which they were started.
  uint32_t buffer = 0;               // kReceive, kSend: index in its pool.
};

constexpr bool is_rma(Operation::Kind kind) { return kind == Operation::Kind::kRead || kind == Operation::Kind::kWrite; }

// How an operation ended.
struct Completion {
  Operation* operation = nullptr;
  size_t length_bytes = 0;  // kReceive.
  int error = 0;            // libfabric's, positive; 0: success.
};

// A message, or the rest of one, that waits for room on the wire.
struct Outgoing {
  std::vector<std::byte> bytes;
  size_t sent_bytes = 0;
  uint64_t message_bytes = 0;  // Of the whole.
};

struct Connection {
  explicit Connection(ConnectionId name) : id(name) {}

  enum class Phase : uint8_t { kOpening, kProving, kOpen, kOver };
  // Messages pass, of its owners or of their proof.
  bool talks() const { return phase == Phase::kProving || phase == Phase::kOpen; }

  const ConnectionId id;
  Phase phase = Phase::kOpening;
  std::string peer;              // For people.
  bool unsent = false;           // RDM: not even our first packet could be sent yet.
  bool met = false;              // Something came from it.
  bool accepted = false;         // We are the side that was asked.
  Clock::time_point give_up{};   // kOpening, kProving: when it fails with kTimeout.
  Hello hello;                   // With `proof`: what is asked of both sides.
  std::unique_ptr<Proof> proof;  // kProving, until it is decided.
  std::optional<Error> refused;  // kProving: the peer has failed, and is being told.
  Identity identity;             // kOpen: of the peer.
  std::optional<Error> failure;  // Found where the handler could not be told; the loop does.

  // The provider's side.
  std::optional<BufferPool> receive_pool;  // MSG only. Freed after the endpoint that writes into it.
  Fid<fid_ep> own_endpoint;                // MSG only.
  fid_ep* endpoint = nullptr;              // own_endpoint, or the hub's.
  fi_addr_t address = FI_ADDR_UNSPEC;      // RDM only.
  std::string local_name;                  // Set if the peer is an shm endpoint of this process (LocalEndpoints).
  uint64_t remote_number = 0;              // RDM only: the peer's number of this connection.
  std::vector<Operation*> operations;      // Outstanding.
  uint32_t sends = 0;                      // Of them: in flight.
  uint32_t rmas = 0;
  std::vector<uint64_t> lost_rmas;  // Tokens whose operations ended with the endpoint, not yet reported.

  // Sending.
  std::deque<Outgoing> outgoing;
  uint64_t outgoing_bytes = 0;
  uint32_t send_sequence = 0;

  // Receiving.
  uint32_t receive_sequence = 0;                     // The next to deliver.
  std::map<uint32_t, std::vector<std::byte>> early;  // Packets that came before their turn, or before we were open.
  std::vector<std::byte> assembly;                   // Of the message whose fragments are arriving.
  uint64_t assembly_bytes = 0;                       // Its size; 0: none is under way.

  uint64_t buffered_bytes() const { return outgoing_bytes + assembly.size() + early.size() * kPacketBytes; }

  // On the hub's attended clock (hub_impl.hpp).
  Clock::duration heard{};
  Clock::duration said{};
};

}  // namespace godwit::fabric
