// Reservation: what a destination sets aside for the objects that it is offered.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/settings.hpp"
#include "fabric/channel.hpp"
#include "journal/journal.hpp"
#include "objects/database/database_store.hpp"
#include "objects/files/fileset_store.hpp"
#include "objects/region_store.hpp"
#include "objects/source.hpp"
#include "protocol/codec.hpp"

namespace godwit::engine {

// An object that is refused has an answer, but no sink.
struct Reservation {
  journal::InboundJob record = {};
  std::vector<std::unique_ptr<objects::Sink>> sinks = {};
  std::vector<uint64_t> sizes = {};  // Of the sinks, in bytes.
  std::vector<wire::ObjectAnswer> answers = {};
  std::vector<std::pair<uint32_t, std::vector<bool>>> wanted = {};  // Of filesets, by object: entries whose data have to come.
  std::vector<std::vector<Extent>> found = {};                      // Of databases that go on, by object: Sink::begin_again().
  std::string first_error = {};
};

// Of a dry run, too: its sinks are to be dropped when it is answered. Errors: kNotFound, no such target.
Result<Reservation> reserve_regions(objects::RegionStore& store, const wire::OfferRequest& offer, const Id& job);

// Reads from the source what the filesets are made of; then makes their trees out of sight, or, for a dry run, only looks.
// Blocks for both. Errors: those of the channel; kProtocol; kDigest; kLimit; the directory's (objects/files/file_roots.hpp).
Result<Reservation> reserve_filesets(objects::FilesetStore& filesets, fabric::Channel& channel, const wire::OfferRequest& offer,
                                     const Id& job, const EngineSettings& settings);

// The same of databases, each in a directory of its own below `offer.target` (empty: this node's root for databases), with the
// files of the first pass; for a dry run, which has no lists of files, only looks. Errors also: kDenied, databases may not lie
// there.
Result<Reservation> reserve_databases(objects::DatabaseStore& databases, objects::FilesetStore& filesets,
                                      fabric::Channel& channel, const wire::OfferRequest& offer, const Id& job,
                                      const EngineSettings& settings);
enum class PassKind : uint8_t { kLater, kFirstOfAnotherAttempt };
// A pass over the objects of `sinks`, which are here. The reservation has answers, sizes and what was found only. Errors: as
// reserve_filesets(), and those of Sink::begin_pass() or begin_again().
Result<Reservation> reserve_pass(const std::vector<std::unique_ptr<objects::Sink>>& sinks, fabric::Channel& channel,
                                 const wire::OfferRequest& offer, const EngineSettings& settings, PassKind kind);

}  // namespace godwit::engine
