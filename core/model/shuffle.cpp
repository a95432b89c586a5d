#include "model/shuffle.hpp"

#include <cassert>
#include <cstring>
#include <utility>

namespace godwit::model {
namespace {

// A register of bytes, wherever the processor has one.
constexpr size_t kLanes = 16;
using Lanes = uint8_t __attribute__((vector_size(kLanes)));

Lanes load(const std::byte* from) {
  Lanes lanes;
  std::memcpy(&lanes, from, sizeof lanes);
  return lanes;
}
void store(const Lanes& lanes, std::byte* to) { std::memcpy(to, &lanes, sizeof lanes); }

// A perfect shuffle, as of cards: the bytes of the first half of `lanes` alternate with those of the second. Byte number `i` of
// 16 x Width comes to where the bits of `i`, rotated by one to the left, say. The bits of a byte's number are those of its
// element (4) and of its place therein (log2 of Width); four rounds put the latter above the former, log2 of Width put them
// back.
template <size_t Width, size_t... Pair>
void riffle(Lanes (&lanes)[Width], std::index_sequence<Pair...>) {
  const Lanes riffled[2][Width / 2] = {{__builtin_shufflevector(lanes[Pair], lanes[Pair + Width / 2], 0, 16, 1, 17, 2, 18, 3,
                                                                19, 4, 20, 5, 21, 6, 22, 7, 23)...},
                                       {__builtin_shufflevector(lanes[Pair], lanes[Pair + Width / 2], 8, 24, 9, 25, 10, 26, 11,
                                                                27, 12, 28, 13, 29, 14, 30, 15, 31)...}};
  ((lanes[2 * Pair] = riffled[0][Pair], lanes[2 * Pair + 1] = riffled[1][Pair]), ...);
}

template <size_t Width>
void riffle(Lanes (&lanes)[Width]) {
  riffle(lanes, std::make_index_sequence<Width / 2>{});
}

constexpr int log2_of(size_t width) { return width == 8 ? 3 : width == 4 ? 2 : 1; }

template <size_t Width, size_t... Lane>
void shuffle_elements(std::span<const std::byte> from, std::byte* to, std::index_sequence<Lane...>) {
  const size_t elements = from.size() / Width;
  size_t i = 0;
  for (; i + kLanes <= elements; i += kLanes) {
    const std::byte* const at = from.data() + i * Width;
    Lanes lanes[Width] = {load(at + Lane * kLanes)...};
    riffle(lanes), riffle(lanes), riffle(lanes), riffle(lanes);
    (store(lanes[Lane], to + Lane * elements + i), ...);
  }
  for (; i < elements; ++i) ((to[Lane * elements + i] = from[i * Width + Lane]), ...);
}

template <size_t Width, size_t... Lane>
void unshuffle_elements(std::span<const std::byte> from, std::byte* to, std::index_sequence<Lane...>) {
  const size_t elements = from.size() / Width;
  size_t i = 0;
  for (; i + kLanes <= elements; i += kLanes) {
    Lanes lanes[Width] = {load(from.data() + Lane * elements + i)...};
    riffle(lanes);
    if constexpr (log2_of(Width) > 1) riffle(lanes);
    if constexpr (log2_of(Width) > 2) riffle(lanes);
    (store(lanes[Lane], to + i * Width + Lane * kLanes), ...);
  }
  for (; i < elements; ++i) ((to[i * Width + Lane] = from[Lane * elements + i]), ...);
}

template <size_t Width>
void move_elements(bool back, std::span<const std::byte> from, std::byte* to) {
  constexpr auto lanes = std::make_index_sequence<Width>{};
  back ? unshuffle_elements<Width>(from, to, lanes) : shuffle_elements<Width>(from, to, lanes);
}

void move(bool back, uint32_t element_bytes, std::span<const std::byte> from, std::span<std::byte> to) {
  assert(is_element_size(element_bytes) && from.size() == to.size());
  const size_t rest = from.size() % element_bytes;
  const auto whole = from.first(from.size() - rest);
  switch (element_bytes) {
    case 2: move_elements<2>(back, whole, to.data()); break;
    case 4: move_elements<4>(back, whole, to.data()); break;
    case 8: move_elements<8>(back, whole, to.data()); break;
    default:
      if (!whole.empty()) std::memcpy(to.data(), whole.data(), whole.size());
  }
  if (rest > 0) std::memcpy(to.data() + whole.size(), from.data() + whole.size(), rest);
}

}  // namespace

void shuffle(uint32_t element_bytes, std::span<const std::byte> from, std::span<std::byte> to) {
  move(false, element_bytes, from, to);
}

void unshuffle(uint32_t element_bytes, std::span<const std::byte> from, std::span<std::byte> to) {
  move(true, element_bytes, from, to);
}

}  // namespace godwit::model
