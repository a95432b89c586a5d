// Sending messages in packets, and posting RMA.
#include <rdma/fi_rma.h>

#include <rdma/fi_errno.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <thread>

#include "base/extent.hpp"
#include "base/units.hpp"
#include "fabric/failure.hpp"
#include "fabric/hub_impl.hpp"
#include "fabric/local_endpoints.hpp"

namespace godwit::fabric {

namespace {

constexpr uint32_t kSendsMax = 8;  // In flight for each connection; the rest waits in its queue.
constexpr size_t kInjectBytesMax =
    4096;  // Beyond this a copy into a send buffer costs less than one on the stack and one below.
constexpr auto kFlushPause = std::chrono::microseconds(50);
constexpr uint64_t kBacklogMessages = 4;  // As many messages of the largest size may wait for a peer that does not read.

// What a packet of ours carries. Over shm no more than can be injected: larger sends end by an answer of the receiver's, and
// one that a dead peer owes holds up the answers of all others.
size_t payload_max(const Domain& domain) {
  const uint64_t inject = domain.limits().inject_bytes;
  const bool inject_only = domain.backend() == Backend::kRdm && inject >= kInjectBytesMax;
  return (inject_only ? kInjectBytesMax : kPacketBytes) - kHeaderBytes;
}

// How many RMA operations a connection may have in flight: the transmit queue without the places that sends need.
size_t rma_max(const fi_info& info) {
  const size_t size = info.tx_attr->size;
  return size > 2 * size_t{kSendsMax} ? size - 2 * size_t{kSendsMax} : 1;
}

// Of a peer in this process; no lock if it has closed, or is elsewhere.
std::shared_lock<std::shared_mutex> hold(const Connection& connection) {
  if (connection.local_name.empty()) return {};
  return LocalEndpoints::hold(connection.local_name);
}

}  // namespace

Result<> Hub::Impl::send(ConnectionId id, std::span<const std::byte> message) {
  Connection* connection = find_open(id);
  if (!connection) return Error{Errc::kPeerLost, "the connection to " + peer(id) + " is not open"};
  const uint64_t bytes_max = core_.settings().message_bytes_max;
  if (message.empty() || message.size() > bytes_max) {
    return Error{Errc::kLimit, "a message of " + std::to_string(message.size()) + " bytes; 1 to " + std::to_string(bytes_max) +
                                   " are possible"};
  }
  if (connection->outgoing_bytes + message.size() > kBacklogMessages * bytes_max) {
    return Error{Errc::kLimit,
                 connection->peer + " does not read: " + format_size(connection->outgoing_bytes) + " wait for it"};
  }
  queue(*connection, message);
  return Done{};
}

void Hub::Impl::queue(Connection& connection, std::span<const std::byte> message) {
  size_t sent = 0;
  if (connection.outgoing.empty()) sent = transmit(connection, message, message.size());
  if (sent == message.size()) return;
  const auto rest = message.subspan(sent);
  const uint64_t before_bytes = connection.buffered_bytes();
  connection.outgoing.push_back(Outgoing{{rest.begin(), rest.end()}, 0, message.size()});
  connection.outgoing_bytes += rest.size();
  bound_buffers(connection, before_bytes);
}

size_t Hub::Impl::transmit(Connection& connection, std::span<const std::byte> bytes, uint64_t message_bytes) {
  const size_t room = payload_max(core_.domain());
  size_t sent = 0;
  while (sent < bytes.size()) {
    const auto payload = bytes.subspan(sent, std::min(bytes.size() - sent, room));
    if (!post_packet(connection, PacketKind::kData, message_bytes, payload)) break;
    sent += payload.size();
  }
  return sent;
}

void Hub::Impl::pump(Connection& connection) {
  while (!connection.outgoing.empty() && !connection.failure) {
    Outgoing& first = connection.outgoing.front();
    const size_t sent = transmit(connection, std::span(first.bytes).subspan(first.sent_bytes), first.message_bytes);
    first.sent_bytes += sent;
    connection.outgoing_bytes -= sent;
    if (first.sent_bytes < first.bytes.size()) return;
    connection.outgoing.pop_front();
  }
}

bool Hub::Impl::post_packet(Connection& connection, PacketKind kind, uint64_t value, std::span<const std::byte> payload) {
  if (connection.sends >= kSendsMax) return false;
  const auto held = hold(connection);
  if (!connection.local_name.empty() && !held) {
    connection.failure = Error{Errc::kPeerLost, connection.peer + " closed the connection"};
    return false;
  }
  const PacketHeader header{kind, connection.send_sequence, connection.remote_number, value};
  const size_t length = kHeaderBytes + payload.size();
  ssize_t code = 0;
  std::array<std::byte, kInjectBytesMax> small;
  if (length <= std::min<uint64_t>(core_.domain().limits().inject_bytes, small.size())) {
    encode(header, small.data());
    if (!payload.empty()) std::memcpy(&small[kHeaderBytes], payload.data(), payload.size());
    code = fi_inject(connection.endpoint, small.data(), length, connection.address);
  } else {
    Operation* operation = core_.start(Operation::Kind::kSend, &connection);
    if (!operation) return false;
    const auto buffer = core_.send_buffer(*operation);
    encode(header, buffer.data());
    if (!payload.empty()) std::memcpy(&buffer[kHeaderBytes], payload.data(), payload.size());
    code =
        fi_send(connection.endpoint, buffer.data(), length, core_.send_descriptor(*operation), connection.address, operation);
    if (code != 0) core_.finish(operation);
  }
  if (code == -FI_EAGAIN) return false;
  if (code != 0) {
    connection.failure = operation_error("sending to " + connection.peer, static_cast<int>(-code));
    return false;
  }
  if (kind != PacketKind::kKeepalive) ++connection.send_sequence;
  connection.said = attended_;
  return true;
}

void Hub::Impl::say_bye(Connection& connection) {
  if (!connection.talks()) return;
  if (connection.failure && connection.failure->code == Errc::kPeerLost) return;
  post_packet(connection, PacketKind::kBye, 0, {});
}

// Sends what is queued, without a handler: completions of others wait in the core for the next turn of the loop.
void Hub::Impl::flush(Connection& connection, Deadline deadline) {
  if (!connection.talks()) return;
  while (!connection.failure && (!connection.outgoing.empty() || connection.sends > 0)) {
    if (!core_.collect()) return;
    std::deque<Completion>& completions = core_.completions();
    bool moved = false;
    for (auto done = completions.begin(); done != completions.end();) {
      if (done->operation->connection != &connection || done->operation->kind != Operation::Kind::kSend) {
        ++done;
        continue;
      }
      if (done->error != 0) connection.failure = operation_error("sending to " + connection.peer, done->error);
      core_.finish(done->operation);
      done = completions.erase(done);
      moved = true;
    }
    if (moved) pump(connection);
    if (deadline.passed()) return;
    if (!moved) {
      if (auto polled = connector_->poll(events_); !polled) return;
      for (const ConnectorEvent& event : events_) {
        const auto* broken = std::get_if<Broken>(&event);
        if (broken && broken->id == connection.id) return;
      }
      pump(connection);
      std::this_thread::sleep_for(kFlushPause);
    }
  }
}

Result<> Hub::Impl::post_rma(ConnectionId id, const Rma& rma) {
  Connection* connection = find_open(id);
  if (!connection) return Error{Errc::kPeerLost, "the connection to " + peer(id) + " is not open"};
  const uint64_t length = rma.local.size();
  const Limits& limits = core_.domain().limits();
  if (length == 0 || length > limits.max_message_bytes) {
    return Error{Errc::kLimit, "an RMA of " + std::to_string(length) + " bytes; 1 to " +
                                   std::to_string(limits.max_message_bytes) + " are possible"};
  }
  const auto registered = rma.registration.bytes();
  const std::byte* start = rma.local.data();
  if (start < registered.data() ||
      !lies_within({static_cast<uint64_t>(start - registered.data()), length}, registered.size())) {
    return Error{Errc::kRange, "the local buffer is not in the registered memory"};
  }
  if (!lies_within({rma.remote_offset_bytes, length}, rma.remote.length_bytes)) {
    return Error{Errc::kRange, "bytes " + std::to_string(rma.remote_offset_bytes) + "+" + std::to_string(length) +
                                   " are outside the " + std::to_string(rma.remote.length_bytes) + " bytes that " +
                                   connection->peer + " exposed"};
  }
  const auto held = hold(*connection);
  if (!connection->local_name.empty() && !held) return Error{Errc::kPeerLost, connection->peer + " closed the connection"};
  if (connection->rmas >= rma_max(*core_.domain().info())) return Error{Errc::kBusy, "the transmit queue is full"};
  Operation* operation = core_.start(rma.kind, connection);
  if (!operation) return Error{Errc::kBusy, "the completion queue is full"};
  operation->token = rma.token;

  iovec local{rma.local.data(), rma.local.size()};
  void* descriptor = rma.registration.descriptor();
  fi_rma_iov remote{rma.remote.address + rma.remote_offset_bytes, length, rma.remote.key};
  const fi_msg_rma message{&local, &descriptor, 1, connection->address, &remote, 1, operation, 0};
  ssize_t code = 0;
  if (rma.kind == Operation::Kind::kRead) {
    code = fi_readmsg(connection->endpoint, &message, FI_COMPLETION);
  } else {
    // What guarantees that written bytes have landed when on_rma says so: FI_DELIVERY_COMPLETE, the target's provider
    // has placed them. Where a provider lacks it (verbs before 1.18), FI_TRANSMIT_COMPLETE over a reliable connection: the
    // target's adapter has acknowledged them, and places them before anything that we send afterwards.
    const uint64_t landed = limits.delivery_complete ? FI_DELIVERY_COMPLETE : FI_TRANSMIT_COMPLETE;
    code = fi_writemsg(connection->endpoint, &message, FI_COMPLETION | landed);
  }
  if (code == 0) return Done{};
  core_.finish(operation);
  if (code == -FI_EAGAIN) return Error{Errc::kBusy, "the transmit queue is full"};
  return operation_error((rma.kind == Operation::Kind::kRead ? "reading from " : "writing to ") + connection->peer,
                         static_cast<int>(-code));
}

}  // namespace godwit::fabric
