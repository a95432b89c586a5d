// The promises of docs/design/cutover.md, as checks.
#include <algorithm>

#include "cutover_world.hpp"

namespace godwit::model::sim {

bool CutoverWorld::has(NodeIndex node, SpaceId space, const Content& content) const {
  const Space& bytes = nodes_[node].spaces[space];
  return !bytes.gone && bytes.content == content;
}

// Whether somebody who will serve the object, or is bound to keep it for whoever will, has its latest bytes.
bool CutoverWorld::is_held(ObjectId object, const Content& latest) const {
  for (NodeIndex node = 0; node < 2; ++node) {
    const Node& home = nodes_[node];
    if (const auto at = home.disk.catalogue.find(object);
        at != home.disk.catalogue.end() && has(node, at->second.space, latest))
      return true;
    if (const auto at = home.served.find(object); at != home.served.end() && has(node, at->second.at.space, latest))
      return true;
    for (const auto& [id, record] : home.disk.outbound) {
      const JobSpec& spec = jobs_.at(id);
      if (spec.is_move && spec.object == object && record.handed_over && !spec.owned && has(node, record.origin.space, latest))
        return true;
    }
    for (const auto& [id, job] : home.sources) {  // Between a reclaim and the resume.
      const bool resumes = job.holds && std::ranges::count(job.todo, SourceAction::kResume) > 0;
      if (resumes && jobs_.at(id).object == object && has(node, job.origin.space, latest)) return true;
    }
    for (const auto& [id, record] : home.disk.inbound) {
      const JobSpec& spec = jobs_.at(id);
      if (spec.result != object || !has(node, record.space, latest)) continue;
      if (record.kind == DestinationRecord::kOwner) {  // Its own catalogue says what it has; a volatile object is in memory
                                                       // only, from the next action on.
        const auto job = home.destinations.find(id);
        if (job != home.destinations.end() && std::ranges::count(job->second.todo, DestinationAction::kServe) > 0) return true;
      } else if (record.kind == DestinationRecord::kPrepared && nodes_[spec.source].disk.outbound.contains(id)) {
        return true;  // A copy in doubt is promised only while the source's journal has the job.
      }
    }
  }
  return false;
}

// After a crash: bytes whose holders are all gone were in volatile memory only, since nothing else goes with a crash.
void CutoverWorld::excuse_losses() {
  for (const auto& [object, latest] : acknowledged_)
    if (!is_held(object, latest)) excused_[object] = true;
}

const std::string& CutoverWorld::check() {
  if (!violation_.empty()) return violation_;
  for (const auto& [object, latest] : acknowledged_) {
    int owners = 0;
    for (NodeIndex node = 0; node < 2; ++node) {
      const Node& home = nodes_[node];
      const auto served = home.served.find(object);
      const auto listed = home.disk.catalogue.find(object);
      if (served == home.served.end() && listed == home.disk.catalogue.end()) continue;
      ++owners;
      const SpaceId space = served != home.served.end() ? served->second.at.space : listed->second.space;
      if (home.spaces[space].gone)
        violated("promise 2: object {} is served by node {} from space that is not its own", object, node);
      else if (home.spaces[space].content != latest)
        violated("promise 2: object {} is {} at node {}; {} was acknowledged", object,
                 fmt::join(home.spaces[space].content, "."), node, fmt::join(latest, "."));
    }
    if (owners > 1) violated("promise 1: object {} has two owners", object);
    if (!is_excused(object) && !is_held(object, latest))
      violated("promise 2: {} of object {} is nowhere any more", fmt::join(latest, "."), object);
  }
  for (const ObjectId object : erased_)
    for (const Node& home : nodes_)
      if (home.served.contains(object) || home.disk.catalogue.contains(object))
        violated("promise 2: object {} is there again, and was erased", object);
  for (const Node& home : nodes_)
    for (const auto& [id, record] : home.disk.inbound) {
      const Space& space = home.spaces[record.space];
      if (record.kind == DestinationRecord::kPrepared && !space.gone && space.content != record.digests)
        violated("promise 5: job {} has promised {}, and has {}", id, fmt::join(record.digests, "."),
                 fmt::join(space.content, "."));
    }
  return violation_;
}

const std::string& CutoverWorld::check_end() {
  if (!check().empty()) return violation_;
  for (const auto& [object, latest] : acknowledged_) {
    const int owners = accepts_writes(0, object) + accepts_writes(1, object);
    if (owners != 1 && !is_excused(object)) violated("promise 1: object {} ends with {} owners", object, owners);
  }
  for (NodeIndex node = 0; node < 2; ++node) {
    const Node& home = nodes_[node];
    for (SpaceId space = 0; space < home.spaces.size(); ++space) {
      const auto is_here = [&](const auto& entry) { return entry.second.at.space == space; };
      if (!home.spaces[space].gone && std::ranges::none_of(home.served, is_here))
        violated("promise 4: space {} of node {} is nobody's, and not free", space, node);
    }
  }
  return violation_;
}

}  // namespace godwit::model::sim
