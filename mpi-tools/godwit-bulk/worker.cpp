#include "godwit-bulk/worker.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <thread>

namespace godwit::bulk {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kBusyLimit{60};     // A daemon at its limit of jobs.
constexpr seconds kSilentLimit{15};   // A source that does not answer questions about a job.
constexpr seconds kDoubtLimit{30};    // A cutover whose outcome waits for a peer.
constexpr milliseconds kShortest{1};  // Between two looks at the calls ...
constexpr milliseconds kLongest{20};  // ... while nothing ends.

}  // namespace

Worker::Worker(const Options& options, Link& link) : options_(options), link_(link) {
  godwit_client* client = nullptr;
  if (godwit_client_open(nullptr, &client) != GODWIT_OK) throw std::runtime_error(godwit_last_error());
  client_.reset(client);
}

void Worker::run() {
  bool is_asking = false, is_finished = false;
  auto pause = kShortest;
  auto last_told = last_progress_ = Clock::now();
  while (!is_finished || !calls_.empty()) {
    bool something_happened = run_calls();
    if (!is_finished && !is_asking && calls_.size() < options_.in_flight) {
      link_.ask();
      is_asking = true;
    }
    if (is_asking) {
      if (auto order = link_.answer()) {
        is_asking = false;
        something_happened = true;
        is_finished = order->finished;
        if (!is_finished) calls_.push_back(Call{std::move(*order), nullptr, Clock::now(), {}, 0, 0});
      }
    }
    if (Clock::now() - last_told > milliseconds(200)) {
      last_told = Clock::now();
      uint64_t bytes = 0;
      for (const Call& call : calls_) bytes += call.bytes_done;
      link_.tell_progress(bytes);
    }
    pause = something_happened ? kShortest : std::min(2 * pause, kLongest);
    if (!something_happened) std::this_thread::sleep_for(pause);
  }
}

bool Worker::run_calls() {
  const size_t before = calls_.size();
  std::erase_if(calls_, [&](Call& call) { return call.migration ? watch(call) : start(call); });
  return calls_.size() != before;
}

bool Worker::start(Call& call) {
  godwit_migrate_options migrate = GODWIT_MIGRATE_OPTIONS_INIT;
  migrate.copy = options_.copy;
  godwit_migration* migration = nullptr;
  const int error =
      godwit_migrate_start(client_.get(), options_.from.c_str(), call.order.regions.data(), call.order.regions.size(),
                           options_.to[call.order.destination].c_str(), options_.target.c_str(), &migrate, &migration);
  if (error == GODWIT_OK) {
    call.migration.reset(migration);
    call.failing_since = {};
    last_progress_ = Clock::now();
    return false;
  }
  if (error == GODWIT_ERR_BUSY && !is_lost(call, kBusyLimit)) return false;  // Later.
  return end_with(call, error);
}

bool Worker::watch(Call& call) {
  int done = 0;
  godwit_progress progress{};
  const int error = godwit_migration_test(call.migration.get(), &done, &progress);
  if (error != GODWIT_OK) return is_lost(call, kSilentLimit) && end_with(call, error);
  if (done) {
    end_with_results(call);
    return true;
  }
  if (progress.bytes_done != call.bytes_done || progress.objects_done != call.objects_done) last_progress_ = Clock::now();
  call.bytes_done = progress.bytes_done;
  call.objects_done = progress.objects_done;
  if (std::strcmp(progress.phase, "in doubt") == 0)
    return is_lost(call, kDoubtLimit) && end_with(call, godwit_migration_wait(call.migration.get(), 1));
  call.failing_since = {};
  if (Clock::now() - last_progress_ < seconds(options_.stall_seconds)) return false;
  const int ended = godwit_migration_wait(call.migration.get(), 1);
  if (ended == GODWIT_OK) return false;  // Just now: the next look sees it.
  return end_with(call, ended);
}

bool Worker::is_lost(Call& call, seconds limit) {
  const auto now = Clock::now();
  if (call.failing_since == Clock::time_point{}) call.failing_since = now;
  return now - call.failing_since > limit;
}

// The reason is godwit_last_error()'s: nothing of the library has been called since.
bool Worker::end_with(Call& call, int error) {
  Outcome outcome{call.order.batch, std::chrono::duration<double>(Clock::now() - call.begun).count(), {}, godwit_last_error()};
  outcome.errors.assign(call.order.regions.size(), error);
  link_.tell(outcome);
  return true;
}

void Worker::end_with_results(Call& call) {
  Outcome outcome{call.order.batch, std::chrono::duration<double>(Clock::now() - call.begun).count(), {}, {}};
  last_progress_ = Clock::now();
  const int ended = godwit_migration_wait(call.migration.get(), 0);
  if (ended != GODWIT_OK) outcome.text = godwit_last_error();
  godwit_migrate_result* results = nullptr;
  size_t count = 0;
  const int error = godwit_migration_results(call.migration.get(), &results, &count);
  if (error != GODWIT_OK || count != call.order.regions.size()) {
    if (error == GODWIT_OK) godwit_free(results);
    end_with(call, error == GODWIT_OK ? GODWIT_ERR_PROTOCOL : error);
    return;
  }
  for (size_t i = 0; i < count; ++i) outcome.errors.push_back(results[i].error);
  godwit_free(results);
  link_.tell(outcome);
}

}  // namespace godwit::bulk
