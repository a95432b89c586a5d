#include "engine/job_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <unordered_set>

#include "base/fail_point.hpp"
#include "base/log.hpp"
#include "objects/database/database_source.hpp"

namespace godwit::engine {
namespace {

constexpr size_t kRememberedMax = 1000;

Id id_for(const Id& wanted) { return wanted.is_zero() ? random_id() : wanted; }

Result<> check_transfer(const model::Transfer& transfer, const std::string& destination) {
  if (auto valid = model::check(transfer); !valid) return valid;
  if (auto address = fabric::parse_address(destination); !address) return std::move(address).error();
  return Done{};
}

// A limit is kept block by block: with some sixty of them a second it is kept well within each second. 0: no limit.
uint64_t block_bytes_for(uint64_t job_limit, uint64_t node_limit, uint64_t usual) {
  if (job_limit == 0 && node_limit == 0) return usual;
  const uint64_t bandwidth =
      job_limit == 0 || node_limit == 0 ? std::max(job_limit, node_limit) : std::min(job_limit, node_limit);
  return std::clamp(std::bit_floor(std::max<uint64_t>(1, bandwidth / 64)), model::kBlockBytesMin, usual);
}

}  // namespace

JobTable::JobTable(const EngineSettings& settings, objects::RegionStore& store, objects::FilesetStore& filesets,
                   objects::DatabaseStore& databases, journal::Journal& journal, Domains& domains,
                   std::function<void(const Id&)> on_ended)
    : settings_(settings),
      store_(store),
      filesets_(filesets),
      databases_(databases),
      journal_(journal),
      domains_(domains),
      on_ended_(std::move(on_ended)),
      threads_("job", settings.jobs_max + kPausedMore + kUrgentMore, settings.on_thread_start) {
  pace_.limit(settings.bandwidth);
}

Result<> JobTable::start() {
  const std::lock_guard lock(mutex_);
  for (; workers_ < settings_.jobs_max; ++workers_)
    if (auto started = threads_.start([this] { work(); }); !started) return started;
  window_keeper_ = std::thread([this] { keep_windows(); });
  started_ = true;
  return Done{};
}

JobTable::~JobTable() { stop(); }

void JobTable::stop() {
  std::deque<std::shared_ptr<OutboundJob>> queued;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    queued.swap(queued_);
    for (const auto& [id, job] : jobs_) job->suspend();
  }
  queue_changed_.notify_all();
  windows_changed_.notify_all();
  // What was cancelled before must not come again after a restart.
  for (const auto& job : queued)
    if (!job->is_suspended()) job->abandon(Error{Errc::kCancelled, "the daemon stops"});
  threads_.join_all();
  if (window_keeper_.joinable()) window_keeper_.join();
}

std::vector<Id> JobTable::remember_locked(const std::shared_ptr<OutboundJob>& job) {
  const int fewer = fail_point("jobs.remembered");
  const size_t remembered_max = fewer != 0 ? static_cast<size_t>(fewer) : kRememberedMax;
  jobs_.emplace(job->id(), job);
  order_.push_back(job);
  std::vector<Id> forgotten;
  for (auto oldest = order_.begin(); order_.size() > remembered_max && oldest != order_.end();) {
    if ((*oldest)->status().ended) {
      forgotten.push_back((*oldest)->id());
      jobs_.erase(forgotten.back());
      oldest = order_.erase(oldest);
    } else {
      ++oldest;
    }
  }
  return forgotten;
}

void JobTable::forget(const std::vector<Id>& jobs) const {
  if (!settings_.on_forgotten) return;
  for (const Id& job : jobs) settings_.on_forgotten(job);
}

Result<> JobTable::check(const MigrateRequest& request, const std::vector<std::string>& own_addresses) const {
  if (request.regions.empty()) return Error{Errc::kInvalid, "no region to migrate"};
  if (request.regions.size() > settings_.objects_max)
    return Error{Errc::kLimit,
                 fmt::format("{} regions in one call; {} are allowed", request.regions.size(), settings_.objects_max)};
  if (!request.name.empty() && request.regions.size() != 1)
    return Error{Errc::kInvalid, "a new name can be given to a single region only"};
  if (auto valid = check_transfer(request.transfer, request.destination_address); !valid) return valid;
  if (auto valid = objects::check_name(request.name); !valid) return valid;
  if (std::unordered_set<Id>(request.regions.begin(), request.regions.end()).size() != request.regions.size())
    return Error{Errc::kInvalid, "a region is named twice"};
  if (std::ranges::find(own_addresses, request.destination_address) != own_addresses.end()) {
    if (auto target = store_.target(request.destination_target); !target) return std::move(target).error();
  }
  return Done{};
}

namespace {

const RefusedObject* refused_at(std::span<const RefusedObject> refused, size_t index) {
  const auto found = std::ranges::lower_bound(refused, index, {}, &RefusedObject::index);
  return found == refused.end() || found->index != index ? nullptr : &*found;
}

Error told_before(const RefusedObject& refused) { return {refused.error, std::string(error_row(refused.error).meaning)}; }

}  // namespace

OutboundObjects JobTable::open_regions(const MigrateRequest& request, const Id& job, bool stays_here,
                                       std::span<const RefusedObject> refused) {
  OutboundObjects objects;
  for (const Id& id : request.regions) {
    if (const auto* before = refused_at(refused, objects.results.size())) {
      objects.refuse(id, told_before(*before));
      continue;
    }
    const auto found = store_.find(id);
    Result<std::unique_ptr<objects::RegionSource>> source =
        Error{Errc::kNotFound, fmt::format("no region {} here", to_string(id))};
    if (found.region && stays_here && found.region->target.name() == request.destination_target)
      source = Error{Errc::kInvalid, fmt::format("{} is on target '{}' already: the destination is the source",
                                                 found.region->describe(), request.destination_target)};
    else if (found.region)
      source = objects::RegionSource::open(store_, found.region, job);
    else if (!found.moved.address.empty())
      source = Error{Errc::kMoved, fmt::format("region {} has moved to {}", to_string(id), found.moved.address)};
    if (!source) {
      objects.refuse(id, source.error());
      continue;
    }
    if (!request.name.empty()) (*source)->rename(request.name);
    objects.add(id, std::move(*source));
  }
  return objects;
}

OutboundObjects JobTable::open_filesets(const MigrateFilesRequest& request, const Id& job, const std::atomic<bool>& cancelled,
                                        std::span<const RefusedObject> refused) {
  OutboundObjects objects;
  std::shared_ptr<objects::FileVolume> volume;
  objects::FilesetOptions options = request.options;
  for (const std::string& path : request.paths) {
    if (const auto* before = refused_at(refused, objects.results.size())) {
      objects.refuse({}, told_before(*before));
      continue;
    }
    crash_point("source.walk");
    auto source = filesets_.open(job, path, options, volume, cancelled);
    if (source) {
      const Id id = (*source)->manifest().id;
      objects.add(id, std::move(*source));
    } else {
      objects.refuse({}, source.error());
    }
  }
  return objects;
}

OutboundObjects JobTable::open_database(const MigrateDatabaseRequest& request, const Id& job) {
  OutboundObjects objects;
  const auto found = databases_.find(request.database);
  Result<std::unique_ptr<objects::DatabaseSource>> source =
      Error{Errc::kNotFound, fmt::format("no database {} here", to_string(request.database))};
  if (found.database)
    source = objects::DatabaseSource::open(databases_, found.database, job, settings_.scratch);
  else if (!found.moved.address.empty())
    source = Error{Errc::kMoved, fmt::format("database {} has moved to {}", to_string(request.database), found.moved.address)};
  if (source)
    objects.add(request.database, std::move(*source));
  else
    objects.refuse(request.database, source.error());
  return objects;
}

OutboundRequest JobTable::made_of(const MigrateRequest& request, const Id& job, bool stays_here, OpenObjects& open) {
  open = [=, this](const std::atomic<bool>&, std::span<const RefusedObject> refused) {
    return open_regions(request, job, stays_here, refused);
  };
  OutboundRequest made{job, {}, request.destination_address, request.destination_target, request.copy, request.transfer};
  made.asked = request;
  return made;
}

OutboundRequest JobTable::made_of(const MigrateFilesRequest& request, const Id& job, bool, OpenObjects& open) {
  open = [=, this](const std::atomic<bool>& cancelled, std::span<const RefusedObject> refused) {
    return open_filesets(request, job, cancelled, refused);
  };
  OutboundRequest made{job, {}, request.destination_address, request.directory, !request.options.move, request.transfer};
  made.update = request.update;
  made.dry_run = request.dry_run;
  made.hold = request.hold;
  if (!request.dry_run) made.asked = request;
  return made;
}

OutboundRequest JobTable::made_of(const MigrateDatabaseRequest& request, const Id& job, bool, OpenObjects& open) {
  open = [=, this](const std::atomic<bool>&, std::span<const RefusedObject>) { return open_database(request, job); };
  OutboundRequest made{job, {}, request.destination_address, request.new_root, false, request.transfer};
  made.extra_config = request.extra_config;
  made.asked = request;
  return made;
}

// Opens the objects at once: who names none that can go hears of it. Errors: that; the journal's.
template <typename Request>
Result<Id> JobTable::queue_opened(const Request& request, const std::vector<std::string>& own_addresses, bool stays_here) {
  OpenObjects open;
  OutboundRequest job = made_of(request, id_for(request.job), stays_here, open);
  job.source_address = own_addresses.front();
  static const std::atomic<bool> kNeverCancelled{false};
  OutboundObjects objects = open(kNeverCancelled, {});
  if (objects.sources.empty()) return Error{objects.results.front().error, objects.first_error};
  return queue(std::move(job), std::move(objects), std::move(open));
}

// Errors: the journal's.
Result<Id> JobTable::queue(OutboundRequest request, OutboundObjects objects, OpenObjects open) {
  const uint64_t node_limit = request.transfer.priority == model::Priority::kEmergency ? 0 : pace_.limit();
  if (request.transfer.block_bytes == 0)
    request.transfer.block_bytes =
        block_bytes_for(request.transfer.bandwidth_bytes_per_second, node_limit, settings_.block_bytes);
  if (request.transfer.streams == 0) request.transfer.streams = settings_.streams;
  // What does not outlive a restart need not be found after one.
  request.is_kept = request.asked && settings_.resume_timeout.count() > 0 &&
                    std::ranges::all_of(objects.sources, [](const auto& source) { return source->survives_restart(); });
  if (request.asked) std::visit([&](auto& asked) { asked.transfer = request.transfer; }, *request.asked);
  const Id id = request.job;
  const bool is_kept = request.is_kept;
  auto job = std::make_shared<OutboundJob>(std::move(request), std::move(objects), std::move(open), domains_, journal_,
                                           settings_, pace_, on_ended_);
  if (is_kept)
    if (auto kept = job->keep_request(); !kept) {
      job->abandon(kept.error());
      return std::move(kept).error();
    }
  enqueue(job);
  return id;
}

void JobTable::enqueue(const std::shared_ptr<OutboundJob>& job) {
  job->on_held = [this] {
    const std::lock_guard lock(mutex_);
    adapt_workers_locked();
  };
  std::unique_lock lock(mutex_);
  (void)job->keep_window(local_second_of_day());
  const std::vector<Id> forgotten = remember_locked(job);
  if (job->has_window()) windows_changed_.notify_all();
  queued_.push_back(job);
  adapt_workers_locked();
  lock.unlock();
  forget(forgotten);
}

Result<Id> JobTable::submit(const MigrateRequest& request, const std::vector<std::string>& own_addresses) {
  if (auto valid = check(request, own_addresses); !valid) return std::move(valid).error();
  const bool stays_here = std::ranges::find(own_addresses, request.destination_address) != own_addresses.end();
  return queue_opened(request, own_addresses, stays_here);
}

Result<Id> JobTable::submit(const MigrateFilesRequest& request, const std::vector<std::string>& own_addresses) {
  if (request.paths.empty()) return Error{Errc::kInvalid, "no file to migrate"};
  if (request.paths.size() > settings_.objects_max)
    return Error{Errc::kLimit,
                 fmt::format("{} paths in one call; {} are allowed", request.paths.size(), settings_.objects_max)};
  if (auto valid = check_transfer(request.transfer, request.destination_address); !valid) return std::move(valid).error();
  std::unordered_set<std::string> names;
  for (const std::string& path : request.paths) {
    auto normal = objects::normal_path(path);
    if (!normal) return std::move(normal).error();
    if (!names.insert(normal->substr(normal->rfind('/') + 1)).second)
      return Error{Errc::kInvalid, fmt::format("two paths end in '{}', and would be one at the destination",
                                               log::printable(normal->substr(normal->rfind('/') + 1)))};
  }
  if (auto directory = objects::normal_path(request.directory); !directory)
    return with_context("the destination's directory", std::move(directory).error());
  OpenObjects open;
  OutboundRequest job = made_of(request, id_for(request.job), false, open);
  job.source_address = own_addresses.front();
  return queue(std::move(job), {}, std::move(open));
}

Result<Id> JobTable::submit(const MigrateDatabaseRequest& request, const std::vector<std::string>& own_addresses) {
  if (auto valid = check_transfer(request.transfer, request.destination_address); !valid) return std::move(valid).error();
  if (!request.new_root.empty())
    if (auto path = objects::normal_path(request.new_root); !path) return with_context("new_root", std::move(path).error());
  return queue_opened(request, own_addresses, false);
}

std::shared_ptr<OutboundJob> JobTable::find(const Id& job) const {
  const std::lock_guard lock(mutex_);
  const auto found = jobs_.find(job);
  return found == jobs_.end() ? nullptr : found->second;
}

JobTable::Load JobTable::load() const {
  const std::lock_guard lock(mutex_);
  return {queued_.size(), running_.size()};
}

std::vector<std::shared_ptr<OutboundJob>> JobTable::list() const {
  const std::lock_guard lock(mutex_);
  return {order_.rbegin(), order_.rend()};
}

std::vector<std::shared_ptr<OutboundJob>> JobTable::unfinished() const {
  std::vector<std::shared_ptr<OutboundJob>> jobs = list();
  std::erase_if(jobs, [](const auto& job) { return !job->unfinished(); });
  return jobs;
}

model::Decision JobTable::decision(const Id& job) const {
  const auto found = find(job);
  return found ? found->decision() : model::Decision::kAbort;
}

}  // namespace godwit::engine
