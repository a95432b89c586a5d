#include "godwit-bulk/mpi_link.hpp"

#include <cstring>
#include <stdexcept>

namespace godwit::bulk {
namespace {

enum Tag { kAsk = 1, kOrder = 2, kOutcome = 3, kProgress = 4, kStarted = 5, kShare = 6 };

// Values one after the other, as they lie in memory.
class Packer {
 public:
  template <class T>
  Packer& put(const T& value) {
    const auto* bytes = reinterpret_cast<const char*>(&value);
    bytes_.insert(bytes_.end(), bytes, bytes + sizeof value);
    return *this;
  }
  template <class List>
  Packer& put_all(const List& values) {
    put(uint64_t{values.size()});
    for (const auto& value : values) put(value);
    return *this;
  }
  std::vector<char> take() { return std::move(bytes_); }
  void send(int rank, Tag tag) const {
    MPI_Send(bytes_.data(), static_cast<int>(bytes_.size()), MPI_BYTE, rank, tag, MPI_COMM_WORLD);
  }

 private:
  std::vector<char> bytes_;
};

class Unpacker {
 public:
  // Receives the message that `status` tells of.
  explicit Unpacker(MPI_Status status) {
    int length = 0;
    MPI_Get_count(&status, MPI_BYTE, &length);
    bytes_.resize(static_cast<size_t>(length));
    MPI_Recv(bytes_.data(), length, MPI_BYTE, status.MPI_SOURCE, status.MPI_TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
  }
  template <class T>
  void get(T& value) {
    if (sizeof value > bytes_.size() - at_) throw std::logic_error("a message between ranks is too short");
    std::memcpy(&value, bytes_.data() + at_, sizeof value);
    at_ += sizeof value;
  }
  template <class List>
  void get_all(List& values) {
    uint64_t count = 0;
    get(count);
    if (count > bytes_.size()) throw std::logic_error("a message between ranks is too short");
    values.resize(count);
    for (auto& value : values) get(value);
  }

 private:
  std::vector<char> bytes_;
  size_t at_ = 0;
};

bool probe(int rank, int tag, MPI_Status& status) {
  int is_there = 0;
  MPI_Iprobe(rank, tag, MPI_COMM_WORLD, &is_there, &status);
  return is_there != 0;
}

}  // namespace

void MpiLink::ask() { Packer().send(0, kAsk); }

std::optional<Order> MpiLink::answer() {
  MPI_Status status;
  if (!probe(0, kOrder, status)) return std::nullopt;
  Unpacker message(status);
  Order order;
  message.get(order.finished);
  message.get(order.kind);
  message.get(order.batch);
  message.get(order.bandwidth);
  message.get_all(order.source);
  message.get_all(order.destination);
  message.get_all(order.directory);
  message.get_all(order.ids);
  message.get_all(order.paths);
  return order;
}

void MpiLink::tell_started(uint32_t batch, const std::string& job) { Packer().put(batch).put_all(job).send(0, kStarted); }

void MpiLink::tell(const Outcome& outcome) {
  Packer()
      .put(outcome.batch)
      .put(outcome.error)
      .put(outcome.has_job)
      .put(outcome.is_open)
      .put(outcome.has_stalled)
      .put_all(outcome.errors)
      .put_all(outcome.text)
      .send(0, kOutcome);
}

void MpiLink::tell_progress(uint64_t bytes) { Packer().put(bytes).send(0, kProgress); }

std::optional<uint64_t> MpiLink::share() {
  std::optional<uint64_t> newest;
  for (MPI_Status status; probe(0, kShare, status);) Unpacker(status).get(newest.emplace());
  return newest;
}

bool MpiServer::serve() {
  forget_sent();
  MPI_Status status;
  bool something_happened = probe(MPI_ANY_SOURCE, MPI_ANY_TAG, status);
  if (something_happened) receive(status);
  while (!waiting_.empty() && answer(waiting_.front())) {
    waiting_.pop_front();
    something_happened = true;
  }
  return something_happened;
}

void MpiServer::receive(MPI_Status status) {
  const auto rank = static_cast<uint32_t>(status.MPI_SOURCE);
  Unpacker message(status);
  switch (static_cast<Tag>(status.MPI_TAG)) {
    case kAsk: waiting_.push_back(rank); break;
    case kStarted: {
      uint32_t batch = 0;
      std::string job;
      message.get(batch);
      message.get_all(job);
      dispatcher_.started(batch, job);
      break;
    }
    case kOutcome: {
      Outcome outcome;
      message.get(outcome.batch);
      message.get(outcome.error);
      message.get(outcome.has_job);
      message.get(outcome.is_open);
      message.get(outcome.has_stalled);
      message.get_all(outcome.errors);
      message.get_all(outcome.text);
      dispatcher_.ended(rank, outcome);
      break;
    }
    case kProgress: {
      uint64_t bytes = 0;
      message.get(bytes);
      dispatcher_.progressed(rank, bytes);
      if (const uint64_t share = dispatcher_.share()) send(Packer().put(share).take(), status.MPI_SOURCE, kShare);
      break;
    }
    case kOrder:
    case kShare: throw std::logic_error("an order was sent to rank 0");
  }
}

bool MpiServer::answer(uint32_t rank) {
  const auto order = dispatcher_.next(rank);
  if (!order) return false;
  send(Packer()
           .put(order->finished)
           .put(order->kind)
           .put(order->batch)
           .put(order->bandwidth)
           .put_all(order->source)
           .put_all(order->destination)
           .put_all(order->directory)
           .put_all(order->ids)
           .put_all(order->paths)
           .take(),
       static_cast<int>(rank), kOrder);
  return true;
}

void MpiServer::send(std::vector<char> bytes, int rank, int tag) {
  Sending& sending = sending_.emplace_back(Sending{std::move(bytes), MPI_REQUEST_NULL});
  MPI_Isend(sending.bytes.data(), static_cast<int>(sending.bytes.size()), MPI_BYTE, rank, tag, MPI_COMM_WORLD,
            &sending.request);
}

void MpiServer::forget_sent() {
  sending_.remove_if([](Sending& sending) {
    int is_done = 0;
    MPI_Test(&sending.request, &is_done, MPI_STATUS_IGNORE);
    return is_done != 0;
  });
}

void MpiServer::finish() {
  for (Sending& sending : sending_) MPI_Wait(&sending.request, MPI_STATUS_IGNORE);
  sending_.clear();
}

}  // namespace godwit::bulk
