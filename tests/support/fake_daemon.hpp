// FakeDaemon: answers a client as a test's script says: late, wrongly, or not at all.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "fabric/hub.hpp"
#include "protocol/codec.hpp"

namespace godwit::test {

class FakeDaemon : private fabric::HubHandler {
 public:
  // Runs on the daemon's thread for each message. What it returns is sent; nothing if it is empty.
  using Script = std::function<std::span<const std::byte>(FakeDaemon& daemon, fabric::ConnectionId connection,
                                                          const protocol::Decoded& request)>;

  // Listens on a free port of tcp. Throws std::runtime_error.
  explicit FakeDaemon(Script script);
  ~FakeDaemon() override;

  const std::string& address() const { return address_; }
  int connections() const { return connections_; }
  int messages() const { return messages_; }

  // For the script: builds the answer.
  protocol::Encoder& encoder() { return encoder_; }
  // For the script: sends at once, before what it returns.
  void send(fabric::ConnectionId connection, std::span<const std::byte> message);
  // For the script: reads the beginning of `window`, a client's memory, into bytes_read(); `then` hears how that ended. One at
  // a time, and at most 4 KiB.
  void read(fabric::ConnectionId connection, const fabric::RemoteMemory& window, size_t length,
            std::function<void(Result<>)> then);
  std::span<const std::byte> bytes_read() const { return buffer_; }
  // For the script: closes the connection that asked.
  void hang_up(fabric::ConnectionId connection) { hub_->close(connection); }

 private:
  void on_incoming(fabric::Incoming incoming) override;
  void on_open(fabric::ConnectionId) override {}
  void on_message(fabric::ConnectionId connection, std::span<const std::byte> message) override;
  void on_rma(fabric::ConnectionId, uint64_t, Result<> outcome) override { then_(std::move(outcome)); }
  void on_closed(fabric::ConnectionId, Error) override {}

  const Script script_;
  protocol::Encoder encoder_;
  std::unique_ptr<fabric::Hub> hub_;
  std::vector<std::byte> buffer_{4096};
  std::optional<fabric::Registration> registration_;  // Of the buffer.
  std::function<void(Result<>)> then_;
  std::string address_;
  std::atomic<int> connections_{0};
  std::atomic<int> messages_{0};
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace godwit::test
