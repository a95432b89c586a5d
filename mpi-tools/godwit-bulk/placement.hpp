// Placement: which destination takes what, by the room that each has and by what each, and each link, was given. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "godwit-bulk/items.hpp"

namespace godwit::bulk {

// A source or destination of the run that is not there.
constexpr uint16_t kNoNode = UINT16_MAX;

// A link is a pair of a source and a destination. One thread at a time.
class Placement {
 public:
  // `free_bytes`: of each destination's target. `itself`: of each source, which destination is the same node, or kNoNode; such
  // a link is used only if there is no other destination.
  Placement(std::vector<uint64_t> free_bytes, std::vector<uint16_t> itself);

  // The destination that is to take `bytes` of a source: of those with room for them the one that would then be filled least,
  // in relation to what was free there, counting what this link carries twice, so that links share alike, too. How much room
  // there is for databases and files nobody knows: they go by bytes alone. None: every destination is `tried`, closed, or full.
  std::optional<uint16_t> choose(uint16_t source, Kind kind, uint64_t bytes, const std::vector<uint16_t>& tried) const;
  // The destination with the most room, for what fits nowhere: its daemon says so. None: all are closed.
  std::optional<uint16_t> roomiest(uint16_t source) const;

  void take(uint16_t source, uint16_t destination, Kind kind, uint64_t bytes);
  // What was taken does not go there after all.
  void give_back(uint16_t source, uint16_t destination, Kind kind, uint64_t bytes);
  // A destination had no room for so many bytes: nothing as large is placed there any more.
  void is_full_for(uint16_t destination, uint64_t bytes);
  // Nothing is placed there any more.
  void close(uint16_t destination) { destinations_[destination].is_closed = true; }
  bool is_closed(uint16_t destination) const { return destinations_[destination].is_closed; }
  bool has_room(uint16_t destination, Kind kind, uint64_t bytes) const;
  bool is_itself(uint16_t source, uint16_t destination) const;
  size_t destinations() const { return destinations_.size(); }

 private:
  struct Destination {
    uint64_t free_bytes = 0;  // At the beginning.
    uint64_t room_bytes = 0;  // Left.
    uint64_t too_large_bytes = UINT64_MAX;
    uint64_t given_bytes = 0;
    bool is_closed = false;
  };
  uint64_t& link(uint16_t source, uint16_t destination) { return links_[uint32_t{source} << 16 | destination]; }

  std::vector<Destination> destinations_;
  const std::vector<uint16_t> itself_;
  std::unordered_map<uint32_t, uint64_t> links_;  // Bytes of each that has some.
};

}  // namespace godwit::bulk
