// The destination's side of the simulated engine.
#include "cutover_world.hpp"

namespace godwit::model::sim {

void CutoverWorld::feed(NodeIndex node, JobId id, DestinationEvent event, bool answers) {
  DestinationJob& job = nodes_[node].destinations.at(id);
  const DestinationState before = job.machine.state;
  std::vector<DestinationAction> actions = job.machine.on(event);
  if (flaw_ == Flaw::kReceivesWithoutJournal) std::erase(actions, DestinationAction::kJournalReceiving);
  if (job.machine.state != before) note("node {}: job {}: destination {}", node, id, to_string(job.machine.state));
  job.answers = answers;
  if (job.machine.state != DestinationState::kReceiving) job.next_block.reset();
  job.todo.insert(job.todo.end(), actions.begin(), actions.end());
  if (flaw_ == Flaw::kDestinationForgetsAtCommit && before == DestinationState::kPrepared &&
      job.machine.state == DestinationState::kOwner)
    job.todo.push_back(DestinationAction::kForgetJob);
  if (job.todo.empty()) finish(node, id);
}

void CutoverWorld::tick_destination(NodeIndex node, JobId id) {
  Node& home = nodes_[node];
  const auto found = home.destinations.find(id);
  if (home.life != Node::Life::kUp || found == home.destinations.end() || found->second.is_busy()) return;
  const DestinationJob& job = found->second;
  // A source that does not work on the job any more says nothing: the deadline passes.
  const auto& sources = nodes_[1 - node].sources;
  const auto source = sources.find(id);
  const bool is_alive = job.open && nodes_[1 - node].boot == job.source_boot && source != sources.end() &&
                        source->second.attempt == job.attempt && !source->second.is_decided();
  if (job.machine.state == DestinationState::kReceiving && !is_alive) {
    interrupt_destination(node, id);
    if (jobs_.at(id).resumes) send(node, id, Kind::kAsk, job.attempt);
    return;
  }
  feed(node, id, DestinationEvent::kRetry, true);
}

void CutoverWorld::interrupt_destination(NodeIndex node, JobId id) {
  Node& home = nodes_[node];
  const auto found = home.destinations.find(id);
  if (home.life != Node::Life::kUp || found == home.destinations.end() || found->second.is_busy()) return;
  if (!jobs_.at(id).resumes) return lose_source(node, id);
  if (!found->second.open) return;
  note("node {}: job {}: its connection is broken", node, id);
  found->second.open = false;
  found->second.next_block.reset();
}

void CutoverWorld::lose_source(NodeIndex node, JobId id) {
  Node& home = nodes_[node];
  const auto found = home.destinations.find(id);
  if (home.life != Node::Life::kUp || found == home.destinations.end() || found->second.is_busy()) return;
  note("node {}: job {}: lost its source", node, id);
  feed(node, id, DestinationEvent::kSourceLost, false);
}

void CutoverWorld::checkpoint(NodeIndex node, JobId id) {
  Node& home = nodes_[node];
  const auto found = home.destinations.find(id);
  if (home.life != Node::Life::kUp || found == home.destinations.end() || found->second.is_busy()) return;
  if (!jobs_.at(id).resumes || found->second.machine.state != DestinationState::kReceiving) return;
  note("node {}: job {}: checkpoint", node, id);
  journal_inbound(node, id, found->second, DestinationRecord::kReceiving);
}

void CutoverWorld::to_destination(const Message& message, bool unfit) {
  Node& home = nodes_[message.to];
  if (message.kind == Kind::kOffer) return offered(message);
  if (message.kind == Kind::kData) return announced(message);
  if (home.destinations.contains(message.job)) return decided(message, unfit);
  // A job that is not known here was aborted, or has been released.
  if (message.kind == Kind::kRelease)
    send(message.to, message.job, Kind::kReleased, message.attempt);
  else if (message.kind != Kind::kDecision)
    send(message.to, message.job, Kind::kUnknown, message.attempt);
}

// A pass begins: the blocks that differ are read one by one.
void CutoverWorld::announced(const Message& message) {
  Node& home = nodes_[message.to];
  if (message.receiver_boot != home.boot || message.sender_boot != nodes_[1 - message.to].boot)
    return;  // Its connection is gone.
  const auto found = home.destinations.find(message.job);
  if (found == home.destinations.end()) {
    send(message.to, message.job, Kind::kUnknown, message.attempt);
    return;
  }
  DestinationJob& job = found->second;
  if (message.attempt != job.attempt && flaw_ != Flaw::kStaleAttemptCounts) return;
  if (job.machine.state != DestinationState::kReceiving || !job.open || message.pass < job.pass) return;
  job.pass = message.pass;
  job.announced = message.content;
  job.next_block = 0;
}

// A digest of what this daemon has written itself is as good as the bytes. One of a record is not: the block may have been
// written since. So the bytes are read before a block is taken for the source's.
bool CutoverWorld::is_here_already(NodeIndex node, const DestinationJob& job, size_t block) const {
  if (job.digests[block] != job.announced[block]) return false;
  return nodes_[node].spaces[job.space].content[block] == job.announced[block] || flaw_ == Flaw::kTrustsCheckpoint;
}

void CutoverWorld::read_block(NodeIndex node, JobId id, DestinationJob& job) {
  JobSpec& spec = jobs_.at(id);
  size_t& block = *job.next_block;
  for (; block < kBlocks && is_here_already(node, job, block); ++block) ++spec.blocks_skipped;
  if (block == kBlocks) {
    if (job.stray) nodes_[node].spaces[job.space].content[job.stray->block] = job.stray->content;
    job.stray.reset();
    job.next_block.reset();
    job.whole_pass = job.pass;
    send(node, id, Kind::kDataDone, job.attempt).pass = job.pass;
    return;
  }
  BlockContent& bytes = nodes_[node].spaces[job.space].content[block];
  if (spec.checkpoint_space == job.space && spec.checkpoint[block] == job.announced[block] && bytes == job.announced[block])
    violated("promise 6: job {} reads block {} again, which a checkpoint has", id, block);
  bytes = job.digests[block] = job.announced[block];
  note("node {}: job {}: reads block {}: {}", node, id, block, bytes);
  ++spec.blocks_read;
  ++block;
}

void CutoverWorld::offered(const Message& message) {
  Node& home = nodes_[message.to];
  if (message.receiver_boot != home.boot || message.sender_boot != nodes_[1 - message.to].boot) return;
  JobSpec& spec = jobs_.at(message.job);
  const auto begin_attempt = [&](DestinationJob& job) {
    job.attempt = job.answered_attempt = message.attempt;
    job.source_boot = message.sender_boot;
    job.open = true;
    job.pass = job.whole_pass = 0;
    if (flaw_ == Flaw::kReadsOutliveTheirAttempt && job.next_block && *job.next_block < kBlocks)
      job.stray = {*job.next_block, job.announced[*job.next_block]};
    job.next_block.reset();
  };
  if (const auto known = home.destinations.find(message.job); known != home.destinations.end()) {
    DestinationJob& job = known->second;
    const bool is_open = job.machine.state == DestinationState::kReceiving || job.machine.state == DestinationState::kPrepared;
    if (message.attempt <= job.attempt || !is_open) return;
    spec.fallbacks += job.machine.state == DestinationState::kPrepared;
    begin_attempt(job);
    job.last_word = Kind::kOffered;
    return feed(message.to, message.job, DestinationEvent::kOfferAgain, true);
  }
  bool is_here = home.served.contains(spec.result);
  for (const auto& [id, job] : home.destinations)
    is_here |= jobs_.at(id).result == spec.result && job.machine.state != DestinationState::kOwner;
  if (is_here) {
    send(message.to, message.job, Kind::kOfferRefused, message.attempt);
    return;
  }
  DestinationJob job;
  job.space = static_cast<SpaceId>(home.spaces.size());
  begin_attempt(job);
  home.spaces.push_back({{}, spec.destination_lasting, false});
  home.destinations.emplace(message.job, job);
  send(message.to, message.job, Kind::kOffered, message.attempt);
}

void CutoverWorld::decided(const Message& message, bool unfit) {
  const NodeIndex node = message.to;
  DestinationJob& job = nodes_[node].destinations.at(message.job);
  const bool takes_all = flaw_ == Flaw::kStaleAttemptCounts;
  job.answered_attempt = message.attempt;
  switch (message.kind) {
    case Kind::kPrepare: {
      if (message.attempt != job.attempt && !takes_all) return;
      // Only while it receives: what is prepared stays so.
      if (job.machine.state != DestinationState::kReceiving) return feed(node, message.job, DestinationEvent::kPrepare, true);
      if (!job.open && !takes_all) return;
      bool is_whole = message.pass == job.whole_pass && job.pass == job.whole_pass && !job.next_block;
      if (unfit) {  // A block is not what was written.
        nodes_[node].spaces[job.space].content[0] = next_write_++;
        is_whole = false;
      }
      const bool takes_it = is_whole || flaw_ == Flaw::kPreparesWithoutLastPass;
      return feed(node, message.job, takes_it ? DestinationEvent::kPrepare : DestinationEvent::kPrepareUnfit, true);
    }
    case Kind::kCommit:
      if (job.machine.state == DestinationState::kReceiving || job.machine.state == DestinationState::kAborted)
        job.last_word = Kind::kUnknown;
      return feed(node, message.job, DestinationEvent::kCommit, true);
    case Kind::kAbort:
      if (message.attempt < job.attempt && !takes_all) return;
      return feed(node, message.job, DestinationEvent::kAbort, true);
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
  if (job.last_word) send(node, id, *job.last_word, job.answered_attempt);
  job.last_word.reset();
  if (job.forgotten || job.machine.state == DestinationState::kAborted) nodes_[node].destinations.erase(id);
}

void CutoverWorld::journal_inbound(NodeIndex node, JobId id, const DestinationJob& job, DestinationRecord kind) {
  nodes_[node].disk.inbound[id] = {kind, job.space, job.attempt, job.digests};
  JobSpec& spec = jobs_.at(id);
  spec.checkpoint_space = job.space;
  spec.checkpoint = job.digests;
}

void CutoverWorld::journal_owner(NodeIndex node, JobId id, const DestinationJob& job) {
  Node& home = nodes_[node];
  JobSpec& spec = jobs_.at(id);
  const auto& decisions = nodes_[spec.source].disk.outbound;
  if (spec.owned) violated("job {} is committed twice", id);
  if (!decisions.contains(id) || !decisions.at(id).handed_over)
    violated("job {} is committed, and its source's journal does not know of the hand-over", id);
  if (spec.rolled_back) violated("job {} is committed after its abort", id);
  if (!has(node, job.space, spec.snapshot))
    violated("promise 5: job {}: the destination owns {}, not {}", id, fmt::join(home.spaces[job.space].content, "."),
             fmt::join(spec.snapshot, "."));
  spec.owned = true;
  home.disk.inbound.at(id).kind = DestinationRecord::kOwner;
  if (spec.destination_lasting) home.disk.catalogue[spec.result] = {job.space, spec.epoch};
  note("node {}: job {}: ownership is durable", node, id);
}

void CutoverWorld::perform(NodeIndex node, JobId id, DestinationJob& job, DestinationAction action) {
  Node& home = nodes_[node];
  JobSpec& spec = jobs_.at(id);
  const auto reply = [&](Kind kind) {
    if (job.answers) send(node, id, kind, job.answered_attempt);
  };
  switch (action) {
    case DestinationAction::kJournalPrepared:
      journal_inbound(node, id, job, DestinationRecord::kPrepared);
      spec.promised = job.attempt;
      note("node {}: job {}: prepared is durable", node, id);
      break;
    case DestinationAction::kSendPrepared: reply(Kind::kPrepared); break;
    case DestinationAction::kSendPrepareRefused: reply(Kind::kRefused); break;
    case DestinationAction::kSendCommitted: reply(Kind::kCommitted); break;
    case DestinationAction::kSendAborted: reply(Kind::kAborted); break;
    case DestinationAction::kJournalOwner: journal_owner(node, id, job); break;
    case DestinationAction::kServe: home.served[spec.result] = {{job.space, spec.epoch}, 0, false}; break;
    case DestinationAction::kJournalReceiving:
      journal_inbound(node, id, job, DestinationRecord::kReceiving);
      note("node {}: job {}: the promise is taken back, durably", node, id);
      break;
    case DestinationAction::kFreeSpace:
      if (home.disk.inbound.contains(id)) violated("job {}: the space is free, and its record claims it", id);
      home.spaces[job.space].gone = true;
      break;
    case DestinationAction::kAskSource: send(node, id, Kind::kAsk, job.attempt); break;
    case DestinationAction::kForgetJob:
      home.disk.inbound.erase(id);
      job.forgotten = true;
      note("node {}: job {}: forgotten", node, id);
      break;
  }
}

}  // namespace godwit::model::sim
