#include "fabric/hub_core.hpp"

#include <rdma/fi_errno.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "fabric/failure.hpp"

namespace godwit::fabric {

namespace {

// Below the 32,767 entries of common devices; no provider recovers from an overflow, so start() counts.
constexpr size_t kQueueEntries = 16384;
constexpr uint32_t kSendPoolBuffers = 16;

}  // namespace

Result<> HubCore::open() {
  if (auto opened = waiter_.open(); !opened) return opened;
  fi_cq_attr attr{};
  attr.size = kQueueEntries;
  attr.format = FI_CQ_FORMAT_MSG;
  attr.wait_obj = domain_->limits().has_wait_fd ? FI_WAIT_FD : FI_WAIT_NONE;
  fid_cq* queue = nullptr;
  if (const int code = fi_cq_open(domain_->domain(), &attr, &queue, nullptr); code != 0)
    return fabric_error("fi_cq_open", code);
  queue_.reset(queue);
  capacity_ = kQueueEntries;
  if (domain_->limits().has_wait_fd) return waiter_.add(domain_->fabric(), &queue->fid);
  return Done{};
}

Operation* HubCore::start(Operation::Kind kind, Connection* connection) {
  if (outstanding_ >= capacity_) return nullptr;
  uint32_t buffer = 0;
  if (kind == Operation::Kind::kSend) {
    if (free_send_buffers_.empty() && !add_send_buffers()) return nullptr;
    buffer = free_send_buffers_.back();
    free_send_buffers_.pop_back();
  }
  if (free_operations_.empty()) free_operations_.push_back(&operations_.emplace_back());
  Operation* operation = free_operations_.back();
  free_operations_.pop_back();
  ++outstanding_;
  operation->kind = kind;
  operation->active = true;
  operation->serial = ++started_;
  operation->token = 0;
  operation->connection = connection;
  operation->buffer = buffer;
  if (connection) {
    operation->place = connection->operations.size();
    connection->operations.push_back(operation);
    if (kind == Operation::Kind::kSend) ++connection->sends;
    if (is_rma(kind)) ++connection->rmas;
  }
  return operation;
}

void HubCore::finish(Operation* operation) {
  if (Connection* connection = operation->connection) {
    Operation* last = connection->operations.back();
    connection->operations[operation->place] = last;
    last->place = operation->place;
    connection->operations.pop_back();
    if (operation->kind == Operation::Kind::kSend) --connection->sends;
    if (is_rma(operation->kind)) --connection->rmas;
  }
  if (operation->kind == Operation::Kind::kSend) free_send_buffers_.push_back(operation->buffer);
  operation->active = false;
  operation->connection = nullptr;
  free_operations_.push_back(operation);
  --outstanding_;
}

void HubCore::abandon(Connection& connection) {
  std::erase_if(completions_, [&](const Completion& done) { return done.operation->connection == &connection; });
  while (!connection.operations.empty()) finish(connection.operations.back());
}

void HubCore::orphan(Connection& connection) {
  for (Operation* operation : connection.operations) operation->connection = nullptr;
  connection.operations.clear();
  connection.sends = 0;
  connection.rmas = 0;
}

void HubCore::abandon_all() {
  completions_.clear();
  for (Operation& operation : operations_) {
    if (operation.active) finish(&operation);
  }
}

// shm's direct reads end before the call that posts them returns, in order; but it loses the context of one that failed.
Operation* HubCore::oldest_read() {
  Operation* oldest = nullptr;
  for (Operation& operation : operations_) {
    if (!operation.active || operation.kind != Operation::Kind::kRead || (oldest && oldest->serial < operation.serial))
      continue;
    const bool ended = std::any_of(completions_.begin(), completions_.end(),
                                   [&](const Completion& done) { return done.operation == &operation; });
    if (!ended) oldest = &operation;
  }
  return oldest;
}

size_t HubCore::rmas_under_way(const Connection& connection) const {
  const auto collected = std::count_if(completions_.begin(), completions_.end(), [&](const Completion& done) {
    return done.operation->connection == &connection && is_rma(done.operation->kind);
  });
  return connection.rmas - static_cast<size_t>(collected);
}

Result<> HubCore::add_send_buffers() {
  auto pool = BufferPool::create(domain_, kPacketBytes, kSendPoolBuffers, Access::kLocal);
  if (!pool) return std::move(pool).error();
  const auto first = static_cast<uint32_t>(send_pools_.size()) * kSendPoolBuffers;
  send_pools_.push_back(std::move(*pool));
  for (uint32_t i = kSendPoolBuffers; i > 0; --i) free_send_buffers_.push_back(first + i - 1);
  return Done{};
}

std::span<std::byte> HubCore::send_buffer(const Operation& operation) const {
  return send_pools_[operation.buffer / kSendPoolBuffers].buffer(operation.buffer % kSendPoolBuffers);
}

void* HubCore::send_descriptor(const Operation& operation) const {
  return send_pools_[operation.buffer / kSendPoolBuffers].registration().descriptor();
}

Result<> HubCore::collect() {
  std::array<fi_cq_msg_entry, 32> entries;
  for (;;) {
    const ssize_t count = fi_cq_read(queue_.get(), entries.data(), entries.size());
    if (count == -FI_EAGAIN) return Done{};
    if (count == -FI_EAVAIL) {
      fi_cq_err_entry failed{};
      if (const ssize_t code = fi_cq_readerr(queue_.get(), &failed, 0); code < 0 && code != -FI_EAGAIN) {
        return fabric_error("fi_cq_readerr", code);
      } else if (code > 0) {
        Operation* operation = failed.op_context ? static_cast<Operation*>(failed.op_context) : oldest_read();
        if (operation) completions_.push_back({operation, 0, failed.err == 0 ? FI_EIO : std::abs(failed.err)});
      }
      continue;
    }
    if (count < 0) return fabric_error("fi_cq_read", count);
    for (ssize_t i = 0; i < count; ++i) {
      completions_.push_back(
          {static_cast<Operation*>(entries[static_cast<size_t>(i)].op_context), entries[static_cast<size_t>(i)].len, 0});
    }
  }
}

}  // namespace godwit::fabric
