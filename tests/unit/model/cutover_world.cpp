#include "cutover_world.hpp"

#include <algorithm>

namespace godwit::model::sim {

std::string_view to_string(Kind kind) {
  switch (kind) {
    case Kind::kOffer: return "offer";
    case Kind::kData: return "data";
    case Kind::kPrepare: return "prepare";
    case Kind::kCommit: return "commit";
    case Kind::kAbort: return "abort";
    case Kind::kRelease: return "release";
    case Kind::kDecision: return "decision";
    case Kind::kOffered: return "offered";
    case Kind::kOfferRefused: return "offer refused";
    case Kind::kDataDone: return "data done";
    case Kind::kPrepared: return "prepared";
    case Kind::kRefused: return "refused";
    case Kind::kCommitted: return "committed";
    case Kind::kAborted: return "aborted";
    case Kind::kReleased: return "released";
    case Kind::kUnknown: return "unknown";
    case Kind::kAsk: return "ask";
  }
  return "?";
}

// ---------------------------------------------------------------- clients

ObjectId CutoverWorld::create(NodeIndex node, bool lasting) {
  Node& home = nodes_[node];
  const auto object = static_cast<ObjectId>(acknowledged_.size() + erased_.size() + 1);
  const auto space = static_cast<SpaceId>(home.spaces.size());
  Content content{};
  content.fill(next_write_++);
  home.spaces.push_back({content, lasting, false});
  acknowledged_[object] = previous_[object] = content;
  const Catalogued at{space, 1};
  if (lasting) home.disk.catalogue[object] = at;
  home.served[object] = {at, 0, false};
  note("node {}: object {} created, {}", node, object, lasting ? "lasting" : "volatile");
  return object;
}

bool CutoverWorld::accepts_writes(NodeIndex node, ObjectId object) const {
  const Node& home = nodes_[node];
  const auto found = home.served.find(object);
  return home.life == Node::Life::kUp && found != home.served.end() && !found->second.quiesced;
}

bool CutoverWorld::write(NodeIndex node, ObjectId object, uint32_t blocks, bool back) {
  if (!accepts_writes(node, object)) return false;
  Node& home = nodes_[node];
  Content& content = acknowledged_[object];
  Content& previous = previous_.try_emplace(object, content).first->second;  // The result of a copy has none yet.
  for (size_t i = 0; i < kBlocks; ++i) {
    if ((blocks >> i & 1) == 0) continue;
    const BlockContent next = back ? previous[i] : next_write_;
    previous[i] = content[i];
    content[i] = next;
  }
  ++next_write_;
  home.spaces[home.served[object].at.space].content = content;
  note("node {}: object {}: write acknowledged, it is {}", node, object, fmt::join(content, "."));
  return true;
}

void CutoverWorld::erase(NodeIndex node, ObjectId object) {
  if (!accepts_writes(node, object)) return;
  Node& home = nodes_[node];
  const Served served = home.served[object];
  if (served.pinned_by != 0) return;
  note("node {}: object {} erased", node, object);
  home.served.erase(object);
  home.disk.catalogue.erase(object);
  home.spaces[served.at.space].gone = true;
  acknowledged_.erase(object);
  previous_.erase(object);
  excused_.erase(object);
  erased_.insert(object);
}

// ---------------------------------------------------------------- network

Message& CutoverWorld::send(NodeIndex from, JobId job, Kind kind, uint32_t attempt) {
  const NodeIndex to = 1 - from;
  Message message{kind, job, to, attempt};
  message.sender_boot = nodes_[from].boot;
  message.receiver_boot = nodes_[to].boot;
  if (kind == Kind::kOffer || kind == Kind::kData) message.receiver_boot = nodes_[from].sources.at(job).peer_boot;
  const bool is_progress = kind == Kind::kOffer || kind == Kind::kData || kind == Kind::kPrepare;
  if (is_progress && jobs_.at(job).paused) violated("job {} is paused, and sends {}", job, to_string(kind));
  note("node {}: job {}: sends {} of attempt {}", from, job, to_string(kind), attempt);
  network_.push_back(message);
  return network_.back();
}

bool CutoverWorld::is_busy(const Message& message) const {
  const Node& home = nodes_[message.to];
  if (message.kind == Kind::kAsk) return false;
  const auto source = home.sources.find(message.job);
  const auto destination = home.destinations.find(message.job);
  return (source != home.sources.end() && source->second.is_busy()) ||
         (destination != home.destinations.end() && destination->second.is_busy());
}

bool CutoverWorld::deliver(size_t index, bool unfit) {
  const Message message = network_[index];
  if (is_busy(message)) return false;
  network_.erase(network_.begin() + static_cast<ptrdiff_t>(index));
  if (nodes_[message.to].life != Node::Life::kUp) {
    note("node {} is down: {} of job {} is lost", message.to, to_string(message.kind), message.job);
    return true;
  }
  note("node {}: job {}: gets {} of attempt {}", message.to, message.job, to_string(message.kind), message.attempt);
  if (message.to == jobs_.at(message.job).source)
    to_source(message);
  else
    to_destination(message, unfit);
  return true;
}

void CutoverWorld::duplicate(size_t index) {
  const Message message = network_[index];
  if (message.kind == Kind::kOffer || message.kind == Kind::kData) return;  // Their connection gives each of them once.
  network_.push_back(message);
}

void CutoverWorld::drop(size_t index) {
  note("network drops {} of job {}", to_string(network_[index].kind), network_[index].job);
  network_.erase(network_.begin() + static_cast<ptrdiff_t>(index));
}

// ---------------------------------------------------------------- the engine's thread

bool is_durable(SourceAction action) {
  return action == SourceAction::kJournalHandOver || action == SourceAction::kJournalDone ||
         action == SourceAction::kJournalReclaim || action == SourceAction::kForgetJob;
}
bool is_durable(DestinationAction action) {
  return action == DestinationAction::kJournalPrepared || action == DestinationAction::kJournalOwner ||
         action == DestinationAction::kJournalReceiving || action == DestinationAction::kForgetJob;
}

// False: it failed, and nothing that follows it may happen. A recovery that cannot be written ends the daemon.
template <class Job, class Perform>
bool CutoverWorld::act_durably(NodeIndex node, JobId id, Job& job, Perform perform) {
  Node& home = nodes_[node];
  if (!home.failure) {
    perform();
    return true;
  }
  const bool is_written = *home.failure == Node::Failure::kWritten;
  home.failure.reset();
  note("node {}: job {}: its journal fails, {}", node, id, is_written ? "and has it" : "and does not have it");
  if (is_written) perform();
  if (flaw_ == Flaw::kGoesOnWithoutRecord) return true;
  job.stuck = true;
  if (home.life == Node::Life::kRecovering) crash(node);
  return false;
}

// `job` may be gone afterwards.
void CutoverWorld::act(NodeIndex node, JobId id, SourceJob& job) {
  const bool is_recovering = nodes_[node].life == Node::Life::kRecovering;
  if (job.todo.empty()) {
    const Step step = job.steps.front();
    job.steps.pop_front();
    const auto take_it = [&] { take(node, id, job, step); };
    if (step == Step::kJournalAttempt)
      act_durably(node, id, job, take_it);
    else
      take_it();
    return;
  }
  const SourceAction action = job.todo.front();
  job.todo.pop_front();
  const auto perform_it = [&] { perform(node, id, job, action); };
  if (!is_durable(action))
    perform_it();
  else if (!act_durably(node, id, job, perform_it))
    return;
  if (!job.todo.empty()) return;
  if (is_recovering)
    end_recovery(node);
  else
    finish_source(node, id);
}

void CutoverWorld::act(NodeIndex node, JobId id, DestinationJob& job) {
  const bool is_recovering = nodes_[node].life == Node::Life::kRecovering;
  if (job.todo.empty()) return read_block(node, id, job);
  const DestinationAction action = job.todo.front();
  job.todo.pop_front();
  const auto perform_it = [&] { perform(node, id, job, action); };
  if (!is_durable(action))
    perform_it();
  else if (!act_durably(node, id, job, perform_it))
    return;
  if (!job.todo.empty()) return;
  finish(node, id);
  if (is_recovering) end_recovery(node);
}

bool CutoverWorld::act(NodeIndex node) {
  Node& home = nodes_[node];
  if (home.life == Node::Life::kDown) return false;
  for (auto& [id, job] : home.sources) {
    if (!job.is_busy() || job.stuck) continue;
    act(node, id, job);
    return true;
  }
  for (auto& [id, job] : home.destinations) {
    const bool reads = job.next_block && home.life == Node::Life::kUp;
    if (job.stuck || (job.todo.empty() && !reads)) continue;
    act(node, id, job);
    return true;
  }
  return false;
}

void CutoverWorld::act_all() {
  while (act(0) || act(1)) continue;
}

// ---------------------------------------------------------------- crashes

void CutoverWorld::crash(NodeIndex node) {
  Node& home = nodes_[node];
  if (home.life == Node::Life::kDown) return;
  note("node {} crashes", node);
  home.life = Node::Life::kDown;
  for (const auto& [id, job] : home.destinations)  // A block that was being read is torn.
    if (job.next_block && *job.next_block < kBlocks && !is_here_already(node, job, *job.next_block))
      home.spaces[job.space].content[*job.next_block] = next_write_++;
  home.served.clear();
  home.sources.clear();
  home.destinations.clear();
  for (Space& space : home.spaces)
    if (!space.lasting) space.gone = true;
  excuse_losses();
}

void CutoverWorld::fail_disk(NodeIndex node, bool writes) {
  nodes_[node].failure = writes ? Node::Failure::kWritten : Node::Failure::kNotWritten;
}

void CutoverWorld::restart(NodeIndex node) {
  Node& home = nodes_[node];
  if (home.life != Node::Life::kDown) return;
  note("node {} restarts", node);
  home.life = Node::Life::kRecovering;
  ++home.boot;
  recover(node);
  end_recovery(node);
}

// As the machines' contract says: the journal agrees with what was decided before anybody is served or answered.
void CutoverWorld::recover(NodeIndex node) {
  Node& home = nodes_[node];
  for (const auto& [id, record] : home.disk.outbound) {
    const JobSpec& spec = jobs_.at(id);
    // The target, not the bytes: while the job was interrupted another one may have moved the object away.
    const bool survived = home.spaces[record.origin.space].lasting || record.done || flaw_ == Flaw::kDoesNotAdopt;
    SourceJob job{recover_source(spec.is_move, record.handed_over, record.done, survived, record.resumes)};
    job.origin = record.origin;
    job.attempt = flaw_ == Flaw::kAttemptNotJournalled ? 1 : record.attempt;
    job.paused = record.paused && flaw_ != Flaw::kForgetsPause;
    job.holds = job.machine.state != SourceState::kSyncing;
    job.link = SourceJob::Link::kNone;
    note("node {}: job {}: recovered as {}", node, id, to_string(job.machine.state));
    if (job.machine.state == SourceState::kAborted && flaw_ != Flaw::kRecoversWithoutForgetting)
      job.todo = {SourceAction::kForgetJob};
    if (job.machine.state == SourceState::kHandedOver && !record.handed_over) job.todo = {SourceAction::kJournalHandOver};
    home.sources.emplace(id, std::move(job));
  }
  for (const auto& [id, record] : home.disk.inbound) {
    const bool survived = !home.spaces[record.space].gone;
    DestinationJob job{recover_destination(record.kind, survived)};
    job.space = record.space;
    job.attempt = record.attempt;
    if (flaw_ != Flaw::kForgetsCheckpoint) job.digests = record.digests;
    if (record.kind == DestinationRecord::kOwner && !survived && flaw_ == Flaw::kOwnerWithoutCopyAnswersLost)
      job.machine.state = DestinationState::kAborted;
    note("node {}: job {}: recovered as {}", node, id, to_string(job.machine.state));
    if (job.machine.state == DestinationState::kAborted) job.todo = {DestinationAction::kForgetJob};
    home.destinations.emplace(id, std::move(job));
  }
}

void CutoverWorld::end_recovery(NodeIndex node) {
  Node& home = nodes_[node];
  for (const auto& [id, job] : home.sources)
    if (!job.todo.empty()) return;
  for (const auto& [id, job] : home.destinations)
    if (!job.todo.empty()) return;
  home.life = Node::Life::kUp;
  std::vector<bool> claimed(home.spaces.size());
  for (const auto& [object, at] : home.disk.catalogue) {
    home.served[object] = {at, 0, false};
    claimed[at.space] = true;
  }
  for (const auto& [id, record] : home.disk.outbound)
    if (record.handed_over && !record.done) claimed[record.origin.space] = true;
  for (const auto& [id, record] : home.disk.inbound) {
    const bool is_owner = record.kind == DestinationRecord::kOwner;
    if (!is_owner) claimed[record.space] = true;
    if (is_owner && flaw_ == Flaw::kServesByJobRecord && !home.spaces[record.space].gone) {
      home.served[jobs_.at(id).result] = {{record.space, jobs_.at(id).epoch}, 0, false};
      claimed[record.space] = true;
    }
  }
  for (size_t space = 0; space < claimed.size(); ++space)
    if (!claimed[space]) home.spaces[space].gone = true;
  std::erase_if(home.sources, [](const auto& job) { return job.second.machine.state == SourceState::kAborted; });
  note("node {} is up", node);
}

// ---------------------------------------------------------------- scripts

bool CutoverWorld::deliver(Kind kind) {
  act_all();
  const auto found = std::ranges::find(network_, kind, &Message::kind);
  if (found == network_.end()) return false;
  deliver(static_cast<size_t>(found - network_.begin()));
  act_all();
  return true;
}

void CutoverWorld::drop_all(Kind kind) {
  std::erase_if(network_, [&](const Message& message) { return message.kind == kind; });
}

void CutoverWorld::transfer(JobId job) {
  const NodeIndex source = jobs_.at(job).source;
  for (int i = 0; i < 10; ++i) {
    while (deliver(Kind::kOffer) || deliver(Kind::kOffered) || deliver(Kind::kData) || deliver(Kind::kDataDone)) continue;
    if (!nodes_[source].sources.contains(job) || nodes_[source].sources.at(job).machine.state != SourceState::kSyncing) return;
    tick_source(source, job, i > 1);
    act_all();
  }
}

bool CutoverWorld::settled() const {
  if (!network_.empty()) return false;
  return std::ranges::all_of(nodes_, [](const Node& node) {
    return node.life == Node::Life::kUp && node.sources.empty() && node.destinations.empty() && node.disk.outbound.empty() &&
           node.disk.inbound.empty();
  });
}

bool CutoverWorld::settle() {
  constexpr int kRoundsMax = 60;
  for (int round = 0; round < kRoundsMax && !settled() && check().empty(); ++round) {
    for (NodeIndex node = 0; node < 2; ++node) {
      const auto is_stuck = [](const auto& job) { return job.second.stuck; };
      nodes_[node].failure.reset();
      if (std::ranges::any_of(nodes_[node].sources, is_stuck) || std::ranges::any_of(nodes_[node].destinations, is_stuck))
        crash(node);
      restart(node);
    }
    constexpr int kMessagesMax = 500;  // Of one round: more would be an endless conversation.
    act_all();
    for (int i = 0; i < kMessagesMax && !network_.empty() && check().empty(); ++i) {
      deliver(size_t{0});
      act_all();
    }
    for (NodeIndex node = 0; node < 2; ++node) {
      std::vector<JobId> ids;
      for (const auto& [id, job] : nodes_[node].sources) ids.push_back(id);
      for (const JobId id : ids) {
        unpause(node, id);
        tick_source(node, id, true);
      }
      ids.clear();
      for (const auto& [id, job] : nodes_[node].destinations) ids.push_back(id);
      for (const JobId id : ids) tick_destination(node, id);
    }
  }
  return settled();
}

}  // namespace godwit::model::sim
