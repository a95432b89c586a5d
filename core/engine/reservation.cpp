#include "engine/reservation.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "engine/attend.hpp"
#include "engine/remote_io.hpp"
#include "objects/database/database_sink.hpp"
#include "protocol/fileset_codec.hpp"

namespace godwit::engine {
namespace {

// What the filesets of a job are made of, in bytes: some millions of files.
constexpr uint64_t kListingsBytesMax = 1_GiB;

void refuse(Reservation& reserved, const Id& destination_id, const Error& error) {
  if (reserved.first_error.empty()) reserved.first_error = error.text;
  reserved.answers.emplace_back(protocol::to_wire(destination_id), static_cast<int32_t>(error.code));
}

// The listings of all objects, one after the other.
Result<std::vector<std::byte>> pull_listings(fabric::Channel& channel, const wire::OfferRequest& offer,
                                             const EngineSettings& settings) {
  uint64_t bytes = 0;
  for (const wire::ObjectOffer* object : *offer.objects()) {
    if (object->listing_bytes() > kListingsBytesMax - bytes)
      return Error{Errc::kLimit, "the lists of the files are longer than 1 GiB: migrate a part at a time"};
    bytes += object->listing_bytes();
  }
  if (offer.listings() == nullptr || offer.listings_digest() == nullptr || offer.listings()->length_bytes() != bytes)
    return Error{Errc::kProtocol, "the offer's window is of another length than its lists of files"};
  std::vector<std::byte> listings(bytes);
  auto domain = const_cast<fabric::Domain&>(channel.domain()).shared_from_this();
  const fabric::RemoteMemory window{offer.listings()->address(), offer.listings()->key(), bytes};
  if (auto pulled = pull_into(channel, std::move(domain), listings, window, settings); !pulled)
    return with_context("the list of the files", std::move(pulled).error());
  if (digest_of(listings) != protocol::from_wire(*offer.listings_digest()))
    return Error{Errc::kDigest, "the list of the files has arrived damaged"};
  return listings;
}

}  // namespace

Result<Reservation> reserve_regions(objects::RegionStore& store, const wire::OfferRequest& offer, const Id& job) {
  auto found = store.target(offer.target()->str());
  if (!found) return std::move(found).error();
  pmem::Target& target = **found;
  Reservation reserved;
  reserved.record = {
      job, journal::InboundState::kPrepared, offer.source()->str(), target.name(), target.pool_id(), target.survives_restart(),
      {},  protocol::from_wire(offer.node())};
  uint64_t total_bytes = 0;
  for (const wire::ObjectOffer* object : *offer.objects()) {
    const Id source_id = protocol::from_wire(object->id());
    // Nobody has pinned the region of a dry run: within this node only a copy of it has room beside it.
    const bool as_copy = offer.copy() || (offer.dry_run() && store.find(source_id).region);
    const Id its_id = as_copy ? random_id() : source_id;
    const uint64_t epoch = as_copy ? 0 : object->epoch();  // It is served here as epoch + 1.
    std::string name = protocol::text_of(object->name());
    // A copy within this node cannot have its original's name: it has none.
    if (as_copy && !name.empty() && store.find(source_id).region && store.find(source_id).region->name == name) name.clear();
    auto region = object->size_bytes() > (uint64_t{1} << 62) - total_bytes
                      ? Result<objects::RegionPtr>(Error{Errc::kNoSpace, "the job's sizes add up to more than 2^62 bytes"})
                      : store.expect(target, job, its_id, epoch + 1, name, object->size_bytes());
    if (!region) {
      refuse(reserved, its_id, region.error());
      continue;
    }
    total_bytes += object->size_bytes();
    reserved.answers.emplace_back(protocol::to_wire(its_id), 0);
    reserved.record.objects.push_back(
        {source_id, its_id, epoch, name, object->size_bytes(), target.name(), (*region)->extent, objects::ObjectKind::kRegion});
    reserved.sizes.push_back(object->size_bytes());
    reserved.sinks.push_back(std::make_unique<objects::RegionSink>(store, std::move(*region)));
  }
  return reserved;
}

Result<Reservation> reserve_filesets(objects::FilesetStore& filesets, fabric::Channel& channel, const wire::OfferRequest& offer,
                                     const Id& job, const EngineSettings& settings) {
  auto listings = pull_listings(channel, offer, settings);
  if (!listings) return std::move(listings).error();
  Reservation reserved;
  const std::string directory = offer.target()->str();
  std::optional<objects::FilesetStore::Reception> reception;
  if (!offer.dry_run()) {
    auto begun = filesets.begin_reception(job, directory);
    if (!begun) return std::move(begun).error();
    reception.emplace(std::move(*begun));
  }
  reserved.record = {job, journal::InboundState::kPrepared, offer.source()->str(), directory, Id{}, true,
                     {},  protocol::from_wire(offer.node())};
  auto rest = std::span<const std::byte>(*listings);
  for (uint32_t i = 0; i < offer.objects()->size(); ++i) {
    const wire::ObjectOffer& object = *offer.objects()->Get(i);
    const Id source_id = protocol::from_wire(object.id());
    const Id its_id = random_id();
    auto files = protocol::decode_fileset(rest.first(object.listing_bytes()));
    rest = rest.subspan(object.listing_bytes());
    if (!files) {
      refuse(reserved, its_id, files.error());
      continue;
    }
    const std::string name = files->entries[0].name;
    Result<std::vector<bool>> wanted = std::vector<bool>{};
    if (reception) {
      auto sink = filesets.expect(*reception, std::move(*files), offer.update());
      if (sink) {
        wanted = (*sink)->wanted();
        const uint64_t bytes = (*sink)->storage().extent.length_bytes;
        reserved.record.objects.push_back({source_id,
                                           its_id,
                                           0,
                                           name,
                                           bytes,
                                           directory,
                                           {reception->incoming->inode(), bytes},
                                           objects::ObjectKind::kFileset});
        reserved.sizes.push_back(bytes);
        reserved.sinks.push_back(std::move(*sink));
      } else {
        wanted = std::move(sink).error();
      }
    } else {
      wanted = filesets.look(job, directory, std::move(*files), offer.update());
    }
    if (!wanted) {
      refuse(reserved, its_id, wanted.error());
      continue;
    }
    reserved.answers.emplace_back(protocol::to_wire(its_id), 0);
    if (!wanted->empty()) reserved.wanted.emplace_back(i, std::move(*wanted));
  }
  if (reception) filesets.end_reception(*reception);
  return reserved;
}

namespace {

// Where databases may lie: below this node's root for them, or where its operator lets files be written.
Result<> check_database_root(const objects::DatabaseStore& databases, const objects::FilesetStore& filesets,
                             const std::string& root) {
  if (root.empty()) return Done{};
  auto normal = objects::normal_path(root);
  if (!normal) return std::move(normal).error();
  if (!databases.root().empty() && (*normal == databases.root() || normal->starts_with(databases.root() + "/"))) return Done{};
  return filesets.check_writable(*normal);
}

// What it will be here. Errors: kInvalid, its backend or options.
Result<objects::DatabaseIdentity> identity_of(const wire::OfferRequest& offer, const wire::ObjectOffer& object) {
  auto kind = objects::parse_backend(protocol::text_of(object.backend()));
  if (!kind) return std::move(kind).error();
  auto options = objects::merge_options(protocol::text_of(object.options()), protocol::text_of(offer.extra_config()));
  if (!options) return std::move(options).error();
  if (auto valid = objects::check_options(*kind, *options); !valid) return std::move(valid).error();
  return objects::DatabaseIdentity{protocol::from_wire(object.id()), object.epoch() + 1, protocol::text_of(object.name()),
                                   *kind, std::move(*options)};
}

Result<std::unique_ptr<objects::Sink>> reserve_database(objects::DatabaseStore& databases, const wire::OfferRequest& offer,
                                                        const wire::ObjectOffer& object, const Id& job,
                                                        std::span<const std::byte> listing, const EngineSettings& settings) {
  auto files = protocol::decode_fileset(listing);
  if (!files) return std::move(files).error();
  auto identity = identity_of(offer, object);
  if (!identity) return std::move(identity).error();
  auto sink = objects::DatabaseSink::make(databases, job, std::move(*identity), offer.target()->str(), settings.scratch);
  if (!sink) return std::move(sink).error();
  if (auto begun = (*sink)->begin_pass(std::move(*files), {}); !begun) {
    (*sink)->drop();
    return std::move(begun).error();
  }
  return std::unique_ptr<objects::Sink>(std::move(*sink));
}

// Answers only.
Reservation look_at_databases(const objects::DatabaseStore& databases, const wire::OfferRequest& offer) {
  Reservation looked;
  for (const wire::ObjectOffer* object : *offer.objects()) {
    const Id id = protocol::from_wire(object->id());
    const auto identity = identity_of(offer, *object);
    const auto fits =
        identity ? databases.look(*identity, offer.target()->str(), object->size_bytes(), protocol::from_wire(offer.node()))
                 : Result<>(identity.error());
    if (fits)
      looked.answers.emplace_back(protocol::to_wire(id), 0);
    else
      refuse(looked, id, fits.error());
  }
  return looked;
}

}  // namespace

Result<Reservation> reserve_databases(objects::DatabaseStore& databases, objects::FilesetStore& filesets,
                                      fabric::Channel& channel, const wire::OfferRequest& offer, const Id& job,
                                      const EngineSettings& settings) {
  if (offer.copy()) return Error{Errc::kUnsupported, "databases can only be moved"};
  if (auto allowed = check_database_root(databases, filesets, offer.target()->str()); !allowed)
    return std::move(allowed).error();
  if (offer.dry_run()) return look_at_databases(databases, offer);
  auto listings = pull_listings(channel, offer, settings);
  if (!listings) return std::move(listings).error();
  Reservation reserved;
  reserved.record = {job, journal::InboundState::kPrepared, offer.source()->str(), offer.target()->str(), Id{}, true,
                     {},  protocol::from_wire(offer.node())};
  auto rest = std::span<const std::byte>(*listings);
  for (const wire::ObjectOffer* object : *offer.objects()) {
    const Id id = protocol::from_wire(object->id());
    auto sink = reserve_database(databases, offer, *object, job, rest.first(object->listing_bytes()), settings);
    rest = rest.subspan(object->listing_bytes());
    if (!sink) {
      refuse(reserved, id, sink.error());
      continue;
    }
    const uint64_t bytes = (*sink)->storage().extent.length_bytes;
    const auto kind = objects::parse_backend(protocol::text_of(object->backend()));
    reserved.record.target_survives = reserved.record.target_survives && objects::is_lasting(*kind);
    reserved.answers.emplace_back(protocol::to_wire(id), 0);
    reserved.record.objects.push_back({id,
                                       id,
                                       object->epoch(),
                                       protocol::text_of(object->name()),
                                       bytes,
                                       offer.target()->str(),
                                       {0, bytes},
                                       objects::ObjectKind::kDatabase});
    reserved.sizes.push_back(bytes);
    reserved.sinks.push_back(std::move(*sink));
  }
  return reserved;
}

namespace {

// Of the objects of `offer`, whose lists of files lie one after the other in `listings`.
Result<Reservation> begin_all(const std::vector<std::unique_ptr<objects::Sink>>& sinks, const wire::OfferRequest& offer,
                              std::span<const std::byte> listings, PassKind kind) {
  Reservation reserved;
  auto rest = listings;
  for (uint32_t i = 0; i < sinks.size(); ++i) {
    const wire::ObjectOffer& object = *offer.objects()->Get(i);
    if (!sinks[i]) return Error{Errc::kProtocol, "a pass over an object that was dropped"};
    auto files = protocol::decode_fileset(rest.first(object.listing_bytes()));
    if (!files) return std::move(files).error();
    rest = rest.subspan(object.listing_bytes());
    if (kind == PassKind::kFirstOfAnotherAttempt) {
      auto found = sinks[i]->begin_again(std::move(*files));
      if (!found) return std::move(found).error();
      reserved.found.push_back(std::move(*found));
    } else if (auto begun = sinks[i]->begin_pass(std::move(*files), protocol::from_bits(object.kept())); !begun) {
      return std::move(begun).error();
    }
    reserved.answers.emplace_back(protocol::to_wire(protocol::from_wire(object.id())), 0);
    reserved.sizes.push_back(sinks[i]->storage().extent.length_bytes);
  }
  return reserved;
}

}  // namespace

Result<Reservation> reserve_pass(const std::vector<std::unique_ptr<objects::Sink>>& sinks, fabric::Channel& channel,
                                 const wire::OfferRequest& offer, const EngineSettings& settings, PassKind kind) {
  if (offer.objects()->size() != sinks.size()) return Error{Errc::kProtocol, "a pass over other objects than the job's"};
  auto listings = pull_listings(channel, offer, settings);
  if (!listings) return std::move(listings).error();
  // Files are compared, removed and flushed: that may take long.
  return while_attending(channel, [&]() -> Result<Reservation> { return begin_all(sinks, offer, *listings, kind); });
}

}  // namespace godwit::engine
