#include "daemon/requests.hpp"

#include <fmt/format.h>

#include <cstring>

#include "daemon/version.hpp"

namespace godwit::daemon {
namespace {

// A client's small data travels in messages; more is for streams. Also what the loop copies without a worker.
constexpr uint64_t kInlineBytesMax = 64_KiB;
constexpr milliseconds kEraseTimeout{10'000};

const pmem::Target* target_named(const objects::RegionStore& store, const flatbuffers::String* name) {
  if (name == nullptr) return nullptr;
  const auto target = store.target(name->str());
  return target ? *target : nullptr;
}

}  // namespace

bool Requests::waits_for_disk(const protocol::Decoded& message) const {
  const auto on_disk = [&](const wire::Id* id) {
    const auto found = node_.store->find(protocol::from_wire(id));
    return found.region && found.region->target.survives_restart();
  };
  const auto in_file = [&](const wire::Id* id) {
    const auto found = node_.store->find(protocol::from_wire(id));
    return found.region && found.region->target.kind() == pmem::Kind::kFile;
  };
  if (const auto* create = message.body<wire::RegionCreateRequest>()) {
    const pmem::Target* target = target_named(*node_.store, create->target());
    return target != nullptr && (target->survives_restart() || create->size_bytes() > kInlineBytesMax);
  }
  if (const auto* write = message.body<wire::RegionWriteRequest>()) return in_file(write->id());
  if (const auto* read = message.body<wire::RegionReadRequest>()) return in_file(read->id());
  if (const auto* persist = message.body<wire::RegionPersistRequest>()) return on_disk(persist->id());
  if (const auto* work = message.body<wire::DatabaseWorkRequest>()) {
    const auto found = node_.databases->find(protocol::from_wire(work->id()));
    // A job that copies a map holds its writers up.
    return found.database && (objects::is_lasting(found.database->identity.kind) || found.database->is_pinned() ||
                              objects::is_long(work->operation()));
  }
  if (message.body<wire::DatabaseCreateRequest>() != nullptr || message.body<wire::DatabaseStatRequest>() != nullptr ||
      message.body<wire::DatabaseListRequest>() != nullptr || message.body<wire::DatabaseDestroyRequest>() != nullptr)
    return true;
  // What is steered is journalled, or made durable at the destination.
  if (const auto* job = message.body<wire::JobRequest>()) return job->action() != wire::JobAction::none;
  // An erase waits for accesses under way, and for the catalogue.
  return message.body<wire::RegionEraseRequest>() != nullptr || message.body<wire::ChangeModeRequest>() != nullptr ||
         message.body<wire::DoctorRequest>() != nullptr || message.body<wire::MigrateRequest>() != nullptr ||
         message.body<wire::MigrateFilesRequest>() != nullptr || message.body<wire::MigrateDatabaseRequest>() != nullptr ||
         message.body<wire::JobEventsRequest>() != nullptr || message.body<wire::PlanRequest>() != nullptr ||
         message.body<wire::PlanActionRequest>() != nullptr || message.body<wire::PlanListRequest>() != nullptr;
}

std::span<const std::byte> Requests::refuse(uint64_t request, Error error) {
  if (error.code == Errc::kMoved) return encoder_.error(request, error, moved_.address, moved_.target, moved_.id);
  return encoder_.error(request, with_context("node " + address_, std::move(error)));
}

std::span<const std::byte> Requests::answer(const protocol::Decoded& message) {
  sought_.reset();
  const auto permitted = permit(message);
  Reply reply = permitted ? dispatch(message) : Reply(permitted.error());
  if (reply) return *reply;
  sought_ = sought_by(message, reply.error());
  encoder_.builder().Clear();  // A half-built answer, if any.
  return refuse(message.request(), std::move(reply).error());
}

Requests::Reply Requests::dispatch(const protocol::Decoded& message) {
  const uint64_t request = message.request();
  switch (message.type()) {
    case wire::Body::PingRequest: return ping(request);
    case wire::Body::DoctorRequest: return doctor(request);
    case wire::Body::TargetListRequest: return list_targets(request);
    case wire::Body::RegionCreateRequest: return create(request, *message.body<wire::RegionCreateRequest>());
    case wire::Body::RegionStatRequest: return stat(request, *message.body<wire::RegionStatRequest>());
    case wire::Body::RegionListRequest: return list(request, *message.body<wire::RegionListRequest>());
    case wire::Body::RegionWriteRequest: return write(request, *message.body<wire::RegionWriteRequest>());
    case wire::Body::RegionReadRequest: return read(request, *message.body<wire::RegionReadRequest>());
    case wire::Body::RegionPersistRequest: return persist(request, *message.body<wire::RegionPersistRequest>());
    case wire::Body::RegionEraseRequest: return erase(request, *message.body<wire::RegionEraseRequest>());
    case wire::Body::MigrateRequest: return migrate(request, *message.body<wire::MigrateRequest>());
    case wire::Body::JobRequest: {
      const auto& job = *message.body<wire::JobRequest>();
      if (auto steered = steer(job); !steered) return std::move(steered).error();
      // To the job's source, which asked its destination.
      if (!node_.jobs->find(protocol::from_wire(job.job())))
        return encoder_.finish(request, wire::CreateDoneReply(encoder_.builder()));
      return job_status(request, protocol::from_wire(job.job()));
    }
    case wire::Body::JobListRequest: return list_jobs(request);
    case wire::Body::MigrateFilesRequest: return migrate_files(request, *message.body<wire::MigrateFilesRequest>());
    case wire::Body::MigrateDatabaseRequest: return migrate_database(request, *message.body<wire::MigrateDatabaseRequest>());
    case wire::Body::JobFilesRequest: return job_files(request, *message.body<wire::JobFilesRequest>());
    case wire::Body::JobEventsRequest: return job_events(request, *message.body<wire::JobEventsRequest>());
    case wire::Body::BandwidthRequest: return bandwidth(request, *message.body<wire::BandwidthRequest>());
    case wire::Body::PlanRequest: return make_plan(request, *message.body<wire::PlanRequest>());
    case wire::Body::PlanActionRequest: return act_on_plan(request, *message.body<wire::PlanActionRequest>());
    case wire::Body::PlanListRequest: return list_plans(request);
    case wire::Body::JobResultsRequest: return job_results(request, *message.body<wire::JobResultsRequest>());
    case wire::Body::LocateRequest: return locate(request, *message.body<wire::LocateRequest>());
    case wire::Body::GroupRequest: return list_group(request);
    case wire::Body::DecisionRequest: return decision(request, *message.body<wire::DecisionRequest>());
    case wire::Body::DatabaseCreateRequest: return create_database(request, *message.body<wire::DatabaseCreateRequest>());
    case wire::Body::DatabaseStatRequest: return stat_database(request, *message.body<wire::DatabaseStatRequest>());
    case wire::Body::DatabaseListRequest: return list_databases(request, *message.body<wire::DatabaseListRequest>());
    case wire::Body::DatabaseDestroyRequest: return destroy_database(request, *message.body<wire::DatabaseDestroyRequest>());
    case wire::Body::ChangeModeRequest: return change_mode(request, *message.body<wire::ChangeModeRequest>());
    case wire::Body::DatabaseWorkRequest: return work(request, *message.body<wire::DatabaseWorkRequest>());
    default: return Error{Errc::kProtocol, fmt::format("'{}' is no request", wire::EnumNameBody(message.type()))};
  }
}

Requests::Reply Requests::ping(uint64_t request) {
  auto& builder = encoder_.builder();
  const wire::Id node = protocol::to_wire(node_.journal->node_id());
  const auto address = builder.CreateString(address_);
  return encoder_.finish(request, wire::CreatePingReply(builder, &node, address, builder.CreateString(kVersion)));
}

Requests::Reply Requests::doctor(uint64_t request) {
  const std::string json = doctor_json(node_.settings, &node_);
  return encoder_.finish(request, wire::CreateDoctorReplyDirect(encoder_.builder(), json.c_str()));
}

Requests::Reply Requests::list_targets(uint64_t request) {
  auto& builder = encoder_.builder();
  std::vector<flatbuffers::Offset<wire::TargetEntry>> entries;
  for (const auto& target : node_.store->targets()) {
    const pmem::Usage usage = target->usage();
    entries.push_back(wire::CreateTargetEntryDirect(
        builder, target->name().c_str(), std::string(to_string(target->kind())).c_str(), target->granularity().c_str(),
        usage.capacity_bytes, usage.used_bytes, usage.largest_free_bytes, node_.store->regions_on(*target)));
  }
  return encoder_.finish(request, wire::CreateTargetListReplyDirect(builder, &entries));
}

// ---------------------------------------------------------------- regions

Result<objects::RegionPtr> Requests::find(const wire::Id* id) {
  if (id == nullptr) return Error{Errc::kProtocol, "the request names no region"};
  return objects::find_or_moved(*node_.store, protocol::from_wire(*id), moved_);
}

Requests::Reply Requests::region_reply(uint64_t request, const objects::Region& region) {
  auto& builder = encoder_.builder();
  return encoder_.finish(request, wire::CreateRegionReply(builder, objects::region_entry(builder, region, address_,
                                                                                         node_.permissions->of(region.id))));
}

Requests::Reply Requests::create(uint64_t request, const wire::RegionCreateRequest& create) {
  if (create.target() == nullptr || create.window() != nullptr)
    return Error{Errc::kProtocol, "the create request names no target, or has a window outside of a stream"};
  if (create.data() != nullptr && create.data()->size() != create.size_bytes())
    return Error{Errc::kProtocol, "the create request's data is of another size than the region"};
  auto target = node_.store->target(create.target()->str());
  if (!target) return std::move(target).error();
  auto region =
      objects::create_owned(*node_.store, *node_.permissions, caller_, **target, protocol::text_of(create.name()),
                            create.size_bytes(), [&](objects::Region& made) -> Result<> {
                              if (create.data() == nullptr)
                                return made.target.zero({made.extent.offset_bytes, made.size_bytes});
                              return made.target.write(made.extent.offset_bytes,
                                                       std::as_bytes(std::span(create.data()->data(), create.data()->size())));
                            });
  if (!region) return std::move(region).error();
  return region_reply(request, **region);
}

Requests::Reply Requests::stat(uint64_t request, const wire::RegionStatRequest& stat) {
  const Id id = protocol::from_wire(stat.id());
  const std::string name = protocol::text_of(stat.name());
  auto found = id.is_zero() ? objects::found_or_moved(node_.store->find(name), "'" + name + "'", moved_)
                            : objects::find_or_moved(*node_.store, id, moved_);
  if (!found) return std::move(found).error();
  if ((*found)->state() == objects::RegionState::kIncoming)
    return Error{Errc::kBusy, fmt::format("{} is on its way to this node; try again", (*found)->describe())};
  return region_reply(request, **found);
}

Requests::Reply Requests::list(uint64_t request, const wire::RegionListRequest& list) {
  constexpr uint32_t kPageMax = 10'000;
  const std::string target = protocol::text_of(list.target());
  if (!target.empty())
    if (auto known = node_.store->target(target); !known) return std::move(known).error();
  const uint32_t limit = std::min(list.limit() == 0 ? kPageMax : list.limit(), kPageMax);
  const auto [found, more] = readable_page<objects::RegionPtr>(
      protocol::from_wire(list.after()), limit,
      [&](const Id& after, uint32_t count) { return node_.store->list(target, after, count); },
      [](const objects::RegionPtr& region) { return region->id; });
  auto& builder = encoder_.builder();
  std::vector<flatbuffers::Offset<wire::RegionEntry>> entries;
  for (const auto& region : found)
    entries.push_back(objects::region_entry(builder, *region, address_, node_.permissions->of(region->id)));
  return encoder_.finish(request, wire::CreateRegionListReplyDirect(builder, &entries, more));
}

Requests::Reply Requests::write(uint64_t request, const wire::RegionWriteRequest& write) {
  const Extent range{write.offset_bytes(), write.length_bytes()};
  const std::span<const uint8_t> data =
      write.data() == nullptr ? std::span<const uint8_t>{} : std::span(write.data()->data(), write.data()->size());
  if (data.size() != range.length_bytes) return Error{Errc::kProtocol, "the write's data is of another length than it says"};
  auto region = find(write.id());
  if (!region) return std::move(region).error();
  auto access = (*region)->enter(objects::Use::kWrite);
  if (!access) return std::move(access).error();
  if (auto inside = objects::check_range(**region, range); !inside) return std::move(inside).error();
  auto written = (*region)->target.write((*region)->extent.offset_bytes + range.offset_bytes, std::as_bytes(data));
  if (!written) return with_context((*region)->describe(), std::move(written).error());
  return done(request);
}

Requests::Reply Requests::read(uint64_t request, const wire::RegionReadRequest& read) {
  const Extent range{read.offset_bytes(), read.length_bytes()};
  auto region = find(read.id());
  if (!region) return std::move(region).error();
  auto access = (*region)->enter(objects::Use::kRead);
  if (!access) return std::move(access).error();
  if (auto inside = objects::check_range(**region, range); !inside) return std::move(inside).error();
  if (range.length_bytes > kInlineBytesMax)
    return Error{Errc::kLimit,
                 fmt::format("{} bytes in one message; {} are allowed: read by RMA", range.length_bytes, kInlineBytesMax)};
  auto& builder = encoder_.builder();
  uint8_t* bytes = nullptr;
  const auto data = builder.CreateUninitializedVector(range.length_bytes, &bytes);
  auto got = (*region)->target.read((*region)->extent.offset_bytes + range.offset_bytes,
                                    std::as_writable_bytes(std::span(bytes, range.length_bytes)));
  if (!got) return with_context((*region)->describe(), std::move(got).error());
  return encoder_.finish(request, wire::CreateRegionReadReply(builder, data));
}

Requests::Reply Requests::persist(uint64_t request, const wire::RegionPersistRequest& persist) {
  const Extent range{persist.offset_bytes(), persist.length_bytes()};
  auto region = find(persist.id());
  if (!region) return std::move(region).error();
  // A reader's access is enough: the bytes do not change, and a migration's quiesce need not wait for the flush.
  auto access = (*region)->enter(objects::Use::kRead);
  if (!access) return std::move(access).error();
  if (auto inside = objects::check_range(**region, range); !inside) return std::move(inside).error();
  auto durable = (*region)->target.persist({(*region)->extent.offset_bytes + range.offset_bytes, range.length_bytes});
  if (!durable) return with_context((*region)->describe(), std::move(durable).error());
  return done(request);
}

Requests::Reply Requests::erase(uint64_t request, const wire::RegionEraseRequest& erase) {
  auto region = find(erase.id());
  if (!region) return std::move(region).error();
  if (auto erased = node_.store->erase(*region, Deadline::after(kEraseTimeout)); !erased) return std::move(erased).error();
  node_.permissions->forget((*region)->id);
  return done(request);
}

}  // namespace godwit::daemon
