// The four promises of docs/design/cutover.md, as checks.
#include <algorithm>

#include "cutover_world.hpp"

namespace godwit::model::sim {

bool CutoverWorld::has(NodeIndex node, SpaceId space, Content content) const {
  const Space& bytes = nodes_[node].spaces[space];
  return !bytes.gone && bytes.content == content;
}

// Whether somebody who will serve the object, or is bound to keep it for whoever will, has its latest bytes.
bool CutoverWorld::is_held(ObjectId object, Content latest) const {
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
      const bool resumes = std::ranges::count(job.todo, SourceAction::kResume) > 0;
      if (resumes && jobs_.at(id).object == object && has(node, job.origin.space, latest)) return true;
    }
    for (const auto& [id, record] : home.disk.inbound) {
      const JobSpec& spec = jobs_.at(id);
      if (spec.result != object || !has(node, record.space, latest)) continue;
      if (record.owner) {  // Its own catalogue says what it has; a volatile object is in memory only, from the next action on.
        const auto job = home.destinations.find(id);
        if (job != home.destinations.end() && std::ranges::count(job->second.todo, DestinationAction::kServe) > 0) return true;
      } else if (nodes_[spec.source].disk.outbound.contains(id)) {
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
        violated("promise 2: object {} has write {} at node {}; write {} was acknowledged", object, home.spaces[space].content,
                 node, latest);
    }
    if (owners > 1) violated("promise 1: object {} has two owners", object);
    if (!is_excused(object) && !is_held(object, latest))
      violated("promise 2: write {} of object {} is nowhere any more", latest, object);
  }
  return violation_;
}

const std::string& CutoverWorld::check_end() {
  if (!check().empty()) return violation_;
  for (const auto& [object, latest] : acknowledged_) {
    const int owners = accepts_writes(0, object) + accepts_writes(1, object);
    if (owners != 1 && !is_excused(object)) violated("promise 1: object {} ends with {} owners", object, owners);
  }
  return violation_;
}

}  // namespace godwit::model::sim
