#include "engine/object_offers.hpp"

namespace godwit::engine {

void ObjectOffers::add(flatbuffers::FlatBufferBuilder& builder, const journal::JobObject& object,
                       std::span<const std::byte> listing, const std::vector<bool>& kept,
                       const objects::DatabaseIdentity* database, const objects::Permission* permission) {
  listings_.insert(listings_.end(), listing.begin(), listing.end());
  const auto name = object.name.empty() ? 0 : builder.CreateString(object.name);
  const wire::Id id = protocol::to_wire(object.id);
  const auto bits = builder.CreateVector(protocol::bits_of(kept));
  const auto backend = database == nullptr ? 0 : builder.CreateString(std::string(to_string(database->kind)));
  const auto options = database == nullptr ? 0 : builder.CreateString(database->options);
  const wire::Permission owned =
      permission == nullptr ? wire::Permission() : wire::Permission(permission->uid, permission->gid, permission->mode);
  entries_.push_back(wire::CreateObjectOffer(builder, &id, object.epoch, object.size_bytes, name,
                                             static_cast<uint8_t>(object.kind), listing.size(), bits, backend, options,
                                             permission == nullptr ? nullptr : &owned));
}

Result<> ObjectOffers::expose(fabric::Domain& domain) {
  if (listings_.empty()) return Done{};
  auto registered = domain.register_memory(listings_, fabric::Access::kRemoteRead);
  if (!registered) return with_context("the list of the files", std::move(registered).error());
  exposed_.emplace(std::move(*registered));
  return Done{};
}

wire::Window ObjectOffers::window() const {
  if (!exposed_) return {};
  const fabric::RemoteMemory remote = exposed_->remote();
  return {remote.address, remote.key, remote.length_bytes};
}

}  // namespace godwit::engine
