// The source's side of the simulated engine.
#include <algorithm>

#include "cutover_world.hpp"

namespace godwit::model::sim {

std::optional<JobId> CutoverWorld::start(NodeIndex node, ObjectId object, bool is_move, bool destination_lasting,
                                         bool resumes) {
  Node& home = nodes_[node];
  if (!accepts_writes(node, object) || home.served[object].pinned_by != 0) return std::nullopt;
  const auto id = static_cast<JobId>(jobs_.size() + 1);
  Served& served = home.served[object];
  served.pinned_by = id;
  // The result of a copy is an object once it is decided; until then its number is reserved.
  const ObjectId result = is_move ? object : 1000 + id;
  jobs_[id] = {object, result, is_move, destination_lasting, resumes, node, is_move ? served.at.epoch + 1 : 1};
  home.disk.outbound[id] = {.resumes = resumes, .origin = served.at};
  SourceJob job{{SourceState::kSyncing, is_move, home.spaces[served.at.space].lasting}};
  job.origin = served.at;
  job.peer_boot = nodes_[1 - node].boot;
  home.sources.emplace(id, job);
  note("node {}: job {}: {} object {} to a {} target{}", node, id, is_move ? "moves" : "copies", object,
       destination_lasting ? "lasting" : "volatile", resumes ? ", resumes" : "");
  send(node, id, Kind::kOffer, job.attempt);
  return id;
}

void CutoverWorld::feed(NodeIndex node, JobId id, SourceEvent event) {
  SourceJob& job = nodes_[node].sources.at(id);
  const SourceState before = job.machine.state;
  std::vector<SourceAction> actions = job.machine.on(event);
  if (job.machine.state != before) note("node {}: job {}: source {}", node, id, to_string(job.machine.state));
  if (flaw_ == Flaw::kResumesBeforeAbortJournal && job.machine.state == SourceState::kAborting)
    std::erase(actions, SourceAction::kForgetJob);
  if (flaw_ == Flaw::kKeepsRecordWhenInterrupted && event == SourceEvent::kInterrupted)
    std::erase(actions, SourceAction::kForgetJob);
  if (flaw_ == Flaw::kFreesAtHandOver && job.machine.state == SourceState::kHandedOver && before == SourceState::kPreparing)
    actions.push_back(SourceAction::kFreeObjects);
  job.todo.insert(job.todo.end(), actions.begin(), actions.end());
  if (job.todo.empty()) finish_source(node, id);
}

void CutoverWorld::tick_source(NodeIndex node, JobId id, bool quiesce, bool finds_break) {
  Node& home = nodes_[node];
  const auto found = home.sources.find(id);
  if (home.life != Node::Life::kUp || found == home.sources.end() || found->second.is_busy()) return;
  SourceJob& job = found->second;
  if (job.is_decided()) return feed(node, id, SourceEvent::kRetry);
  if (job.paused) return;
  if (job.link == SourceJob::Link::kNone) return open_again(node, id);
  const bool is_preparing = job.machine.state == SourceState::kPreparing;
  // Without another attempt the promise may still come, by a connection for its outcome alone.
  if (finds_break && is_broken(node, id) && (jobs_.at(id).resumes || !is_preparing)) return interrupt_source(node, id);
  if (is_preparing) return feed(node, id, SourceEvent::kRetry);
  if (job.link == SourceJob::Link::kOpen) next_pass(node, id, quiesce);
}

void CutoverWorld::next_pass(NodeIndex node, JobId id, bool quiesce) {
  Node& home = nodes_[node];
  SourceJob& job = home.sources.at(id);
  Served& served = home.served[jobs_.at(id).object];
  if (served.pinned_by != id) return violated("job {} reads an object that another job has", id);
  const Content& now = home.spaces[job.origin.space].content;
  if (job.pass_acknowledged) {
    if (served.quiesced && job.pass > 0 && job.pass_content == now) {
      jobs_.at(id).snapshot = now;
      return feed(node, id, SourceEvent::kPassDone);
    }
    if (quiesce) {
      note("node {}: job {}: quiesced", node, id);
      served.quiesced = true;
    }
    ++job.pass;
    job.pass_acknowledged = false;
    job.pass_content = now;
  }
  Message& message = send(node, id, Kind::kData, job.attempt);
  message.pass = job.pass;
  message.content = job.pass_content;
}

// The next attempt: the object is this job's again, and the attempt's number durable before anybody hears it.
void CutoverWorld::open_again(NodeIndex node, JobId id) {
  Node& home = nodes_[node];
  if (nodes_[1 - node].life != Node::Life::kUp) return;  // Nobody listens.
  SourceJob& job = home.sources.at(id);
  const auto served = home.served.find(jobs_.at(id).object);
  // Elsewhere: it was away meanwhile, and came back.
  if (served == home.served.end() || served->second.pinned_by != 0 || served->second.at.space != job.origin.space) {
    note("node {}: job {}: its object is not to be had any more", node, id);
    return feed(node, id, SourceEvent::kFailed);
  }
  served->second.pinned_by = id;
  job.holds = true;
  job.link = SourceJob::Link::kOffering;
  job.peer_boot = nodes_[1 - node].boot;
  job.pass = 0;
  job.pass_acknowledged = true;
  if (jobs_.at(id).decided) violated("job {} is decided, and begins another attempt", id);
  jobs_.at(id).attempts = ++job.attempt;
  note("node {}: job {}: begins attempt {}", node, id, job.attempt);
  job.steps = {Step::kSendOffer};
  if (home.disk.outbound.contains(id) || flaw_ == Flaw::kJournalsBeforeOfferAgain) job.steps.push_front(Step::kJournalAttempt);
}

void CutoverWorld::take(NodeIndex node, JobId id, SourceJob& job, Step step) {
  if (step == Step::kSendOffer) {
    send(node, id, Kind::kOffer, job.attempt);
    return;
  }
  nodes_[node].disk.outbound[id] = {
      .paused = job.paused, .resumes = jobs_.at(id).resumes, .attempt = job.attempt, .origin = job.origin};
  note("node {}: job {}: attempt {} is durable", node, id, job.attempt);
}

// What a connection that is lost looks like: the other side has restarted or has let go of it, or a message is lost for good.
bool CutoverWorld::is_broken(NodeIndex node, JobId id) const {
  const SourceJob& job = nodes_[node].sources.at(id);
  const Node& peer = nodes_[1 - node];
  if (peer.life == Node::Life::kDown || peer.boot != job.peer_boot) return true;
  const auto destination = peer.destinations.find(id);
  const bool is_known = destination != peer.destinations.end() && destination->second.attempt == job.attempt;
  if (job.link == SourceJob::Link::kOpen) return !is_known || !destination->second.open;
  const auto is_of_offer = [&](const Message& message) {
    return message.job == id && message.attempt == job.attempt &&
           (message.kind == Kind::kOffer || message.kind == Kind::kOffered || message.kind == Kind::kOfferRefused);
  };
  return std::ranges::none_of(network_, is_of_offer) && !(is_known && destination->second.is_busy());
}

void CutoverWorld::interrupt_source(NodeIndex node, JobId id) {
  Node& home = nodes_[node];
  const auto found = home.sources.find(id);
  if (home.life != Node::Life::kUp || found == home.sources.end() || found->second.is_busy()) return;
  SourceJob& job = found->second;
  if (job.is_decided() || job.link == SourceJob::Link::kNone) return;
  note("node {}: job {}: its connection is broken", node, id);
  if (!jobs_.at(id).resumes) return feed(node, id, SourceEvent::kFailed);
  job.link = SourceJob::Link::kNone;
  feed(node, id, SourceEvent::kInterrupted);
}

void CutoverWorld::pause(NodeIndex node, JobId id) {
  Node& home = nodes_[node];
  const auto found = home.sources.find(id);
  if (home.life != Node::Life::kUp || found == home.sources.end() || found->second.is_busy()) return;
  if (found->second.machine.state != SourceState::kSyncing) return;
  note("node {}: job {}: paused", node, id);
  found->second.paused = jobs_.at(id).paused = true;
  if (const auto record = home.disk.outbound.find(id); record != home.disk.outbound.end()) record->second.paused = true;
}

void CutoverWorld::unpause(NodeIndex node, JobId id) {
  Node& home = nodes_[node];
  const auto found = home.sources.find(id);
  if (home.life != Node::Life::kUp || found == home.sources.end() || !found->second.paused) return;
  note("node {}: job {}: goes on after a pause", node, id);
  found->second.paused = jobs_.at(id).paused = false;
  if (const auto record = home.disk.outbound.find(id); record != home.disk.outbound.end()) record->second.paused = false;
}

void CutoverWorld::fail_source(NodeIndex node, JobId id) {
  Node& home = nodes_[node];
  const auto found = home.sources.find(id);
  if (home.life != Node::Life::kUp || found == home.sources.end() || found->second.is_busy()) return;
  note("node {}: job {}: fails or is cancelled", node, id);
  feed(node, id, SourceEvent::kFailed);
}

void CutoverWorld::to_source(const Message& message) {
  Node& home = nodes_[message.to];
  if (message.kind == Kind::kAsk) return answer(message);
  const auto found = home.sources.find(message.job);
  if (found == home.sources.end()) return;
  SourceJob& job = found->second;
  if (!counts(message, job)) return note("node {}: job {}: that was of another attempt", message.to, message.job);
  const auto event = [&]() -> std::optional<SourceEvent> {
    switch (message.kind) {
      case Kind::kOffered:
        if (job.machine.state != SourceState::kSyncing || job.link != SourceJob::Link::kOffering) return std::nullopt;
        job.link = SourceJob::Link::kOpen;
        // Whatever the destination had promised before is not promised any more: the job may be adopted again.
        if (!home.disk.outbound.contains(message.job)) job.steps.push_back(Step::kJournalAttempt);
        return std::nullopt;
      case Kind::kDataDone: job.pass_acknowledged |= message.pass == job.pass; return std::nullopt;
      case Kind::kOfferRefused: return SourceEvent::kFailed;
      case Kind::kPrepared: return SourceEvent::kPrepared;
      case Kind::kRefused: return SourceEvent::kPrepareRefused;
      case Kind::kCommitted: return flaw_ == Flaw::kReclaimsAfterCommitted ? SourceEvent::kLost : SourceEvent::kCommitted;
      case Kind::kAborted: return SourceEvent::kAbortAcked;
      case Kind::kReleased: return SourceEvent::kReleased;
      case Kind::kUnknown: return SourceEvent::kLost;
      case Kind::kOffer:
      case Kind::kData:
      case Kind::kPrepare:
      case Kind::kCommit:
      case Kind::kAbort:
      case Kind::kRelease:
      case Kind::kDecision:
      case Kind::kAsk: return std::nullopt;
    }
    return std::nullopt;
  }();
  if (event) feed(message.to, message.job, *event);
}

// An answer of an older attempt changes nothing, not even after the decision: `unknown` may be about what a prepared
// destination has learnt since. Between two attempts there is nothing to answer.
bool CutoverWorld::counts(const Message& message, const SourceJob& job) const {
  if (flaw_ == Flaw::kStaleAttemptCounts || (flaw_ == Flaw::kStaleAnswerReclaims && job.is_decided())) return true;
  return message.attempt == job.attempt && (job.is_decided() || job.link != SourceJob::Link::kNone);
}

// Nothing is told while the journal has not caught up with the machine.
void CutoverWorld::answer(const Message& ask) {
  const Node& home = nodes_[ask.to];
  const auto found = home.sources.find(ask.job);
  Decision decision = flaw_ == Flaw::kUnknownJobMeansCommit ? Decision::kCommit : Decision::kAbort;
  if (found != home.sources.end()) {
    decision = decision_of(found->second.machine);
    if (found->second.is_busy() && flaw_ != Flaw::kAnswersBeforeDurable) decision = Decision::kPending;
  }
  send(ask.to, ask.job, Kind::kDecision, ask.attempt).decision = decision;
}

void CutoverWorld::journal_hand_over(NodeIndex node, JobId id) {
  Node& home = nodes_[node];
  JobSpec& spec = jobs_.at(id);
  const SourceJob& job = home.sources.at(id);
  const bool adopts = home.life == Node::Life::kRecovering;
  if (!adopts && spec.promised != job.attempt)
    violated("job {} is handed over in attempt {}; the destination's last promise was in {}", id, job.attempt, spec.promised);
  if (!home.disk.outbound.contains(id)) return violated("job {} is handed over, and has no record", id);
  spec.decided = true;
  const bool is_written = flaw_ != Flaw::kHandOverNotJournalled;
  if (is_written) home.disk.outbound.at(id).handed_over = true;
  if (!spec.is_move) {
    acknowledged_.emplace(spec.result, spec.snapshot);  // Promised from now on; unless the destination has lost it already.
    if (!is_held(spec.result, spec.snapshot)) excused_[spec.result] = true;
    return;
  }
  if (is_written) home.disk.catalogue.erase(spec.object);
  home.served.erase(spec.object);
}

void CutoverWorld::resume(NodeIndex node, JobId id, const SourceJob& job) {
  Node& home = nodes_[node];
  const JobSpec& spec = jobs_.at(id);
  if (!job.holds && flaw_ != Flaw::kResumesWhatItReleased) return;  // It may be another job's, or gone.
  const auto found = home.served.find(spec.object);
  if (found != home.served.end()) {
    found->second.quiesced = false;
    if (spec.is_move) found->second.pinned_by = 0;
  } else if (!home.spaces[job.origin.space].gone) {
    home.served[spec.object] = {job.origin, 0, false};
  }
}

void CutoverWorld::perform(NodeIndex node, JobId id, SourceJob& job, SourceAction action) {
  Node& home = nodes_[node];
  JobSpec& spec = jobs_.at(id);
  switch (action) {
    case SourceAction::kSendPrepare: send(node, id, Kind::kPrepare, job.attempt).pass = job.pass; break;
    case SourceAction::kSendCommit: send(node, id, Kind::kCommit, job.attempt); break;
    case SourceAction::kSendAbort: send(node, id, Kind::kAbort, job.attempt); break;
    case SourceAction::kSendRelease: send(node, id, Kind::kRelease, job.attempt); break;
    case SourceAction::kResume: resume(node, id, job); break;
    case SourceAction::kJournalHandOver:
      journal_hand_over(node, id);
      note("node {}: job {}: hand-over is durable", node, id);
      break;
    case SourceAction::kJournalDone:
      if (flaw_ != Flaw::kHandOverNotJournalled && flaw_ != Flaw::kDoneNotJournalled) home.disk.outbound.at(id).done = true;
      note("node {}: job {}: done is durable", node, id);
      break;
    case SourceAction::kFreeObjects:
      if (!spec.owned) violated("job {}: the source frees its bytes before the destination owns them", id);
      home.spaces[job.origin.space].gone = true;
      note("node {}: job {}: space freed", node, id);
      break;
    case SourceAction::kJournalReclaim:
      home.disk.outbound.at(id).handed_over = false;
      if (flaw_ != Flaw::kReclaimedJobResumes) home.disk.outbound.at(id).resumes = false;
      if (spec.is_move && home.spaces[job.origin.space].lasting) home.disk.catalogue[spec.object] = job.origin;
      note("node {}: job {}: reclaim is durable", node, id);
      break;
    case SourceAction::kForgetJob:
      home.disk.outbound.erase(id);
      spec.rolled_back |= job.machine.state == SourceState::kAborting || job.machine.state == SourceState::kAborted;
      note("node {}: job {}: forgotten", node, id);
      break;
  }
}

// The actions of one event are done. A job that was interrupted lets go of its object; one that has ended is unknown from now
// on.
void CutoverWorld::finish_source(NodeIndex node, JobId id) {
  Node& home = nodes_[node];
  SourceJob& job = home.sources.at(id);
  const SourceState state = job.machine.state;
  const bool is_over = state == SourceState::kAborted || (state == SourceState::kDone && !home.disk.outbound.contains(id));
  const bool is_interrupted = state == SourceState::kSyncing && job.link == SourceJob::Link::kNone;
  if (!is_over && !is_interrupted) return;
  if (const auto served = home.served.find(jobs_.at(id).object); served != home.served.end() && served->second.pinned_by == id)
    served->second.pinned_by = 0;
  job.holds = false;
  if (!is_over) return;
  if (flaw_ == Flaw::kResumesBeforeAbortJournal) home.disk.outbound.erase(id);
  home.sources.erase(id);
}

}  // namespace godwit::model::sim
