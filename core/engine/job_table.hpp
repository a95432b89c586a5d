// JobTable: the migrations whose source is this node: takes requests, runs so many at once, remembers what became of them.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/thread_group.hpp"
#include "engine/domains.hpp"
#include "engine/job_request.hpp"
#include "engine/outbound_job.hpp"
#include "engine/settings.hpp"
#include "model/transfer.hpp"
#include "objects/database/database_store.hpp"
#include "objects/files/fileset_store.hpp"
#include "objects/region_store.hpp"

namespace godwit::engine {

// Thread-safe.
class JobTable {
 public:
  // `on_ended` is called by the job's thread whenever a job has ended or came in doubt.
  JobTable(const EngineSettings& settings, objects::RegionStore& store, objects::FilesetStore& filesets,
           objects::DatabaseStore& databases, journal::Journal& journal, Domains& domains,
           std::function<void(const Id&)> on_ended);
  ~JobTable();

  // Jobs of the journal that a crash has cut short; before anything is served. Errors: kCorrupt, kIo.
  Result<> recover();
  // The threads that run jobs, and the one that keeps their time windows. Errors: kBusy, no threads to be had.
  Result<> start();
  // Pins the regions and queues the job; those that are unknown or busy are part of its results. `own_addresses`: where this
  // node listens, the one to give to the destination first.
  // Errors: kInvalid, kLimit, kNotFound or kBusy (none of the regions can go), the destination is the source.
  Result<Id> submit(const MigrateRequest& request, const std::vector<std::string>& own_addresses);
  // Queues the job; the trees are walked when it runs. Errors: kInvalid, kLimit.
  Result<Id> submit(const MigrateFilesRequest& request, const std::vector<std::string>& own_addresses);
  // Pins the database and queues the job. Errors: kInvalid; kNotFound; kMoved; kBusy; kCorrupt, it cannot be read.
  Result<Id> submit(const MigrateDatabaseRequest& request, const std::vector<std::string>& own_addresses);
  // Null: unknown.
  std::shared_ptr<OutboundJob> find(const Id& job) const;
  struct Load {
    uint64_t queued = 0;   // They wait for their turn.
    uint64_t running = 0;  // Also those that are paused on their way.
  };
  Load load() const;
  // Newest first.
  std::vector<std::shared_ptr<OutboundJob>> list() const;
  std::vector<std::shared_ptr<OutboundJob>> unfinished() const;
  // As OutboundJob's; the journal knows of each, as far as it keeps the job. While a job is paused another one may run in its
  // place.
  void approve(OutboundJob& job);
  void cancel(OutboundJob& job, std::string_view cause);
  Result<> roll_back(OutboundJob& job);
  Result<> roll_back_to_checkpoint(OutboundJob& job);
  Result<> limit(OutboundJob& job, uint64_t bandwidth);
  // Whatever keeps it from its cutover: an approval that is missing, a pause, its time window. Errors: kBusy, it has ended.
  Result<> cut_over(OutboundJob& job);
  Result<> pause(OutboundJob& job);
  Result<> resume(OutboundJob& job);
  // Of all jobs together.
  Pace& pace() { return pace_; }
  // What a destination in doubt is told.
  model::Decision decision(const Id& job) const;
  // Cancels what has not been decided, waits for the threads.
  void stop();

 private:
  // Threads beyond jobs_max: jobs that are paused keep theirs, and so many others may run; emergencies get their own, however
  // many are paused.
  static constexpr uint32_t kPausedMore = 64, kUrgentMore = 256;

  OutboundObjects open_regions(const MigrateRequest& request, const Id& job, bool stays_here,
                               std::span<const RefusedObject> refused);
  OutboundObjects open_database(const MigrateDatabaseRequest& request, const Id& job);
  OutboundObjects open_filesets(const MigrateFilesRequest& request, const Id& job, const std::atomic<bool>& cancelled,
                                std::span<const RefusedObject> refused);
  Result<> recover_one(const journal::OutboundJob& record, const journal::RequestRecord* request);
  Result<> go_on(const journal::RequestRecord& kept, const journal::OutboundJob* record);
  OutboundRequest made_of(const MigrateRequest& request, const Id& job, bool stays_here, OpenObjects& open);
  OutboundRequest made_of(const MigrateFilesRequest& request, const Id& job, bool stays_here, OpenObjects& open);
  OutboundRequest made_of(const MigrateDatabaseRequest& request, const Id& job, bool stays_here, OpenObjects& open);
  template <typename Request>
  Result<Id> queue_opened(const Request& request, const std::vector<std::string>& own_addresses, bool stays_here);
  Result<Id> queue(OutboundRequest request, OutboundObjects objects, OpenObjects open);
  void enqueue(const std::shared_ptr<OutboundJob>& job);
  Result<> check(const MigrateRequest& request, const std::vector<std::string>& own_addresses) const;
  static uint32_t local_second_of_day();
  void work();
  std::shared_ptr<OutboundJob> next_locked();
  uint32_t workers_wanted_locked() const;
  void adapt_workers_locked();
  void keep_request(OutboundJob& job, std::string_view what) const;
  void keep_windows();
  // Those that it remembers no more because of it: on_forgotten() is theirs to be told, without the lock.
  std::vector<Id> remember_locked(const std::shared_ptr<OutboundJob>& job);
  void forget(const std::vector<Id>& jobs) const;

  const EngineSettings settings_;
  objects::RegionStore& store_;
  objects::FilesetStore& filesets_;
  objects::DatabaseStore& databases_;
  journal::Journal& journal_;
  Domains& domains_;
  const std::function<void(const Id&)> on_ended_;
  Pace pace_{nullptr};

  mutable std::mutex mutex_;  // Guards all below.
  bool started_ = false;
  bool stopping_ = false;
  std::unordered_map<Id, std::shared_ptr<OutboundJob>> jobs_;
  std::deque<std::shared_ptr<OutboundJob>> order_;   // Oldest first.
  std::deque<std::shared_ptr<OutboundJob>> queued_;  // Oldest first.
  std::deque<std::shared_ptr<OutboundJob>> running_;
  uint32_t workers_ = 0;  // Threads in work().
  std::condition_variable queue_changed_;
  std::condition_variable windows_changed_;  // A job with a time window has come, or all ends.

  ThreadGroup threads_;
  std::thread window_keeper_;
};

}  // namespace godwit::engine
