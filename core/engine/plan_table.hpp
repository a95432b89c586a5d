// PlanTable: the plans whose source is this node: makes, keeps and runs them.
#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/units.hpp"
#include "engine/job_table.hpp"
#include "engine/plan_json.hpp"
#include "engine/plan_owner.hpp"
#include "engine/planner.hpp"

namespace godwit::engine {

// Thread-safe. One thread of its own starts jobs and sees to their ends; what it decides is in the journal before a job begins.
// Whose a plan is `permissions` has, under its id: what has no record there is the daemon's own. Its jobs are its owner's.
class PlanTable {
 public:
  // In all. Room is made by whoever has most of them.
  static constexpr size_t kRememberedMax = 100;
  // Of one user, that is neither the daemon's own nor an administrator.
  static constexpr size_t kRememberedOfUserMax = 20;
  // What is told of a plan travels in one message.
  static constexpr size_t kAccountBytesMax = 31_MiB;

  PlanTable(const EngineSettings& settings, objects::RegionStore& store, objects::FilesetStore& filesets,
            objects::DatabaseStore& databases, objects::Permissions& permissions, journal::Journal& journal, Domains& domains,
            JobTable& jobs, PlanHost host)
      : settings_(settings),
        store_(store),
        filesets_(filesets),
        databases_(databases),
        permissions_(permissions),
        journal_(journal),
        domains_(domains),
        jobs_(jobs),
        host_(std::move(host)) {}
  ~PlanTable() { stop(); }

  // The journal's plans; one that cannot be read is forgotten, and the log says so. Errors: the journal's.
  Result<> recover();
  // Those that ran go on. After JobTable::start().
  void start();

  // `caller` below: who asks. What he may not read he hears of as if it were not there (kNotFound); what he may read and not
  // write is kDenied to whoever wants to change it.

  // Reads the document, looks at everything it needs with the caller's rights, and keeps the plan, which is his; the JSON of
  // it. Blocks for seconds, or longer for large trees. Errors: as model::parse_plan(); kBusy, another one is being made;
  // kLimit, so many run, or its account would be too long; the journal's.
  Result<std::pair<Id, std::string>> make(const objects::Caller& caller, const std::string& document);
  // Errors: kNotFound.
  Result<std::string> show(const objects::Caller& caller, const Id& id) const;
  // Those that the caller may read.
  std::string list(const objects::Caller& caller) const;
  // Errors: kNotFound; kDenied; kInvalid, it has errors; kBusy, it runs, or is done; the journal's.
  Result<std::string> execute(const objects::Caller& caller, const Id& id);
  // Errors: kNotFound; kDenied; kBusy, it does not run.
  Result<std::string> cancel(const objects::Caller& caller, const Id& id);
  // Errors: kNotFound; kDenied; kBusy, it runs; the journal's.
  Result<> remove(const objects::Caller& caller, const Id& id);
  // Never waits for a disk.
  bool knows(const Id& id) const;

  // Any thread: a job has ended.
  void wake();
  // Before JobTable::stop(), which cancels jobs that these plans want to go on after a restart. Joins.
  void stop();

 private:
  using JobPlace = std::pair<size_t, size_t>;  // Of a stage, by index, and of its job.
  struct JobChange {
    JobPlace place;
    PlanJobProgress now;
  };
  struct JobBegin {
    JobPlace place;
    Id job;
    bool again;
  };

  Result<std::shared_ptr<KeptPlan>> find_locked(const objects::Caller& caller, const Id& id, objects::Want want) const;
  void keep_locked(std::shared_ptr<KeptPlan> kept);
  void drop_locked(const Id& id);
  std::string show_locked(const KeptPlan& kept) const;
  std::string source() const;
  Result<> make_room_locked(const objects::Permission& owner, std::vector<Id>& gone);
  void write_locked(const KeptPlan& kept);
  void run();
  void advance(KeptPlan& kept);
  std::vector<JobChange> look_after(const KeptPlan& kept) const;
  bool look_after_job(const KeptPlan& kept, const JobPlace& place, PlanJobProgress& job) const;
  bool settle_stages_locked(KeptPlan& kept) const;
  std::vector<JobPlace> choose_locked(const KeptPlan& kept) const;
  std::vector<JobBegin> prepare_locked(KeptPlan& kept, const std::vector<JobChange>& changes);
  bool begin_one(KeptPlan& kept, const JobBegin& begin);
  Result<bool> submit(const KeptPlan& kept, const JobBegin& begin) const;
  Result<> check_rights(const KeptPlan& kept, const JobPlace& place, const std::vector<uint32_t>& objects,
                        const std::vector<Id>& ids) const;
  Id id_of(const KeptPlan& kept, size_t stage, uint32_t object) const;
  bool is_still_here(const KeptPlan& kept, size_t stage, uint32_t object) const;
  bool is_path_here(const KeptPlan& kept, const std::string& path) const;
  std::vector<uint32_t> left_of(const KeptPlan& kept, const JobPlace& place) const;
  bool has_succeeded(const Id& job) const;

  const EngineSettings settings_;
  objects::RegionStore& store_;
  objects::FilesetStore& filesets_;
  objects::DatabaseStore& databases_;
  objects::Permissions& permissions_;
  journal::Journal& journal_;
  Domains& domains_;
  JobTable& jobs_;
  const PlanHost host_;
  std::atomic<bool> stopping_{false};
  std::mutex making_;  // Held while a plan is made.

  // Guards the plans: which there are, and of each its state and progress. Of one that runs only thread_ changes the state, the
  // stages and the jobs. Never held while jobs are looked for in file systems, or submitted.
  mutable std::mutex mutex_;
  std::map<Id, std::shared_ptr<KeptPlan>> plans_;

  mutable std::mutex known_mutex_;  // Guards known_: mutex_ is held while the journal writes.
  std::set<Id> known_;              // The ids of plans_.

  std::mutex wake_mutex_;  // Guards woken_; never held with a call to others, so that any thread may wake.
  std::condition_variable wake_;
  bool asks_again_ = false;  // Of thread_: a job could not begin yet, and nobody will say when it can.
  bool woken_ = true;
  std::thread thread_;
};

}  // namespace godwit::engine
