#include "godwit-bulk/worker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <thread>

namespace godwit::bulk {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kBusyLimit{60};       // A daemon at its limit of jobs.
constexpr seconds kSilentLimit{15};     // A source that does not answer questions about a job.
constexpr seconds kDoubtLimit{30};      // A cutover whose outcome waits for a peer.
constexpr seconds kRollbackLimit{300};  // Of a job whose destination lives, and takes its time to answer.
constexpr milliseconds kShortest{1};    // Between two looks at the calls ...
constexpr milliseconds kLongest{20};    // ... while nothing ends.
constexpr milliseconds kTelling{200};

// Whether the source may have begun a job although it did not say so.
bool may_have_begun(int error) {
  switch (error) {
    case GODWIT_ERR_TIMEOUT:
    case GODWIT_ERR_PEER_LOST:
    case GODWIT_ERR_PROTOCOL:
    case GODWIT_ERR_FABRIC: return true;
    default: return false;
  }
}

}  // namespace

Worker::Worker(const Options& options, Link& link) : options_(options), link_(link) {
  godwit_client_options client_options = GODWIT_CLIENT_OPTIONS_INIT;
  client_options.do_not_follow = 1;  // What left its source meanwhile is not ours to move.
  godwit_client* client = nullptr;
  if (godwit_client_open(&client_options, &client) != GODWIT_OK) throw std::runtime_error(godwit_last_error());
  client_.reset(client);
}

void Worker::run() {
  bool is_asking = false, is_finished = false;
  auto pause = kShortest;
  last_told_ = last_progress_ = Clock::now();
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
        const uint64_t bandwidth = order->bandwidth;
        if (!is_finished) calls_.push_back(Call{std::move(*order), nullptr, {}, {}, {}, bandwidth});
      }
    }
    if (const auto bandwidth = link_.share()) share_out(*bandwidth);
    if (!calls_.empty() && Clock::now() - last_told_ > kTelling) tell_progress();
    pause = something_happened ? kShortest : std::min(2 * pause, kLongest);
    if (!something_happened) std::this_thread::sleep_for(pause);
  }
}

void Worker::tell_progress() {
  last_told_ = Clock::now();
  uint64_t bytes = 0;
  for (const Call& call : calls_) bytes += call.progress.bytes_done;
  link_.tell_progress(bytes);
}

void Worker::share_out(uint64_t bandwidth) {
  for (Call& call : calls_) {
    if (call.bandwidth == bandwidth) continue;
    call.bandwidth = bandwidth;
    // A failure means that the job has ended, or that the next look will find out why its source does not answer.
    if (call.migration) static_cast<void>(godwit_migration_limit(call.migration.get(), bandwidth));
  }
}

bool Worker::run_calls() {
  const size_t before = calls_.size();
  std::erase_if(calls_, [&](Call& call) { return call.migration ? watch(call) : start(call); });
  return calls_.size() != before;
}

int Worker::start_migration(const Order& order, godwit_migration** migration) {
  switch (order.kind) {
    case Kind::kRegion: {
      godwit_migrate_options migrate = GODWIT_MIGRATE_OPTIONS_INIT;
      migrate.copy = options_.copy;
      options_.give_to(migrate);
      migrate.bandwidth = order.bandwidth;
      return godwit_migrate_start(client_.get(), order.source.c_str(), order.ids.data(), order.ids.size(),
                                  order.destination.c_str(), options_.target.c_str(), &migrate, migration);
    }
    case Kind::kDatabase: {
      godwit_database_migrate_options migrate = GODWIT_DATABASE_MIGRATE_OPTIONS_INIT;
      options_.give_to(migrate);
      migrate.bandwidth = order.bandwidth;
      godwit_database* opened = nullptr;
      const int error = godwit_database_open(client_.get(), order.source.c_str(), text_of(order.ids.front()).c_str(), &opened);
      if (error != GODWIT_OK) return may_have_begun(error) ? GODWIT_ERR_UNREACHABLE : error;  // Opening begins nothing.
      const Database database(opened);
      return godwit_database_migrate_start(database.get(), order.destination.c_str(), &migrate, migration);
    }
    case Kind::kFiles: {
      std::vector<godwit_file_rule> rules;
      godwit_fileset_options migrate = how_of_files(options_, rules);
      migrate.bandwidth = order.bandwidth;
      std::vector<const char*> paths;
      for (const char* path = order.paths.c_str(); path < order.paths.c_str() + order.paths.size();
           path += std::strlen(path) + 1)
        paths.push_back(path);
      return godwit_fileset_migrate_start(client_.get(), order.source.c_str(), paths.data(), paths.size(),
                                          order.destination.c_str(), order.directory.c_str(), &migrate, migration);
    }
  }
  return GODWIT_ERR_INTERNAL;
}

bool Worker::start(Call& call) {
  call.order.bandwidth = call.bandwidth;
  godwit_migration* migration = nullptr;
  const int error = start_migration(call.order, &migration);
  if (error == GODWIT_OK) {
    call.migration.reset(migration);
    call.failing_since = call.silent_since = {};
    last_progress_ = call.progressed = Clock::now();
    char job[33];
    if (godwit_migration_get_id(migration, job) == GODWIT_OK) link_.tell_started(call.order.batch, job);
    return false;
  }
  if (error == GODWIT_ERR_BUSY && !lasts(call.failing_since, kBusyLimit)) return false;  // Later.
  return end_with(call, error, may_have_begun(error));
}

bool Worker::watch(Call& call) {
  int done = 0;
  godwit_progress progress{};
  const int error = godwit_migration_test(call.migration.get(), &done, &progress);
  if (error != GODWIT_OK) return lasts(call.silent_since, kSilentLimit) && end_with(call, error, true);
  if (done) {
    end_with_results(call);
    return true;
  }
  note_progress(call, progress);
  if (call.is_taken_back || std::strcmp(progress.phase, "in doubt") == 0) {
    call.silent_since = {};
    return lasts(call.failing_since, call.is_taken_back ? kRollbackLimit : kDoubtLimit) &&
           end_with(call, godwit_migration_wait(call.migration.get(), 1), true);
  }
  call.failing_since = {};
  // What waits in its source's queue waits for others, not for its destination.
  const auto since = is_queued(call) ? last_progress_ : call.progressed;
  if (Clock::now() - since >= seconds(options_.stall_seconds)) return take_back(call);
  call.silent_since = {};
  return false;
}

void Worker::note_progress(Call& call, const godwit_progress& progress) {
  const godwit_progress& before = call.progress;
  if (progress.bytes_done != before.bytes_done || progress.objects_done != before.objects_done ||
      std::strcmp(progress.phase, before.phase) != 0)
    last_progress_ = call.progressed = Clock::now();
  call.progress = progress;
}

bool Worker::is_queued(const Call& call) { return std::strcmp(call.progress.phase, "planning") == 0; }

bool Worker::take_back(Call& call) {
  const int error = godwit_migration_rollback(call.migration.get());
  if (error == GODWIT_OK) {
    call.is_taken_back = true;
    call.was_queued = is_queued(call);
    return false;
  }
  // Anything else than that it is decided, or has ended: the source did not hear of it.
  if (error != GODWIT_ERR_BUSY) return lasts(call.silent_since, kSilentLimit) && end_with(call, error, true);
  int done = 0;
  if (godwit_migration_test(call.migration.get(), &done, nullptr) == GODWIT_OK && done) return false;  // The next look sees it.
  const int ended = godwit_migration_wait(call.migration.get(), 1);
  return ended != GODWIT_OK && end_with(call, ended, true);
}

bool Worker::lasts(Clock::time_point& since, seconds limit) {
  const auto now = Clock::now();
  if (since == Clock::time_point{}) since = now;
  return now - since > limit;
}

// The reason is godwit_last_error()'s: nothing of the library has been called since.
bool Worker::end_with(Call& call, int error, bool is_open) {
  Outcome outcome{call.order.batch, error, call.migration != nullptr, is_open, {}, godwit_last_error()};
  outcome.errors.assign(call.order.ids.size(), error);
  link_.tell(outcome);
  return true;
}

void Worker::end_with_results(Call& call) {
  Outcome outcome{call.order.batch, 0, true, false, {}, {}};
  last_progress_ = Clock::now();
  outcome.error = godwit_migration_wait(call.migration.get(), 0);
  if (outcome.error != GODWIT_OK) outcome.text = godwit_last_error();
  godwit_migrate_result* results = nullptr;
  size_t count = 0;
  const int error = godwit_migration_results(call.migration.get(), &results, &count);
  if (error != GODWIT_OK || count != call.order.ids.size()) {
    if (error == GODWIT_OK) godwit_free(results);
    // It has ended; how, nobody knows: what became of its objects their nodes know.
    end_with(call, error == GODWIT_OK ? GODWIT_ERR_PROTOCOL : error, true);
    return;
  }
  for (size_t i = 0; i < count; ++i) outcome.errors.push_back(results[i].error);
  godwit_free(results);
  if (call.is_taken_back && outcome.error == GODWIT_ERR_CANCELLED) {
    outcome.has_stalled = !call.was_queued;  // Else its destination is not to blame.
    outcome.error = GODWIT_ERR_TIMEOUT;
    outcome.text = fmt::format("nothing arrived for {} s, so that its job was rolled back", options_.stall_seconds);
    std::replace(outcome.errors.begin(), outcome.errors.end(), int32_t{GODWIT_ERR_CANCELLED}, int32_t{GODWIT_ERR_TIMEOUT});
  }
  link_.tell(outcome);
}

}  // namespace godwit::bulk
