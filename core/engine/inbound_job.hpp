// InboundJob: a migration at its destination: performs what the pure protocol decides (model/cutover.hpp).
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/settings.hpp"
#include "engine/sink_stream.hpp"
#include "journal/journal.hpp"
#include "model/cutover.hpp"
#include "objects/source.hpp"
#include "protocol/codec.hpp"

namespace godwit::engine {

// What the source is answered.
struct OutcomeAnswer {
  wire::Outcome outcome = wire::Outcome::unknown;
  Errc error{};
  std::string text;
  // kPrepared: the ways that the blocks took here.
  uint64_t blocks_direct = 0;
  uint64_t blocks_staged = 0;
  std::string staged_because = {};
};

// Counted from 1; an offer that does not say is the first.
inline uint64_t attempt_of(const wire::OfferRequest& offer) { return std::max<uint64_t>(1, offer.attempt()); }

// The connection ended, or was ended: nothing is wrong with what has arrived.
inline bool is_interruption(const Error& error) {
  return error.code == Errc::kPeerLost || error.code == Errc::kCancelled || error.code == Errc::kTimeout;
}

// Of all that its objects are made of; zero: it does not say, or there is none.
inline Digest listings_of(const wire::OfferRequest& offer) {
  return offer.listings_digest() == nullptr ? Digest{} : protocol::from_wire(*offer.listings_digest());
}

// Thread-safe: the job's connection, its streams and the resolver all come here.
class InboundJob {
 public:
  // `sinks[i]` is object i of record.objects; all have their space.
  // `offer`: that this thread serves; null: it comes from the journal, with the digest of its `listings` and what has
  // `arrived`.
  InboundJob(journal::Journal& journal, journal::InboundJob record, std::vector<std::unique_ptr<objects::Sink>> sinks,
             model::DestinationMachine machine, const EngineSettings& settings, const wire::OfferRequest* offer,
             const Digest& listings, Arrived arrived = {});

  const Id& id() const { return record_.job; }
  const std::string& source_address() const { return record_.source_address; }
  // These three never wait for what the job does.
  model::DestinationState state() const { return seen_state_; }

  // The pass that was is over: with "verify" what it has brought is made durable and read back. Blocks for the disk, and keeps
  // nobody waiting meanwhile. Errors: kProtocol, it is not the time; kDigest; kIo; kNoSpace.
  Result<> end_pass();
  // Another pass: `begin` is given the sinks (null: dropped), which no stream uses and nobody frees meanwhile; it may take
  // long, and keeps nobody else waiting. Then the conversation's own stream has entered. Errors: kBusy, the job has ended
  // meanwhile; kProtocol, it is not the time; those of `begin`.
  using Sinks = std::vector<std::unique_ptr<objects::Sink>>;
  Result<> begin_pass(const std::function<Result<>(const Sinks&)>& begin);

  // Streams, the job's own connection among them. The transfer lives until the last of them has left.
  void begin_transfer(std::shared_ptr<SinkTransfer> transfer, uint64_t attempt);
  std::shared_ptr<SinkTransfer> transfer() const;
  void stream_entered();
  void stream_left(const Result<>& outcome);
  // The first error of a stream that has left; none: success.
  Result<> stream_outcome() const;
  // Blocks until no stream runs. Errors: kTimeout; or the first stream's error.
  Result<> join_streams(Deadline deadline);

  // The source's messages, in its words; the first only of the conversation whose offer counts. `failed`: objects that the
  // source could not read. Blocks for the disk.
  OutcomeAnswer prepare(std::span<const uint32_t> failed);
  OutcomeAnswer commit();
  // After a restart, before anybody asks: what was promised is not to be had now. Until the next restart a commit and a release
  // are answered with `unknown` and `why`, so that the source keeps what it has and asks again; an abort is heard.
  void withhold(Error why);
  OutcomeAnswer abort();
  OutcomeAnswer release();
  // The job has failed here, or its source will not come back: stops the streams; frees the space if nothing was promised.
  void source_lost();

  // ---- attempts: the connections on which the job is offered, one after the other

  // The conversation of this attempt is over, and does not touch the job any more: stops the streams. `may_resume`: for no
  // fault of this node's; then what has arrived is kept, if the job can go on. Else as source_lost(). Blocks for the disk.
  void left(uint64_t attempt, bool may_resume);
  // The offer of another attempt, which this thread will serve: ends the one before and waits until it has left. False: what is
  // here is of no use to it, and the space is free again. Errors: kExists, it is not the newest attempt, or the job has come
  // too far; kBusy, the one before does not end; kIo, kNoSpace: the journal's, also if it cannot forget what is of no use.
  Result<bool> resume(const wire::OfferRequest& offer);
  // Its files are others in each attempt: begin_pass() with their new list follows a resume(), in the place of resumed().
  bool is_of_databases() const { return is_of(objects::ObjectKind::kDatabase); }
  // The attempt that counts; conversations of others end.
  uint64_t attempt() const { return attempt_; }
  // Of the attempt that resume() has let in: the objects, in the order of the offer, and what is here of them. The
  // conversation's own stream has entered: the sinks stay until it leaves. Errors: kBusy, the job has ended meanwhile.
  struct Resumed {
    std::vector<objects::Sink*> sinks;
    std::vector<std::vector<bool>> wanted;  // Sink::wanted().
    std::vector<uint64_t> sizes;
    std::vector<wire::ObjectAnswer> answers;
    Arrived arrived;
  };
  Result<Resumed> resumed();
  // Makes durable and journals what has arrived since the last time, if the job outlives a restart of this node. Blocks for the
  // disk. Any thread. Errors: kIo, kNoSpace: the job goes on.
  // Not `patiently`: it does nothing while the job is busy with a disk or a program.
  Result<> checkpoint(bool patiently = true);

  const Id& source_node() const { return record_.source_node; }
  // No connection of the source is open any more (or since the restart).
  bool source_is_silent() const { return source_is_silent_; }
  // The source, which was asked, has not decided: it may take its time to come back.
  void source_is_alive();
  // If it waits for a source that did not answer for settings.resume_timeout: as source_lost(). Whether it did.
  bool give_up_silent_source();
  // What has arrived so far is of use after a restart of this node.
  bool outlives_restart() const;
  // The source has to be asked what became of the job.
  bool in_doubt() const {
    return state() == model::DestinationState::kPrepared ||
           (state() == model::DestinationState::kReceiving && source_is_silent_);
  }
  // Nothing is left to do for it: the table forgets it.
  bool forgotten() const { return forgotten_; }
  std::string describe() const;

 private:
  OutcomeAnswer feed_locked(model::DestinationEvent event);
  bool perform_locked(model::DestinationAction action, model::DestinationState before, OutcomeAnswer& answer);
  void stop_streams(std::unique_lock<std::mutex>& lock);
  void await_checkpoint(std::unique_lock<std::mutex>& lock);
  bool is_resumable() const;
  bool can_resume_locked() const;
  bool is_of(objects::ObjectKind kind) const;
  bool can_outlive_restart() const;
  Result<> begin_attempt_locked();
  bool is_offered_again_locked(const wire::OfferRequest& offer) const;
  Result<> note_arrived(const Arrived& here);
  Result<> note_receiving();
  Result<std::vector<std::vector<std::byte>>> listings() const;
  Extent extent_of(const model::Piece& piece) const;
  std::vector<uint64_t> sizes() const;
  static Result<> persist(std::map<pmem::Volume*, std::vector<Extent>>& extents);
  Result<> ask_hook_locked() const;
  Result<> make_durable(const std::vector<bool>& stays);
  Result<> journal_owner_locked();
  std::vector<journal::FilesetRecord> filesets_locked() const;
  void free_locked();

  const EngineSettings settings_;
  journal::Journal& journal_;
  journal::InboundJob record_;                         // Constant after construction.
  const Digest listings_;                              // What the first offer said the objects are made of.
  mutable std::mutex mutex_;                           // Guards all below.
  std::vector<std::unique_ptr<objects::Sink>> sinks_;  // Null: failed at the source, dropped.
  model::DestinationMachine machine_;
  std::shared_ptr<SinkTransfer> transfer_;
  std::condition_variable streams_left_;
  uint32_t streams_ = 0;
  uint32_t stops_ = 0;  // Who waits until no stream runs.
  Result<> stream_outcome_ = Done{};
  bool attached_ = false;         // An attempt's conversation is here.
  std::condition_variable left_;  // That one left, or a checkpoint is done.
  Arrived arrived_;               // While no transfer is.
  bool checkpointing_ = false;
  std::atomic<bool> journalled_;  // The journal may have a record of the job.
  bool has_record_;               // Of databases: the journal knows that the job is receiving, or knew.
  std::vector<Digest> noted_;     // As the journal has them, by block; empty: it has none, nor the listings.
  Clock::time_point silent_since_ = Clock::now();

  std::atomic<uint64_t> attempt_;
  // Seen without the lock, which is held for as long as a disk or a program of the operator's takes.
  std::atomic<model::DestinationState> seen_state_;
  std::atomic<bool> source_is_silent_;
  std::optional<Error> withheld_;
  std::atomic<bool> forgotten_{false};
  std::atomic<bool> is_only_here_{false};  // The journal cannot keep what a restart would have to know.
};

}  // namespace godwit::engine
