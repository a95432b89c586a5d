// Worker: keeps a bounded number of migrations going, asks for more, and tells what became of each.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "godwit-bulk/options.hpp"
#include "godwit-bulk/work.hpp"

namespace godwit::bulk {

// One thread.
class Worker {
 public:
  // Throws std::runtime_error: no client can be opened.
  Worker(const Options& options, Link& link);
  // Until the dispatcher has no more and every call has ended. The link tells all failures; none is thrown.
  void run();

 private:
  using Clock = std::chrono::steady_clock;
  struct Close {
    void operator()(godwit_client* client) const { godwit_client_close(client); }
    void operator()(godwit_migration* migration) const { godwit_migration_close(migration); }
  };
  struct Call {
    Order order;
    std::unique_ptr<godwit_migration, Close> migration;  // Null: not started yet.
    Clock::time_point begun;
    Clock::time_point failing_since;  // Of the questions about it, or of its doubt; zero: all is well.
    uint64_t bytes_done = 0;
    uint64_t objects_done = 0;
  };

  // Both return whether the call has ended, and has been told.
  bool start(Call& call);
  bool watch(Call& call);
  // Whether something has been failing for this call for longer than is bearable.
  bool is_lost(Call& call, std::chrono::seconds limit);
  bool end_with(Call& call, int error);
  void end_with_results(Call& call);
  bool run_calls();

  const Options& options_;
  Link& link_;
  std::unique_ptr<godwit_client, Close> client_;
  std::vector<Call> calls_;
  Clock::time_point last_progress_;
};

}  // namespace godwit::bulk
