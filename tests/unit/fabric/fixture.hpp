// Fixture: hubs and a recording handler for the fabric's tests, over each provider that every machine has; or over the one that
// GODWIT_TEST_PROVIDER names, between the addresses in GODWIT_TEST_HOST (ours) and GODWIT_TEST_PEER (of processes that we
// start). GODWIT_TEST_PATIENCE multiplies how long the tests wait, for emulated processors.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/units.hpp"
#include "fabric/channel.hpp"
#include "fabric/domain.hpp"
#include "fabric/hub.hpp"
#include "support/bytes.hpp"

namespace godwit::fabric {

using namespace std::chrono_literals;

using test::random_bytes;

// Keeps what it is told.
struct Recorder : HubHandler {
  void on_incoming(Incoming incoming) override {
    if (take_incoming) take_incoming(std::move(incoming));
  }
  void on_open(ConnectionId id) override { opened.push_back(id); }
  void on_message(ConnectionId id, std::span<const std::byte> message) override {
    messages.emplace_back(message.begin(), message.end());
    if (take_message) take_message(id, message);
  }
  void on_rma(ConnectionId, uint64_t token, Result<> outcome) override {
    outcomes.insert_or_assign(token, std::move(outcome));
    if (closed) told_after_closed = true;
  }
  void on_closed(ConnectionId, Error reason) override { closed = std::move(reason); }

  std::function<void(Incoming)> take_incoming;
  std::function<void(ConnectionId, std::span<const std::byte>)> take_message;
  std::vector<ConnectionId> opened;
  std::vector<std::vector<std::byte>> messages;
  std::map<uint64_t, Result<>> outcomes;
  std::optional<Error> closed;
  bool told_after_closed = false;
};

inline std::string setting(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : value;
}

inline std::vector<const char*> providers() {
  if (const char* only = std::getenv("GODWIT_TEST_PROVIDER")) return {only};
  return {"tcp", "shm", "tcp;ofi_rxm"};
}

inline std::string our_host() { return setting("GODWIT_TEST_HOST", "127.0.0.1"); }
inline std::string peer_host() { return setting("GODWIT_TEST_PEER", "127.0.0.1"); }

// One for all tests of a provider: opening one takes rxm a second on a busy machine.
inline std::shared_ptr<Domain> open_domain(const std::string& provider) {
  static std::map<std::string, std::shared_ptr<Domain>> domains;
  if (domains[provider]) return domains[provider];
  auto choice = choose_provider({provider, setting("GODWIT_TEST_HOST", ""), false});
  if (!choice) {
    ADD_FAILURE() << choice.error().text;
    return nullptr;
  }
  auto domain = Domain::open(std::move(*choice));
  if (!domain) {
    ADD_FAILURE() << domain.error().text;
    return nullptr;
  }
  domains[provider] = *domain;
  return *domain;
}

// A location to listen at that no other test uses.
inline std::string free_location(const std::string& provider, const std::string& host = our_host()) {
  static std::atomic<int> count{0};
  if (provider != "shm") return host + ":0";
  return "godwit-test-" + std::to_string(getpid()) + "-" + std::to_string(count++);
}

// Drives both hubs in turn until `done`; false when that takes longer than `limit`.
inline bool run_until(std::initializer_list<std::pair<Hub*, HubHandler*>> hubs, const std::function<bool()>& done,
                      milliseconds limit = 5000ms) {
  static const int patience = std::atoi(setting("GODWIT_TEST_PATIENCE", "1").c_str());
  const Deadline deadline = Deadline::after(limit * patience);
  while (!done()) {
    if (deadline.passed()) return false;
    for (const auto& [hub, handler] : hubs) {
      if (auto progressed = hub->progress(*handler, Deadline::after(0ms)); !progressed) {
        ADD_FAILURE() << progressed.error().text;
        return false;
      }
    }
  }
  return true;
}

// Two hubs of one process and a connection between them; `server` listens and accepts whatever comes.
struct Pair {
  explicit Pair(const std::string& provider, HubSettings settings = {}) {
    domain = open_domain(provider);
    server = *Hub::open(domain, settings);
    client = *Hub::open(domain, settings);
    auto listening = server->listen(free_location(provider));
    EXPECT_TRUE(listening) << listening.error().text;
    address = *listening;
    server_side.take_incoming = [this](Incoming incoming) {
      hello = incoming.hello();
      auto accepted = server->accept(std::move(incoming));
      EXPECT_TRUE(accepted) << accepted.error().text;
    };
  }

  bool connect() {
    auto asked = client->connect(address, Hello{Purpose::kStream, Id{1, 2}}, Deadline::after(5s));
    EXPECT_TRUE(asked) << asked.error().text;
    if (!asked) return false;
    client_connection = *asked;
    const size_t before = server_side.opened.size();
    if (!run([&] { return !client_side.opened.empty() && server_side.opened.size() > before; })) return false;
    server_connection = server_side.opened.back();
    return true;
  }

  bool run(const std::function<bool()>& done, milliseconds limit = 5000ms) {
    return run_until({{server.get(), &server_side}, {client.get(), &client_side}}, done, limit);
  }

  std::shared_ptr<Domain> domain;
  Recorder server_side;
  Recorder client_side;
  std::unique_ptr<Hub> server;
  std::unique_ptr<Hub> client;
  Address address;
  Hello hello;
  ConnectionId server_connection{};
  ConnectionId client_connection{};
};

using Providers = testing::TestWithParam<const char*>;
struct Fabric : Providers {};
struct Rma : Providers {};
struct Handshake : Providers {};
struct Peer : Providers {};
struct Waiting : Providers {};

inline std::string provider_name(const testing::TestParamInfo<const char*>& info) {
  const std::string name = info.param;
  return name == "tcp;ofi_rxm" ? "rxm" : name;
}

}  // namespace godwit::fabric
