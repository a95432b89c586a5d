#include "godwit-bulk/mpi_link.hpp"

#include <cstring>
#include <stdexcept>

namespace godwit::bulk {
namespace {

enum Tag { kAsk = 1, kOrder = 2, kOutcome = 3, kProgress = 4 };

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
  message.get(order.batch);
  message.get(order.destination);
  message.get_all(order.regions);
  return order;
}

void MpiLink::tell(const Outcome& outcome) {
  Packer().put(outcome.batch).put(outcome.seconds).put_all(outcome.errors).put_all(outcome.text).send(0, kOutcome);
}

void MpiLink::tell_progress(uint64_t bytes) { Packer().put(bytes).send(0, kProgress); }

bool serve_one(Dispatcher& dispatcher) {
  MPI_Status status;
  if (!probe(MPI_ANY_SOURCE, MPI_ANY_TAG, status)) return false;
  const auto rank = static_cast<uint32_t>(status.MPI_SOURCE);
  Unpacker message(status);
  switch (static_cast<Tag>(status.MPI_TAG)) {
    case kAsk: {
      const Order order = dispatcher.next(rank);
      Packer()
          .put(order.finished)
          .put(order.batch)
          .put(order.destination)
          .put_all(order.regions)
          .send(status.MPI_SOURCE, kOrder);
      break;
    }
    case kOutcome: {
      Outcome outcome;
      message.get(outcome.batch);
      message.get(outcome.seconds);
      message.get_all(outcome.errors);
      message.get_all(outcome.text);
      dispatcher.ended(rank, outcome);
      break;
    }
    case kProgress: {
      uint64_t bytes = 0;
      message.get(bytes);
      dispatcher.progressed(rank, bytes);
      break;
    }
    case kOrder: throw std::logic_error("an order was sent to rank 0");
  }
  return true;
}

}  // namespace godwit::bulk
