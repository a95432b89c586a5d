// Little-endian numbers in byte buffers: the order of everything we put on the wire by hand.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>

namespace godwit::fabric {

template <std::unsigned_integral T>
void put_le(std::byte* to, T value) {
  for (size_t i = 0; i < sizeof(T); ++i) to[i] = static_cast<std::byte>((uint64_t{value} >> (8 * i)) & 0xff);
}

template <std::unsigned_integral T>
T get_le(const std::byte* from) {
  uint64_t value = 0;
  for (size_t i = 0; i < sizeof(T); ++i) value |= std::to_integer<uint64_t>(from[i]) << (8 * i);
  return static_cast<T>(value);
}

}  // namespace godwit::fabric
