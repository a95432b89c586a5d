// Who may ask what: the one place that decides it for requests on control connections.
#include <fmt/format.h>

#include <algorithm>

#include "base/log.hpp"
#include "daemon/directory.hpp"
#include "daemon/group.hpp"
#include "daemon/requests.hpp"
#include "objects/files/file_user.hpp"

namespace godwit::daemon {
namespace {

using objects::Want;

// For the daemon's own user, its administrators and other daemons only.
bool is_privileged(const protocol::Decoded& message) {
  const auto* bandwidth = message.body<wire::BandwidthRequest>();
  return message.body<wire::DecisionRequest>() != nullptr ||  // Other daemons ask that.
         (bandwidth != nullptr && bandwidth->set());          // It concerns everybody's jobs.
}

}  // namespace

Error unknown_job(const Id& job) {
  return Error{Errc::kNotFound, fmt::format("no job {} with this node as its source", to_string(job))};
}

Result<> Requests::permit_region(const Id& id, const std::string& name, Want want) const {
  if (!id.is_zero()) return objects::check_region(*node_.permissions, caller_, id, want);
  const auto found = node_.store->find(name);
  const Id its_id = found.region ? found.region->id : found.moved.id;
  // What is not here is refused by whoever looks for it.
  return its_id.is_zero() ? Done{} : node_.permissions->check(caller_, its_id, want, "region '" + log::printable(name) + "'");
}

Result<> Requests::permit_database(const Id& id, const std::string& name, Want want) const {
  if (!id.is_zero()) return objects::check_database(*node_.permissions, caller_, id, want);
  const auto found = node_.databases->find(name);
  const Id its_id = found.database ? found.database->identity.id : found.moved.id;
  return its_id.is_zero() ? Done{} : node_.permissions->check(caller_, its_id, want, "database '" + log::printable(name) + "'");
}

Result<> Requests::permit_job(const wire::Id* id) const {
  const Id job = protocol::from_wire(id);
  if (node_.permissions->is_owner(caller_, job)) return Done{};
  if (node_.jobs->find(job))
    log::warn("user {}, group {}, is refused: job {} is not theirs", caller_.uid, caller_.gid, to_string(job));
  return unknown_job(job);
}

Result<> Requests::permit_destination(const flatbuffers::String* destination) const {
  const std::string address = protocol::text_of(destination);
  auto may = node_.check_destination(address);
  if (may) return may;
  log::warn("user {}, group {}, is refused: '{}': {}", caller_.uid, caller_.gid, log::printable(address), may.error().text);
  return may;
}

Result<> Requests::permit(const protocol::Decoded& message) const {
  if (caller_.may_all) return Done{};
  if (is_privileged(message)) {
    log::warn("user {}, group {}, is refused: {}", caller_.uid, caller_.gid, wire::EnumNameBody(message.type()));
    return Error{Errc::kDenied, "only this daemon's own user and its administrators may ask that"};
  }
  const auto id_of = [](const wire::Id* id) { return protocol::from_wire(id); };
  if (const auto* of = message.body<wire::RegionStatRequest>())
    return permit_region(id_of(of->id()), protocol::text_of(of->name()), Want::kRead);
  if (const auto* of = message.body<wire::RegionReadRequest>()) return permit_region(id_of(of->id()), "", Want::kRead);
  if (const auto* of = message.body<wire::RegionWriteRequest>()) return permit_region(id_of(of->id()), "", Want::kWrite);
  if (const auto* of = message.body<wire::RegionPersistRequest>()) return permit_region(id_of(of->id()), "", Want::kWrite);
  if (const auto* of = message.body<wire::RegionEraseRequest>()) return permit_region(id_of(of->id()), "", Want::kWrite);
  if (const auto* of = message.body<wire::MigrateRequest>()) {
    if (of->regions() == nullptr) return Done{};  // Refused as what it is.
    for (const wire::Id* id : *of->regions())
      if (auto may = permit_region(id_of(id), "", of->copy() ? Want::kRead : Want::kWrite); !may) return may;
    return permit_destination(of->destination());
  }
  if (const auto* of = message.body<wire::MigrateFilesRequest>()) {
    // They are read and written with the caller's rights: what it may touch the kernel says.
    if (auto can = objects::check_can_act(); !can) {
      log::warn("user {}, group {}, is refused: {}", caller_.uid, caller_.gid, can.error().text);
      return can;
    }
    return permit_destination(of->destination());
  }
  if (const auto* of = message.body<wire::DatabaseStatRequest>())
    return permit_database(id_of(of->id()), protocol::text_of(of->name()), Want::kRead);
  if (const auto* of = message.body<wire::DatabaseDestroyRequest>()) return permit_database(id_of(of->id()), "", Want::kWrite);
  if (const auto* of = message.body<wire::DatabaseWorkRequest>()) return objects::check_work(*node_.permissions, caller_, *of);
  if (const auto* of = message.body<wire::MigrateDatabaseRequest>()) {
    if (auto may = permit_database(id_of(of->id()), "", Want::kWrite); !may) return may;
    if (!protocol::text_of(of->new_root()).empty()) {
      // It is made, and kept, with the daemon's rights: in a user's directory he could lead them elsewhere.
      log::warn("user {}, group {}, is refused: to choose where a database is kept", caller_.uid, caller_.gid);
      return Error{Errc::kDenied, "users' databases are kept in the destination's database_root: leave --new-root out"};
    }
    return permit_destination(of->destination());
  }
  if (const auto* of = message.body<wire::JobRequest>()) return permit_job(of->job());
  if (const auto* of = message.body<wire::JobResultsRequest>()) return permit_job(of->job());
  if (const auto* of = message.body<wire::JobEventsRequest>()) return permit_job(of->job());
  if (const auto* of = message.body<wire::JobFilesRequest>()) return permit_job(of->job());
  return Done{};  // Its answer shows no more than this caller may see; plans know their owners.
}

Result<Id> Requests::own_job() {
  const Id job = random_id();
  if (auto set = node_.permissions->set(job, node_.permissions->of_new(caller_), true); !set) return std::move(set).error();
  return job;
}

Requests::Reply Requests::submitted(uint64_t request, const Id& own, const Result<Id>& job) {
  if (job) return job_status(request, *job);
  node_.permissions->forget_job(own);
  return job.error();
}

Requests::Reply Requests::change_mode(uint64_t request, const wire::ChangeModeRequest& wanted) {
  constexpr uint32_t kModeMask = 0666;
  const Id id = protocol::from_wire(wanted.id());
  auto found_region = node_.store->find(id);
  auto found_database = node_.databases->find(id);
  const bool has_moved = !found_region.moved.address.empty() || !found_database.moved.address.empty();
  const bool is_plan = node_.plans->knows(id);
  const bool is_known = found_region.region || found_database.database || has_moved || is_plan;
  const bool is_readable = node_.permissions->may(caller_, id, Want::kRead);
  if (!is_known || (!is_readable && !node_.permissions->is_owner(caller_, id)))
    return Error{Errc::kNotFound, fmt::format("no region, database or plan {} here", to_string(id))};
  const auto& region = found_region.region;
  const auto& database = found_database.database;
  if (!region && !database && !is_plan) {
    moved_ = found_region.moved.address.empty() ? std::move(found_database.moved) : std::move(found_region.moved);
    return Error{Errc::kMoved, fmt::format("{} has moved to {}", to_string(id), moved_.address)};
  }
  if (!node_.permissions->is_owner(caller_, id)) return Error{Errc::kDenied, "only its owner may change its mode"};
  if ((wanted.mode() & ~kModeMask) != 0)
    return Error{Errc::kInvalid, fmt::format("mode {:o}; 0 to 666 are possible", wanted.mode())};
  // It travels with the object, which has left with the old one.
  if (region ? region->is_pinned() : database && database->is_pinned())
    return Error{Errc::kBusy, fmt::format("a job is at work on {}; change its mode when that has ended", to_string(id))};
  objects::Permission permission = node_.permissions->of(id);
  permission.mode = wanted.mode();
  const bool lasts = region     ? region->target.survives_restart()
                     : database ? objects::is_lasting(database->identity.kind)
                                : true;
  if (auto set = node_.permissions->set(id, permission, lasts); !set) return std::move(set).error();
  return done(request);
}

}  // namespace godwit::daemon
