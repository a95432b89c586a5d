#include "model/cutover.hpp"

namespace godwit::model {

namespace {

using Source = SourceAction;
using Destination = DestinationAction;

// ---------------------------------------------------------------- source, a function for each state

// A copy's writers went on when its last pass was done; the object may even have moved away since.
bool is_quiesced(const SourceMachine& machine) { return machine.is_move || machine.state == SourceState::kSyncing; }

// The record goes before writers go on: else a restart that lost volatile objects would adopt a copy older than their writes.
std::vector<Source> give_up(SourceMachine& machine) {
  std::vector<Source> actions{Source::kForgetJob};
  if (is_quiesced(machine)) actions.push_back(Source::kResume);
  actions.push_back(Source::kSendAbort);
  machine.state = SourceState::kAborting;
  return actions;
}

// The destination has aborted already, or knows nothing of the job.
std::vector<Source> end_aborted(SourceMachine& machine) {
  std::vector<Source> actions{Source::kForgetJob};
  if (is_quiesced(machine)) actions.push_back(Source::kResume);
  machine.state = SourceState::kAborted;
  return actions;
}

// Writers go on until the next attempt; as above, no record of volatile objects stays behind meanwhile.
std::vector<Source> interrupt(SourceMachine& machine) {
  std::vector<Source> actions;
  if (!machine.is_lasting) actions.push_back(Source::kForgetJob);
  if (is_quiesced(machine)) actions.push_back(Source::kResume);
  machine.state = SourceState::kSyncing;
  return actions;
}

// The destination lost its copy before it owned.
std::vector<Source> take_back(SourceMachine& machine) {
  machine.state = SourceState::kAborted;
  if (machine.is_move) return {Source::kJournalReclaim, Source::kForgetJob, Source::kResume};
  return {Source::kJournalReclaim, Source::kForgetJob};
}

// Everything after the destination's `committed`. A restart does not know how far it came, so all of it comes again.
std::vector<Source> finish(const SourceMachine& machine) {
  if (machine.is_move) return {Source::kJournalDone, Source::kFreeObjects, Source::kSendRelease};
  return {Source::kJournalDone, Source::kSendRelease};
}

std::vector<Source> on_syncing(SourceMachine& machine, SourceEvent event) {
  switch (event) {
    case SourceEvent::kPassDone:
      machine.state = SourceState::kPreparing;
      // A copy is complete at this moment, whatever is written from now on.
      if (!machine.is_move) return {Source::kResume, Source::kSendPrepare};
      return {Source::kSendPrepare};
    case SourceEvent::kFailed: return give_up(machine);
    case SourceEvent::kLost: return end_aborted(machine);  // The destination restarted.
    case SourceEvent::kInterrupted: return interrupt(machine);
    case SourceEvent::kPrepared:
    case SourceEvent::kPrepareRefused:
    case SourceEvent::kCommitted:
    case SourceEvent::kAbortAcked:
    case SourceEvent::kRetry:
    case SourceEvent::kReleased: return {};
  }
  return {};
}

std::vector<Source> on_preparing(SourceMachine& machine, SourceEvent event) {
  switch (event) {
    case SourceEvent::kPrepared:
      machine.state = SourceState::kHandedOver;
      return {Source::kJournalHandOver, Source::kSendCommit};
    case SourceEvent::kPrepareRefused:
    case SourceEvent::kLost: return end_aborted(machine);
    case SourceEvent::kFailed: return give_up(machine);
    case SourceEvent::kInterrupted: return interrupt(machine);
    case SourceEvent::kRetry: return {Source::kSendPrepare};
    case SourceEvent::kPassDone:
    case SourceEvent::kCommitted:
    case SourceEvent::kAbortAcked:
    case SourceEvent::kReleased: return {};
  }
  return {};
}

std::vector<Source> on_handed_over(SourceMachine& machine, SourceEvent event) {
  switch (event) {
    case SourceEvent::kCommitted: machine.state = SourceState::kDone; return finish(machine);
    case SourceEvent::kLost: return take_back(machine);
    case SourceEvent::kRetry: return {Source::kSendCommit};
    // Decided: neither a failure nor a late answer to `prepare` changes it.
    case SourceEvent::kFailed:
    case SourceEvent::kInterrupted:
    case SourceEvent::kPassDone:
    case SourceEvent::kPrepared:
    case SourceEvent::kPrepareRefused:
    case SourceEvent::kAbortAcked:
    case SourceEvent::kReleased: return {};
  }
  return {};
}

std::vector<Source> on_aborting(SourceMachine& machine, SourceEvent event) {
  switch (event) {
    case SourceEvent::kAbortAcked:
    case SourceEvent::kPrepareRefused:
    case SourceEvent::kLost:
    case SourceEvent::kFailed:  // Gives up telling it: with no record here it hears kAbort when it asks.
      machine.state = SourceState::kAborted;
      return {};
    case SourceEvent::kPrepared:
    case SourceEvent::kRetry: return {Source::kSendAbort};
    case SourceEvent::kPassDone:
    case SourceEvent::kCommitted:
    case SourceEvent::kInterrupted:
    case SourceEvent::kReleased: return {};
  }
  return {};
}

std::vector<Source> on_done(const SourceMachine& machine, SourceEvent event) {
  switch (event) {
    case SourceEvent::kRetry: return finish(machine);
    case SourceEvent::kReleased: return {Source::kForgetJob};
    case SourceEvent::kPassDone:
    case SourceEvent::kPrepared:
    case SourceEvent::kPrepareRefused:
    case SourceEvent::kCommitted:
    case SourceEvent::kLost:
    case SourceEvent::kAbortAcked:
    case SourceEvent::kInterrupted:
    case SourceEvent::kFailed: return {};
  }
  return {};
}

// ---------------------------------------------------------------- destination, a function for each state

// The record goes before the space, here (a checkpoint) and when prepared: one that outlived its space would claim space that
// has a new user.
std::vector<Destination> on_receiving(DestinationMachine& machine, DestinationEvent event) {
  switch (event) {
    case DestinationEvent::kPrepare:
      machine.state = DestinationState::kPrepared;
      return {Destination::kJournalPrepared, Destination::kSendPrepared};
    case DestinationEvent::kPrepareUnfit:
      machine.state = DestinationState::kAborted;
      return {Destination::kForgetJob, Destination::kFreeSpace, Destination::kSendPrepareRefused};
    case DestinationEvent::kCommit:  // From a source that restarted, and cannot know that nothing was promised here.
      machine.state = DestinationState::kAborted;
      return {Destination::kForgetJob, Destination::kFreeSpace};
    case DestinationEvent::kAbort:
      machine.state = DestinationState::kAborted;
      return {Destination::kForgetJob, Destination::kFreeSpace, Destination::kSendAborted};
    case DestinationEvent::kSourceLost:
      machine.state = DestinationState::kAborted;
      return {Destination::kForgetJob, Destination::kFreeSpace};
    case DestinationEvent::kOfferAgain:
    case DestinationEvent::kRelease:
    case DestinationEvent::kRetry: return {};
  }
  return {};
}

std::vector<Destination> on_prepared(DestinationMachine& machine, DestinationEvent event) {
  switch (event) {
    case DestinationEvent::kPrepare: return {Destination::kSendPrepared};
    case DestinationEvent::kCommit:
      machine.state = DestinationState::kOwner;
      return {Destination::kJournalOwner, Destination::kServe, Destination::kSendCommitted};
    case DestinationEvent::kAbort:
      machine.state = DestinationState::kAborted;
      return {Destination::kForgetJob, Destination::kFreeSpace, Destination::kSendAborted};
    case DestinationEvent::kOfferAgain:  // Only a source that has not handed over says so: nobody relies on the promise.
      machine.state = DestinationState::kReceiving;
      return {Destination::kJournalReceiving};
    case DestinationEvent::kSourceLost:
    case DestinationEvent::kRetry: return {Destination::kAskSource};
    case DestinationEvent::kPrepareUnfit:  // The promise stands; without an answer the source gives up by itself.
    case DestinationEvent::kRelease: return {};
  }
  return {};
}

std::vector<Destination> on_owner(DestinationEvent event) {
  switch (event) {
    case DestinationEvent::kCommit: return {Destination::kSendCommitted};
    case DestinationEvent::kRelease: return {Destination::kForgetJob};
    case DestinationEvent::kAbort:  // The decision was commit; nobody can have said this.
    case DestinationEvent::kRetry:
    case DestinationEvent::kPrepare:
    case DestinationEvent::kPrepareUnfit:
    case DestinationEvent::kOfferAgain:
    case DestinationEvent::kSourceLost: return {};
  }
  return {};
}

// The engine answers a commit with `lost`. A restart that lost the copy may have left a record.
std::vector<Destination> on_aborted(DestinationEvent event) {
  switch (event) {
    case DestinationEvent::kPrepare:
    case DestinationEvent::kPrepareUnfit: return {Destination::kSendPrepareRefused};
    case DestinationEvent::kCommit: return {Destination::kForgetJob};
    case DestinationEvent::kAbort: return {Destination::kForgetJob, Destination::kSendAborted};
    case DestinationEvent::kSourceLost:
    case DestinationEvent::kOfferAgain:
    case DestinationEvent::kRelease:
    case DestinationEvent::kRetry: return {};
  }
  return {};
}

}  // namespace

std::vector<SourceAction> SourceMachine::on(SourceEvent event) {
  switch (state) {
    case SourceState::kSyncing: return on_syncing(*this, event);
    case SourceState::kPreparing: return on_preparing(*this, event);
    case SourceState::kHandedOver: return on_handed_over(*this, event);
    case SourceState::kAborting: return on_aborting(*this, event);
    case SourceState::kDone: return on_done(*this, event);
    case SourceState::kAborted: return {};
  }
  return {};
}

SourceMachine recover_source(bool is_move, bool handed_over, bool done, bool objects_survived, bool resumes) {
  const bool adopts = is_move && !objects_survived;
  SourceState state = SourceState::kAborted;
  if (done)
    state = SourceState::kDone;
  else if (handed_over || adopts)
    state = SourceState::kHandedOver;
  else if (objects_survived && resumes)
    state = SourceState::kSyncing;
  return {state, is_move, objects_survived};
}

Decision decision_of(const SourceMachine& source) {
  switch (source.state) {
    case SourceState::kSyncing:
    case SourceState::kPreparing: return Decision::kPending;
    case SourceState::kHandedOver:
    case SourceState::kDone: return Decision::kCommit;
    case SourceState::kAborting:
    case SourceState::kAborted: return Decision::kAbort;
  }
  return Decision::kPending;
}

std::vector<DestinationAction> DestinationMachine::on(DestinationEvent event) {
  switch (state) {
    case DestinationState::kReceiving: return on_receiving(*this, event);
    case DestinationState::kPrepared: return on_prepared(*this, event);
    case DestinationState::kOwner: return on_owner(event);
    case DestinationState::kAborted: return on_aborted(event);
  }
  return {};
}

DestinationMachine recover_destination(DestinationRecord record, bool objects_survived) {
  if (record == DestinationRecord::kOwner) return {DestinationState::kOwner};
  if (!objects_survived) return {DestinationState::kAborted};
  switch (record) {  // No default: -Wswitch catches a new one.
    case DestinationRecord::kNone: return {DestinationState::kAborted};
    case DestinationRecord::kReceiving: return {DestinationState::kReceiving};
    case DestinationRecord::kPrepared: return {DestinationState::kPrepared};
    case DestinationRecord::kOwner: break;
  }
  return {DestinationState::kOwner};
}

std::string_view to_string(SourceState state) {
  switch (state) {
    case SourceState::kSyncing: return "syncing";
    case SourceState::kPreparing: return "preparing";
    case SourceState::kHandedOver: return "handed over";
    case SourceState::kDone: return "done";
    case SourceState::kAborting: return "aborting";
    case SourceState::kAborted: return "aborted";
  }
  return "unknown";
}

std::string_view to_string(DestinationState state) {
  switch (state) {
    case DestinationState::kReceiving: return "receiving";
    case DestinationState::kPrepared: return "prepared";
    case DestinationState::kOwner: return "owner";
    case DestinationState::kAborted: return "aborted";
  }
  return "unknown";
}

}  // namespace godwit::model
