// Lane: the connections that one thread at a time asks its questions on: to each address one for control, and one for
// bytes that travel by RMA, each made by its first use.
#pragma once

#include <map>
#include <optional>
#include <span>

#include "base/deadline.hpp"
#include "base/result.hpp"
#include "client/client.hpp"
#include "client/reply.hpp"
#include "fabric/address.hpp"
#include "fabric/channel.hpp"
#include "protocol/codec.hpp"

namespace godwit::client {

// An encoded message; its bytes are valid until the lane encodes the next.
struct Request {
  uint64_t number;
  std::span<const std::byte> bytes;
};

// Whether a request that was lost with its connection may be sent once more.
enum class Repeat {
  kNever,       // It may have been done: only the caller can know (creates, jobs).
  kWhenBroken,  // Doing it twice is the same as once.
};

// One thread at a time. The client must outlive it.
class Lane {
 public:
  explicit Lane(Client& client) : client_(client) {}

  flatbuffers::FlatBufferBuilder& builder() { return encoder_.builder(); }
  template <class T>
  Request request(flatbuffers::Offset<T> body) {
    const uint64_t number = ++last_request_;
    return Request{number, encoder_.finish(number, body)};
  }

  // Makes the control connection if there is none. Errors: as fabric::Channel::connect.
  Result<> connect(const fabric::Address& address);

  // Sends the request and waits for its reply, which may be a refusal. Blocks until the deadline, plus the time to connect.
  // Any connection that failed is closed when this returns; so is a stream after a refusal: no RMA can touch the
  // caller's memory any more.
  // Errors: as fabric::Channel::connect, send and wait; kProtocol, the answer is damaged. The text names the node.
  Result<Reply> ask(const fabric::Address& address, fabric::Purpose purpose, const Request& request, Repeat repeat,
                    Deadline deadline);
  // The same on the control connection, within operation_timeout.
  Result<Reply> ask(const fabric::Address& address, const Request& request, Repeat repeat);

 private:
  struct Connection {
    fabric::Channel channel;
    Clock::time_point last_used;
  };
  struct ByPlace {
    bool operator()(const fabric::Address& a, const fabric::Address& b) const {
      return a.location != b.location ? a.location < b.location : a.provider < b.provider;
    }
  };
  struct Node {
    std::optional<Connection> control;
    std::optional<Connection> stream;
    std::optional<Connection>& of(fabric::Purpose purpose) { return purpose == fabric::Purpose::kStream ? stream : control; }
  };

  // Asks on this connection, and keeps it if it is as good as before.
  Result<Reply> ask_on(Connection connection, const fabric::Address& address, fabric::Purpose purpose, const Request& request,
                       Deadline deadline);
  // Takes the connection out of nodes_, so that it is closed unless it is put back; nothing if none is usable.
  std::optional<Connection> take(const fabric::Address& address, fabric::Purpose purpose);
  Result<Connection> open(const fabric::Address& address, fabric::Purpose purpose);
  void put_back(const fabric::Address& address, fabric::Purpose purpose, Connection connection);
  void forget_stale();
  static Result<Reply> exchange(Connection& connection, const Request& request, Deadline deadline);

  Client& client_;
  protocol::Encoder encoder_;
  uint64_t last_request_ = 0;
  std::map<fabric::Address, Node, ByPlace> nodes_;
};

}  // namespace godwit::client
