// Layout: how a file lies in regions: a head, which says where the file ends and which extents it has, and the extents.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <godwit/godwit.hpp>
#include <span>
#include <string>

namespace godwit::hdf5 {

// Extents are of 1 MiB, the next 32 of 2 MiB, the next 32 of 4 MiB, ...: a small file takes little, the table of a large one is
// short, and what is too much at its end is a 32nd of the file at most.
inline constexpr uint64_t kFirstExtentBytes = uint64_t{1} << 20;
inline constexpr size_t kExtentsOfOneSize = 32;
inline constexpr size_t kSizes = 15;
inline constexpr size_t kExtentsMax = kExtentsOfOneSize * kSizes;
inline constexpr uint64_t kFileBytesMax = kFirstExtentBytes * kExtentsOfOneSize * ((uint64_t{1} << kSizes) - 1);

struct ExtentRange {
  size_t index;
  uint64_t begin_bytes;  // In the file.
  uint64_t size_bytes;
  uint64_t end_bytes() const { return begin_bytes + size_bytes; }
};
ExtentRange extent_at(size_t index);                 // index < kExtentsMax
ExtentRange extent_holding(uint64_t address_bytes);  // address_bytes < kFileBytesMax

inline bool is_zero(const RegionId& id) { return id.high == 0 && id.low == 0; }
// "h5.ID.N"
std::string extent_name(const RegionId& head, size_t index);
// What the names of all extents of this file begin with.
std::string extent_prefix(const RegionId& head);

// What a head says. It is kept twice, in slots that are written by turns: a write that is cut short leaves the other.
struct Head {
  uint64_t generation = 0;  // Grows by one with every write.
  uint64_t file_bytes = 0;
  RegionId id{};                                // The head's own; zero in one that was made and never written.
  std::array<RegionId, kExtentsMax> extents{};  // Zero: nothing was ever written there.
};

inline constexpr size_t kSlotBytes = 8192;
inline constexpr size_t kHeadBytes = 2 * kSlotBytes;

inline uint64_t slot_offset(uint64_t generation) { return generation % 2 * kSlotBytes; }
std::array<std::byte, kSlotBytes> encode(const Head& head);
// The newer of two slots that is whole. Throws Error: GODWIT_ERR_CORRUPT, neither is; GODWIT_ERR_VERSION, a later version's.
Head decode(std::span<const std::byte, kHeadBytes> bytes);

}  // namespace godwit::hdf5
