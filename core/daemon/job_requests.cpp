// Requests about migrations.
#include <fmt/format.h>

#include <algorithm>

#include "base/log.hpp"
#include "base/units.hpp"
#include "daemon/requests.hpp"
#include "engine/ask_node.hpp"
#include "engine/event_log.hpp"

namespace godwit::daemon {
namespace {

flatbuffers::Offset<wire::JobEntry> entry_of(flatbuffers::FlatBufferBuilder& builder, const engine::OutboundJob& job) {
  const engine::JobStatus status = job.status();
  const wire::Id id = protocol::to_wire(status.job);
  const auto source = builder.CreateString(status.source);
  const auto destination = builder.CreateString(status.destination);
  const auto target = builder.CreateString(status.destination_target);
  const auto text = builder.CreateString(status.error_text);
  return wire::CreateJobEntry(builder, &id, source, destination, target, status.copy, static_cast<uint8_t>(status.phase),
                              status.ended, static_cast<int32_t>(status.error), text, status.bytes_done, status.bytes_total,
                              status.objects_done, status.objects_total, status.bytes_per_second, status.seconds,
                              status.transfer.bandwidth_bytes_per_second, static_cast<uint8_t>(status.transfer.priority),
                              status.transfer.window.begin, status.transfer.window.end);
}

}  // namespace

Requests::Reply Requests::migrate(uint64_t request, const wire::MigrateRequest& migrate) {
  if (migrate.regions() == nullptr || migrate.destination() == nullptr || migrate.destination_target() == nullptr)
    return Error{Errc::kProtocol, "the migrate request lacks its regions or its destination"};
  engine::MigrateRequest wanted;
  wanted.destination_address = migrate.destination()->str();
  wanted.destination_target = migrate.destination_target()->str();
  wanted.copy = migrate.copy();
  wanted.transfer = protocol::from_wire(migrate.transfer());
  wanted.name = protocol::text_of(migrate.name());
  wanted.regions.reserve(migrate.regions()->size());
  for (const wire::Id* id : *migrate.regions()) wanted.regions.push_back(protocol::from_wire(*id));
  const auto own = own_job();
  if (!own) return own.error();
  wanted.job = *own;
  return submitted(request, *own, node_.jobs->submit(wanted, node_.addresses_for(wanted.destination_address)));
}

Requests::Reply Requests::migrate_files(uint64_t request, const wire::MigrateFilesRequest& migrate) {
  if (migrate.paths() == nullptr || migrate.destination() == nullptr || migrate.directory() == nullptr)
    return Error{Errc::kProtocol, "the migrate request lacks its paths or its destination"};
  engine::MigrateFilesRequest wanted;
  wanted.destination_address = migrate.destination()->str();
  wanted.directory = migrate.directory()->str();
  wanted.options.move = migrate.move();
  wanted.options.force = migrate.force();
  wanted.options.walk.xattrs = migrate.xattrs();
  wanted.options.walk.skip_special = migrate.skip_special();
  wanted.update = migrate.update();
  wanted.dry_run = migrate.dry_run();
  wanted.hold = migrate.hold();
  wanted.transfer = protocol::from_wire(migrate.transfer());
  for (const flatbuffers::String* path : *migrate.paths()) wanted.paths.push_back(path->str());
  if (migrate.rules() != nullptr)
    for (const wire::FileRuleEntry* rule : *migrate.rules())
      wanted.options.walk.rules.push_back({rule->take(), protocol::text_of(rule->pattern())});
  const auto own = own_job();
  if (!own) return own.error();
  wanted.job = *own;
  return submitted(request, *own, node_.jobs->submit(wanted, node_.addresses_for(wanted.destination_address)));
}

Requests::Reply Requests::migrate_database(uint64_t request, const wire::MigrateDatabaseRequest& migrate) {
  if (migrate.id() == nullptr || migrate.destination() == nullptr)
    return Error{Errc::kProtocol, "the migrate request lacks its database or its destination"};
  const Id id = protocol::from_wire(*migrate.id());
  if (auto found = objects::found_or_moved(node_.databases->find(id), to_string(id), moved_); !found)
    return std::move(found).error();
  engine::MigrateDatabaseRequest wanted{id, migrate.destination()->str(), protocol::text_of(migrate.new_root()),
                                        protocol::text_of(migrate.extra_config()), protocol::from_wire(migrate.transfer())};
  const auto own = own_job();
  if (!own) return own.error();
  wanted.job = *own;
  return submitted(request, *own, node_.jobs->submit(wanted, node_.addresses_for(wanted.destination_address)));
}

Requests::Reply Requests::job_files(uint64_t request, const wire::JobFilesRequest& wanted) {
  constexpr uint32_t kPageMax = 10'000;
  const Id id = protocol::from_wire(wanted.job());
  const auto job = node_.jobs->find(id);
  if (!job) return unknown_job(id);
  const auto [planned, total] = job->planned();
  auto& builder = encoder_.builder();
  std::vector<flatbuffers::Offset<wire::JobFile>> files;
  const uint32_t limit = std::min(wanted.limit() == 0 ? kPageMax : wanted.limit(), kPageMax);
  for (size_t i = wanted.first(); i < planned.size() && files.size() < limit; ++i) {
    const auto path = builder.CreateVector(reinterpret_cast<const uint8_t*>(planned[i].path.data()), planned[i].path.size());
    files.push_back(
        wire::CreateJobFile(builder, path, static_cast<uint8_t>(planned[i].kind), planned[i].comes ? 1 : 0, planned[i].bytes));
  }
  const auto list = builder.CreateVector(files);
  return encoder_.finish(request, wire::CreateJobFilesReply(builder, list, total));
}

Result<bool> Requests::steer(const wire::JobRequest& request) {
  const Id id = protocol::from_wire(request.job());
  if (request.action() == wire::JobAction::checkpoint) {
    if (auto noted = checkpoint(id, node_.settings.engine.stall_timeout); !noted) return std::move(noted).error();
    return false;
  }
  const auto job = node_.jobs->find(id);
  if (!job) return unknown_job(id);
  Result<> steered = Done{};
  switch (request.action()) {
    case wire::JobAction::none: break;
    case wire::JobAction::cancel: node_.jobs->cancel(*job, "a client asked for it"); break;
    case wire::JobAction::approve: node_.jobs->approve(*job); break;
    case wire::JobAction::pause: steered = node_.jobs->pause(*job); break;
    case wire::JobAction::resume: steered = node_.jobs->resume(*job); break;
    case wire::JobAction::limit: steered = node_.jobs->limit(*job, request.bandwidth_bytes_per_second()); break;
    case wire::JobAction::rollback: steered = node_.jobs->roll_back(*job); break;
    case wire::JobAction::rollback_to_checkpoint:
      steered = node_.jobs->roll_back_to_checkpoint(*job);
      if (!steered) break;
      // What has arrived is noted when the destination loses the connection; who asked hears when, if it can be reached.
      if (auto noted = checkpoint(id, node_.settings.engine.connect_timeout); !noted)
        log::info("{}: no checkpoint: {}", job->describe(), noted.error().text);
      break;
    case wire::JobAction::cutover: steered = node_.jobs->cut_over(*job); break;
    default: return Error{Errc::kProtocol, "no such action on a job"};
  }
  if (!steered) return std::move(steered).error();
  return !job->status().ended;
}

// At the destination it is made; the source asks the destination for it.
Result<> Requests::checkpoint(const Id& id, milliseconds patience) {
  if (const auto here = node_.inbound->find(id)) return here->checkpoint();
  const auto job = node_.jobs->find(id);
  if (!job) return unknown_job(id);
  const engine::JobStatus status = job->status();
  if (status.ended) return Error{Errc::kBusy, fmt::format("{} has ended", job->describe())};
  if (std::ranges::find(node_.addresses, status.destination) != node_.addresses.end())
    return Error{Errc::kBusy, fmt::format("nothing of {} has arrived yet", job->describe())};
  protocol::Encoder encoder;
  const wire::Id wire_id = protocol::to_wire(id);
  const auto body = wire::CreateJobRequest(encoder.builder(), &wire_id, 0, wire::JobAction::checkpoint, 0, true);
  const engine::EngineSettings& settings = node_.settings.engine;
  const auto bytes =
      engine::ask_node(node_.domains, status.destination, encoder.finish(1, body), settings.connect_timeout, patience);
  if (!bytes) return bytes.error();
  const auto message = protocol::decode(*bytes);
  if (!message) return with_context(status.destination, Error(message.error()));
  const auto* refused = message->body<wire::ErrorReply>();
  if (refused == nullptr) return Done{};
  Error error = protocol::from_wire(*refused);
  if (error.code == Errc::kNotFound) return Error{Errc::kBusy, fmt::format("nothing of {} has arrived yet", job->describe())};
  return with_context(status.destination, std::move(error));
}

Requests::Reply Requests::bandwidth(uint64_t request, const wire::BandwidthRequest& wanted) {
  engine::Pace& pace = node_.jobs->pace();
  if (wanted.set()) pace.limit(wanted.bytes_per_second());
  return encoder_.finish(request, wire::CreateBandwidthReply(encoder_.builder(), pace.limit()));
}

std::span<const std::byte> Requests::job_status(uint64_t request, const Id& id) {
  const auto job = node_.jobs->find(id);
  if (!job) return refuse(request, unknown_job(id));
  auto& builder = encoder_.builder();
  return encoder_.finish(request, wire::CreateJobReply(builder, entry_of(builder, *job)));
}

Requests::Reply Requests::list_jobs(uint64_t request) {
  auto& builder = encoder_.builder();
  std::vector<flatbuffers::Offset<wire::JobEntry>> entries;
  for (const auto& job : node_.jobs->list())
    if (node_.permissions->is_owner(caller_, job->status().job)) entries.push_back(entry_of(builder, *job));
  return encoder_.finish(request, wire::CreateJobListReplyDirect(builder, &entries));
}

Requests::Reply Requests::job_events(uint64_t request, const wire::JobEventsRequest& wanted) {
  constexpr uint64_t kPageBytes = 256_KiB;
  const Id id = protocol::from_wire(wanted.job());
  engine::EventLog* events = node_.settings.engine.events.get();
  Result<engine::EventLog::Page> page = Error{Errc::kNotFound, "events are not kept"};
  if (events != nullptr) page = events->read(id, wanted.first(), kPageBytes);
  if (!page && page.error().code == Errc::kNotFound) {
    if (!node_.jobs->find(id)) return unknown_job(id);
    page = engine::EventLog::Page{};  // The disk would not have them.
  }
  if (!page) return std::move(page).error();
  auto& builder = encoder_.builder();
  const auto lines = builder.CreateString(page->lines);
  return encoder_.finish(request, wire::CreateJobEventsReply(builder, lines, page->total));
}

Requests::Reply Requests::job_results(uint64_t request, const wire::JobResultsRequest& wanted) {
  constexpr uint32_t kPageMax = 10'000;
  const Id id = protocol::from_wire(wanted.job());
  const auto job = node_.jobs->find(id);
  if (!job) return unknown_job(id);
  const auto all = job->results();
  std::vector<wire::ObjectResult> page;
  const uint32_t limit = std::min(wanted.limit() == 0 ? kPageMax : wanted.limit(), kPageMax);
  for (size_t i = wanted.first(); i < all.size() && page.size() < limit; ++i)
    page.emplace_back(protocol::to_wire(all[i].source_id), protocol::to_wire(all[i].destination_id), all[i].size_bytes,
                      static_cast<int32_t>(all[i].error));
  auto& builder = encoder_.builder();
  const auto results = builder.CreateVectorOfStructs(page);
  const auto report = builder.CreateString(job->report_json());
  return encoder_.finish(request, wire::CreateJobResultsReply(builder, results, static_cast<uint32_t>(all.size()), report));
}

Requests::Reply Requests::decision(uint64_t request, const wire::DecisionRequest& wanted) {
  const auto decided = node_.jobs->decision(protocol::from_wire(wanted.job()));
  const wire::Id node = protocol::to_wire(node_.journal->node_id());
  return encoder_.finish(request, wire::CreateDecisionReply(encoder_.builder(), static_cast<uint8_t>(decided), &node));
}

}  // namespace godwit::daemon
