// The destination's side of the simulated engine.
#include "cutover_world.hpp"

namespace godwit::model::sim {

void CutoverWorld::feed(NodeIndex node, JobId id, DestinationEvent event, bool answers) {
  DestinationJob& job = nodes_[node].destinations.at(id);
  const DestinationState before = job.machine.state;
  const std::vector<DestinationAction> actions = job.machine.on(event);
  if (job.machine.state != before) note("node {}: job {}: destination {}", node, id, to_string(job.machine.state));
  job.answers = answers;
  job.todo.insert(job.todo.end(), actions.begin(), actions.end());
  if (flaw_ == Flaw::kDestinationForgetsAtCommit && before == DestinationState::kPrepared &&
      job.machine.state == DestinationState::kOwner)
    job.todo.push_back(DestinationAction::kForgetJob);
  if (job.todo.empty()) finish(node, id);
}

void CutoverWorld::tick_destination(NodeIndex node, JobId id) {
  Node& home = nodes_[node];
  const auto found = home.destinations.find(id);
  if (home.life != Node::Life::kUp || found == home.destinations.end() || !found->second.todo.empty()) return;
  // A source that does not work on the job any more says nothing: the deadline passes.
  const auto& sources = nodes_[1 - node].sources;
  const auto source = sources.find(id);
  const bool is_alive =
      nodes_[1 - node].boot == found->second.source_boot && source != sources.end() &&
      (source->second.machine.state == SourceState::kSyncing || source->second.machine.state == SourceState::kPreparing);
  if (found->second.machine.state == DestinationState::kReceiving && !is_alive) return lose_source(node, id);
  feed(node, id, DestinationEvent::kRetry, true);
}

void CutoverWorld::lose_source(NodeIndex node, JobId id) {
  Node& home = nodes_[node];
  const auto found = home.destinations.find(id);
  if (home.life != Node::Life::kUp || found == home.destinations.end() || !found->second.todo.empty()) return;
  note("node {}: job {}: lost its source", node, id);
  feed(node, id, DestinationEvent::kSourceLost, false);
}

void CutoverWorld::to_destination(const Message& message, bool unfit) {
  Node& home = nodes_[message.to];
  if (message.kind == Kind::kOffer) return offered(message);
  const auto found = home.destinations.find(message.job);
  if (found != home.destinations.end() && message.kind != Kind::kData) return decided(message, unfit);
  if (found == home.destinations.end()) {
    // A job that is not known here was aborted, or has been released.
    if (message.kind == Kind::kRelease) return send(message.to, message.job, Kind::kReleased);
    if (message.kind != Kind::kDecision) send(message.to, message.job, Kind::kUnknown);
    return;
  }
  DestinationJob& job = found->second;
  if (job.machine.state != DestinationState::kReceiving || message.sender_boot != job.source_boot ||
      message.receiver_boot != home.boot || message.pass < job.pass)
    return;
  job.pass = message.pass;
  home.spaces[job.space].content = message.content;
  send(message.to, message.job, Kind::kDataDone, message.pass);
}

void CutoverWorld::offered(const Message& message) {
  Node& home = nodes_[message.to];
  if (message.receiver_boot != home.boot || message.sender_boot != nodes_[1 - message.to].boot) return;
  const JobSpec& spec = jobs_.at(message.job);
  if (const auto known = home.destinations.find(message.job); known != home.destinations.end()) {
    if (known->second.machine.state == DestinationState::kReceiving) send(message.to, message.job, Kind::kOffered);
    return;
  }
  bool is_here = home.served.contains(spec.result);
  for (const auto& [id, job] : home.destinations)
    is_here |= jobs_.at(id).result == spec.result && job.machine.state != DestinationState::kOwner;
  if (is_here) return send(message.to, message.job, Kind::kOfferRefused);
  DestinationJob job;
  job.space = static_cast<SpaceId>(home.spaces.size());
  job.source_boot = message.sender_boot;
  home.spaces.push_back({0, spec.destination_lasting, false});
  home.destinations.emplace(message.job, job);
  send(message.to, message.job, Kind::kOffered);
}

void CutoverWorld::decided(const Message& message, bool unfit) {
  const NodeIndex node = message.to;
  DestinationJob& job = nodes_[node].destinations.at(message.job);
  const bool is_whole = (message.pass == job.pass && job.pass > 0) || flaw_ == Flaw::kPreparesWithoutLastPass;
  switch (message.kind) {
    case Kind::kPrepare:
      // Only while it receives: what is prepared stays so.
      if (job.machine.state == DestinationState::kReceiving && (unfit || !is_whole))
        return feed(node, message.job, DestinationEvent::kPrepareUnfit, true);
      return feed(node, message.job, DestinationEvent::kPrepare, true);
    case Kind::kCommit:
      if (job.machine.state == DestinationState::kReceiving || job.machine.state == DestinationState::kAborted)
        job.last_word = Kind::kUnknown;
      return feed(node, message.job, DestinationEvent::kCommit, true);
    case Kind::kAbort: return feed(node, message.job, DestinationEvent::kAbort, true);
    case Kind::kRelease: job.last_word = Kind::kReleased; return feed(node, message.job, DestinationEvent::kRelease, true);
    case Kind::kDecision:
      if (message.decision == Decision::kCommit) return feed(node, message.job, DestinationEvent::kCommit, false);
      if (message.decision == Decision::kAbort) return feed(node, message.job, DestinationEvent::kAbort, false);
      return;
    case Kind::kOffer:
    case Kind::kData:
    case Kind::kOffered:
    case Kind::kOfferRefused:
    case Kind::kDataDone:
    case Kind::kPrepared:
    case Kind::kRefused:
    case Kind::kCommitted:
    case Kind::kAborted:
    case Kind::kReleased:
    case Kind::kUnknown:
    case Kind::kAsk: return;
  }
}

// The actions of one event are done: the last word is said, and a job that has ended is unknown from now on.
void CutoverWorld::finish(NodeIndex node, JobId id) {
  DestinationJob& job = nodes_[node].destinations.at(id);
  if (job.last_word) send(node, id, *job.last_word);
  job.last_word.reset();
  if (job.forgotten || job.machine.state == DestinationState::kAborted) nodes_[node].destinations.erase(id);
}

void CutoverWorld::journal_owner(NodeIndex node, JobId id, const DestinationJob& job) {
  Node& home = nodes_[node];
  JobSpec& spec = jobs_.at(id);
  const auto& decisions = nodes_[spec.source].disk.outbound;
  if (spec.owned) violated("job {} is committed twice", id);
  if (!decisions.contains(id) || !decisions.at(id).handed_over)
    violated("job {} is committed, and its source's journal does not know of the hand-over", id);
  spec.owned = true;
  home.disk.inbound.at(id).owner = true;
  if (spec.destination_lasting) home.disk.catalogue[spec.result] = {job.space, spec.epoch};
  note("node {}: job {}: ownership is durable", node, id);
}

void CutoverWorld::perform(NodeIndex node, JobId id, DestinationJob& job, DestinationAction action) {
  Node& home = nodes_[node];
  const JobSpec& spec = jobs_.at(id);
  const auto reply = [&](Kind kind) {
    if (job.answers) send(node, id, kind);
  };
  switch (action) {
    case DestinationAction::kJournalPrepared:
      home.disk.inbound[id] = {false, job.space};
      note("node {}: job {}: prepared is durable", node, id);
      break;
    case DestinationAction::kSendPrepared: reply(Kind::kPrepared); break;
    case DestinationAction::kSendPrepareRefused: reply(Kind::kRefused); break;
    case DestinationAction::kSendCommitted: reply(Kind::kCommitted); break;
    case DestinationAction::kSendAborted: reply(Kind::kAborted); break;
    case DestinationAction::kJournalOwner: journal_owner(node, id, job); break;
    case DestinationAction::kServe: home.served[spec.result] = {{job.space, spec.epoch}, 0, false}; break;
    case DestinationAction::kFreeSpace: home.spaces[job.space].gone = true; break;
    case DestinationAction::kAskSource: send(node, id, Kind::kAsk); break;
    case DestinationAction::kForgetJob:
      home.disk.inbound.erase(id);
      job.forgotten = true;
      note("node {}: job {}: forgotten", node, id);
      break;
  }
}

}  // namespace godwit::model::sim
