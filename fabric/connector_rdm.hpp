// RdmConnector: one endpoint for all connections of a hub; packets say which one they belong to. Internal to fabric/.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "fabric/connector.hpp"
#include "fabric/hub_core.hpp"

namespace godwit::fabric {

// Refusals of incoming connections that another thread decided on; the hub's thread sends them.
class Refusals {
 public:
  struct Refused {
    EndpointName to;
    bool local = false;   // As Handshake's.
    uint64_t number = 0;  // The asker's.
    Refusal refusal;
  };
  void add(Refused refused) {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(refused));
  }
  bool any() {
    const std::lock_guard lock(mutex_);
    return !waiting_.empty();
  }
  std::vector<Refused> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(waiting_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<Refused> waiting_;
};

class RdmConnector final : public Connector {
 public:
  explicit RdmConnector(HubCore& core) : core_(core) {}
  ~RdmConnector() override;

  Result<Address> listen(const std::string& location) override;
  Result<> connect(Connection& connection, const EndpointName& to, const Hello& hello) override;
  Result<> accept(Connection& connection, Incoming::State& incoming) override;
  Result<> poll(ConnectorEvents& events) override;
  void on_handshake(const PacketHeader& header, std::span<const std::byte> payload, ConnectorEvents& events) override;
  Result<> repost(Operation* operation) override;
  std::span<const std::byte> received(const Operation& operation, size_t length_bytes) const override;
  void end(Connection& connection, ConnectorEvents& events) override;
  bool restless() const override { return !handshakes_.empty() || refusals_->any(); }

 private:
  // A packet of a handshake that waits until the provider takes it: it may have to connect first.
  struct Handshake {
    std::vector<std::byte> packet;
    EndpointName to;
    fi_addr_t address = FI_ADDR_UNSPEC;
    ConnectionId connection{};  // Zero: a refusal, or the connection is gone.
    bool local = false;         // To an endpoint of this process (LocalEndpoints).
    bool opens = false;         // Once it is on its way the connection is open (we accepted).
    Clock::time_point give_up{};
  };
  struct Peer {
    fi_addr_t address = FI_ADDR_UNSPEC;
    uint32_t users = 0;
  };

  struct Link {
    Connection* connection = nullptr;
    EndpointName peer;
  };

  // rdm_endpoint.cpp
  Result<> open_endpoint(EndpointName source);
  Result<> bind_endpoint();
  void close_endpoint();
  // Ends every RMA on the endpoint by closing it; the other connections break.
  void reset_endpoint(const Connection& cause, ConnectorEvents& events);
  // Returns what fi_send did.
  ssize_t post(const Handshake& handshake);
  // Our name as the peer at `to` can use it.
  EndpointName name_towards(const EndpointName& to) const;
  // False: nobody can be listening under this name.
  static bool exists(const EndpointName& name);

  // connector_rdm.cpp
  void set_peer(Connection& connection, fi_addr_t address, const EndpointName& name);
  Result<fi_addr_t> use(const EndpointName& name);
  void unuse(const EndpointName& name);
  void on_hello(const PacketHeader& header, std::span<const std::byte> payload, ConnectorEvents& events);
  void on_accept(Link& link, const PacketHeader& header, std::span<const std::byte> payload, ConnectorEvents& events);

  HubCore& core_;
  const std::shared_ptr<Refusals> refusals_ = std::make_shared<Refusals>();
  bool listening_ = false;
  bool enabled_ = false;  // The endpoint; before that the provider makes no progress on it.
  bool unmet_ = false;    // We sent to a peer from which nothing ever came: it may not have looked yet.
  Clock::time_point refused_at_{};
  EndpointName name_;
  std::unordered_map<uint64_t, Link> links_;
  std::vector<std::pair<EndpointName, Peer>> peers_;
  std::vector<Handshake> handshakes_;

  std::optional<BufferPool> receive_pool_;
  std::vector<Operation*> receives_;
  InfoPtr info_;
  Fid<fid_av> addresses_;
  Fid<fid_ep> endpoint_;  // Closed first.
};

}  // namespace godwit::fabric
