#include "fabric/channel.hpp"

#include <optional>
#include <utility>

namespace godwit::fabric {

struct Channel::Impl final : HubHandler {
  // A channel never listens.
  void on_incoming(Incoming) override {}
  void on_open(ConnectionId) override { open = true; }
  void on_message(ConnectionId, std::span<const std::byte> message) override {
    events.emplace_back(Message(message.begin(), message.end()));
  }
  void on_rma(ConnectionId, uint64_t token, Result<> outcome) override {
    events.emplace_back(RmaDone{token, std::move(outcome)});
  }
  void on_closed(ConnectionId, Error why) override { reason = std::move(why); }

  // Runs the hub until the connection is open. Errors: why it is not.
  Result<> await_open(Deadline deadline);
  Result<> post(bool is_read, std::span<std::byte> local, const Registration& registration, const RemoteMemory& remote,
                uint64_t remote_offset_bytes, uint64_t token, Deadline deadline);

  std::deque<ChannelEvent> events;
  std::string peer;
  bool open = false;
  std::optional<Error> reason;  // For which it closed.
  ConnectionId connection{};
  std::unique_ptr<Hub> hub;
};

Result<> Channel::Impl::await_open(Deadline deadline) {
  peer = hub->peer(connection);
  while (!open && !reason) {
    if (deadline.passed()) return Error{Errc::kTimeout, "no answer from " + peer};
    if (auto progressed = hub->progress(*this, deadline); !progressed) return std::move(progressed).error();
  }
  if (reason) return *reason;
  return Done{};
}

Channel::Channel(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Channel::Channel(Channel&&) noexcept = default;
Channel& Channel::operator=(Channel&&) noexcept = default;
Channel::~Channel() = default;

Result<Channel> Channel::connect(std::shared_ptr<Domain> domain, const Address& address, const Hello& hello, Deadline deadline,
                                 HubSettings settings) {
  auto impl = std::make_unique<Impl>();
  auto hub = Hub::open(std::move(domain), settings);
  if (!hub) return std::move(hub).error();
  impl->hub = std::move(*hub);
  auto connection = impl->hub->connect(address, hello, deadline);
  if (!connection) return std::move(connection).error();
  impl->connection = *connection;
  if (auto opened = impl->await_open(deadline); !opened) return std::move(opened).error();
  return Channel(std::move(impl));
}

Result<Channel> Channel::accept(std::shared_ptr<Domain> domain, Incoming incoming, Deadline deadline, HubSettings settings) {
  auto impl = std::make_unique<Impl>();
  auto hub = Hub::open(std::move(domain), settings);
  if (!hub) return std::move(hub).error();
  impl->hub = std::move(*hub);
  auto connection = impl->hub->accept(std::move(incoming));
  if (!connection) return std::move(connection).error();
  impl->connection = *connection;
  if (auto opened = impl->await_open(deadline); !opened) return std::move(opened).error();
  return Channel(std::move(impl));
}

Result<> Channel::send(std::span<const std::byte> message) {
  if (impl_->reason) return *impl_->reason;
  return impl_->hub->send(impl_->connection, message);
}

Result<> Channel::Impl::post(bool is_read, std::span<std::byte> local, const Registration& registration,
                             const RemoteMemory& remote, uint64_t remote_offset_bytes, uint64_t token, Deadline deadline) {
  for (;;) {
    if (reason) return *reason;
    auto posted = is_read ? hub->read(connection, local, registration, remote, remote_offset_bytes, token)
                          : hub->write(connection, local, registration, remote, remote_offset_bytes, token);
    if (posted || posted.error().code != Errc::kBusy) return posted;
    if (deadline.passed()) return Error{Errc::kTimeout, "no room for another RMA to " + peer};
    if (auto progressed = hub->progress(*this, deadline); !progressed) return std::move(progressed).error();
  }
}

Result<> Channel::read(std::span<std::byte> local, const Registration& registration, const RemoteMemory& remote,
                       uint64_t remote_offset_bytes, uint64_t token, Deadline deadline) {
  return impl_->post(true, local, registration, remote, remote_offset_bytes, token, deadline);
}

Result<> Channel::write(std::span<const std::byte> local, const Registration& registration, const RemoteMemory& remote,
                        uint64_t remote_offset_bytes, uint64_t token, Deadline deadline) {
  const std::span<std::byte> bytes(const_cast<std::byte*>(local.data()), local.size());  // Only read.
  return impl_->post(false, bytes, registration, remote, remote_offset_bytes, token, deadline);
}

Result<ChannelEvent> Channel::wait(Deadline deadline) {
  for (;;) {
    auto event = poll();
    if (!event) return std::move(event).error();
    if (*event) return std::move(**event);
    const auto before = Clock::now();
    auto progressed = impl_->hub->progress(*impl_, deadline);
    if (!progressed) return std::move(progressed).error();
    if (!impl_->events.empty() || impl_->reason) continue;
    if (deadline.passed()) return Error{Errc::kTimeout, "nothing came from " + impl_->peer};
    // It returns early and empty-handed only for wake().
    if (*progressed == 0 && before < deadline.time())
      return Error{Errc::kCancelled, "the wait for " + impl_->peer + " was ended"};
  }
}

Result<std::optional<ChannelEvent>> Channel::poll() {
  if (impl_->events.empty() && !impl_->reason) {
    if (auto progressed = impl_->hub->progress(*impl_, Deadline::at(Clock::time_point{})); !progressed) {
      return std::move(progressed).error();
    }
  }
  if (impl_->events.empty()) {
    if (impl_->reason) return *impl_->reason;
    return std::optional<ChannelEvent>{};
  }
  std::optional<ChannelEvent> event(std::move(impl_->events.front()));
  impl_->events.pop_front();
  return event;
}

void Channel::attend() {
  // A peer that goes on talking while nobody listens is not kept alive, and costs no more memory than this.
  constexpr size_t kUnheardMax = 64;
  if (impl_->reason || impl_->events.size() >= kUnheardMax) return;
  (void)impl_->hub->progress(*impl_, Deadline::at(Clock::time_point{}));  // What fails now fails in the next wait() again.
}

void Channel::close() {
  if (!impl_->reason) impl_->hub->close(impl_->connection);
  impl_->events.clear();
  impl_->reason = Error{Errc::kCancelled, "the connection to " + impl_->peer + " was closed here"};
}

void Channel::wake() { impl_->hub->wake(); }
std::string Channel::peer() const { return impl_->peer; }
Identity Channel::identity() const { return impl_->hub->identity(impl_->connection); }
const Domain& Channel::domain() const { return impl_->hub->domain(); }

}  // namespace godwit::fabric
