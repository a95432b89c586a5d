// A daemon with a region in it, and peers that are not what they should be.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "fabric/channel.hpp"
#include "protocol/codec.hpp"
#include "support/daemon.hpp"

namespace godwit::test {

constexpr uint64_t kHuge = uint64_t{1} << 63;  // Bytes: more than any offset or length may be.

// A connection that sends what it likes. One thread.
class HostilePeer {
 public:
  // Fails the test if the daemon does not take it, unless it need not; is_open() tells.
  HostilePeer(const std::string& address, fabric::Purpose purpose, Id token = {}, bool must_open = true);

  bool send(std::span<const std::byte> message) { return channel_ && static_cast<bool>(channel_->send(message)); }
  template <class T>
  bool send(flatbuffers::Offset<T> body) {
    return send(encoder_.finish(++number_, body));
  }
  // The next message; nothing if the daemon closed the connection, or is silent for two seconds.
  std::optional<fabric::Message> receive();
  // The code of the error that the daemon answers; kPeerLost if it closed the connection instead; Errc{} if it agreed.
  Errc refusal();
  // Sends `body` and returns refusal().
  template <class T>
  Errc refusal_of(flatbuffers::Offset<T> body) {
    return send(body) ? refusal() : Errc::kPeerLost;
  }
  // Sends `body` and returns what the daemon decided; nothing if it answers something else, or not at all.
  template <class T>
  std::optional<wire::Outcome> outcome_of(flatbuffers::Offset<T> body) {
    return send(body) ? outcome() : std::nullopt;
  }
  flatbuffers::FlatBufferBuilder& builder() { return encoder_.builder(); }
  // Memory that the daemon may read. Fails the test if it cannot be exposed.
  fabric::Registration expose(std::span<std::byte> bytes);
  bool is_open() const { return channel_.has_value(); }

 private:
  std::optional<wire::Outcome> outcome();

  std::optional<fabric::Channel> channel_;
  protocol::Encoder encoder_;
  uint64_t number_ = 0;
};

class Hostile : public testing::Test {
 protected:
  Hostile();
  // Nothing is lost: the daemon answers, the region has its bytes, no target holds more than before.
  void TearDown() override;

  const std::string& address() const { return daemon_.address(); }
  pid_t pid() const { return daemon_.pid(); }
  // Of the region, 4096 bytes on the target "keep".
  const wire::Id& region_id() const { return region_; }
  HostilePeer control() const { return {address(), fabric::Purpose::kControl}; }

 private:
  // Of all targets together.
  uint64_t used_bytes() const;

  Daemon daemon_;
  std::vector<uint8_t> bytes_;
  wire::Id region_;
  uint64_t used_before_ = 0;
};

}  // namespace godwit::test
