// MpiLink: orders and outcomes between ranks, as MPI messages. Every rank runs the same executable on the same kind of machine.
#pragma once

#include <mpi.h>

#include <list>
#include <vector>

#include "godwit-bulk/dispatcher.hpp"
#include "godwit-bulk/work.hpp"

namespace godwit::bulk {

// Of a worker on a rank other than 0.
class MpiLink : public Link {
 public:
  void ask() override;
  std::optional<Order> answer() override;
  void tell_started(uint32_t batch, const std::string& job) override;
  void tell(const Outcome& outcome) override;
  void tell_progress(uint64_t bytes) override;
  std::optional<uint64_t> share() override;
};

// Of the worker on rank 0, which is a thread beside the dispatcher's.
class LocalLink : public Link {
 public:
  explicit LocalLink(Dispatcher& dispatcher) : dispatcher_(dispatcher) {}
  void ask() override {}
  std::optional<Order> answer() override { return dispatcher_.next(0); }
  void tell_started(uint32_t batch, const std::string& job) override { dispatcher_.started(batch, job); }
  void tell(const Outcome& outcome) override { dispatcher_.ended(0, outcome); }
  void tell_progress(uint64_t bytes) override { dispatcher_.progressed(0, bytes); }
  std::optional<uint64_t> share() override { return dispatcher_.share(); }

 private:
  Dispatcher& dispatcher_;
};

// On rank 0: serves the other ranks. Sends without waiting: a rank that sends a long message to rank 0 takes none meanwhile.
// The thread that called MPI_Init.
class MpiServer {
 public:
  explicit MpiServer(Dispatcher& dispatcher) : dispatcher_(dispatcher) {}
  // Serves one message, and the ranks for which there is something to do now. Returns whether anything was done.
  bool serve();
  // Blocks until every rank has what was sent to it.
  void finish();

 private:
  struct Sending {
    std::vector<char> bytes;
    MPI_Request request;
  };

  void receive(MPI_Status status);
  bool answer(uint32_t rank);
  void send(std::vector<char> bytes, int rank, int tag);
  void forget_sent();

  Dispatcher& dispatcher_;
  std::list<Sending> sending_;   // At most an order and a share of each rank.
  std::list<uint32_t> waiting_;  // Ranks that have asked, the first one first.
};

}  // namespace godwit::bulk
