// Shuffle: the first bytes of all elements, then the second ones, and so on. Of floating-point numbers near each other, signs,
// exponents and high digits are much alike: side by side they compress, which the low digits between them prevent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace godwit::model {

// Elements of 1 (nothing is moved), 2, 4 or 8 bytes.
constexpr bool is_element_size(uint32_t bytes) { return bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8; }

// `to` is as long as `from`, and none of it. Bytes after the last whole element stay where they are. is_element_size() must
// hold. Any thread.
void shuffle(uint32_t element_bytes, std::span<const std::byte> from, std::span<std::byte> to);
// Takes it back.
void unshuffle(uint32_t element_bytes, std::span<const std::byte> from, std::span<std::byte> to);

}  // namespace godwit::model
