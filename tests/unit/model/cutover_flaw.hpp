// Mistakes that an engine or a machine could make. The simulator has to find each of them.
#pragma once

#include <cstdint>

namespace godwit::model::sim {

enum class Flaw : uint8_t {
  kNone,
  kHandOverNotJournalled,        // The source sends commit without a record.
  kAnswersBeforeDurable,         // The source tells a decision that its journal does not have yet.
  kResumesBeforeAbortJournal,    // Writers go on while the record still looks like a job that may be adopted.
  kDoesNotAdopt,                 // A source that lost its volatile objects aborts.
  kFreesAtHandOver,              // The source frees the space before the destination owns.
  kDestinationForgetsAtCommit,   // The destination deletes its record before it is released.
  kOwnerWithoutCopyAnswersLost,  // The destination owned, lost its volatile copy, and lets the source reclaim.
  kReclaimsAfterCommitted,       // The source takes `committed` for `lost`.
  kServesByJobRecord,            // After a restart the destination serves what its job's record says, not the catalogue.
  kUnknownJobMeansCommit,        // The source answers "commit" for a job that it does not know.
  kPreparesWithoutLastPass,      // The destination does not check that every block is verified.
  kRecoversWithoutForgetting,    // A restarted source leaves the record of an aborted job; nothing ever removes it.
  kReceivesWithoutJournal,       // A prepared destination takes another attempt's blocks while its record says "prepared".
  kJournalsBeforeOfferAgain,     // A volatile source has a record again before its new offer was answered.
  kReadsOutliveTheirAttempt,     // A block that was under way when another attempt began lands after all.
  kTrustsCheckpoint,             // The destination skips a block that a checkpoint names, and does not read it.
  kForgetsCheckpoint,            // A restarted destination makes nothing of the digests that its checkpoint has.
  kStaleAttemptCounts,           // Messages of older attempts count.
  kStaleAnswerReclaims,          // Those to a source that has decided.
  kAttemptNotJournalled,         // A restarted source counts its attempts from where its record began.
  kKeepsRecordWhenInterrupted,   // A volatile source has a record while writers go on.
  kReclaimedJobResumes,          // A crash in the middle of a reclaim: the job goes on, though it had decided.
  kResumesWhatItReleased,        // A job that ends lets the writers of another job's object go on.
  kDoneNotJournalled,            // The source frees and releases, and its record still says "handed over".
  kGoesOnWithoutRecord,          // A durable action that failed is taken for one that did not.
  kForgetsPause,                 // A restart ends a pause.
};

}  // namespace godwit::model::sim
