// Migration: a client's handle to a job, which knows the source node once it was asked.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/deadline.hpp"
#include "base/id.hpp"
#include "base/result.hpp"
#include "client/client.hpp"
#include "client/place.hpp"
#include "client/reply.hpp"
#include "fabric/address.hpp"
#include "godwit/godwit.h"
#include "model/transfer.hpp"

namespace godwit::client {

// What to migrate, checked already.
struct MigrationPlan {
  std::vector<Id> regions;
  std::string destination;
  std::string destination_target;
  bool copy = false;
  std::string name;  // Empty: each keeps its own.
  model::Transfer transfer = {};
};

struct JobState {
  godwit_job_info info;
  std::string error_text;
};

// Thread-safe. The client must outlive it. Every method but id() blocks, and can also fail as Lane::ask.
class Migration {
 public:
  // `source`: the job's source, or a member of its group.
  Migration(Client& client, fabric::Address source, const Id& job, godwit_progress_callback progress, void* context)
      : job_(job),
        client_(client),
        place_(client, std::move(source), "job " + to_string(job), Follow::kAlways),
        progress_(progress),
        progress_context_(context) {}
  // While nobody else holds `other`.
  Migration(Migration&& other)
      : Migration(other.client_, other.place_.address(), other.job_, other.progress_, other.progress_context_) {
    ask_before_cutover(other.approve_, other.approve_context_);
  }

  // Asked for once: after kPeerLost and kTimeout, the list of jobs tells whether it was started.
  // Errors: kInvalid, kLimit, kBusy (too many jobs), kNotFound (the only region, or the target).
  static Result<Id> start(Client& client, const fabric::Address& source, const MigrationPlan& plan);

  // Before any wait: wait() asks `on_arrived` when the job is held before its cutover; nonzero cancels it. NULL: none.
  void ask_before_cutover(int (*on_arrived)(void* context), void* context) {
    approve_ = on_arrived;
    approve_context_ = context;
  }

  const Id& id() const { return job_; }
  // Errors: kNotFound, no such job.
  Result<JobState> test();
  // Blocks until the job has ended. timeout zero: without limit. Runs the progress callback, with no lock held.
  // Errors: the job's own; kInDoubt, as soon as it is; kTimeout.
  Result<> wait(milliseconds timeout);
  Result<> cancel();
  // Errors: kBusy, the job is past what this could change.
  Result<> pause();
  Result<> approve();
  Result<> cut_over();
  Result<> checkpoint();
  Result<> roll_back();
  Result<> roll_back_to_checkpoint();
  Result<> resume();
  Result<> limit(uint64_t bandwidth_bytes_per_second);
  // In the order of the plan. Errors: kBusy, it has not ended.
  Result<std::vector<godwit_migrate_result>> results();
  Result<std::string> report();
  // As planned_files().
  Result<uint64_t> planned(const std::function<bool(const godwit_planned_file&)>& each);

 private:
  // The job waits for the caller's approval, who is asked by the latter.
  bool is_held(const JobState& state) const;
  Result<> decide_cutover();
  Result<JobState> ask(milliseconds wait, wire::JobAction action = wire::JobAction::none, uint64_t bandwidth = 0);
  Result<> wish(wire::JobAction action, uint64_t bandwidth = 0);
  Result<Reply> ask_results(uint32_t first, uint32_t limit);
  // With the job and its source in front.
  Error about(Errc code, const std::string& text) const;

  // Constant after construction.
  const Id job_;
  Client& client_;
  Place place_;                              // Changes where it points, under a lock of its own.
  const godwit_progress_callback progress_;  // May be NULL.
  void* const progress_context_;
  int (*approve_)(void* context) = nullptr;
  void* approve_context_ = nullptr;
};

// Waits for it, and gives its results for C, which may be NULL both; also after kPartial. Errors: as Migration::wait().
Result<> wait_for_results(Migration& migration, godwit_migrate_result** results, size_t* result_count);

}  // namespace godwit::client
