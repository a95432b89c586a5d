// The proof between a transport that is there and a connection that is open.
#include "fabric/hub_impl.hpp"

namespace godwit::fabric {

namespace {
// For a peer that is refused to read so and hang up; closing at once could overtake the words.
constexpr auto kFarewell = std::chrono::seconds(1);
}  // namespace

void Hub::Impl::now_open(HubHandler& handler, Connection& connection) {
  connection.phase = Connection::Phase::kOpen;
  ++delivered_;
  handler.on_open(connection.id);
}

void Hub::Impl::begin_proof(HubHandler& handler, Connection& connection) {
  const Guard* guard = core_.domain().guard();
  if (!connection.hello.proof) {
    if (connection.accepted || guard == nullptr || !guard->insists()) {
      connection.identity.is_unasked = true;
      return now_open(handler, connection);
    }
    connection.phase = Connection::Phase::kProving;
    connection.failure = Error{Errc::kDenied, connection.peer + " does not prove who it is, and this side insists on it"};
    return;
  }
  connection.phase = Connection::Phase::kProving;
  if (guard == nullptr) {
    connection.failure = Error{Errc::kDenied, connection.peer + " asks who this is, and this side has no means to prove it"};
    return;
  }
  connection.proof = connection.accepted ? guard->admit(connection.hello, connection.peer)
                                         : guard->approach(connection.hello, connection.peer);
  follow_proof(handler, connection, connection.proof->begin());
}

void Hub::Impl::on_proof_message(HubHandler& handler, Connection& connection, std::span<const std::byte> message) {
  // What one that is refused goes on to say is not heard.
  if (connection.proof) follow_proof(handler, connection, connection.proof->take(message));
}

void Hub::Impl::follow_proof(HubHandler& handler, Connection& connection, Proof::Step step) {
  if (!step.say.empty()) queue(connection, step.say);
  if (!step.outcome) return;
  connection.proof.reset();
  if (*step.outcome) {
    connection.identity = **step.outcome;
    now_open(handler, connection);
  } else if (connection.accepted) {
    connection.refused = step.outcome->error();
    connection.give_up = std::min(connection.give_up, Clock::now() + kFarewell);
  } else {
    connection.failure = step.outcome->error();
  }
}

void Hub::Impl::look_at_proofs(HubHandler& handler) {
  std::vector<ConnectionId> busy;
  for (const auto& [number, connection] : connections_)
    if (connection->proof && connection->proof->is_busy() && !connection->failure) busy.push_back(connection->id);
  for (const ConnectionId id : busy) {
    Connection* connection = find_talking(id);
    if (connection == nullptr || !connection->proof) continue;
    follow_proof(handler, *connection, connection->proof->look());
    deliver_early(handler, id);
  }
}

}  // namespace godwit::fabric
