// Worker: keeps a bounded number of migrations going, asks for more, and tells what became of each.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "godwit-bulk/client.hpp"
#include "godwit-bulk/options.hpp"
#include "godwit-bulk/work.hpp"

namespace godwit::bulk {

// One thread. Its memory is that of --in-flight calls.
class Worker {
 public:
  // Throws std::runtime_error: no client can be opened.
  Worker(const Options& options, Link& link);
  // Until the dispatcher has no more and every call has ended. The link tells all failures; none is thrown.
  void run();

 private:
  using Clock = std::chrono::steady_clock;
  struct Call {
    Order order;
    Migration migration;              // Null: not started yet.
    Clock::time_point failing_since;  // Of its begin, its doubt or its way back; zero: all is well.
    Clock::time_point progressed;     // When it did so last.
    godwit_progress progress{};       // Then.
    uint64_t bandwidth = 0;
    Clock::time_point silent_since{};  // Its source does not answer; zero: it does.
    bool was_queued = false;           // When it was taken back.
    bool is_taken_back = false;        // It stood still: its job is being rolled back, and ends without a cutover.
  };

  // Both return whether the call has ended, and has been told.
  bool start(Call& call);
  bool watch(Call& call);
  static bool is_queued(const Call& call);
  // The call stands still. Its job is rolled back, so that its objects may be sent elsewhere, unless it has decided its
  // cutover.
  bool take_back(Call& call);
  // The source's answer to the order. Errors: those of the C API's calls that start migrations.
  int start_migration(const Order& order, godwit_migration** migration);
  // Whether what has failed `since` then (zero: it begins to now) does so for longer than is bearable.
  static bool lasts(Clock::time_point& since, std::chrono::seconds limit);
  bool end_with(Call& call, int error, bool is_open);
  void note_progress(Call& call, const godwit_progress& progress);
  void end_with_results(Call& call);
  bool run_calls();
  // Holds every call to what it may send.
  void share_out(uint64_t bandwidth);
  void tell_progress();

  const Options& options_;
  Link& link_;
  Client client_;
  std::vector<Call> calls_;
  Clock::time_point last_progress_;  // Of any call.
  Clock::time_point last_told_;
};

}  // namespace godwit::bulk
