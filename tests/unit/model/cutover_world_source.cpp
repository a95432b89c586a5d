// The source's side of the simulated engine.
#include <algorithm>

#include "cutover_world.hpp"

namespace godwit::model::sim {

std::optional<JobId> CutoverWorld::start(NodeIndex node, ObjectId object, bool is_move, bool destination_lasting) {
  Node& home = nodes_[node];
  if (!accepts_writes(node, object) || home.served[object].pinned_by != 0) return std::nullopt;
  const auto id = static_cast<JobId>(jobs_.size() + 1);
  Served& served = home.served[object];
  served.pinned_by = id;
  // The result of a copy is an object once it is decided; until then its number is reserved.
  const ObjectId result = is_move ? object : 1000 + id;
  jobs_[id] = {object, result, is_move, destination_lasting, node, is_move ? served.at.epoch + 1 : 1};
  home.disk.outbound[id] = {false, false, served.at};
  SourceJob job{{SourceState::kSyncing, is_move}, {}, served.at};
  job.peer_boot = nodes_[1 - node].boot;
  home.sources.emplace(id, job);
  note("node {}: job {}: {} object {} to a {} target", node, id, is_move ? "moves" : "copies", object,
       destination_lasting ? "lasting" : "volatile");
  send(node, id, Kind::kOffer);
  return id;
}

void CutoverWorld::feed(NodeIndex node, JobId id, SourceEvent event) {
  SourceJob& job = nodes_[node].sources.at(id);
  const SourceState before = job.machine.state;
  std::vector<SourceAction> actions = job.machine.on(event);
  if (job.machine.state != before) note("node {}: job {}: source {}", node, id, to_string(job.machine.state));
  if (flaw_ == Flaw::kResumesBeforeAbortJournal && job.machine.state == SourceState::kAborting)
    std::erase(actions, SourceAction::kForgetJob);
  if (flaw_ == Flaw::kFreesAtHandOver && job.machine.state == SourceState::kHandedOver && before == SourceState::kPreparing)
    actions.push_back(SourceAction::kFreeObjects);
  job.todo.insert(job.todo.end(), actions.begin(), actions.end());
  if (job.todo.empty()) finish_source(node, id);
}

void CutoverWorld::tick_source(NodeIndex node, JobId id, bool quiesce) {
  Node& home = nodes_[node];
  const auto found = home.sources.find(id);
  if (home.life != Node::Life::kUp || found == home.sources.end() || !found->second.todo.empty()) return;
  SourceJob& job = found->second;
  if (job.machine.state != SourceState::kSyncing) return feed(node, id, SourceEvent::kRetry);
  if (job.peer_boot != nodes_[1 - node].boot) return feed(node, id, SourceEvent::kFailed);  // The connection broke.
  if (!job.offered) return send(node, id, Kind::kOffer);
  if (!job.pass_acknowledged) return send(node, id, Kind::kData, job.pass, job.pass_content);
  Served& served = home.served.at(jobs_.at(id).object);
  const Content now = home.spaces[job.origin.space].content;
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
  send(node, id, Kind::kData, job.pass, now);
}

void CutoverWorld::fail_source(NodeIndex node, JobId id) {
  Node& home = nodes_[node];
  const auto found = home.sources.find(id);
  if (home.life != Node::Life::kUp || found == home.sources.end() || !found->second.todo.empty()) return;
  note("node {}: job {}: fails or is cancelled", node, id);
  feed(node, id, SourceEvent::kFailed);
}

void CutoverWorld::to_source(const Message& message) {
  Node& home = nodes_[message.to];
  if (message.kind == Kind::kAsk) return answer(message);
  const auto found = home.sources.find(message.job);
  if (found == home.sources.end()) return;
  SourceJob& job = found->second;
  const auto event = [&]() -> std::optional<SourceEvent> {
    switch (message.kind) {
      case Kind::kOffered: job.offered = true; return std::nullopt;
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

// Nothing is told while the journal has not caught up with the machine.
void CutoverWorld::answer(const Message& ask) {
  const Node& home = nodes_[ask.to];
  const auto found = home.sources.find(ask.job);
  Decision decision = flaw_ == Flaw::kUnknownJobMeansCommit ? Decision::kCommit : Decision::kAbort;
  if (found != home.sources.end()) {
    decision = decision_of(found->second.machine);
    if (!found->second.todo.empty() && flaw_ != Flaw::kAnswersBeforeDurable) decision = Decision::kPending;
  }
  send(ask.to, ask.job, Kind::kDecision, 0, 0, decision);
}

void CutoverWorld::journal_hand_over(NodeIndex node, JobId id) {
  Node& home = nodes_[node];
  JobSpec& spec = jobs_.at(id);
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
  const JobSpec& spec = jobs_.at(id);
  switch (action) {
    case SourceAction::kSendPrepare: send(node, id, Kind::kPrepare, job.pass); break;
    case SourceAction::kSendCommit: send(node, id, Kind::kCommit); break;
    case SourceAction::kSendAbort: send(node, id, Kind::kAbort); break;
    case SourceAction::kSendRelease: send(node, id, Kind::kRelease); break;
    case SourceAction::kResume: resume(node, id, job); break;
    case SourceAction::kJournalHandOver:
      journal_hand_over(node, id);
      note("node {}: job {}: hand-over is durable", node, id);
      break;
    case SourceAction::kJournalDone:
      if (flaw_ != Flaw::kHandOverNotJournalled) home.disk.outbound.at(id).done = true;
      note("node {}: job {}: done is durable", node, id);
      break;
    case SourceAction::kFreeObjects:
      if (!spec.owned) violated("job {}: the source frees its bytes before the destination owns them", id);
      home.spaces[job.origin.space].gone = true;
      note("node {}: job {}: space freed", node, id);
      break;
    case SourceAction::kJournalReclaim:
      home.disk.outbound.at(id).handed_over = false;
      if (spec.is_move && home.spaces[job.origin.space].lasting) home.disk.catalogue[spec.object] = job.origin;
      note("node {}: job {}: reclaim is durable", node, id);
      break;
    case SourceAction::kForgetJob:
      home.disk.outbound.erase(id);
      note("node {}: job {}: forgotten", node, id);
      break;
  }
}

// The actions of one event are done. A job that has ended is unknown from now on.
void CutoverWorld::finish_source(NodeIndex node, JobId id) {
  Node& home = nodes_[node];
  const SourceState state = home.sources.at(id).machine.state;
  const bool is_over = state == SourceState::kAborted || (state == SourceState::kDone && !home.disk.outbound.contains(id));
  if (!is_over) return;
  if (flaw_ == Flaw::kResumesBeforeAbortJournal) home.disk.outbound.erase(id);
  if (const auto served = home.served.find(jobs_.at(id).object); served != home.served.end() && served->second.pinned_by == id)
    served->second.pinned_by = 0;
  home.sources.erase(id);
}

}  // namespace godwit::model::sim
