// What requests about regions share: finding one, checking a range, describing one in a message.
#pragma once

#include <fmt/format.h>

#include <string>

#include "objects/permissions.hpp"
#include "objects/region_store.hpp"
#include "protocol/codec.hpp"

namespace godwit::objects {

// Errors: kNotFound; kMoved, then `moved` says where.
inline Result<RegionPtr> found_or_moved(Lookup found, const std::string& what, Moved& moved) {
  if (found.region) return std::move(found.region);
  if (found.moved.address.empty()) return Error{Errc::kNotFound, fmt::format("no region {} here", what)};
  moved = std::move(found.moved);
  return Error{Errc::kMoved, fmt::format("region {} has moved to {}", what, moved.address)};
}
inline Result<RegionPtr> find_or_moved(const RegionStore& store, const Id& id, Moved& moved) {
  return found_or_moved(store.find(id), to_string(id), moved);
}

// As Permissions::check, of a region that is named by its id.
inline Result<> check_region(const Permissions& permissions, const Caller& caller, const Id& id, Want want) {
  return caller.may_all ? Result<>(Done{}) : permissions.check(caller, id, want, "region " + to_string(id));
}
// As RegionStore::create(), of a region that is the caller's. Errors also: those of the journal.
inline Result<RegionPtr> create_owned(RegionStore& store, Permissions& permissions, const Caller& caller, pmem::Target& target,
                                      std::string name, uint64_t size_bytes, const Fill& fill) {
  Id id;
  auto region = store.create(target, std::move(name), size_bytes, [&](Region& made) -> Result<> {
    id = made.id;
    if (auto owned = permissions.set(id, permissions.of_new(caller), target.survives_restart()); !owned) return owned;
    return fill(made);
  });
  if (!region) permissions.forget(id);
  return region;
}

// Errors: kRange, right also where offset + length wraps.
inline Result<> check_range(const Region& region, Extent range) {
  if (lies_within(range, region.size_bytes)) return Done{};
  return Error{Errc::kRange, fmt::format("offset {} + length {} reaches past the end of {}, which has {} bytes",
                                         range.offset_bytes, range.length_bytes, region.describe(), region.size_bytes)};
}

inline flatbuffers::Offset<wire::RegionEntry> region_entry(flatbuffers::FlatBufferBuilder& builder, const Region& region,
                                                           const std::string& address, const Permission& permission) {
  const wire::Id id = protocol::to_wire(region.id);
  const auto name = region.name.empty() ? 0 : builder.CreateString(region.name);
  const auto target = builder.CreateString(region.target.name());
  const wire::Permission owned(permission.uid, permission.gid, permission.mode);
  return wire::CreateRegionEntry(builder, &id, region.epoch, region.size_bytes, name, target, builder.CreateString(address),
                                 &owned);
}

}  // namespace godwit::objects
