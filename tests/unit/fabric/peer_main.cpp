// The other side of a connection in a process of its own, to be killed, stopped or measured.
//
//   fabric_peer serve PROVIDER LOCATION BYTES SPIN_US   listens; prints its address; tells each peer about BYTES of exposed
//   memory,
//                                               then echoes messages; on "stop" it stops looking at the fabric for ever
//   fabric_peer leave ADDRESS                   asks for a connection, and goes before anybody answers
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "fabric/channel.hpp"

namespace godwit::fabric {
namespace {

struct Server : HubHandler {
  void on_incoming(Incoming incoming) override {
    if (!hub->accept(std::move(incoming))) std::exit(3);
  }
  void on_open(ConnectionId id) override {
    const RemoteMemory remote = exposed->remote();
    if (!hub->send(id, std::as_bytes(std::span(&remote, 1)))) std::exit(4);
  }
  void on_message(ConnectionId id, std::span<const std::byte> message) override {
    if (message.size() == 4 && std::memcmp(message.data(), "stop", 4) == 0) {
      std::printf("stopped\n");
      std::fflush(stdout);
      for (;;) pause();
    }
    if (auto sent = hub->send(id, message); !sent) std::fprintf(stderr, "%s\n", sent.error().text.c_str());
  }
  void on_rma(ConnectionId, uint64_t, Result<>) override {}
  void on_closed(ConnectionId, Error) override {}

  std::unique_ptr<Registration> exposed;
  std::unique_ptr<Hub> hub;
};

std::shared_ptr<Domain> open_domain(const std::string& provider) {
  const char* interface = std::getenv("GODWIT_TEST_PEER");  // As in fixture.hpp.
  auto choice = choose_provider({provider, interface == nullptr ? "" : interface, false});
  if (!choice) std::exit(2);
  auto domain = Domain::open(std::move(*choice));
  if (!domain) std::exit(2);
  return *domain;
}

int serve(const std::string& provider, const std::string& location, size_t bytes, long spin_us) {
  auto domain = open_domain(provider);
  std::vector<std::byte> memory(bytes, std::byte{0x5a});
  Server server;
  auto exposed = domain->register_memory(memory, Access::kRemoteRead);
  HubSettings settings;
  settings.spin = std::chrono::microseconds(spin_us);
  auto hub = Hub::open(domain, settings);
  if (!exposed || !hub) return 2;
  server.exposed = std::make_unique<Registration>(std::move(*exposed));
  server.hub = std::move(*hub);
  auto address = server.hub->listen(location);
  if (!address) {
    std::fprintf(stderr, "%s\n", address.error().text.c_str());
    return 2;
  }
  std::printf("%s\n", to_string(*address).c_str());
  std::fflush(stdout);
  const pid_t parent = getppid();
  while (getppid() == parent) {  // A test that failed must not leave us behind.
    if (!server.hub->progress(server, Deadline::after(std::chrono::seconds(1)))) return 5;
  }
  return 0;
}

int leave(const std::string& text) {
  auto address = parse_address(text);
  if (!address) return 2;
  auto channel =
      Channel::connect(open_domain(address->provider), *address, Hello{}, Deadline::after(std::chrono::milliseconds(300)));
  return !channel && channel.error().code == Errc::kTimeout ? 0 : 1;
}

}  // namespace
}  // namespace godwit::fabric

int main(int argc, char** argv) {
  const std::string command = argc > 1 ? argv[1] : "";
  if (command == "serve" && argc == 6) {
    return godwit::fabric::serve(argv[2], argv[3], std::strtoull(argv[4], nullptr, 10), std::strtol(argv[5], nullptr, 10));
  }
  if (command == "leave" && argc == 3) return godwit::fabric::leave(argv[2]);
  return 64;
}
