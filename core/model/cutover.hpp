// Cutover: how ownership passes from a source to a destination, exactly once, whatever fails.
//
// Both sides are pure: (state, event) in, state changed and actions out. No clock, no I/O, no threads. The engine performs the
// actions with real I/O; tests/unit/model/cutover_simulator drives them over a lossy network with crashes. The rules, and why
// they hold: docs/design/cutover.md.
//
// The source is the coordinator, and its journal the truth (presumed abort: no record of a hand-over means there was none).
//
//   source                                             destination
//   syncing   ... blocks are sent and verified ...     receiving
//   preparing ------------- prepare ---------------->  (all digests verified, bytes durable)
//             <------------ prepared ----------------  prepared: journalled; in doubt until told
//   handed over: journalled; stops serving
//             ------------- commit ----------------->  owner: journalled; serves
//             <------------ committed ---------------
//   done: journalled where it went; frees the space
//             ------------- release ---------------->  forgets the job
//   forgets it  <---------- released -----------------
//
// A copy takes the same steps, but the source never stops serving: its hand-over is only the decision to commit.
//
// A connection that is lost before the decision need not end the job. Each of its connections is an attempt: the source lets
// its writers go on, and offers again later; what the destination holds by then is compared, block by block, with what the
// source has (docs/design/resume.md).
//
// What the engine owes the machines:
// - It performs the actions in order. When a durable one fails it performs none of those after it, serves nothing of the
//   job and answers nobody about it until the daemon restarts: what is on disk is unknown.
// - After a restart it makes the journal agree with what recovery decided before it serves or answers anyone: kAborted, the
//   record is forgotten; kHandedOver without a record of it, hand_over.
// - A job that a node does not know is one that was aborted there. A destination then answers prepare, commit and abort with
//   `unknown`, and release with `released`. Answers count only from the daemon (its node_id) that took the job.
// - Who accepts writes after a restart is what the catalogue says, never a job's record: the object may have moved on since.
// - A job's objects are all on lasting targets, or all on volatile ones, at the source.
// - Attempts are numbered, and a message counts only in the attempt that it belongs to. A destination that gets another
//   offer has done with the attempts before: none of their messages or reads can reach it any more.
// - A source that was interrupted journals its job again, if its record had to go, once its offer was answered. Between
//   attempts it has no object: an end of the job then lets nobody's writers go on, and an object that is not served any more
//   where it was, or that another job has, ends the job (kFailed).
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace godwit::model {

// What the source tells a destination that asks, or learns from it.
enum class Decision : uint8_t {
  kPending,  // Not decided: ask again later.
  kCommit,
  kAbort,
};

// ---------------------------------------------------------------- source

enum class SourceState : uint8_t {
  kSyncing,     // Serves reads (and writes until quiesced). Nothing promised.
  kPreparing,   // Quiesced; prepare is on its way.
  kHandedOver,  // Decided: commit. A move serves nothing any more. Journalled.
  kDone,        // The destination owns it (move) or has its copy. Journalled.
  kAborting,    // Decided: abort, no record any more. Serves again; the destination still has to hear it, or asks.
  kAborted,     // Ended; the source is what it was.
};

enum class SourceEvent : uint8_t {
  kPassDone,        // Quiesced, and every block is verified at the destination.
  kPrepared,        // The destination's reply: journalled, in doubt.
  kPrepareRefused,  // The destination's reply: it cannot, and has aborted.
  kCommitted,       // The destination's reply: it owns the objects, durably.
  kLost,            // It knows no such job. The reply to commit: it crashed before, and its volatile copy is gone.
  kAbortAcked,      // The destination's reply to abort.
  kFailed,          // Anything that ends the job before a decision: cancel, an error, the peer lost, a deadline.
  kRetry,           // Time to send again what is unanswered (a reconnect, a tick, the end of a recovery).
  kReleased,        // The destination's reply to release, also for a job that it does not know any more.
  kInterrupted,     // The connection broke before a decision, and the job goes on with another offer.
};

enum class SourceAction : uint8_t {
  kSendPrepare,
  kJournalHandOver,  // Durable before anything that follows it in the list. A move stops serving with it.
  kSendCommit,
  kJournalDone,  // Durable: where the objects went (move). Then:
  kFreeObjects,  // Move only: the space that the job recorded, and new requests are told where they went. May come twice.
  kSendRelease,
  kResume,          // Writers go on: the source owns, as before.
  kJournalReclaim,  // Durable: the hand-over is undone, because the destination lost its copy before it owned. A copy had given
                    // nothing away: it touches neither the catalogue nor where objects have moved. From here on the record
                    // says that the job does not resume: a commit of it may still be on its way.
  kSendAbort,
  kForgetJob,  // Durable: the journal's record of the job goes, if there is one. Before kResume it is the decision to abort.
};

struct SourceMachine {
  SourceState state = SourceState::kSyncing;
  bool is_move = true;
  bool is_lasting = true;  // The objects are there after a restart.

  // The actions in the order in which they must be performed. An event that does not fit the state (a duplicate, a late
  // reply) gives none: every message may come twice, late, or never.
  std::vector<SourceAction> on(SourceEvent event);
  // Whether the objects accept writes, as far as this job is concerned, when quiesced or not.
  bool serves() const {
    return !is_move || state == SourceState::kSyncing || state == SourceState::kPreparing || state == SourceState::kAborting ||
           state == SourceState::kAborted;
  }
  bool ended() const { return state == SourceState::kDone || state == SourceState::kAborted; }
};

// What a restarted source makes of its journal. `handed_over`: the record is there. `done`: that one too.
// `objects_survived`: every object's target outlived the restart, whatever has become of the object meanwhile. Not handed over
// and not survived: a verified copy at the destination would be the only one, so the source of a move decides kHandedOver
// ("adopt") rather than let it be deleted. That is right only because an abort is journalled before writers go on: the verified
// copy is never older than acknowledged writes. `resumes`: a job that was not handed over, and whose objects survived, goes on
// from its offer (kSyncing); else it is aborted.
SourceMachine recover_source(bool is_move, bool handed_over, bool done, bool objects_survived, bool resumes);
// The answer to a destination in doubt. A job that the source has no record of: kAbort.
Decision decision_of(const SourceMachine& source);

// ---------------------------------------------------------------- destination

enum class DestinationState : uint8_t {
  kReceiving,  // Space reserved, blocks land. Nothing promised.
  kPrepared,   // All verified and durable; journalled; waits for the decision.
  kOwner,      // Journalled; serves.
  kAborted,    // Space freed.
};

enum class DestinationEvent : uint8_t {
  kPrepare,       // Message; all blocks are verified and durable here.
  kPrepareUnfit,  // Message; but something is missing or failed.
  kCommit,        // Message, or the answer of the source that was asked.
  kAbort,         // Message, or the answer.
  kSourceLost,    // The connection broke, or a deadline passed.
  kRelease,       // Message: the source has journalled the end.
  kRetry,         // Time to ask again, for a prepared job.
  kOfferAgain,    // Message: the source, which has not decided, begins another attempt.
};

enum class DestinationAction : uint8_t {
  kJournalPrepared,  // Durable before the reply.
  kSendPrepared,
  kSendPrepareRefused,
  kJournalOwner,  // Durable before serving and before the reply.
  kServe,
  kSendCommitted,
  kFreeSpace,  // Of what was received.
  kSendAborted,
  kAskSource,         // Open a connection to the source and ask for its decision.
  kForgetJob,         // Durable: the journal's record of the job goes, if there is one. The object's own record stays.
  kJournalReceiving,  // Durable before any byte lands: what was prepared is not any more.
};

struct DestinationMachine {
  DestinationState state = DestinationState::kReceiving;

  std::vector<DestinationAction> on(DestinationEvent event);
  bool serves() const { return state == DestinationState::kOwner; }
};

// What the journal of a destination can say of a job.
enum class DestinationRecord : uint8_t { kNone, kReceiving, kPrepared, kOwner };
// What a restarted destination makes of it. A job whose copy did not survive is aborted; it answers `lost`. An owner stays the
// owner even then: a commit is never taken back.
DestinationMachine recover_destination(DestinationRecord record, bool objects_survived);

std::string_view to_string(SourceState state);
std::string_view to_string(DestinationState state);

}  // namespace godwit::model
