// InboundJob over more than one connection: what has arrived is noted, kept, and offered to the next attempt.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <thread>

#include "base/log.hpp"
#include "engine/inbound_job.hpp"

namespace godwit::engine {

using model::DestinationEvent;
using model::DestinationState;

namespace {

// Of the lists of files that the journal keeps for one job: some 500,000 files.
constexpr uint64_t kKeptListingsBytesMax = 64_MiB;

// For the conversation of the attempt before to see that it is over: it may be telling its source so.
constexpr milliseconds kLeaveTimeout{20'000};

}  // namespace

void InboundJob::left(uint64_t attempt, bool may_resume) {
  if (attempt == 0) return;  // It only heard what was decided.
  std::unique_lock lock(mutex_);
  stop_streams(lock);
  if (may_resume && can_resume_locked()) {
    lock.unlock();
    // What has arrived since the last time too: it may be this daemon that ends.
    if (auto noted = checkpoint(); !noted) log::warn("{}: no checkpoint: {}", describe(), noted.error().text);
    lock.lock();
    log::info("{}: interrupted; what has arrived is kept", describe());
  } else {
    (void)feed_locked(DestinationEvent::kSourceLost);  // Nobody is there to be answered.
  }
  source_is_silent_ = true;
  silent_since_ = Clock::now();
  stream_outcome_ = Done{};
  attached_ = false;
  left_.notify_all();
}

Result<bool> InboundJob::resume(const wire::OfferRequest& offer) {
  const uint64_t attempt = attempt_of(offer);
  std::unique_lock lock(mutex_);
  if (attempt <= attempt_ || machine_.state == DestinationState::kOwner)
    return Error{Errc::kExists, fmt::format("{} is here already", describe())};
  attempt_ = attempt;  // From here on the conversation of the one before ends.
  if (transfer_) transfer_->stop = true;
  if (!left_.wait_for(lock, kLeaveTimeout, [this] { return !attached_ && !checkpointing_; }))
    return Error{Errc::kBusy, fmt::format("{}: an earlier connection of it has not ended yet", describe())};
  if (attempt != attempt_) return Error{Errc::kExists, fmt::format("{}: a later attempt has come", describe())};
  if (machine_.state == DestinationState::kOwner) return Error{Errc::kExists, fmt::format("{} is here already", describe())};
  bool goes_on = is_offered_again_locked(offer);
  if (goes_on) {
    const OutcomeAnswer fallen_back = feed_locked(DestinationEvent::kOfferAgain);
    if (fallen_back.error != Errc{}) return Error{fallen_back.error, fallen_back.text};
    goes_on = machine_.state == DestinationState::kReceiving && begin_attempt_locked();
  }
  if (!goes_on) {
    log::info("{}: offered again, but not as before: begins anew", describe());
    (void)feed_locked(DestinationEvent::kAbort);
    if (!forgotten_) return Error{Errc::kIo, fmt::format("{}: the journal cannot forget its earlier attempt", describe())};
    return false;
  }
  attached_ = true;
  source_is_silent_ = false;
  stream_outcome_ = Done{};
  return true;
}

// The same objects in the same blocks, for the same place: what is here of them is of use.
bool InboundJob::is_offered_again_locked(const wire::OfferRequest& offer) const {
  if (!is_resumable() || sinks_.size() != record_.objects.size() || offer.objects()->size() != sinks_.size()) return false;
  if (offer.target()->str() != record_.target) return false;
  const bool is_found_anew = is_of_databases();  // Whatever their files are now, and however they are cut.
  if (!is_found_anew && !arrived_.digests.empty() && arrived_.block_bytes != offer.block_bytes()) return false;
  // They say all of it; a tree of files has another id each time it is opened.
  const bool has_listings = is_of(objects::ObjectKind::kFileset);
  if (has_listings && (listings_ == Digest{} || listings_of(offer) != listings_)) return false;
  for (uint32_t i = 0; i < sinks_.size(); ++i) {
    const wire::ObjectOffer& object = *offer.objects()->Get(i);
    const journal::JobObject& known = record_.objects[i];
    if (sinks_[i] == nullptr || object.kind() != static_cast<uint8_t>(known.kind)) return false;
    if (has_listings) continue;
    if (object.id() == nullptr || protocol::from_wire(object.id()) != known.id) return false;
    if (!is_found_anew && object.size_bytes() != known.size_bytes) return false;
    if (!offer.copy() && object.epoch() != known.epoch) return false;
  }
  return true;
}

// Says to each what is here of it.
Result<> InboundJob::begin_attempt_locked() {
  if (is_of_databases()) return Done{};  // They are told when the list of their files is here.
  std::vector<std::vector<Extent>> landed(sinks_.size());
  if (!arrived_.digests.empty()) {
    const auto plan = model::plan_blocks(sizes(), arrived_.block_bytes);
    for (uint32_t block = 0; block < plan.size() && block < arrived_.digests.size(); ++block) {
      if (arrived_.digests[block] == Digest{}) continue;
      for (const model::Piece& piece : plan.pieces(block)) landed[piece.object].push_back(extent_of(piece));
    }
  }
  for (size_t i = 0; i < sinks_.size(); ++i)
    if (auto begun = sinks_[i]->begin_attempt(landed[i]); !begun) {
      log::warn("{}: cannot go on: {}", describe(), begun.error().text);
      return begun;
    }
  return Done{};
}

Result<InboundJob::Resumed> InboundJob::resumed() {
  const std::lock_guard lock(mutex_);
  if (machine_.state != DestinationState::kReceiving || stops_ > 0) {
    attached_ = false;
    left_.notify_all();
    return Error{Errc::kBusy, fmt::format("{} has ended meanwhile", describe())};
  }
  ++streams_;
  Resumed resumed;
  for (size_t i = 0; i < sinks_.size(); ++i) {
    resumed.sinks.push_back(sinks_[i].get());
    resumed.wanted.push_back(sinks_[i]->wanted());
    resumed.sizes.push_back(record_.objects[i].size_bytes);
    resumed.answers.emplace_back(protocol::to_wire(record_.objects[i].destination_id), 0);
  }
  resumed.arrived = arrived_;
  return resumed;
}

Result<> InboundJob::checkpoint(bool patiently) {
  constexpr auto kPause = milliseconds(1);
  constexpr int kTriesMax = 20;
  std::unique_lock lock(mutex_, std::defer_lock);
  if (patiently) lock.lock();
  // A stream holds it for a moment. Who prepares holds it for as long as a disk takes, and makes all durable itself.
  for (int tries = 0; !lock.owns_lock() && !lock.try_lock(); ++tries) {
    if (tries == kTriesMax) return Done{};
    std::this_thread::sleep_for(kPause);
  }
  await_checkpoint(lock);
  if (!can_outlive_restart() || !can_resume_locked()) return Done{};
  const Arrived here = transfer_ ? transfer_->arrived() : arrived_;
  checkpointing_ = true;  // The sinks stay until it is over.
  lock.unlock();
  auto noted = note_arrived(here);
  lock.lock();
  checkpointing_ = false;
  left_.notify_all();
  return noted;
}

// Needs no lock, but that the sinks stay: one is under way at a time, and only it uses noted_.
Result<> InboundJob::note_arrived(const Arrived& here) {
  if (is_of_databases()) return note_receiving();
  if (here.digests.empty()) return Done{};
  const auto plan = model::plan_blocks(sizes(), here.block_bytes);
  if (plan.size() != here.digests.size()) return Done{};
  std::map<pmem::Volume*, std::vector<Extent>> extents;
  journal::Checkpoint checkpoint{here.block_bytes, {}};
  for (uint32_t block = 0; block < plan.size(); ++block) {
    if (here.digests[block] == (block < noted_.size() ? noted_[block] : Digest{})) continue;
    for (const model::Piece& piece : plan.pieces(block))
      extents[sinks_[piece.object]->storage().volume].push_back(extent_of(piece));
    const uint32_t chunk = block / journal::kChunkBlocks;
    if (checkpoint.chunks.empty() || checkpoint.chunks.back().chunk != chunk) {
      const auto first = here.digests.begin() + static_cast<ptrdiff_t>(chunk) * journal::kChunkBlocks;
      const auto left = static_cast<uint32_t>(here.digests.end() - first);
      checkpoint.chunks.push_back({chunk, {first, first + std::min(left, journal::kChunkBlocks)}});
    }
  }
  if (checkpoint.chunks.empty()) return Done{};
  if (noted_.empty()) {
    auto all = listings();
    if (!all) {
      log::info("{}: begins anew if this daemon restarts: {}", describe(), all.error().text);
      is_only_here_ = true;
      return Done{};
    }
    checkpoint.listings = std::move(*all);
  }
  if (auto durable = persist(extents); !durable) return durable;
  journal::InboundJob receiving = record_;
  receiving.state = journal::InboundState::kReceiving;
  journalled_ = true;
  if (auto written = journal_.checkpoint_inbound(receiving, checkpoint); !written) return written;
  noted_ = here.digests;
  return Done{};
}

// What has arrived of databases is what is found of their files: a restart has to know that they are awaited.
Result<> InboundJob::note_receiving() {
  if (has_record_) return Done{};
  journal::InboundJob receiving = record_;
  receiving.state = journal::InboundState::kReceiving;
  journalled_ = true;
  if (auto written = journal_.checkpoint_inbound(receiving, {}); !written) return written;
  has_record_ = true;
  return Done{};
}

// By object; none: a restart needs none. Errors: kUnsupported, kLimit: it cannot go on after one.
Result<std::vector<std::vector<std::byte>>> InboundJob::listings() const {
  std::vector<std::vector<std::byte>> listings;
  if (is_of(objects::ObjectKind::kRegion)) return listings;
  uint64_t bytes = 0;
  for (const auto& sink : sinks_) {
    auto& listing = listings.emplace_back();
    if (auto noted = sink->note_unfinished(listing); !noted) return std::move(noted).error();
    bytes += listing.size();
    if (bytes > kKeptListingsBytesMax) return Error{Errc::kLimit, "its lists of files are too long for the journal"};
  }
  return listings;
}

bool InboundJob::can_outlive_restart() const { return record_.target_survives && is_resumable() && !is_only_here_; }

bool InboundJob::outlives_restart() const {
  return state() == DestinationState::kReceiving ? journalled_ && can_outlive_restart() : record_.target_survives;
}

// In its object's volume.
Extent InboundJob::extent_of(const model::Piece& piece) const {
  return {sinks_[piece.object]->storage().extent.offset_bytes + piece.extent.offset_bytes, piece.extent.length_bytes};
}

std::vector<uint64_t> InboundJob::sizes() const {
  std::vector<uint64_t> sizes;
  for (const journal::JobObject& object : record_.objects) sizes.push_back(object.size_bytes);
  return sizes;
}

void InboundJob::source_is_alive() {
  const std::lock_guard lock(mutex_);
  silent_since_ = Clock::now();
}

bool InboundJob::give_up_silent_source() {
  std::unique_lock lock(mutex_);
  await_checkpoint(lock);  // It uses the sinks.
  const bool gives_up = source_is_silent_ && machine_.state == DestinationState::kReceiving &&
                        Clock::now() - silent_since_ > settings_.resume_timeout;
  if (!gives_up) return false;
  log::info("{}: its source did not come back: given up", describe());
  (void)feed_locked(DestinationEvent::kSourceLost);
  return true;
}

}  // namespace godwit::engine
