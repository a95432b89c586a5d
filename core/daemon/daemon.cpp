#include "daemon/daemon.hpp"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <set>

#include "base/fail_point.hpp"
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

// What the directory is told of.
Directory::Owned owned_by(const Node& node) {
  constexpr uint32_t kPage = 10'000;
  Directory::Owned owned;
  const auto add = [&](const auto& object, const Id& id, uint64_t epoch) {
    if (is_served(object.state())) owned.push_back({id, epoch});
  };
  for (Id after;;) {
    const auto page = node.store->list("", after, kPage);
    for (const auto& region : page) add(*region, region->id, region->epoch);
    if (page.size() < kPage) break;
    after = page.back()->id;
  }
  for (Id after;;) {
    const auto page = node.databases->list(after, kPage);
    for (const auto& database : page) add(*database, database->identity.id, database->identity.epoch);
    if (page.size() < kPage) break;
    after = page.back()->identity.id;
  }
  for (const Id& fileset : node.arrived->ids()) owned.push_back({fileset, 1});
  return owned;
}

// What a pool holds only the journal says: a new one would give its bytes to others. (A device has no name that could tell.)
Result<> check_that_pools_are_known(const Settings& settings) {
  const std::filesystem::path journal = settings.state_dir + "/journal.db";
  std::error_code failed;
  if (std::filesystem::exists(journal, failed)) return Done{};
  for (const pmem::TargetSettings& target : settings.targets)
    if (std::filesystem::is_regular_file(target.path, failed))
      return Error{Errc::kCorrupt,
                   fmt::format("{} is missing, and target '{}' has a pool already: '{}': bring the journal back, or remove the "
                               "pool to start empty",
                               journal.string(), target.name, target.path)};
  return Done{};
}

// A job within one node is in both tables, under one id.
void forget_owner(const Node& node, const Id& job) {
  const bool is_here = (node.jobs && node.jobs->find(job)) || (node.inbound && node.inbound->find(job));
  if (!is_here) node.permissions->forget_job(job);
}

void say_who_is_believed(const identity::SiteSettings& site, const Settings& settings) {
  if (site.method != identity::Method::kNone)
    return log::info("peers prove who they are: {}", identity::to_string(site.method));
  if (settings.identity.method)
    log::warn("identity.method is none: whoever reaches this daemon acts as its user, {}", geteuid());
}

}  // namespace

Result<std::unique_ptr<Daemon>> Daemon::start(Settings settings) {
  raise_open_files();
  // Before anything is made on disk.
  auto site = site_settings(settings, Id{});
  if (!site) return std::move(site).error();
  std::unique_ptr<Daemon> daemon(new Daemon);
  daemon->node_ = std::make_unique<Node>(std::move(settings));
  if (auto opened = daemon->open_storage(); !opened) return std::move(opened).error();
  site->node = daemon->node_->journal->node_id();
  say_who_is_believed(*site, daemon->node_->settings);
  daemon->node_->domains.set_guard(std::make_shared<identity::SiteGuard>(std::move(*site)));
  if (auto opened = daemon->open_services(); !opened) return std::move(opened).error();
  return daemon;
}

Result<> Daemon::open_storage() {
  Node& node = *node_;
  std::error_code failed;
  std::filesystem::create_directories(node.settings.state_dir, failed);
  if (failed) return Error{Errc::kIo, fmt::format("state_dir {}: {}", node.settings.state_dir, failed.message())};
  if (auto known = check_that_pools_are_known(node.settings); !known) return known;
  auto journal = journal::Journal::open(node.settings.state_dir);
  if (!journal) return with_context("state_dir " + node.settings.state_dir, std::move(journal).error());
  node.journal = std::move(*journal);
  node.permissions = std::make_shared<objects::Permissions>(*node.journal);
  if (auto loaded = node.permissions->load(); !loaded) return loaded;
  node.settings.engine.permissions = node.permissions;
  node.arrived = std::make_shared<objects::ArrivedFilesets>();
  if (auto loaded = node.arrived->load(*node.journal); !loaded) return loaded;
  node.settings.engine.arrived = node.arrived;

  std::vector<std::unique_ptr<pmem::Target>> targets;
  for (const pmem::TargetSettings& settings : node.settings.targets) {
    auto target = pmem::open_target(settings);
    if (!target) return with_context(fmt::format("target '{}'", settings.name), std::move(target).error());
    log::info("target '{}': {}, {}", settings.name, to_string(settings.kind), (*target)->granularity());
    targets.push_back(std::move(*target));
  }
  node.store = std::make_unique<objects::RegionStore>(std::move(targets), *node.journal);
  node.filesets = std::make_unique<objects::FilesetStore>(node.settings.file_roots, *node.journal, *node.permissions);
  if (auto loaded = node.store->load(); !loaded) return loaded;
  node.databases = std::make_unique<objects::DatabaseStore>(node.settings.database_root, *node.journal);
  node.settings.engine.scratch = std::filesystem::absolute(node.settings.state_dir);
  auto jobs = node.journal->inbound();
  if (!jobs) return std::move(jobs).error();
  std::set<std::pair<Id, uint64_t>> awaited;
  const bool goes_on = node.settings.engine.resume_timeout.count() > 0;
  for (const journal::InboundJob& job : *jobs) {
    const bool is_awaited = job.target_survives && (job.state == journal::InboundState::kPrepared ||
                                                    (job.state == journal::InboundState::kReceiving && goes_on));
    for (const journal::JobObject& object : job.objects)
      if (object.kind == objects::ObjectKind::kDatabase && is_awaited) awaited.emplace(object.destination_id, object.epoch + 1);
  }
  return node.databases->load(node.settings.databases, awaited, node.settings.engine.scratch);
}

// After all jobs have been recovered: what those that are gone have left, and whose what is gone was.
Result<> Daemon::clear_up() {
  Node& node = *node_;
  // What a source hid before it handed over comes back: its job, if it goes on, begins anew.
  const auto is_known = [&node](const journal::StagingRecord& staging) {
    return staging.incoming ? node.inbound->find(staging.job) != nullptr
                            : node.jobs->decision(staging.job) == model::Decision::kCommit;
  };
  if (auto swept = node.filesets->sweep(is_known); !swept) return swept;
  // What could not be swept is tried again, with its owner's rights.
  auto stagings = node.journal->stagings();
  if (!stagings) return std::move(stagings).error();
  std::set<Id> unswept;
  for (const journal::StagingRecord& staging : *stagings) unswept.insert(staging.job);
  const auto is_here = [&node, &unswept](const Id& id) {
    const auto region = node.store->find(id);
    const auto database = node.databases->find(id);
    return region.region || !region.moved.address.empty() || database.database || !database.moved.address.empty() ||
           node.jobs->find(id) || node.inbound->find(id) || node.plans->knows(id) || unswept.contains(id);
  };
  return node.permissions->keep_only(is_here);
}

Result<> Daemon::open_services() {
  Node& node = *node_;
  auto topology = Topology::load(pinning_from(node.settings.pinning), "");
  if (!topology) return std::move(topology).error();
  node.topology = std::move(*topology);
  const auto pin = [&node] { node.topology->pin_thread(); };
  node.settings.engine.on_thread_start = pin;
  node.settings.engine.events = std::make_shared<engine::EventLog>(node.settings.engine.scratch + "/events");
  if (!node.settings.etcd.endpoints.empty()) {
    node.directory = std::make_shared<Directory>(node.settings.etcd, node.settings.group_name, node.journal->node_id());
    node.settings.engine.ownership = node.directory;
  }
  node.settings.engine.on_forgotten = [&node](const Id& job) { forget_owner(node, job); };
  const engine::EngineSettings& settings = node.settings.engine;
  engine::EngineSettings at_source = settings;
  at_source.on_forgotten = [&node](const Id& job) {
    if (node.inbound) node.inbound->forgotten_at_source(job);
  };
  node.workers = std::make_unique<WorkerPool>(static_cast<uint32_t>(node.settings.workers), pin);
  node.jobs = std::make_unique<engine::JobTable>(at_source, *node.store, *node.filesets, *node.databases, *node.journal,
                                                 node.domains, [this](const Id& job) {
                                                   for (const auto& service : services_) service->job_ended(job);
                                                   node_->plans->wake();
                                                 });
  node.plans = std::make_unique<engine::PlanTable>(settings, *node.store, *node.filesets, *node.databases, *node.permissions,
                                                   *node.journal, node.domains, *node.jobs, node.plan_host());
  node.inbound = std::make_unique<engine::InboundTable>(settings, *node.store, *node.filesets, *node.databases, *node.journal);
  node.streams = std::make_unique<engine::ClientStreams>(settings, static_cast<uint32_t>(node.settings.client_streams_max),
                                                         *node.store, *node.databases, *node.permissions);
  // What was decided before the crash comes first: nobody is served a region that has gone.
  if (auto recovered = node.jobs->recover(); !recovered) return recovered;
  crash_point("recovery.outbound");
  settings.events->end_cut_short([&node](const Id& job) { return node.jobs->find(job) != nullptr; });
  if (auto recovered = node.inbound->recover(); !recovered) return recovered;
  crash_point("recovery.inbound");
  if (auto recovered = node.plans->recover(); !recovered) return recovered;
  if (auto cleared = clear_up(); !cleared) return cleared;

  for (const std::string& listen : node.settings.listen) {
    auto service = Service::open(node, listen);
    if (!service) return std::move(service).error();
    log::info("listening at {}: {}", (*service)->address(), (*service)->explanation());
    node.addresses.push_back((*service)->address());
    services_.push_back(std::move(*service));
  }
  node.group = std::make_unique<Group>(node.settings.group_members, node.addresses, node.journal->node_id(), node.domains, pin,
                                       node.directory);
  auto metrics = Metrics::start(node);
  if (!metrics) return std::move(metrics).error();
  metrics_ = std::move(*metrics);
  if (auto started = node.workers->start(); !started) return started;
  if (auto started = node.group->start(); !started) return started;
  // Before any job can ask it.
  if (node.directory) node.directory->start(node.addresses.front(), [&node] { return owned_by(node); });
  if (auto started = node.jobs->start(); !started) return started;
  node.inbound->start();
  node.plans->start();
  for (const auto& service : services_) service->start();
  resolver_ = std::make_unique<engine::Resolver>(settings, node.domains, *node.jobs, *node.inbound);
  return Done{};
}

Daemon::~Daemon() {
  metrics_.reset();
  resolver_.reset();
  if (node_->directory) node_->directory->stop();
  if (node_->plans) node_->plans->stop();
  if (node_->jobs) node_->jobs->stop();
  if (node_->inbound) node_->inbound->stop();
  if (node_->streams) node_->streams->stop();
  if (node_->workers) node_->workers->stop();
  if (node_->group) node_->group->stop();
  for (const auto& service : services_) service->stop();
  node_->inbound.reset();
  node_->jobs.reset();
  services_.clear();
}

}  // namespace godwit::daemon
