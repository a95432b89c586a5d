#include "daemon/daemon.hpp"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <set>

#include "base/log.hpp"
#include "engine/event_log.hpp"

namespace godwit::daemon {
namespace {

// Each connection takes some descriptors: use what the system allows.
void raise_open_files() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

Result<std::unique_ptr<Daemon>> Daemon::start(Settings settings) {
  raise_open_files();
  std::unique_ptr<Daemon> daemon(new Daemon);
  daemon->node_ = std::make_unique<Node>(std::move(settings));
  if (auto opened = daemon->open_storage(); !opened) return std::move(opened).error();
  if (auto opened = daemon->open_services(); !opened) return std::move(opened).error();
  return daemon;
}

Result<> Daemon::open_storage() {
  Node& node = *node_;
  std::error_code failed;
  std::filesystem::create_directories(node.settings.state_dir, failed);
  if (failed) return Error{Errc::kIo, fmt::format("state_dir {}: {}", node.settings.state_dir, failed.message())};
  auto journal = journal::Journal::open(node.settings.state_dir);
  if (!journal) return with_context("state_dir " + node.settings.state_dir, std::move(journal).error());
  node.journal = std::move(*journal);

  std::vector<std::unique_ptr<pmem::Target>> targets;
  for (const pmem::TargetSettings& settings : node.settings.targets) {
    auto target = pmem::open_target(settings);
    if (!target) return with_context(fmt::format("target '{}'", settings.name), std::move(target).error());
    log::info("target '{}': {}, {}", settings.name, to_string(settings.kind), (*target)->granularity());
    targets.push_back(std::move(*target));
  }
  node.store = std::make_unique<objects::RegionStore>(std::move(targets), *node.journal);
  node.filesets = std::make_unique<objects::FilesetStore>(node.settings.file_roots, *node.journal);
  if (auto loaded = node.store->load(); !loaded) return loaded;
  node.databases = std::make_unique<objects::DatabaseStore>(node.settings.database_root, *node.journal);
  node.settings.engine.scratch = std::filesystem::absolute(node.settings.state_dir);
  auto jobs = node.journal->inbound();
  if (!jobs) return std::move(jobs).error();
  std::set<std::pair<Id, uint64_t>> awaited;
  for (const journal::InboundJob& job : *jobs)
    for (const journal::JobObject& object : job.objects)
      if (object.kind == objects::ObjectKind::kDatabase && job.state == journal::InboundState::kPrepared)
        awaited.emplace(object.destination_id, object.epoch + 1);
  return node.databases->load(node.settings.databases, awaited, node.settings.engine.scratch);
}

Result<> Daemon::open_services() {
  Node& node = *node_;
  auto topology = Topology::load(pinning_from(node.settings.pinning), "");
  if (!topology) return std::move(topology).error();
  node.topology = std::move(*topology);
  const auto pin = [&node] { node.topology->pin_thread(); };
  node.settings.engine.on_thread_start = pin;
  node.settings.engine.events = std::make_shared<engine::EventLog>(node.settings.engine.scratch + "/events");
  const engine::EngineSettings& settings = node.settings.engine;
  node.workers = std::make_unique<WorkerPool>(static_cast<uint32_t>(node.settings.workers), pin);
  node.jobs = std::make_unique<engine::JobTable>(settings, *node.store, *node.filesets, *node.databases, *node.journal,
                                                 node.domains, [this](const Id& job) {
                                                   for (const auto& service : services_) service->job_ended(job);
                                                 });
  node.inbound = std::make_unique<engine::InboundTable>(settings, *node.store, *node.filesets, *node.databases, *node.journal);
  node.streams = std::make_unique<engine::ClientStreams>(settings, static_cast<uint32_t>(node.settings.client_streams_max),
                                                         *node.store, *node.databases);
  // What was decided before the crash comes first: nobody is served a region that has gone.
  if (auto recovered = node.jobs->recover(); !recovered) return recovered;
  settings.events->end_cut_short([&node](const Id& job) { return node.jobs->find(job) != nullptr; });
  if (auto recovered = node.inbound->recover(); !recovered) return recovered;
  const auto is_known = [&node](const journal::StagingRecord& staging) {
    return staging.incoming ? node.inbound->find(staging.job) != nullptr : node.jobs->find(staging.job) != nullptr;
  };
  if (auto swept = node.filesets->sweep(is_known); !swept) return swept;

  for (const std::string& listen : node.settings.listen) {
    auto service = Service::open(node, listen);
    if (!service) return std::move(service).error();
    log::info("listening at {}: {}", (*service)->address(), (*service)->explanation());
    node.addresses.push_back((*service)->address());
    services_.push_back(std::move(*service));
  }
  auto metrics = Metrics::start(node);
  if (!metrics) return std::move(metrics).error();
  metrics_ = std::move(*metrics);
  if (auto started = node.workers->start(); !started) return started;
  if (auto started = node.jobs->start(); !started) return started;
  for (const auto& service : services_) service->start();
  resolver_ = std::make_unique<engine::Resolver>(settings, node.domains, *node.jobs, *node.inbound);
  return Done{};
}

Daemon::~Daemon() {
  metrics_.reset();
  resolver_.reset();
  if (node_->jobs) node_->jobs->stop();
  if (node_->inbound) node_->inbound->stop();
  if (node_->streams) node_->streams->stop();
  if (node_->workers) node_->workers->stop();
  for (const auto& service : services_) service->stop();
  node_->inbound.reset();
  node_->jobs.reset();
  services_.clear();
}

}  // namespace godwit::daemon
