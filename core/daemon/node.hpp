// Node: everything of one daemon that its services share, in the order in which it is made and torn down.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "daemon/group.hpp"
#include "daemon/settings.hpp"
#include "daemon/topology.hpp"
#include "daemon/worker_pool.hpp"
#include "engine/client_streams.hpp"
#include "engine/domains.hpp"
#include "engine/inbound_table.hpp"
#include "engine/job_table.hpp"
#include "engine/plan_table.hpp"
#include "engine/resolver.hpp"
#include "journal/journal.hpp"
#include "objects/database/database_store.hpp"
#include "objects/files/arrived_filesets.hpp"
#include "objects/files/fileset_store.hpp"
#include "objects/permissions.hpp"
#include "objects/region_store.hpp"

namespace godwit::daemon {

class Service;

struct Node {
  explicit Node(Settings its_settings) : settings(std::move(its_settings)), domains(settings.require_rdma) {}

  Settings settings;
  std::unique_ptr<Topology> topology;
  std::unique_ptr<journal::Journal> journal;
  std::shared_ptr<objects::Permissions> permissions;
  std::shared_ptr<objects::ArrivedFilesets> arrived;
  std::unique_ptr<objects::RegionStore> store;
  std::unique_ptr<objects::FilesetStore> filesets;
  std::unique_ptr<objects::DatabaseStore> databases;
  engine::Domains domains;
  std::unique_ptr<WorkerPool> workers;
  std::unique_ptr<engine::PlanTable> plans;  // Outlives the jobs, which wake it.
  std::unique_ptr<engine::JobTable> jobs;
  std::unique_ptr<engine::InboundTable> inbound;
  std::unique_ptr<engine::ClientStreams> streams;
  std::shared_ptr<Directory> directory;  // Null: none is configured.
  std::unique_ptr<Group> group;          // Null until the addresses are known.
  std::vector<std::string> addresses;    // Where it listens; the first is the node's. Constant once services run.
  std::string metrics_url;               // Empty: there are none. Constant likewise.

  // Where it listens, first where a peer of `destination`'s provider reaches it: it may have to ask us back.
  std::vector<std::string> addresses_for(const std::string& destination) const;
  // Whether users' objects may go there: a daemon proves itself to whatever it connects to, and who is not to be trusted could
  // use the proof elsewhere. Errors: kDenied, no member of this node's group; kUnreachable, etcd, which knows them, does not
  // answer.
  Result<> check_destination(const std::string& destination) const;
  // Valid as long as this.
  engine::PlanHost plan_host() const;
};

// Machine, providers, limits, targets and pinning as JSON; blocks for some tens of milliseconds. `node`: null for a look at
// the machine alone.
std::string doctor_json(const Settings& settings, Node* node);
// The same for people.
std::string doctor_text(const std::string& json);

}  // namespace godwit::daemon
