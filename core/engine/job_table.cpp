#include "engine/job_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <unordered_set>

#include "base/log.hpp"
#include "objects/database/database_source.hpp"

namespace godwit::engine {
namespace {

constexpr size_t kRememberedMax = 1000;

Result<> check_transfer(const model::Transfer& transfer, const std::string& destination) {
  if (auto valid = model::check(transfer); !valid) return valid;
  if (auto address = fabric::parse_address(destination); !address) return std::move(address).error();
  return Done{};
}

// A limit is kept block by block: with some sixty of them a second it is kept well within each second.
uint64_t block_bytes_for(uint64_t bandwidth, uint64_t usual) {
  if (bandwidth == 0) return usual;
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
      threads_("job", settings.jobs_max + kWorkersMore, settings.on_thread_start) {
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
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    queued_.clear();
    for (const auto& [id, job] : jobs_) job->cancel("the daemon stops");
  }
  queue_changed_.notify_all();
  windows_changed_.notify_all();
  threads_.join_all();
  if (window_keeper_.joinable()) window_keeper_.join();
}

Result<> JobTable::recover() {
  auto records = journal_.outbound();
  if (!records) return std::move(records).error();
  for (const journal::OutboundJob& record : *records)
    if (auto recovered = recover_one(record); !recovered) return recovered;
  return Done{};
}

Result<> JobTable::recover_one(const journal::OutboundJob& record) {
  const bool handed_over = record.state != journal::OutboundState::kStarted;
  const bool done = record.state == journal::OutboundState::kDone;
  auto machine = model::recover_source(record.is_move, handed_over, done, record.source_survives);
  // Nothing had been promised. The objects serve; a destination that asks hears "abort" for an unknown job.
  if (machine.state == model::SourceState::kAborted) return journal_.forget_outbound(record.job);
  if (!handed_over) {  // The only other copy may be the destination's: let it have it.
    std::vector<journal::MovedRecord> moved;
    std::vector<journal::DatabaseRecord> databases;
    for (const journal::JobObject& object : record.objects) {
      if (object.kind == objects::ObjectKind::kRegion)
        moved.push_back({object.id, object.epoch + 1, object.name, record.address, record.target});
      if (object.kind == objects::ObjectKind::kDatabase)  // Of a map, which this node does not have any more.
        databases.push_back(
            {object.id, object.epoch, object.name, "map", "", "", true, journal::DatabaseState::kMoved, record.address});
    }
    if (auto decided = journal_.hand_over(record.job, moved, databases); !decided) return decided;
  }
  std::vector<std::unique_ptr<objects::Source>> sources;
  if (record.is_move && record.source_survives) {
    for (const journal::JobObject& object : record.objects) {
      if (object.kind == objects::ObjectKind::kFileset) {
        auto source = filesets_.open_again(record.job, object);
        if (!source) return std::move(source).error();
        if (done)
          (*source)->finish_move({record.address, record.target, {}});
        else
          sources.push_back(std::move(*source));
        continue;
      }
      if (object.kind == objects::ObjectKind::kDatabase) {
        auto database = databases_.keep_handed_over(object.id, object.epoch, record.job);
        if (!database) return std::move(database).error();
        auto source =
            std::make_unique<objects::DatabaseSource>(databases_, std::move(*database), record.job, settings_.scratch);
        if (done)
          source->finish_move({record.address, record.target, {}});
        else
          sources.push_back(std::move(source));
        continue;
      }
      if (done || store_.find(object.id).region) continue;  // The latter could not be read, and stayed.
      // It serves nobody, and its space is kept until the job has ended.
      auto region = store_.keep_handed_over(object, record.job);
      if (!region) return std::move(region).error();
      sources.push_back(std::make_unique<objects::RegionSource>(store_, std::move(*region), record.job));
    }
  }
  auto job =
      std::make_shared<OutboundJob>(record, std::move(sources), machine, domains_, journal_, settings_, pace_, on_ended_);
  log::info("recovered {}: handed over, waits for the destination", job->describe());
  const std::lock_guard lock(mutex_);
  remember_locked(job);
  return Done{};
}

void JobTable::remember_locked(const std::shared_ptr<OutboundJob>& job) {
  jobs_.emplace(job->id(), job);
  order_.push_back(job);
  for (auto oldest = order_.begin(); order_.size() > kRememberedMax && oldest != order_.end();) {
    if ((*oldest)->status().ended) {
      jobs_.erase((*oldest)->id());
      oldest = order_.erase(oldest);
    } else {
      ++oldest;
    }
  }
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

OutboundObjects JobTable::open_regions(const MigrateRequest& request, const Id& job, bool stays_here) {
  OutboundObjects objects;
  for (const Id& region_id : request.regions) {
    ObjectResult result{region_id, region_id, 0, Errc{}};
    const auto found = store_.find(region_id);
    Result<std::unique_ptr<objects::RegionSource>> source =
        Error{Errc::kNotFound, fmt::format("no region {} here", to_string(region_id))};
    if (found.region && stays_here && found.region->target.name() == request.destination_target)
      source = Error{Errc::kInvalid, fmt::format("{} is on target '{}' already: the destination is the source",
                                                 found.region->describe(), request.destination_target)};
    else if (found.region)
      source = objects::RegionSource::open(store_, found.region, job);
    else if (!found.moved.address.empty())
      source = Error{Errc::kMoved, fmt::format("region {} has moved to {}", to_string(region_id), found.moved.address)};
    if (source) {
      result.size_bytes = (*source)->size_bytes();
      if (!request.name.empty()) (*source)->rename(request.name);
      objects.sources.push_back(std::move(*source));
    } else {
      result.error = source.error().code;
      if (objects.first_error.empty()) objects.first_error = source.error().text;
    }
    objects.results.push_back(result);
  }
  return objects;
}

Id JobTable::queue(OutboundRequest request, OutboundObjects objects, OpenObjects open) {
  if (request.transfer.block_bytes == 0)
    request.transfer.block_bytes = block_bytes_for(request.transfer.bandwidth_bytes_per_second, settings_.block_bytes);
  if (request.transfer.streams == 0) request.transfer.streams = settings_.streams;
  const Id id = request.job;
  auto job = std::make_shared<OutboundJob>(std::move(request), std::move(objects), std::move(open), domains_, journal_,
                                           settings_, pace_, on_ended_);
  {
    const std::lock_guard lock(mutex_);
    (void)job->keep_window(local_second_of_day());
    remember_locked(job);
    if (job->has_window()) windows_changed_.notify_all();
    queued_.push_back(std::move(job));
    adapt_workers_locked();
  }
  return id;
}

Result<Id> JobTable::submit(const MigrateRequest& request, const std::vector<std::string>& own_addresses) {
  if (auto valid = check(request, own_addresses); !valid) return std::move(valid).error();
  const bool stays_here = std::ranges::find(own_addresses, request.destination_address) != own_addresses.end();
  const Id id = random_id();
  OutboundObjects objects = open_regions(request, id, stays_here);
  if (objects.sources.empty()) return Error{objects.results.front().error, objects.first_error};
  return queue(
      {id, own_addresses.front(), request.destination_address, request.destination_target, request.copy, request.transfer},
      std::move(objects), {});
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
  const Id id = random_id();
  OpenObjects open = [this, id, paths = request.paths, options = request.options](const std::atomic<bool>& cancelled) {
    OutboundObjects objects;
    std::shared_ptr<objects::FileVolume> volume;
    for (const std::string& path : paths) {
      ObjectResult result;
      auto source = filesets_.open(id, path, options, volume, cancelled);
      if (source) {
        result.source_id = (*source)->manifest().id;
        result.size_bytes = (*source)->size_bytes();
        objects.sources.push_back(std::move(*source));
      } else {
        result.error = source.error().code;
        if (objects.first_error.empty()) objects.first_error = source.error().text;
      }
      objects.results.push_back(result);
    }
    return objects;
  };
  OutboundRequest job{
      id, own_addresses.front(), request.destination_address, request.directory, !request.options.move, request.transfer};
  job.update = request.update;
  job.dry_run = request.dry_run;
  job.hold = request.hold;
  return queue(std::move(job), {}, std::move(open));
}

Result<Id> JobTable::submit(const MigrateDatabaseRequest& request, const std::vector<std::string>& own_addresses) {
  if (auto valid = check_transfer(request.transfer, request.destination_address); !valid) return std::move(valid).error();
  if (!request.new_root.empty())
    if (auto path = objects::normal_path(request.new_root); !path) return with_context("new_root", std::move(path).error());
  const auto found = databases_.find(request.database);
  if (!found.database) {
    if (found.moved.address.empty())
      return Error{Errc::kNotFound, fmt::format("no database {} here", to_string(request.database))};
    return Error{Errc::kMoved, fmt::format("database {} has moved to {}", to_string(request.database), found.moved.address)};
  }
  const Id id = random_id();
  auto source = objects::DatabaseSource::open(databases_, found.database, id, settings_.scratch);
  if (!source) return std::move(source).error();
  OutboundObjects objects;
  objects.results.push_back({request.database, request.database, (*source)->size_bytes(), Errc{}});
  objects.sources.push_back(std::move(*source));
  OutboundRequest job{id, own_addresses.front(), request.destination_address, request.new_root, false, request.transfer};
  job.extra_config = request.extra_config;
  return queue(std::move(job), std::move(objects), {});
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
