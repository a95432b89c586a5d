// Requests that other members of the group have a part in.
#include <fmt/format.h>

#include <algorithm>
#include <climits>

#include "base/log.hpp"
#include "daemon/requests.hpp"
#include "objects/files/file_roots.hpp"

namespace godwit::daemon {
namespace {

// Of a request that names one thing: what it is. Nothing of others.
std::optional<Wanted> wanted_by(const protocol::Decoded& message) {
  const auto by_id = [](const wire::Id* id, PlaceKind kind) { return Wanted{protocol::from_wire(id), {}, Wanted::bit(kind)}; };
  const auto job = [&](const wire::Id* id) { return by_id(id, PlaceKind::job); };
  if (const auto* stat = message.body<wire::RegionStatRequest>())
    return Wanted{protocol::from_wire(stat->id()), protocol::text_of(stat->name()), Wanted::bit(PlaceKind::region)};
  if (const auto* stat = message.body<wire::DatabaseStatRequest>())
    return Wanted{protocol::from_wire(stat->id()), protocol::text_of(stat->name()), Wanted::bit(PlaceKind::database)};
  if (const auto* asked = message.body<wire::JobRequest>())
    return asked->alone() ? std::nullopt : std::optional(job(asked->job()));
  if (const auto* asked = message.body<wire::JobResultsRequest>()) return job(asked->job());
  if (const auto* asked = message.body<wire::JobEventsRequest>()) return job(asked->job());
  if (const auto* asked = message.body<wire::JobFilesRequest>()) return job(asked->job());
  if (const auto* asked = message.body<wire::PlanActionRequest>()) return by_id(asked->id(), PlaceKind::plan);
  if (const auto* asked = message.body<wire::ChangeModeRequest>())
    return Wanted{
        protocol::from_wire(asked->id()),
        {},
        static_cast<uint8_t>(Wanted::bit(PlaceKind::region) | Wanted::bit(PlaceKind::database) | Wanted::bit(PlaceKind::plan))};
  return std::nullopt;
}

}  // namespace

bool Requests::waits_for_group(const protocol::Decoded& message) const {
  if (node_.group == nullptr) return false;
  if (const auto* locate = message.body<wire::LocateRequest>()) return !locate->alone();
  return message.body<wire::GroupRequest>() != nullptr;
}

std::optional<Sought> Requests::sought_by(const protocol::Decoded& message, const Error& refusal) const {
  if (node_.group == nullptr || node_.group->is_alone()) return std::nullopt;
  if (refusal.code != Errc::kNotFound && refusal.code != Errc::kMoved) return std::nullopt;
  auto wanted = wanted_by(message);
  if (wanted) wanted->asker = caller_;
  if (!wanted || (wanted->id.is_zero() && wanted->name.empty()) || !objects::check_name(wanted->name)) return std::nullopt;
  // A job that is here may miss something else.
  if (wanted->kinds == Wanted::bit(PlaceKind::job) && (wanted->id.is_zero() || node_.jobs->find(wanted->id)))
    return std::nullopt;
  return Sought{message.request(), std::move(*wanted), refusal, moved_};
}

std::span<const std::byte> Requests::seek(const Sought& sought) {
  const auto place = node_.group->find(sought.wanted);
  if (place) {
    moved_ = {place->address, place->target, place->id};
    return refuse(sought.request, Error{Errc::kMoved, fmt::format("{} is at {}", sought.wanted.describe(), place->address)});
  }
  // Where it went is the better answer, although nobody there says so now.
  if (sought.refusal.code == Errc::kMoved) {
    moved_ = sought.moved;
    return refuse(sought.request, sought.refusal);
  }
  return refuse(sought.request, place.error());
}

std::vector<Place> Requests::places_here(const Wanted& wanted) const {
  std::vector<Place> places;
  const objects::Caller& asker = wanted.asker;
  const auto asks_for = [&](PlaceKind kind) { return (wanted.kinds & Wanted::bit(kind)) != 0; };
  const auto may_read = [&](const Id& id) { return node_.permissions->may(asker, id, objects::Want::kRead); };
  if (asks_for(PlaceKind::region)) {
    const auto found = wanted.id.is_zero() ? node_.store->find(wanted.name) : node_.store->find(wanted.id);
    if (found.region && is_served(found.region->state()) && may_read(found.region->id))
      places.push_back({PlaceKind::region, found.region->id, found.region->epoch, found.region->name,
                        found.region->target.name(), address_});
  }
  if (asks_for(PlaceKind::database)) {
    const auto found = wanted.id.is_zero() ? node_.databases->find(wanted.name) : node_.databases->find(wanted.id);
    if (found.database && is_served(found.database->state()) && may_read(found.database->identity.id)) {
      const objects::DatabaseIdentity& identity = found.database->identity;
      places.push_back({PlaceKind::database, identity.id, identity.epoch, identity.name, {}, address_});
    }
  }
  if (asks_for(PlaceKind::job) && !wanted.id.is_zero() && node_.jobs->find(wanted.id) &&
      node_.permissions->is_owner(asker, wanted.id))
    places.push_back({PlaceKind::job, wanted.id, 0, {}, {}, address_});
  if (asks_for(PlaceKind::plan) && !wanted.id.is_zero() && node_.plans->knows(wanted.id) && may_read(wanted.id))
    places.push_back({PlaceKind::plan, wanted.id, 0, {}, {}, address_});
  if (asks_for(PlaceKind::fileset)) {
    std::vector<journal::FilesetRecord> filesets;
    if (!wanted.id.is_zero())
      filesets = node_.arrived->find(wanted.id);
    else if (const auto path = objects::normal_path(wanted.name))
      if (auto one = node_.arrived->find(*path)) filesets.push_back(std::move(*one));
    for (const journal::FilesetRecord& fileset : filesets)
      if (asker.may_all || fileset.uid == asker.uid)
        places.push_back({PlaceKind::fileset, fileset.id, 1, {}, {}, address_, fileset.path, fileset.job});
  }
  return places;
}

Requests::Reply Requests::locate(uint64_t request, const wire::LocateRequest& locate) {
  constexpr uint32_t kGroupsMax = 1024;
  Wanted wanted{protocol::from_wire(locate.id()), protocol::text_of(locate.name()), locate.kinds(), caller_};
  if (wanted.id.is_zero() && wanted.name.empty()) return Error{Errc::kProtocol, "the request names nothing"};
  const wire::Permission* said = locate.asker();
  // Who asks for others, and is not believed, would tell them what it may know itself.
  if (said != nullptr && !caller_.may_all && said->uid() != caller_.uid) {
    log::warn("user {}, group {}, is refused: it asks for user {}, and is not believed", caller_.uid, caller_.gid, said->uid());
    wanted.kinds = 0;
  }
  if (said != nullptr && caller_.may_all) {
    wanted.asker = {said->uid() == node_.permissions->own().uid, said->uid(), said->gid()};
    for (uint32_t i = 0; locate.groups() != nullptr && i < std::min(locate.groups()->size(), kGroupsMax); ++i)
      wanted.asker.groups.push_back(locate.groups()->Get(i));
  }
  if (auto valid = objects::check_name(wanted.name); !valid) {
    // Too long a name for anything else may be a path still.
    if (!objects::normal_path(wanted.name) || wanted.name.size() >= PATH_MAX) return std::move(valid).error();
    wanted.kinds &= Wanted::bit(PlaceKind::fileset);
  }
  std::vector<Place> places = places_here(wanted);
  if (!locate.alone() && node_.group != nullptr) {
    auto place = node_.group->locate(wanted, std::move(places));
    if (!place) return std::move(place).error();
    places = {std::move(*place)};
  }
  auto& builder = encoder_.builder();
  std::vector<flatbuffers::Offset<wire::PlaceEntry>> entries;
  for (const Place& place : places) entries.push_back(place_entry(builder, place));
  const wire::Id node = protocol::to_wire(node_.journal->node_id());
  return encoder_.finish(request, wire::CreateLocateReplyDirect(builder, &node, &entries));
}

Requests::Reply Requests::list_group(uint64_t request) {
  std::vector<Member> members{{address_, node_.journal->node_id(), std::nullopt}};
  if (node_.group != nullptr)
    for (Member& other : node_.group->others()) members.push_back(std::move(other));
  auto& builder = encoder_.builder();
  std::vector<flatbuffers::Offset<wire::MemberEntry>> entries;
  for (const Member& member : members) {
    const wire::Id id = protocol::to_wire(member.node);
    const std::string text = member.error ? log::printable(member.error->text) : std::string();
    entries.push_back(wire::CreateMemberEntryDirect(builder, member.address.c_str(), &id,
                                                    member.error ? static_cast<int32_t>(member.error->code) : 0, text.c_str()));
  }
  return encoder_.finish(request, wire::CreateGroupReplyDirect(builder, &entries));
}

}  // namespace godwit::daemon
