// Alignment of flatbuffers that strangers sent: where they, and the elements of their vectors, begin in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <flatbuffers/flatbuffers.h>

namespace godwit::protocol {

// Bytes at an address where a flatbuffer may begin: those given, as long as they are there, or a copy.
class Aligned {
 public:
  Aligned() = default;
  explicit Aligned(std::span<const std::byte> bytes);
  Aligned(Aligned&&) = default;
  Aligned& operator=(Aligned&&) = default;
  const uint8_t* data() const { return data_; }

 private:
  std::vector<uint64_t> copy_;
  const uint8_t* data_ = nullptr;
};

// Whether the elements of every vector in `root`, and in what it refers to, begin where their type may. `root` is a table of
// `type` in aligned bytes that the verifier accepted: flatbuffers 2.0's sees to it that elements lie within the bytes, not that
// they are aligned. Any thread.
bool vectors_are_aligned(const flatbuffers::Table& root, const flatbuffers::TypeTable& type);

}  // namespace godwit::protocol
