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
  const auto object = static_cast<ObjectId>(acknowledged_.size() + 1);
  const auto space = static_cast<SpaceId>(home.spaces.size());
  home.spaces.push_back({next_write_, lasting, false});
  acknowledged_[object] = next_write_++;
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

bool CutoverWorld::write(NodeIndex node, ObjectId object) {
  if (!accepts_writes(node, object)) return false;
  Node& home = nodes_[node];
  home.spaces[home.served[object].at.space].content = next_write_;
  acknowledged_[object] = next_write_++;
  note("node {}: object {}: write {} acknowledged", node, object, acknowledged_[object]);
  return true;
}

// ---------------------------------------------------------------- network

void CutoverWorld::send(NodeIndex from, JobId job, Kind kind, uint32_t pass, Content content, Decision decision) {
  const NodeIndex to = 1 - from;
  Message message{kind, job, to, pass, content, decision, nodes_[from].boot, nodes_[to].boot};
  if (kind == Kind::kOffer || kind == Kind::kData) message.receiver_boot = nodes_[from].sources.at(job).peer_boot;
  note("node {}: job {}: sends {}", from, job, to_string(kind));
  network_.push_back(message);
}

bool CutoverWorld::is_busy(const Message& message) const {
  const Node& home = nodes_[message.to];
  if (message.kind == Kind::kAsk) return false;
  const auto source = home.sources.find(message.job);
  const auto destination = home.destinations.find(message.job);
  return (source != home.sources.end() && !source->second.todo.empty()) ||
         (destination != home.destinations.end() && !destination->second.todo.empty());
}

bool CutoverWorld::deliver(size_t index, bool unfit) {
  const Message message = network_[index];
  if (is_busy(message)) return false;
  network_.erase(network_.begin() + static_cast<ptrdiff_t>(index));
  if (nodes_[message.to].life != Node::Life::kUp) {
    note("node {} is down: {} of job {} is lost", message.to, to_string(message.kind), message.job);
    return true;
  }
  note("node {}: job {}: gets {}", message.to, message.job, to_string(message.kind));
  if (message.to == jobs_.at(message.job).source)
    to_source(message);
  else
    to_destination(message, unfit);
  return true;
}

void CutoverWorld::duplicate(size_t index) {
  const Kind kind = network_[index].kind;
  if (kind == Kind::kOffer || kind == Kind::kData) return;  // Their connection gives each of them once.
  network_.push_back(network_[index]);
}

void CutoverWorld::drop(size_t index) {
  note("network drops {} of job {}", to_string(network_[index].kind), network_[index].job);
  network_.erase(network_.begin() + static_cast<ptrdiff_t>(index));
}

// ---------------------------------------------------------------- the engine's thread

bool CutoverWorld::act(NodeIndex node) {
  Node& home = nodes_[node];
  if (home.life == Node::Life::kDown) return false;
  for (auto& [id, job] : home.sources) {
    if (job.todo.empty()) continue;
    const SourceAction action = job.todo.front();
    job.todo.pop_front();
    perform(node, id, job, action);
    if (!job.todo.empty()) return true;
    if (home.life == Node::Life::kRecovering)
      end_recovery(node);
    else
      finish_source(node, id);
    return true;
  }
  for (auto& [id, job] : home.destinations) {
    if (job.todo.empty()) continue;
    const DestinationAction action = job.todo.front();
    job.todo.pop_front();
    perform(node, id, job, action);
    if (!job.todo.empty()) return true;
    finish(node, id);
    if (home.life == Node::Life::kRecovering) end_recovery(node);
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
  home.served.clear();
  home.sources.clear();
  home.destinations.clear();
  for (Space& space : home.spaces)
    if (!space.lasting) space.gone = true;
  excuse_losses();
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
    const bool survived = !home.spaces[record.origin.space].gone || record.done || flaw_ == Flaw::kDoesNotAdopt;
    SourceJob job{recover_source(spec.is_move, record.handed_over, record.done, survived), {}, record.origin};
    note("node {}: job {}: recovered as {}", node, id, to_string(job.machine.state));
    if (job.machine.state == SourceState::kAborted && flaw_ != Flaw::kRecoversWithoutForgetting)
      job.todo = {SourceAction::kForgetJob};
    if (job.machine.state == SourceState::kHandedOver && !record.handed_over) job.todo = {SourceAction::kJournalHandOver};
    home.sources.emplace(id, std::move(job));
  }
  for (const auto& [id, record] : home.disk.inbound) {
    const bool survived = !home.spaces[record.space].gone;
    DestinationJob job{recover_destination(!record.owner, record.owner, survived), {}, record.space};
    if (record.owner && !survived && flaw_ == Flaw::kOwnerWithoutCopyAnswersLost)
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
    if (!record.owner) claimed[record.space] = true;
    if (record.owner && flaw_ == Flaw::kServesByJobRecord && !home.spaces[record.space].gone)
      home.served[jobs_.at(id).result] = {{record.space, jobs_.at(id).epoch}, 0, false};
  }
  for (size_t space = 0; space < claimed.size(); ++space)
    if (!claimed[space] && flaw_ != Flaw::kServesByJobRecord) home.spaces[space].gone = true;
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
    for (NodeIndex node = 0; node < 2; ++node) restart(node);
    constexpr int kMessagesMax = 500;  // Of one round: more would be an endless conversation.
    act_all();
    for (int i = 0; i < kMessagesMax && !network_.empty() && check().empty(); ++i) {
      deliver(size_t{0});
      act_all();
    }
    for (NodeIndex node = 0; node < 2; ++node) {
      std::vector<JobId> ids;
      for (const auto& [id, job] : nodes_[node].sources) ids.push_back(id);
      for (const JobId id : ids) tick_source(node, id, true);
      ids.clear();
      for (const auto& [id, job] : nodes_[node].destinations) ids.push_back(id);
      for (const JobId id : ids) tick_destination(node, id);
    }
  }
  return settled();
}

}  // namespace godwit::model::sim
