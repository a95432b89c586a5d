#include "engine/job_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "base/log.hpp"

namespace godwit::engine {
namespace {

constexpr size_t kRememberedMax = 1000;

// A region of the journal whose job had been decided: it serves nobody, its space is kept until the job has ended.
Result<std::unique_ptr<objects::Source>> reopen(objects::RegionStore& store, const journal::JobObject& object, const Id& job) {
  auto region = store.keep_handed_over(object, job);
  if (!region) return std::move(region).error();
  return std::unique_ptr<objects::Source>(std::make_unique<objects::RegionSource>(store, std::move(*region), job));
}

}  // namespace

JobTable::JobTable(const EngineSettings& settings, objects::RegionStore& store, journal::Journal& journal, Domains& domains,
                   std::function<void(const Id&)> on_ended)
    : settings_(settings),
      store_(store),
      journal_(journal),
      domains_(domains),
      on_ended_(std::move(on_ended)),
      threads_("job", settings.jobs_max, settings.on_thread_start) {}

Result<> JobTable::start() {
  for (uint32_t i = 0; i < settings_.jobs_max; ++i)
    if (auto started = threads_.start([this] { work(); }); !started) return started;
  return Done{};
}

JobTable::~JobTable() { stop(); }

void JobTable::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    queued_.clear();
    for (const auto& [id, job] : jobs_) job->cancel();
  }
  queue_changed_.notify_all();
  threads_.join_all();
}

Result<> JobTable::recover() {
  auto records = journal_.outbound();
  if (!records) return std::move(records).error();
  for (const journal::OutboundJob& record : *records) {
    const bool handed_over = record.state != journal::OutboundState::kStarted;
    auto machine = model::recover_source(record.is_move, handed_over, record.state == journal::OutboundState::kDone,
                                         record.source_survives);
    if (machine.state == model::SourceState::kAborted) {
      // Nothing had been promised. The regions serve; a destination that asks hears "abort" for an unknown job.
      if (auto gone = journal_.forget_outbound(record.job); !gone) return gone;
      continue;
    }
    if (!handed_over) {  // The only other copy may be the destination's: let it have it.
      std::vector<journal::MovedRecord> moved;
      for (const journal::JobObject& object : record.objects)
        moved.push_back({object.id, object.epoch + 1, object.name, record.address, record.target});
      if (auto decided = journal_.hand_over(record.job, moved); !decided) return decided;
    }
    std::vector<std::unique_ptr<objects::Source>> sources;
    if (record.is_move && record.source_survives && record.state == journal::OutboundState::kHandedOver)
      for (const journal::JobObject& object : record.objects) {
        if (store_.find(object.id).region) continue;  // Could not be read, and stayed.
        auto source = reopen(store_, object, record.job);
        if (!source) return std::move(source).error();
        sources.push_back(std::move(*source));
      }
    auto job = std::make_shared<OutboundJob>(record, std::move(sources), machine, domains_, journal_, settings_, on_ended_);
    log::info("recovered {}: handed over, waits for the destination", job->describe());
    const std::lock_guard lock(mutex_);
    remember_locked(job);
  }
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
  if (request.block_bytes != 0 && (request.block_bytes < 4_KiB || request.block_bytes > 64_MiB))
    return Error{Errc::kInvalid, fmt::format("block_bytes {}; 4 KiB to 64 MiB are allowed", request.block_bytes)};
  if (request.streams > 64) return Error{Errc::kInvalid, fmt::format("{} streams; 64 are allowed", request.streams)};
  if (auto valid = objects::check_name(request.name); !valid) return valid;
  if (std::unordered_set<Id>(request.regions.begin(), request.regions.end()).size() != request.regions.size())
    return Error{Errc::kInvalid, "a region is named twice"};
  if (auto address = fabric::parse_address(request.destination_address); !address) return std::move(address).error();
  if (std::ranges::find(own_addresses, request.destination_address) != own_addresses.end()) {
    if (auto target = store_.target(request.destination_target); !target) return std::move(target).error();
  }
  return Done{};
}

Result<Id> JobTable::submit(const MigrateRequest& request, const std::vector<std::string>& own_addresses) {
  if (auto valid = check(request, own_addresses); !valid) return std::move(valid).error();
  const bool stays_here = std::ranges::find(own_addresses, request.destination_address) != own_addresses.end();
  const Id id = random_id();
  std::vector<std::unique_ptr<objects::Source>> sources;
  std::vector<ObjectResult> results;
  std::string first_error;
  for (const Id& region_id : request.regions) {
    ObjectResult result{region_id, region_id, 0, Errc{}};
    const auto found = store_.find(region_id);
    Result<std::unique_ptr<objects::RegionSource>> source =
        Error{Errc::kNotFound, fmt::format("no region {} here", to_string(region_id))};
    if (found.region && stays_here && found.region->target.name() == request.destination_target)
      source = Error{Errc::kInvalid, fmt::format("{} is on target '{}' already: the destination is the source",
                                                 found.region->describe(), request.destination_target)};
    else if (found.region)
      source = objects::RegionSource::open(store_, found.region, id);
    else if (!found.moved.address.empty())
      source = Error{Errc::kMoved, fmt::format("region {} has moved to {}", to_string(region_id), found.moved.address)};
    if (source) {
      result.size_bytes = (*source)->size_bytes();
      if (!request.name.empty()) (*source)->rename(request.name);
      sources.push_back(std::move(*source));
    } else {
      result.error = source.error().code;
      if (first_error.empty()) first_error = source.error().text;
    }
    results.push_back(result);
  }
  if (sources.empty()) return Error{results.front().error, first_error};

  OutboundRequest job_request{id,
                              own_addresses.front(),
                              request.destination_address,
                              request.destination_target,
                              request.copy,
                              request.block_bytes != 0 ? request.block_bytes : settings_.block_bytes,
                              request.streams != 0 ? request.streams : settings_.streams};
  auto job = std::make_shared<OutboundJob>(std::move(job_request), std::move(sources), std::move(results),
                                           std::move(first_error), domains_, journal_, settings_, on_ended_);
  {
    const std::lock_guard lock(mutex_);
    remember_locked(job);
    queued_.push_back(job);
  }
  queue_changed_.notify_one();
  return id;
}

void JobTable::work() {
  for (;;) {
    std::shared_ptr<OutboundJob> job;
    {
      std::unique_lock lock(mutex_);
      queue_changed_.wait(lock, [this] { return stopping_ || !queued_.empty(); });
      if (stopping_) return;
      job = queued_.front();
      queued_.pop_front();
    }
    job->run();
  }
}

std::shared_ptr<OutboundJob> JobTable::find(const Id& job) const {
  const std::lock_guard lock(mutex_);
  const auto found = jobs_.find(job);
  return found == jobs_.end() ? nullptr : found->second;
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
