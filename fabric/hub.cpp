// Hub: opening and closing; the loop is in hub_loop.cpp, sending in hub_transfer.cpp.
#include "fabric/hub.hpp"

#include <charconv>

#include "base/id.hpp"
#include "fabric/hub_impl.hpp"

namespace godwit::fabric {

namespace {
constexpr auto kFlushTime = std::chrono::seconds(1);
}

Incoming::Incoming(std::unique_ptr<State> state) : state_(std::move(state)) {}
Incoming::Incoming(Incoming&&) noexcept = default;
Incoming& Incoming::operator=(Incoming&&) noexcept = default;
Incoming::~Incoming() = default;
const Hello& Incoming::hello() const { return state_->hello; }
const std::string& Incoming::peer() const { return state_->peer; }

Result<> Hub::Impl::open() {
  if (auto opened = core_.open(); !opened) return opened;
  auto connector = core_.domain().backend() == Backend::kMsg ? Connector::open_msg(core_) : Connector::open_rdm(core_);
  if (!connector) return std::move(connector).error();
  connector_ = std::move(*connector);
  return Done{};
}

Hub::Impl::~Impl() {
  const Deadline deadline = Deadline::after(kFlushTime);  // For all of them together.
  while (!connections_.empty()) {
    Connection& connection = *connections_.begin()->second;
    flush(connection, deadline);
    say_bye(connection);
    release(connection.id);
  }
  connector_.reset();  // Its endpoints use the core's queue.
}

Connection& Hub::Impl::add(std::string peer, Clock::time_point give_up) {
  // Drawn: nobody who knows his own guesses another's, whose packets an RDM provider would take from him. And a packet for a
  // connection of a process that died finds none in the next process of the same name.
  uint64_t number = 0;
  while (number == 0 || connections_.contains(number)) number = random_id().low;
  auto connection = std::make_unique<Connection>(ConnectionId{number});
  connection->peer = std::move(peer);
  connection->give_up = give_up;
  return *connections_.emplace(number, std::move(connection)).first->second;
}

Connection* Hub::Impl::find(ConnectionId id) {
  const auto found = connections_.find(static_cast<uint64_t>(id));
  return found == connections_.end() ? nullptr : found->second.get();
}

Connection* Hub::Impl::find_open(ConnectionId id) {
  Connection* connection = find(id);
  return connection && connection->phase == Connection::Phase::kOpen && !connection->failure ? connection : nullptr;
}

Connection* Hub::Impl::find_talking(ConnectionId id) {
  Connection* connection = find(id);
  return connection && connection->talks() && !connection->failure ? connection : nullptr;
}

// The connection ends in the provider, and is forgotten. Its memory goes with the next turn of the loop.
void Hub::Impl::release(ConnectionId id) {
  const auto found = connections_.find(static_cast<uint64_t>(id));
  if (found == connections_.end()) return;
  Connection& connection = *found->second;
  connection.phase = Connection::Phase::kOver;
  connector_->end(connection, events_);
  graveyard_.push_back(std::move(found->second));
  connections_.erase(found);
  if (failing_ == id) failing_.reset();
}

Result<Address> Hub::Impl::listen(const std::string& location) {
  auto address = connector_->listen(location);
  if (!address || (address->provider != "tcp" && !address->provider.starts_with("tcp;"))) return address;
  auto parts = split_host_port(address->location);
  if (!parts) return std::move(parts).error();
  uint16_t port = 0;
  std::from_chars(parts->second.data(), parts->second.data() + parts->second.size(), port);
  half_open_.emplace(port, core_.settings().handshake_timeout);
  return address;
}

Result<ConnectionId> Hub::Impl::connect(const Address& address, const Hello& hello, Deadline deadline) {
  if (address.provider != core_.domain().provider()) {
    return Error{Errc::kInvalid,
                 to_string(address) + " is not reachable over the provider '" + core_.domain().provider() + "'"};
  }
  auto name = resolve(*core_.domain().info(), address.location);
  if (!name) return with_context("connecting to " + to_string(address), std::move(name).error());
  Connection& connection = add(to_string(address), deadline.time());
  connection.hello = hello;
  const ConnectionId id = connection.id;
  if (auto begun = connector_->connect(connection, *name, hello); !begun) {
    release(id);
    return with_context("connecting to " + to_string(address), std::move(begun).error());
  }
  return id;
}

Result<ConnectionId> Hub::Impl::accept(Incoming::State& incoming) {
  if (incoming.domain.get() != &core_.domain()) return Error{Errc::kInvalid, "an incoming connection of another domain"};
  Connection& connection = add(incoming.peer, Clock::now() + core_.settings().handshake_timeout);
  connection.accepted = true;
  const Guard* guard = core_.domain().guard();
  incoming.hello.proof = guard != nullptr && guard->demands();
  connection.hello = incoming.hello;
  const ConnectionId id = connection.id;
  if (auto begun = connector_->accept(connection, incoming); !begun) {
    const std::string peer = connection.peer;
    release(id);
    return with_context("accepting " + peer, std::move(begun).error());
  }
  return id;
}

void Hub::Impl::close(ConnectionId id) {
  Connection* connection = find(id);
  if (!connection) {
    if (failing_ == id) failing_.reset();
    return;
  }
  flush(*connection, Deadline::after(kFlushTime));
  say_bye(*connection);
  release(id);
}

std::string Hub::Impl::peer(ConnectionId id) const {
  const auto found = connections_.find(static_cast<uint64_t>(id));
  return found == connections_.end() ? "?" : found->second->peer;
}

Identity Hub::Impl::identity(ConnectionId id) const {
  const auto found = connections_.find(static_cast<uint64_t>(id));
  return found == connections_.end() ? Identity{} : found->second->identity;
}

Hub::Hub(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Hub::~Hub() = default;

Result<std::unique_ptr<Hub>> Hub::open(std::shared_ptr<Domain> domain, HubSettings settings) {
  auto impl = std::make_unique<Impl>(std::move(domain), settings);
  if (auto opened = impl->open(); !opened) return std::move(opened).error();
  return std::unique_ptr<Hub>(new Hub(std::move(impl)));
}

Result<Address> Hub::listen(const std::string& location) { return impl_->listen(location); }

Result<ConnectionId> Hub::connect(const Address& address, const Hello& hello, Deadline deadline) {
  return impl_->connect(address, hello, deadline);
}

Result<ConnectionId> Hub::accept(Incoming incoming) { return impl_->accept(*incoming.state_); }
void Hub::refuse(Incoming incoming, Refusal refusal) { incoming.state_->refuse(refusal); }

Result<> Hub::send(ConnectionId connection, std::span<const std::byte> message) { return impl_->send(connection, message); }

Result<> Hub::read(ConnectionId connection, std::span<std::byte> local, const Registration& registration,
                   const RemoteMemory& remote, uint64_t remote_offset_bytes, uint64_t token) {
  return impl_->post_rma(connection, {Operation::Kind::kRead, local, registration, remote, remote_offset_bytes, token});
}

Result<> Hub::write(ConnectionId connection, std::span<const std::byte> local, const Registration& registration,
                    const RemoteMemory& remote, uint64_t remote_offset_bytes, uint64_t token) {
  // libfabric's vectors are not const; a write only reads them.
  const std::span<std::byte> bytes(const_cast<std::byte*>(local.data()), local.size());
  return impl_->post_rma(connection, {Operation::Kind::kWrite, bytes, registration, remote, remote_offset_bytes, token});
}

Result<size_t> Hub::progress(HubHandler& handler, Deadline deadline) { return impl_->progress(handler, deadline); }
void Hub::wake() { impl_->wake(); }
void Hub::close(ConnectionId connection) { impl_->close(connection); }
std::string Hub::peer(ConnectionId connection) const { return impl_->peer(connection); }
Identity Hub::identity(ConnectionId connection) const { return impl_->identity(connection); }
const Domain& Hub::domain() const { return impl_->domain(); }

}  // namespace godwit::fabric
