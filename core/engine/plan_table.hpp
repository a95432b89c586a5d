// PlanTable: the plans whose source is this node: makes, keeps and runs them.
#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engine/job_table.hpp"
#include "engine/plan_json.hpp"
#include "engine/planner.hpp"

namespace godwit::engine {

// Thread-safe. One thread of its own starts jobs and sees to their ends; what it decides is in the journal before a job begins.
class PlanTable {
 public:
  static constexpr size_t kRememberedMax = 100;

  // `own_addresses` is asked once services run.
  PlanTable(const EngineSettings& settings, objects::RegionStore& store, objects::FilesetStore& filesets,
            objects::DatabaseStore& databases, journal::Journal& journal, Domains& domains, JobTable& jobs,
            OwnAddresses own_addresses)
      : settings_(settings),
        store_(store),
        filesets_(filesets),
        databases_(databases),
        journal_(journal),
        domains_(domains),
        jobs_(jobs),
        own_addresses_(std::move(own_addresses)) {}
  ~PlanTable() { stop(); }

  // The journal's plans; one that cannot be read is forgotten, and the log says so. Errors: the journal's.
  Result<> recover();
  // Those that ran go on. After JobTable::start().
  void start();

  // Reads the document, looks at everything it needs, and keeps the plan; the JSON of it. Blocks for seconds, or longer for
  // large trees. Errors: as model::parse_plan(); kBusy, another one is being made; kLimit, so many run; the journal's.
  Result<std::pair<Id, std::string>> make(const std::string& document);
  // Errors: kNotFound.
  Result<std::string> show(const Id& id) const;
  std::string list() const;
  // Errors: kNotFound; kInvalid, it has errors; kBusy, it runs, or is done; the journal's.
  Result<std::string> execute(const Id& id);
  // Errors: kNotFound; kBusy, it does not run.
  Result<std::string> cancel(const Id& id);
  // Errors: kNotFound; kBusy, it runs; the journal's.
  Result<> remove(const Id& id);

  // Any thread: a job has ended.
  void wake();
  // Before JobTable::stop(), which cancels jobs that these plans want to go on after a restart. Joins.
  void stop();

 private:
  using JobPlace = std::pair<size_t, size_t>;  // Of a stage, by index, and of its job.

  Result<KeptPlan*> find_locked(const Id& id);
  std::string source() const;
  Result<> make_room_locked();
  void write_locked(const KeptPlan& kept);
  void run();
  void advance_locked(KeptPlan& kept);
  bool look_after_locked(KeptPlan& kept);
  bool settle_stages_locked(KeptPlan& kept) const;
  std::vector<JobPlace> choose_locked(KeptPlan& kept) const;
  bool look_after_job_locked(const KeptPlan& kept, const JobPlace& place, PlanJobProgress& job);
  Result<> begin_locked(const KeptPlan& kept, const JobPlace& place, const Id& job);
  Id id_of(const KeptPlan& kept, size_t stage, uint32_t object) const;
  bool is_still_here(const KeptPlan& kept, size_t stage, uint32_t object) const;
  std::vector<uint32_t> left_of(const KeptPlan& kept, const JobPlace& place) const;
  bool has_succeeded(const Id& job) const;

  const EngineSettings settings_;
  objects::RegionStore& store_;
  objects::FilesetStore& filesets_;
  objects::DatabaseStore& databases_;
  journal::Journal& journal_;
  Domains& domains_;
  JobTable& jobs_;
  const OwnAddresses own_addresses_;
  std::atomic<bool> stopping_{false};
  std::mutex making_;  // Held while a plan is made.

  mutable std::mutex mutex_;  // Guards the plans.
  std::map<Id, KeptPlan> plans_;

  std::mutex wake_mutex_;  // Guards woken_; never held with a call to others, so that any thread may wake.
  std::condition_variable wake_;
  bool woken_ = true;
  std::thread thread_;
};

}  // namespace godwit::engine
