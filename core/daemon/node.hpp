// Node: everything of one daemon that its services share, in the order in which it is made and torn down.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "daemon/settings.hpp"
#include "daemon/topology.hpp"
#include "daemon/worker_pool.hpp"
#include "engine/client_streams.hpp"
#include "engine/domains.hpp"
#include "engine/inbound_table.hpp"
#include "engine/job_table.hpp"
#include "engine/resolver.hpp"
#include "journal/journal.hpp"
#include "objects/database/database_store.hpp"
#include "objects/files/fileset_store.hpp"
#include "objects/region_store.hpp"

namespace godwit::daemon {

class Service;

struct Node {
  explicit Node(Settings its_settings) : settings(std::move(its_settings)), domains(settings.require_rdma) {}

  Settings settings;
  std::unique_ptr<Topology> topology;
  std::unique_ptr<journal::Journal> journal;
  std::unique_ptr<objects::RegionStore> store;
  std::unique_ptr<objects::FilesetStore> filesets;
  std::unique_ptr<objects::DatabaseStore> databases;
  engine::Domains domains;
  std::unique_ptr<WorkerPool> workers;
  std::unique_ptr<engine::JobTable> jobs;
  std::unique_ptr<engine::InboundTable> inbound;
  std::unique_ptr<engine::ClientStreams> streams;
  std::vector<std::string> addresses;  // Where it listens; the first is the node's. Constant once services run.
  std::string metrics_url;             // Empty: there are none. Constant likewise.
};

// Machine, providers, limits, targets and pinning as JSON; blocks for some tens of milliseconds. `node`: null for a look at
// the machine alone.
std::string doctor_json(const Settings& settings, Node* node);
// The same for people.
std::string doctor_text(const std::string& json);

}  // namespace godwit::daemon
