// Report: what rank 0 shows while regions move, and says in the end, to people and to programs.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "godwit-bulk/dispatcher.hpp"
#include "godwit-bulk/options.hpp"
#include "godwit-bulk/plan.hpp"

namespace godwit::bulk {

// One line that is written over on a terminal; a line now and then in a log. One thread.
class Progress {
 public:
  explicit Progress(bool is_quiet);
  // Cheap: shows something only when it is time to.
  void show(const Dispatcher& dispatcher);
  // Takes the line away.
  void finish();
  double seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

 private:
  using Clock = std::chrono::steady_clock;
  const bool is_quiet_;
  const bool is_terminal_;
  const Clock::time_point start_ = Clock::now();
  Clock::time_point shown_ = start_;
};

// 0: all arrived; PARTIAL's when some did; the first error's when none did.
int exit_code(const Tally& tally);

// --dry-run.
void print_plan(const Options& options, const std::vector<Item>& items, const std::vector<Batch>& batches, const Shares& shares,
                uint32_t ranks, const std::vector<Failure>& unknown);
void print_tally(const Options& options, const Tally& tally, double seconds);
// Errors: returns false when the file cannot be written, and says so on standard error.
bool write_report(const Options& options, const Tally& tally, double seconds);

}  // namespace godwit::bulk
