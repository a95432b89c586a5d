#include "godwit-h5stage/parts.hpp"

#include <fmt/format.h>
#include <godwit/godwit.h>

#include <algorithm>
#include <numeric>

#include "godwit-h5stage/failure.hpp"

namespace godwit::h5stage {

std::vector<Part> cut_parts(const Pieces& pieces, size_t least, uint64_t bytes_max) {
  const uint64_t wanted = std::max<uint64_t>((pieces.bytes_total() - 1) / bytes_max + 1, least);
  const size_t count = std::min<uint64_t>(wanted, pieces.size());
  const uint64_t each = std::min((pieces.bytes_total() - 1) / count + 1, bytes_max);
  std::vector<Part> parts;
  for (size_t piece = 0; piece < pieces.size(); ++piece) {
    const uint64_t bytes = pieces.bytes(piece);
    if (parts.empty() || parts.back().bytes + bytes > each) parts.push_back(Part{piece, 0, 0});
    ++parts.back().pieces;
    parts.back().bytes += bytes;
  }
  return parts;
}

std::vector<size_t> place_parts(const std::vector<uint64_t>& parts_bytes, const std::vector<Place>& places) {
  std::vector<uint64_t> left;
  for (const Place& place : places) left.push_back(place.free_bytes);
  const auto share = [&](size_t place) {
    return static_cast<double>(left[place]) / static_cast<double>(std::max<uint64_t>(places[place].free_bytes, 1));
  };
  std::vector<size_t> chosen;
  for (const uint64_t bytes : parts_bytes) {
    size_t best = places.size();
    for (size_t place = 0; place < places.size(); ++place)
      if (left[place] >= bytes && (best == places.size() || share(place) > share(best))) best = place;
    if (best == places.size()) {
      const uint64_t needed = std::accumulate(parts_bytes.begin(), parts_bytes.end(), uint64_t{0});
      std::string there;
      for (const Place& place : places)
        there +=
            fmt::format("{}target '{}' at {} has {}", there.empty() ? "" : ", ", place.target, place.address, place.free_bytes);
      throw Failure(GODWIT_ERR_NO_SPACE, fmt::format("there is no room for {} bytes of data: {} free", needed, there));
    }
    left[best] -= bytes;
    chosen.push_back(best);
  }
  return chosen;
}

}  // namespace godwit::h5stage
