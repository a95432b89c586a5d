// MpiLink: orders and outcomes between ranks, as MPI messages. Every rank runs the same executable on the same kind of machine.
#pragma once

#include <mpi.h>

#include <vector>

#include "godwit-bulk/dispatcher.hpp"
#include "godwit-bulk/work.hpp"

namespace godwit::bulk {

// Of a worker on a rank other than 0.
class MpiLink : public Link {
 public:
  void ask() override;
  std::optional<Order> answer() override;
  void tell(const Outcome& outcome) override;
  void tell_progress(uint64_t bytes) override;
};

// Of the worker on rank 0, which is a thread beside the dispatcher's.
class LocalLink : public Link {
 public:
  explicit LocalLink(Dispatcher& dispatcher) : dispatcher_(dispatcher) {}
  void ask() override {}
  std::optional<Order> answer() override { return dispatcher_.next(0); }
  void tell(const Outcome& outcome) override { dispatcher_.ended(0, outcome); }
  void tell_progress(uint64_t bytes) override { dispatcher_.progressed(0, bytes); }

 private:
  Dispatcher& dispatcher_;
};

// On rank 0: serves one message of another rank. Returns whether there was one.
bool serve_one(Dispatcher& dispatcher);

}  // namespace godwit::bulk
