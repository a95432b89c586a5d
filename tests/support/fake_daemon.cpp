#include "support/fake_daemon.hpp"

#include <stdexcept>

#include "fabric/provider.hpp"

namespace godwit::test {
namespace {

template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().text);
  return *std::move(result);
}

}  // namespace

FakeDaemon::FakeDaemon(Script script) : script_(std::move(script)) {
  auto choice = must(fabric::choose_provider({.provider = "tcp", .location = "127.0.0.1", .require_rdma = false}));
  auto domain = must(fabric::Domain::open(std::move(choice)));
  registration_ = must(domain->register_memory(buffer_, fabric::Access::kLocal));
  hub_ = must(fabric::Hub::open(std::move(domain), {}));
  address_ = to_string(must(hub_->listen("127.0.0.1:0")));
  thread_ = std::thread([this] {
    while (!stopping_)
      if (!hub_->progress(*this, Deadline::after(milliseconds(1'000)))) return;
  });
}

FakeDaemon::~FakeDaemon() {
  stopping_ = true;
  hub_->wake();
  thread_.join();
}

void FakeDaemon::on_incoming(fabric::Incoming incoming) {
  ++connections_;
  (void)hub_->accept(std::move(incoming));  // A client that has left meanwhile is no failure of the test.
}

void FakeDaemon::send(fabric::ConnectionId connection, std::span<const std::byte> message) {
  (void)hub_->send(connection, message);  // As above.
}

void FakeDaemon::read(fabric::ConnectionId connection, const fabric::RemoteMemory& window, size_t length,
                      std::function<void(Result<>)> then) {
  then_ = std::move(then);
  auto asked = hub_->read(connection, std::span(buffer_).first(length), *registration_, window, 0, 0);
  if (!asked) then_(std::move(asked));
}

void FakeDaemon::on_message(fabric::ConnectionId connection, std::span<const std::byte> message) {
  ++messages_;
  const auto request = protocol::decode(message);
  if (!request) return;
  const std::span<const std::byte> reply = script_(*this, connection, *request);
  if (!reply.empty()) send(connection, reply);
}

}  // namespace godwit::test
