// ObjectOffers: what a source says of its objects in an offer: an entry for each, and their listings, which the destination
// reads.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "fabric/domain.hpp"
#include "journal/journal.hpp"
#include "objects/database/database.hpp"
#include "objects/permissions.hpp"
#include "protocol/codec.hpp"

namespace godwit::engine {

// One thread. It must outlive the destination's answer, or the connection: until then the destination may read the listings.
class ObjectOffers {
 public:
  // `kept`: the entries of its listing that are left out (objects::Source::kept()). `database`: null for other kinds.
  // `permission`: that it has there; null: it is of the daemon's own user.
  void add(flatbuffers::FlatBufferBuilder& builder, const journal::JobObject& object, std::span<const std::byte> listing,
           const std::vector<bool>& kept, const objects::DatabaseIdentity* database,
           const objects::Permission* permission = nullptr);
  // After the last object: opens the listings, if there are any, to the destination. Errors: those of register_memory().
  Result<> expose(fabric::Domain& domain);

  const std::vector<flatbuffers::Offset<wire::ObjectOffer>>& entries() const { return entries_; }
  bool are_exposed() const { return exposed_.has_value(); }
  wire::Window window() const;
  wire::DigestValue digest() const { return protocol::to_wire(digest_of(listings_)); }

 private:
  std::vector<flatbuffers::Offset<wire::ObjectOffer>> entries_;
  std::vector<std::byte> listings_;
  std::optional<fabric::Registration> exposed_;
};

}  // namespace godwit::engine
