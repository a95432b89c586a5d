// HubCore: the completion queue of a hub, its operations, its send buffers and its waits. Internal to fabric/.
#pragma once

#include <rdma/fi_eq.h>

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "fabric/connection.hpp"
#include "fabric/waiter.hpp"

namespace godwit::fabric {

class HubCore {
 public:
  HubCore(std::shared_ptr<Domain> domain, HubSettings settings) : domain_(std::move(domain)), settings_(settings) {}
  Result<> open();

  Domain& domain() { return *domain_; }
  const std::shared_ptr<Domain>& shared_domain() const { return domain_; }
  const HubSettings& settings() const { return settings_; }
  fid_cq* queue() const { return queue_.get(); }
  Waiter& waiter() { return waiter_; }

  // An operation for `connection` (null: the endpoint's own); null when the completion queue could overflow.
  Operation* start(Operation::Kind kind, Connection* connection);
  // The operation is over, and its send buffer free.
  void finish(Operation* operation);
  // The connection's memory is out of the provider's hands: its operations are over, its completions forgotten.
  void abandon(Connection& connection);
  // The connection goes, but the provider may still complete its operations.
  void orphan(Connection& connection);

  // Nothing that uses the completion queue is left: every operation is over.
  void abandon_all();
  // RMA of the connection whose completion has not been collected.
  size_t rmas_under_way(const Connection& connection) const;

  // A send operation's bounce buffer; registered.
  std::span<std::byte> send_buffer(const Operation& operation) const;
  void* send_descriptor(const Operation& operation) const;

  // Takes everything from the completion queue into completions(). Errors: kFabric.
  Result<> collect();
  std::deque<Completion>& completions() { return completions_; }

 private:
  // Whose error the provider reported without saying so.
  Operation* oldest_read();
  Result<> add_send_buffers();

  const std::shared_ptr<Domain> domain_;
  const HubSettings settings_;
  size_t capacity_ = 0;     // Of the completion queue.
  uint64_t started_ = 0;    // Operations, ever.
  size_t outstanding_ = 0;  // Operations started and not finished.

  std::vector<BufferPool> send_pools_;
  std::vector<uint32_t> free_send_buffers_;
  std::deque<Operation> operations_;  // Never shrinks; addresses stay.
  std::vector<Operation*> free_operations_;
  std::deque<Completion> completions_;
  Waiter waiter_;
  Fid<fid_cq> queue_;  // Closed before the buffers go.
};

}  // namespace godwit::fabric
