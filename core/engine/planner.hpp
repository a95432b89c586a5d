// Planner: looks at everything that a plan needs, at both ends, and changes nothing.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/domains.hpp"
#include "engine/plan_link.hpp"
#include "engine/plan_owner.hpp"
#include "engine/settings.hpp"
#include "model/plan.hpp"
#include "objects/database/database_store.hpp"
#include "objects/files/fileset_store.hpp"
#include "objects/region_store.hpp"

namespace godwit::engine {

struct ObjectFinding {
  Id id;  // Zero: unknown, or of files, which have none before they go.
  uint64_t bytes = 0;
  Errc error{};         // Errc{}: it can go.
  std::string message;  // Why not; with force_migration, what may go wrong, without an error. Of the first 1000 in a plan.
};

struct StageFinding {
  std::vector<ObjectFinding> objects;  // Of the stage's, in their order.
  std::vector<Error> errors;           // What is wrong with the stage as a whole.
  std::vector<std::string> warnings;
  uint64_t bytes = 0;
  double bytes_per_second = 0;  // As measured; 0: unknown, and so are these two.
  double seconds = 0;
  double downtime_seconds = 0;  // The longest for which the writers of any of its objects are stopped.

  bool ok() const;
};

struct Findings {
  std::vector<StageFinding> stages;
  uint64_t bytes = 0;
  double seconds = 0;
  double downtime_seconds = 0;  // The longest of any stage.

  bool ok() const;
};

// One plan; one thread. What its owner may not read is to him as if it were not there, also in what he is told.
class Planner {
 public:
  // `bandwidth`: of the node, in bytes a second; 0: no limit. `cancelled` ends it early. The stores must outlive it.
  Planner(const EngineSettings& settings, objects::RegionStore& store, objects::FilesetStore& filesets,
          objects::DatabaseStore& databases, objects::Permissions& permissions, const Id& node, Domains& domains,
          const PlanHost& host, PlanOwner owner, uint64_t bandwidth, const std::atomic<bool>& cancelled)
      : settings_(settings),
        store_(store),
        filesets_(filesets),
        databases_(databases),
        permissions_(permissions),
        node_(node),
        domains_(domains),
        host_(host),
        owner_(std::move(owner)),
        bandwidth_(bandwidth),
        cancelled_(cancelled) {}
  ~Planner() { permissions_.forget(asker_); }
  Planner(const Planner&) = delete;
  Planner& operator=(const Planner&) = delete;

  // Blocks: trees are walked, destinations are asked, some seconds for each that does not answer. What does not work is in the
  // findings.
  Findings examine(const model::Plan& plan);

 private:
  // Objects of one kind that one destination is asked about at once, so that they have room beside each other.
  struct Group {
    std::string destination;
    model::PlanKind kind;
    std::string place;
    bool copy;
    auto operator<=>(const Group&) const = default;
  };
  struct Member {
    uint32_t stage, object;  // By index.
  };
  struct Asked {
    PlanQuestion question;
    std::vector<Member> members;
  };

  void resolve(const model::Plan& plan, uint32_t stage, uint32_t object);
  Result<PlanQuestion::Object> look_at(const model::PlanStage& stage, const model::PlanObject& object);
  Result<PlanQuestion::Object> look_at_region(const model::PlanStage& stage, const std::string& name);
  Result<PlanQuestion::Object> look_at_database(const std::string& name);
  Result<> check(model::PlanKind kind, const Id& id, bool copy, const std::string& name);
  Result<PlanQuestion::Object> look_at_files(const model::PlanStage& stage, const std::string& path);
  void ask_destination(const model::Plan& plan, const std::string& destination);
  Error may_be_told(model::PlanKind kind, const Error& answer) const;
  void refuse(const model::Plan& plan, const Member& member, const Error& error);
  void refuse_stage(const model::Plan& plan, uint32_t stage, const Error& error);
  void estimate(const model::Plan& plan);

  const EngineSettings& settings_;
  objects::RegionStore& store_;
  objects::FilesetStore& filesets_;
  objects::DatabaseStore& databases_;
  objects::Permissions& permissions_;
  const Id node_;
  Domains& domains_;
  const PlanHost& host_;
  const PlanOwner owner_;
  const uint64_t bandwidth_;
  const std::atomic<bool>& cancelled_;
  const Id asker_ = random_id();  // Files are looked at as if for a job of the owner's: this one.

  Findings findings_;
  size_t refused_ = 0;  // Objects that are here, and not his.
  size_t messages_ = 0;
  std::map<Group, Asked> groups_;
  std::vector<objects::DatabasePtr> held_;               // Their identities are part of the questions.
  std::map<std::pair<model::PlanKind, Id>, bool> gone_;  // Objects of the plan; whether they leave.
};

}  // namespace godwit::engine
