#include "godwit-bulk/placement.hpp"

#include <algorithm>
#include <utility>

namespace godwit::bulk {

Placement::Placement(std::vector<uint64_t> free_bytes, std::vector<uint16_t> itself) : itself_(std::move(itself)) {
  for (const uint64_t bytes : free_bytes) {
    Destination destination;
    destination.free_bytes = destination.room_bytes = bytes;
    destinations_.push_back(destination);
  }
}

bool Placement::is_itself(uint16_t source, uint16_t destination) const {
  return itself_[source] == destination && destinations_.size() > 1;
}

bool Placement::has_room(uint16_t destination, Kind kind, uint64_t bytes) const {
  const Destination& there = destinations_[destination];
  return !there.is_closed && bytes < there.too_large_bytes && (kind != Kind::kRegion || bytes <= there.room_bytes);
}

std::optional<uint16_t> Placement::choose(uint16_t source, Kind kind, uint64_t bytes,
                                          const std::vector<uint16_t>& tried) const {
  std::optional<uint16_t> best;
  double best_cost = 0;
  for (uint16_t i = 0; i < destinations_.size(); ++i) {
    if (is_itself(source, i) || !has_room(i, kind, bytes) || std::find(tried.begin(), tried.end(), i) != tried.end()) continue;
    const Destination& there = destinations_[i];
    const auto on_link = links_.find(uint32_t{source} << 16 | i);
    const uint64_t given = there.given_bytes + bytes + (on_link == links_.end() ? 0 : on_link->second);
    const uint64_t whole = kind == Kind::kRegion ? std::max<uint64_t>(there.free_bytes, 1) : 1;
    const double cost = static_cast<double>(given) / static_cast<double>(whole);
    if (best && cost >= best_cost) continue;
    best = i;
    best_cost = cost;
  }
  return best;
}

std::optional<uint16_t> Placement::roomiest(uint16_t source) const {
  std::optional<uint16_t> best;
  for (uint16_t i = 0; i < destinations_.size(); ++i) {
    if (destinations_[i].is_closed || is_itself(source, i)) continue;
    if (!best || destinations_[i].room_bytes > destinations_[*best].room_bytes) best = i;
  }
  return best;
}

void Placement::take(uint16_t source, uint16_t destination, Kind kind, uint64_t bytes) {
  Destination& there = destinations_[destination];
  there.given_bytes += bytes;
  link(source, destination) += bytes;
  if (kind == Kind::kRegion) there.room_bytes -= std::min(there.room_bytes, bytes);
}

void Placement::give_back(uint16_t source, uint16_t destination, Kind kind, uint64_t bytes) {
  Destination& there = destinations_[destination];
  there.given_bytes -= std::min(there.given_bytes, bytes);
  uint64_t& on_link = link(source, destination);
  on_link -= std::min(on_link, bytes);
  if (kind == Kind::kRegion) there.room_bytes = std::min(there.free_bytes, there.room_bytes + bytes);
}

void Placement::is_full_for(uint16_t destination, uint64_t bytes) {
  uint64_t& too_large = destinations_[destination].too_large_bytes;
  too_large = std::min(too_large, std::max<uint64_t>(bytes, 1));
}

}  // namespace godwit::bulk
