// JobTable after a restart: what the journal has of the jobs, and those that go on.
#include <fmt/format.h>

#include <optional>
#include <unordered_map>

#include "base/log.hpp"
#include "engine/job_table.hpp"
#include "objects/database/database_source.hpp"
#include "objects/files/file_roots.hpp"

namespace godwit::engine {

Result<> JobTable::recover() {
  auto records = journal_.outbound();
  if (!records) return std::move(records).error();
  auto requests = journal_.requests();
  if (!requests) return std::move(requests).error();
  std::unordered_map<Id, const journal::RequestRecord*> kept;
  for (const journal::RequestRecord& request : *requests) kept.emplace(request.job, &request);
  for (const journal::OutboundJob& record : *records) {
    const auto request = kept.find(record.job);
    if (auto recovered = recover_one(record, request == kept.end() ? nullptr : request->second); !recovered) return recovered;
    if (request != kept.end()) kept.erase(request);
  }
  for (const journal::RequestRecord& request : *requests) {  // Those that had offered nothing yet.
    if (!kept.contains(request.job)) continue;
    if (auto ended = settings_.resume_timeout.count() > 0 ? go_on(request, nullptr) : journal_.forget_outbound(request.job);
        !ended)
      return ended;
  }
  return Done{};
}

namespace {

// Of a job that had been handed over: one for each that was asked for, as far as the journal knows.
std::vector<ObjectResult> results_of(const journal::OutboundJob& record, const journal::RequestRecord* kept) {
  std::vector<ObjectResult> results;
  const auto parsed = kept != nullptr ? parse_request(kept->text) : Result<KeptRequest>(Error{Errc::kNotFound, ""});
  if (!parsed) {
    for (const journal::JobObject& object : record.objects)
      results.push_back({object.id, object.destination_id, object.size_bytes, Errc::kInDoubt});
    return results;
  }
  const auto* regions = std::get_if<MigrateRequest>(&parsed->request);
  const auto* files = std::get_if<MigrateFilesRequest>(&parsed->request);
  std::unordered_map<Id, const journal::JobObject*> by_id;
  std::unordered_map<std::string, const journal::JobObject*> by_name;  // Two paths of a job do not end in the same.
  for (const journal::JobObject& object : record.objects) {
    by_id.emplace(object.id, &object);
    by_name.emplace(object.name, &object);
  }
  const auto object_at = [&](uint32_t index) -> const journal::JobObject* {
    const auto in = [](const auto& known, const auto& key) {
      const auto found = known.find(key);
      return found == known.end() ? nullptr : found->second;
    };
    if (regions != nullptr) return in(by_id, regions->regions[index]);
    if (files == nullptr) return record.objects.empty() ? nullptr : &record.objects.front();  // The database.
    const auto path = objects::normal_path(files->paths[index]);
    return path ? in(by_name, path->substr(path->rfind('/') + 1)) : nullptr;
  };
  auto refused = parsed->refused.begin();
  for (uint32_t i = 0; i < object_count(parsed->request); ++i) {
    const journal::JobObject* object = object_at(i);
    const Id id = object != nullptr ? object->id : regions != nullptr ? regions->regions[i] : Id{};
    if (refused != parsed->refused.end() && refused->index == i)
      results.push_back({id, id, 0, (refused++)->error});
    else if (object != nullptr)
      results.push_back({id, object->destination_id, object->size_bytes, Errc::kInDoubt});
  }
  return results;
}

}  // namespace

Result<> JobTable::recover_one(const journal::OutboundJob& record, const journal::RequestRecord* request) {
  const bool handed_over = record.state != journal::OutboundState::kStarted;
  const bool done = record.state == journal::OutboundState::kDone;
  const bool resumes = request != nullptr && settings_.resume_timeout.count() > 0;
  auto machine = model::recover_source(record.is_move, handed_over, done, record.source_survives, resumes);
  if (machine.state == model::SourceState::kSyncing) return go_on(*request, &record);
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
  std::optional<Error> withheld;
  if (record.is_move && record.source_survives) {
    for (const journal::JobObject& object : record.objects) {
      if (object.kind == objects::ObjectKind::kFileset) {
        auto source = filesets_.open_again(record.job, object, done);
        // A file system that is not mounted, or a user who took his directory away, keeps no daemon from starting.
        if (!source)
          withheld = std::move(source).error();
        else if (done)
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
  auto job = std::make_shared<OutboundJob>(record, std::move(sources), results_of(record, request), machine, domains_, journal_,
                                           settings_, pace_, on_ended_);
  log::info("recovered {}: handed over, waits for the destination", job->describe());
  if (withheld) job->withhold(*withheld);
  const std::lock_guard lock(mutex_);
  (void)remember_locked(job);  // Who owns which job is looked at when all are there.
  return Done{};
}

// After a restart: as if it had been interrupted.
Result<> JobTable::go_on(const journal::RequestRecord& kept, const journal::OutboundJob* record) {
  auto parsed = parse_request(kept.text);
  if (!parsed) {
    log::error("job {} is lost: {}", to_string(kept.job), parsed.error().text);
    return journal_.forget_outbound(kept.job);
  }
  if (parsed->cancelled) {  // Nothing had been promised: a destination that asks hears "abort" for an unknown job.
    log::info("job {} was cancelled, and does not go on", to_string(kept.job));
    return journal_.forget_outbound(kept.job);
  }
  OpenObjects open;
  OutboundRequest made = std::visit(
      [&](const auto& request) {
        const bool stays_here = request.destination_address == parsed->source_address;
        return made_of(request, kept.job, stays_here, open);
      },
      parsed->request);
  made.source_address = parsed->source_address;
  made.is_kept = true;
  made.attempts = kept.attempt;
  made.is_paused = parsed->paused;
  made.is_approved = parsed->approved;
  made.refused = std::move(parsed->refused);
  if (record != nullptr) {
    made.is_journalled = true;
    made.destination_node = record->destination_node;
  }
  auto job = std::make_shared<OutboundJob>(std::move(made), OutboundObjects{}, std::move(open), domains_, journal_, settings_,
                                           pace_, on_ended_);
  log::info("recovered {}: goes on", job->describe());
  enqueue(job);
  return Done{};
}

}  // namespace godwit::engine
