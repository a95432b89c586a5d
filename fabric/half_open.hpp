// HalfOpen: bounds what a peer costs us that connects a TCP socket and does not ask for a connection. Internal to fabric/.
//
// libfabric's tcp provider accepts every socket, and waits for the first bytes on it without a deadline: each costs a
// descriptor until its peer leaves. When the first part of a request has come it blocks for the second, and everything with it.
// So a hub looks at the sockets of this process that have its listening port. Those that have received less than a request for
// too long are shut down; the descriptors stay the provider's, which closes them when it sees the end. And the listening one
// gets a receive timeout, which those that are accepted inherit: the second part has to be there with the first.
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <unordered_map>

#include "base/deadline.hpp"

namespace godwit::fabric {

// One thread.
class HalfOpen {
 public:
  // When the provider listens at `port`. Sockets accepted there have `patience`, but at least a second, to bring a request,
  // counted from the first sweep that sees them. Holds two descriptors, so that it works when there are no more; without them,
  // or without /proc, it does nothing.
  HalfOpen(in_port_t port, Clock::duration patience);
  ~HalfOpen();
  HalfOpen(const HalfOpen&) = delete;
  HalfOpen& operator=(const HalfOpen&) = delete;

  // When sweep() wants to be called again.
  Clock::time_point next() const { return next_; }
  // A few system calls a descriptor of this process; does not block.
  void sweep();

 private:
  void look_at(int fd, Clock::time_point now);
  void end(int fd, uint64_t inode);

  const in_port_t port_;  // As the host writes numbers.
  const Clock::duration patience_;
  int directory_fd_ = -1;  // Of this process's descriptors.
  int spare_fd_ = -1;
  Clock::time_point next_;
  std::unordered_map<uint64_t, Clock::time_point> silent_before_;  // By inode: since when; of the last sweep,
  std::unordered_map<uint64_t, Clock::time_point> silent_;         // and of this one.
};

}  // namespace godwit::fabric
