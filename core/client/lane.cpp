#include "client/lane.hpp"

#include <algorithm>
#include <thread>

namespace godwit::client {
namespace {

// Nobody drives a connection that rests, so it sends no heartbeat, and a daemon gives up a silent stream after 5 s. Long before
// that a fresh one is surer than an old one.
constexpr milliseconds kRestMax{2'000};
// A connection that was used so recently is not asked whether it still lives: that would cost every call a system call.
constexpr milliseconds kWarm{20};

constexpr milliseconds kFirstPause{1};

// The error with the node's address in front, unless the text names it already.
Error about(const fabric::Address& address, Error error) {
  const std::string text = to_string(address);
  return error.text.find(text) == std::string::npos ? with_context(text, std::move(error)) : error;
}

}  // namespace

Result<> Lane::connect(const fabric::Address& address) {
  std::optional<Connection> connection = take(address, fabric::Purpose::kControl);
  if (!connection) {
    Result<Connection> fresh = open(address, fabric::Purpose::kControl);
    if (!fresh) return std::move(fresh).error();
    connection = *std::move(fresh);
  }
  put_back(address, fabric::Purpose::kControl, *std::move(connection));
  return Done{};
}

Result<Reply> Lane::ask(const fabric::Address& address, const Request& request, Repeat repeat) {
  return ask(address, fabric::Purpose::kControl, request, repeat, client_.operation_deadline());
}

Result<Reply> Lane::ask(const fabric::Address& address, fabric::Purpose purpose, const Request& request, Repeat repeat,
                        Deadline deadline) {
  if (std::optional<Connection> old = take(address, purpose)) {
    Result<Reply> reply = ask_on(*std::move(old), address, purpose, request, deadline);
    if (reply || repeat == Repeat::kNever || reply.error().code != Errc::kPeerLost) return reply;
  }
  // There was no connection, or it had died while it rested.
  Result<Connection> fresh = open(address, purpose);
  if (!fresh) return std::move(fresh).error();
  return ask_on(*std::move(fresh), address, purpose, request, deadline);
}

Result<Reply> Lane::ask_on(Connection connection, const fabric::Address& address, fabric::Purpose purpose,
                           const Request& request, Deadline deadline) {
  Result<Reply> reply = exchange(connection, request, deadline);
  if (!reply) return about(address, std::move(reply).error());
  if (purpose == fabric::Purpose::kControl || reply->refusal() == nullptr) put_back(address, purpose, std::move(connection));
  return reply;
}

std::optional<Lane::Connection> Lane::take(const fabric::Address& address, fabric::Purpose purpose) {
  const auto node = nodes_.find(address);
  if (node == nodes_.end()) return std::nullopt;
  std::optional<Connection> connection = std::exchange(node->second.of(purpose), std::nullopt);
  if (!connection) return std::nullopt;
  const Clock::duration rested = Clock::now() - connection->last_used;
  if (rested < kWarm) return connection;
  if (rested > kRestMax) return std::nullopt;
  for (;;) {  // What came meanwhile is late; that it was closed is what we want to know.
    const Result<std::optional<fabric::ChannelEvent>> event = connection->channel.poll();
    if (!event) return std::nullopt;
    if (!event->has_value()) return connection;
  }
}

Result<Lane::Connection> Lane::open(const fabric::Address& address, fabric::Purpose purpose) {
  forget_stale();
  Result<std::shared_ptr<fabric::Domain>> domain = client_.domain(address.provider);
  if (!domain) return about(address, std::move(domain).error());
  const Deadline deadline = Deadline::after(client_.settings().connect_timeout);
  const fabric::Hello hello{.purpose = purpose, .token = {}};
  fabric::HubSettings hub;
  // A daemon that flushes or clears many gigabytes for us may be silent meanwhile; that it died, most providers tell.
  hub.peer_timeout = std::max(hub.peer_timeout, client_.settings().operation_timeout);
  for (milliseconds pause = kFirstPause;; pause *= 2) {
    Result<fabric::Channel> channel = fabric::Channel::connect(*domain, address, hello, deadline, hub);
    if (channel) return Connection{*std::move(channel), Clock::now()};
    // Refused because the node serves as many as it may: others end soon.
    if (channel.error().code != Errc::kBusy || deadline.left() <= pause) return about(address, std::move(channel).error());
    std::this_thread::sleep_for(pause);
  }
}

void Lane::put_back(const fabric::Address& address, fabric::Purpose purpose, Connection connection) {
  connection.last_used = Clock::now();
  nodes_[address].of(purpose) = std::move(connection);
}

// Bounds the open connections of a client that talks to very many nodes.
void Lane::forget_stale() {
  const Clock::time_point oldest = Clock::now() - kRestMax;
  for (auto entry = nodes_.begin(); entry != nodes_.end();) {
    Node& node = entry->second;
    for (const fabric::Purpose purpose : {fabric::Purpose::kControl, fabric::Purpose::kStream}) {
      std::optional<Connection>& connection = node.of(purpose);
      if (connection && connection->last_used < oldest) connection.reset();
    }
    entry = node.control || node.stream ? std::next(entry) : nodes_.erase(entry);
  }
}

Result<Reply> Lane::exchange(Connection& connection, const Request& request, Deadline deadline) {
  Result<> sent = connection.channel.send(request.bytes);
  if (!sent) return std::move(sent).error();
  for (;;) {
    Result<fabric::ChannelEvent> event = connection.channel.wait(deadline);
    if (!event) return std::move(event).error();
    fabric::Message* message = std::get_if<fabric::Message>(&*event);
    if (message == nullptr) continue;
    Result<Reply> reply = Reply::from(std::move(*message));
    if (!reply) return reply;
    if (reply->request() == request.number) return reply;
    // The late answer to an earlier request, which nobody awaits any more.
  }
}

Error Reply::to_error(const fabric::Address& from) const {
  if (const wire::ErrorReply* refused = refusal()) return about(from, protocol::from_wire(*refused));
  return Error{Errc::kProtocol, to_string(from) + ": the daemon gave an answer to another question"};
}

}  // namespace godwit::client
