// Channel: one connection with a hub of its own, for code that waits: clients, job threads, stream threads.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/deadline.hpp"
#include "base/result.hpp"
#include "fabric/hub.hpp"

namespace godwit::fabric {

using Message = std::vector<std::byte>;
struct RmaDone {
  uint64_t token;
  Result<> outcome;
};
using ChannelEvent = std::variant<Message, RmaDone>;

// One thread at a time.
class Channel {
 public:
  // Blocks until open. Errors: as HubHandler::on_closed; the text names the address.
  static Result<Channel> connect(std::shared_ptr<Domain> domain, const Address& address, const Hello& hello, Deadline deadline,
                                 HubSettings settings = {});
  static Result<Channel> accept(std::shared_ptr<Domain> domain, Incoming incoming, Deadline deadline,
                                HubSettings settings = {});
  Channel(Channel&&) noexcept;
  Channel& operator=(Channel&&) noexcept;
  ~Channel();

  // Queues a message. Errors: as Hub::send; or the reason for which the channel closed before.
  Result<> send(std::span<const std::byte> message);
  // As Hub::read and Hub::write; kBusy never comes back: progress is made until there is room (or the deadline: kTimeout).
  Result<> read(std::span<std::byte> local, const Registration& registration, const RemoteMemory& remote,
                uint64_t remote_offset_bytes, uint64_t token, Deadline deadline);
  Result<> write(std::span<const std::byte> local, const Registration& registration, const RemoteMemory& remote,
                 uint64_t remote_offset_bytes, uint64_t token, Deadline deadline);

  // The next message or RMA completion; blocks until one, without using the processor.
  // Errors: kTimeout at the deadline (the channel stays usable); kCancelled after wake(); the reason for which it closed.
  Result<ChannelEvent> wait(Deadline deadline);
  // The same without waiting: nothing if there is none. Drives the provider, so that a peer's RMA goes on: call it often
  // while computing.
  Result<std::optional<ChannelEvent>> poll();
  // For a thread that has other things to do: keeps the connection alive; what comes stays for the next wait() or poll(), which
  // also tells if it has closed. To be called at least every kAttention. Does not block.
  void attend();
  static constexpr milliseconds kAttention{50};
  // Closes the connection now: no RMA of either side touches memory any more when it returns. Later calls: kCancelled.
  void close();
  // Any thread: ends the current or next wait with kCancelled.
  void wake();

  std::string peer() const;
  Identity identity() const;  // As Hub::identity.
  const Domain& domain() const;

 private:
  struct Impl;
  explicit Channel(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace godwit::fabric
