// The loop: completions, events, clocks, waits.
#include <rdma/fi_errno.h>

#include <algorithm>
#include <thread>

#include "base/units.hpp"
#include "fabric/failure.hpp"
#include "fabric/hub_impl.hpp"

namespace godwit::fabric {

namespace {

// A gap between two looks at the queues counts as attention for at most so long (see attend()).
constexpr auto kAttentionGap = std::chrono::milliseconds(100);
constexpr size_t kDeliveriesMax = 256;  // In one turn of the loop.
constexpr uint32_t kEarlyMax = 4096;    // Packets.
constexpr uint32_t kEarlyUnprovedMax = 16;
constexpr uint64_t kBufferedStep = 64u << 10;  // Each time a connection's buffers grow by so much, all are added up.
constexpr auto kRestlessPause = std::chrono::milliseconds(1);

std::string rma_name(Operation::Kind kind, const Connection& connection) {
  return (kind == Operation::Kind::kRead ? "reading from " : "writing to ") + connection.peer;
}

}  // namespace

Result<size_t> Hub::Impl::progress(HubHandler& handler, Deadline deadline) {
  const auto spin_end = Clock::now() + core_.settings().spin;
  for (;;) {
    auto delivered = poll_once(handler);
    if (!delivered) return delivered;
    if (*delivered > 0) {
      core_.waiter().reset_pause();
      return delivered;
    }
    const auto now = Clock::now();
    if (now >= deadline.time()) return size_t{0};  // A call that cannot wait leaves a wake to the next that can.
    if (core_.waiter().take_wake()) return size_t{0};
    if (now < spin_end) {
      std::this_thread::yield();  // Free where the processor is ours; else the one we wait for may need it.
      continue;
    }
    auto until = std::min(deadline.time(), next_check());
    const bool blocked = std::any_of(connections_.begin(), connections_.end(), [](const auto& entry) {
      return !entry.second->outgoing.empty() || (entry.second->proof && entry.second->proof->is_busy());
    });
    if (blocked || connector_->restless()) until = std::min(until, now + kRestlessPause);
    waiting_ = true;
    if (until > now) {
      if (auto waited = core_.waiter().wait(until - now); !waited) return std::move(waited).error();
    }
  }
}

// Advances the attended clock. A wait counts in full, since arrivals would have ended it.
void Hub::Impl::attend() {
  const auto now = Clock::now();
  attended_ += waiting_ ? now - looked_ : std::min<Clock::duration>(now - looked_, kAttentionGap);
  looked_ = now;
  waiting_ = false;
}

Result<size_t> Hub::Impl::poll_once(HubHandler& handler) {
  graveyard_.clear();
  delivered_ = 0;
  attend();
  // Events are read before the completions and handled after them: what the peer sent before it closed is delivered.
  if (auto polled = connector_->poll(events_); !polled) return std::move(polled).error();
  if (auto handled = handle_completions(handler); !handled) return handled;
  if (auto handled = handle_events(handler); !handled) return handled;
  check_clocks(handler);
  return delivered_;
}

Result<size_t> Hub::Impl::handle_completions(HubHandler& handler) {
  if (auto collected = core_.collect(); !collected) return std::move(collected).error();
  std::deque<Completion>& completions = core_.completions();
  while (!completions.empty()) {
    const Completion done = completions.front();
    completions.pop_front();
    on_completion(handler, done);
    if (completions.empty()) {
      if (auto collected = core_.collect(); !collected) return std::move(collected).error();
    }
    // A peer that sends without end must not keep the owner here.
    if (delivered_ >= kDeliveriesMax) break;
  }
  return delivered_;
}

Result<size_t> Hub::Impl::handle_events(HubHandler& handler) {
  while (!events_.empty()) {
    if (std::holds_alternative<Broken>(events_.front())) {
      // Its last messages may have arrived since the completions were read.
      if (auto handled = handle_completions(handler); !handled || !core_.completions().empty()) return handled;
    }
    ConnectorEvent event = std::move(events_.front());
    events_.pop_front();
    if (auto* asked = std::get_if<Asked>(&event)) {
      ++delivered_;
      handler.on_incoming(std::move(asked->incoming));
    } else if (const auto* opened = std::get_if<Opened>(&event)) {
      on_opened(handler, opened->id);
    } else if (const auto* broken = std::get_if<Broken>(&event)) {
      fail(handler, broken->id, broken->reason);
    }
  }
  return delivered_;
}

void Hub::Impl::on_opened(HubHandler& handler, ConnectionId id) {
  Connection* connection = find(id);
  if (!connection || connection->phase != Connection::Phase::kOpening) return;
  connection->heard = connection->said = attended_;
  begin_proof(handler, *connection);
  deliver_early(handler, id);
}

void Hub::Impl::on_completion(HubHandler& handler, const Completion& done) {
  Operation* operation = done.operation;
  switch (operation->kind) {
    case Operation::Kind::kReceive: on_received(handler, done); return;
    case Operation::Kind::kSend: {
      Connection* connection = operation->connection;
      const ConnectionId asked{operation->token};
      core_.finish(operation);
      if (!connection) {
        Connection* opening = done.error != 0 ? find(asked) : nullptr;  // Its hello could not be delivered.
        if (opening && !opening->failure) {
          opening->failure = Error{Errc::kUnreachable, "connecting to " + opening->peer + ": " + fi_strerror(done.error)};
        }
        return;
      }
      if (done.error != 0 && !connection->failure) {
        connection->failure = operation_error("sending to " + connection->peer, done.error);
      }
      pump(*connection);
      return;
    }
    case Operation::Kind::kRead:
    case Operation::Kind::kWrite: on_rma_over(handler, done); return;
  }
}

void Hub::Impl::on_rma_over(HubHandler& handler, const Completion& done) {
  Connection* connection = done.operation->connection;
  const uint64_t token = done.operation->token;
  const Operation::Kind kind = done.operation->kind;
  core_.finish(done.operation);
  if (!connection) return;
  ++delivered_;
  if (done.error == 0) {
    connection->heard = attended_;
    handler.on_rma(connection->id, token, Done{});
  } else {
    handler.on_rma(connection->id, token, operation_error(rma_name(kind, *connection), done.error));
  }
}

void Hub::Impl::on_received(HubHandler& handler, const Completion& done) {
  Operation* operation = done.operation;
  Connection* owner = operation->connection;  // Null: the endpoint's own receive (RDM).
  if (done.error != 0) {
    // The endpoint's own receive stays in service, unless the endpoint itself is being closed.
    if (!owner && done.error != FI_ECANCELED && connector_->repost(operation)) return;
    core_.finish(operation);
    // The provider flushes receives when a connection ends; its event or our clock tells why, if nothing better does.
    if (owner && !owner->failure) {
      owner->failure = done.error == FI_ETRUNC ? Error{Errc::kProtocol, owner->peer + " sent a packet that is too long"}
                                               : operation_error("connection to " + owner->peer, done.error);
    }
    return;
  }
  const auto packet = connector_->received(*operation, done.length_bytes);
  const std::optional<PacketHeader> header = decode_packet(packet);
  const ConnectionId id = owner ? owner->id : ConnectionId{header ? header->to : 0};
  if (!header) {
    if (owner) owner->failure = Error{Errc::kProtocol, owner->peer + " sent something that is no packet"};
  } else if (header->kind >= PacketKind::kHello) {
    connector_->on_handshake(*header, packet.subspan(kHeaderBytes), events_);
  } else {
    on_packet(handler, id, packet);
  }
  // The handler may have closed the connection, and the operation with it.
  if (owner && find(id) != owner) return;
  if (auto posted = connector_->repost(operation); !posted) {
    core_.finish(operation);
    if (owner && !owner->failure) owner->failure = std::move(posted).error();
  }
}

void Hub::Impl::on_packet(HubHandler& handler, ConnectionId id, std::span<const std::byte> packet) {
  Connection* connection = find(id);
  if (!connection || connection->failure) return;
  connection->heard = attended_;
  connection->met = true;
  const PacketHeader header = *decode_packet(packet);
  if (header.kind == PacketKind::kKeepalive) return;
  if (connection->talks() && header.sequence == connection->receive_sequence) {
    on_data(handler, *connection, header, packet.subspan(kHeaderBytes));
    deliver_early(handler, id);
    return;
  }
  // A provider reorders by no more than what is in flight; more is an attack. Who has yet to prove who it is gets less of our
  // memory.
  const uint32_t early_max = connection->phase == Connection::Phase::kProving ? kEarlyUnprovedMax : kEarlyMax;
  if (header.sequence - connection->receive_sequence > early_max) {
    connection->failure = Error{Errc::kProtocol, connection->peer + " sent a packet out of order"};
    return;
  }
  const uint64_t before_bytes = connection->buffered_bytes();
  connection->early.emplace(header.sequence, std::vector<std::byte>(packet.begin(), packet.end()));
  bound_buffers(*connection, before_bytes);
}

void Hub::Impl::deliver_early(HubHandler& handler, ConnectionId id) {
  for (;;) {
    Connection* connection = find_talking(id);
    if (!connection) return;
    const auto next = connection->early.find(connection->receive_sequence);
    if (next == connection->early.end()) return;
    const std::vector<std::byte> packet = std::move(next->second);
    connection->early.erase(next);
    on_data(handler, *connection, *decode_packet(packet), std::span(packet).subspan(kHeaderBytes));
  }
}

void Hub::Impl::on_data(HubHandler& handler, Connection& connection, const PacketHeader& header,
                        std::span<const std::byte> payload) {
  ++connection.receive_sequence;
  if (header.kind == PacketKind::kBye) {
    connection.failure = Error{Errc::kPeerLost, connection.peer + " closed the connection"};
    return;
  }
  const bool is_proving = connection.phase == Connection::Phase::kProving;
  const auto deliver = [&](std::span<const std::byte> message) {
    if (is_proving) return on_proof_message(handler, connection, message);
    ++delivered_;
    handler.on_message(connection.id, message);
  };
  const uint64_t bytes_max = is_proving ? kProofBytesMax : core_.settings().message_bytes_max;
  const bool first = connection.assembly_bytes == 0;
  const uint64_t total = first ? header.value : connection.assembly_bytes;
  if (payload.empty() || header.value != total || total > bytes_max || payload.size() > total - connection.assembly.size()) {
    connection.failure = Error{Errc::kProtocol, connection.peer + " sent a message of " + std::to_string(header.value) +
                                                    " bytes; at most " + std::to_string(bytes_max) + " are taken"};
    return;
  }
  if (first && payload.size() == total) return deliver(payload);
  connection.assembly_bytes = total;
  const uint64_t before_bytes = connection.buffered_bytes();
  connection.assembly.insert(connection.assembly.end(), payload.begin(), payload.end());
  bound_buffers(connection, before_bytes);
  if (connection.assembly.size() < total) return;
  const std::vector<std::byte> message = std::move(connection.assembly);
  connection.assembly = {};
  connection.assembly_bytes = 0;
  deliver(message);
}

void Hub::Impl::bound_buffers(const Connection& connection, uint64_t before_bytes) {
  if (connection.buffered_bytes() / kBufferedStep == before_bytes / kBufferedStep) return;
  uint64_t total_bytes = 0;
  Connection* greediest = nullptr;
  for (const auto& [number, each] : connections_) {
    total_bytes += each->buffered_bytes();
    if (!greediest || each->buffered_bytes() > greediest->buffered_bytes()) greediest = each.get();
  }
  if (total_bytes <= core_.settings().buffered_bytes_max || greediest->failure) return;
  greediest->failure = Error{Errc::kLimit, greediest->peer + " neither ends nor takes its messages: " +
                                               format_size(greediest->buffered_bytes()) + " are buffered for it"};
}

void Hub::Impl::fail(HubHandler& handler, ConnectionId id, const Error& reason) {
  Connection* connection = find(id);
  if (!connection) return;
  const bool was_opening = connection->phase == Connection::Phase::kOpening;
  // A bye says more than the end of the transport that follows it.
  const Error why = connection->refused                   ? *connection->refused
                    : connection->failure && !was_opening ? *connection->failure
                                                          : reason;
  if (connection->proof) connection->proof->lost(why);
  std::vector<std::pair<uint64_t, Result<>>> outcomes;
  for (const Operation* operation : connection->operations) {
    if (is_rma(operation->kind)) {
      outcomes.emplace_back(operation->token, with_context(rma_name(operation->kind, *connection), why));
    }
  }
  for (const uint64_t token : connection->lost_rmas)
    outcomes.emplace_back(token, with_context("RMA with " + connection->peer, why));
  if (why.code != Errc::kPeerLost) say_bye(*connection);
  release(id);
  failing_ = id;
  for (auto& [token, outcome] : outcomes) {
    if (!failing_) break;
    ++delivered_;
    handler.on_rma(id, token, std::move(outcome));
  }
  if (!failing_) return;
  failing_.reset();
  ++delivered_;
  handler.on_closed(id, why);
}

Clock::time_point Hub::Impl::next_check() const {
  auto next = checked_ + core_.settings().heartbeat / 4;
  if (half_open_) next = std::min(next, half_open_->next());
  for (const auto& [number, connection] : connections_) {
    if (connection->phase != Connection::Phase::kOpen) next = std::min(next, connection->give_up);
    if (connection->failure) next = checked_;
  }
  return next;
}

void Hub::Impl::check_clocks(HubHandler& handler) {
  const HubSettings& settings = core_.settings();
  const auto now = Clock::now();
  std::vector<std::pair<ConnectionId, Error>> failed;
  const bool due = now >= checked_ + settings.heartbeat / 4;
  if (due) checked_ = now;
  if (half_open_ && now >= half_open_->next()) half_open_->sweep();
  for (const auto& [number, owner] : connections_) {
    Connection& connection = *owner;
    if (!connection.outgoing.empty() && connection.sends == 0) pump(connection);
    if (connection.failure) {
      failed.emplace_back(connection.id, *connection.failure);
    } else if (connection.phase != Connection::Phase::kOpen) {
      if (now >= connection.give_up)
        failed.emplace_back(connection.id, Error{Errc::kTimeout, "no answer from " + connection.peer});
    } else if (due && attended_ - connection.heard > settings.peer_timeout) {
      failed.emplace_back(connection.id, Error{Errc::kPeerLost, "nothing was heard from " + connection.peer + " for " +
                                                                    std::to_string(settings.peer_timeout.count()) + " ms"});
    } else if (due && attended_ - connection.said >= settings.heartbeat * 3 / 4) {
      post_packet(connection, PacketKind::kKeepalive, 0, {});
    }
  }
  for (const auto& [id, reason] : failed) fail(handler, id, reason);
  look_at_proofs(handler);
}

}  // namespace godwit::fabric
