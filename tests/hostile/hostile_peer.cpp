#include "hostile/hostile_peer.hpp"

#include <algorithm>
#include <thread>

#include "fabric/address.hpp"
#include "fabric/provider.hpp"

namespace godwit::test {

namespace {

// One for all peers: each connection has a hub of its own.
std::shared_ptr<fabric::Domain> tcp_domain() {
  static const std::shared_ptr<fabric::Domain> domain = [] {
    auto choice = fabric::choose_provider({"tcp", "", false});
    auto opened = fabric::Domain::open(std::move(*choice));
    return std::shared_ptr<fabric::Domain>(std::move(*opened));
  }();
  return domain;
}

}  // namespace

HostilePeer::HostilePeer(const std::string& address, fabric::Purpose purpose, Id token, bool must_open) {
  auto opened = fabric::Channel::connect(tcp_domain(), *fabric::parse_address(address), {purpose, token},
                                         Deadline::after(milliseconds(5000)));
  if (opened)
    channel_.emplace(std::move(*opened));
  else if (must_open)
    ADD_FAILURE() << opened.error().text;
}

std::optional<fabric::Message> HostilePeer::receive() {
  const auto deadline = Deadline::after(milliseconds(2000));
  while (channel_) {
    auto event = channel_->wait(deadline);
    if (!event) {
      if (event.error().code != Errc::kTimeout) channel_.reset();
      return std::nullopt;
    }
    if (auto* message = std::get_if<fabric::Message>(&*event)) return std::move(*message);
  }
  return std::nullopt;
}

fabric::Registration HostilePeer::expose(std::span<std::byte> bytes) {
  auto registered = tcp_domain()->register_memory(bytes, fabric::Access::kRemoteRead);
  if (!registered) ADD_FAILURE() << registered.error().text;
  return std::move(*registered);
}

Errc HostilePeer::refusal() {
  const auto message = receive();
  if (!message) return is_open() ? Errc::kTimeout : Errc::kPeerLost;
  const auto decoded = protocol::decode(*message);
  if (!decoded) return Errc::kInternal;
  if (const auto* refused = decoded->body<wire::ErrorReply>()) return protocol::from_wire(*refused).code;
  if (const auto* outcome = decoded->body<wire::OutcomeReply>(); outcome != nullptr && outcome->error() != 0)
    return error_from_number(outcome->error());
  return Errc{};
}

std::optional<wire::Outcome> HostilePeer::outcome() {
  const auto message = receive();
  if (!message) return std::nullopt;
  const auto decoded = protocol::decode(*message);
  const auto* reply = decoded ? decoded->body<wire::OutcomeReply>() : nullptr;
  return reply == nullptr ? std::nullopt : std::optional(reply->outcome());
}

Hostile::Hostile() : bytes_(4096) {
  for (size_t i = 0; i < bytes_.size(); ++i) bytes_[i] = static_cast<uint8_t>(i * 7);
  HostilePeer client = control();
  client.send(wire::CreateRegionCreateRequestDirect(client.builder(), "keep", "ours", bytes_.size(), &bytes_));
  const auto reply = client.receive().value();
  const auto decoded = protocol::decode(reply);
  region_ = *decoded->body<wire::RegionReply>()->region()->id();
  used_before_ = used_bytes();
}

uint64_t Hostile::used_bytes() const {
  HostilePeer client = control();
  client.send(wire::CreateTargetListRequest(client.builder()));
  const auto reply = client.receive();
  if (!reply) return UINT64_MAX;
  uint64_t used = 0;
  const auto decoded = protocol::decode(*reply);
  for (const auto* target : *decoded->body<wire::TargetListReply>()->targets()) used += target->used_bytes();
  return used;
}

void Hostile::TearDown() {
  const auto deadline = Deadline::after(milliseconds(10'000));  // The daemon may still be clearing up after a lost peer.
  while (used_bytes() != used_before_ && !deadline.passed()) std::this_thread::sleep_for(milliseconds(20));
  EXPECT_EQ(used_bytes(), used_before_) << daemon_.log();
  HostilePeer client = control();
  client.send(wire::CreateRegionReadRequest(client.builder(), &region_, 0, bytes_.size()));
  const auto reply = client.receive();
  ASSERT_TRUE(reply) << daemon_.log();
  const auto decoded = protocol::decode(*reply);
  const auto* read = decoded->body<wire::RegionReadReply>();
  ASSERT_NE(read, nullptr);
  EXPECT_TRUE(std::ranges::equal(*read->data(), bytes_));
  EXPECT_FALSE(daemon_.has_died()) << daemon_.log();
  EXPECT_EQ(daemon_.terminate(), 0) << daemon_.log();
}

}  // namespace godwit::test
