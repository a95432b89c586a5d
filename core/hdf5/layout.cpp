#include "hdf5/layout.hpp"

#include <xxhash.h>

#include <bit>
#include <cstring>
#include <optional>

namespace godwit::hdf5 {
namespace {

constexpr char kMagic[] = "GODWHDF5";  // 8 bytes and a NUL.
constexpr uint32_t kVersion = 1;
constexpr size_t kVersionAt = 8, kGenerationAt = 16, kFileBytesAt = 24, kIdAt = 32, kDigestAt = 48, kExtentsAt = 512;
static_assert(kExtentsAt + 16 * kExtentsMax == kSlotBytes);
static_assert(std::endian::native == std::endian::little, "heads are little-endian");

using Slot = std::span<const std::byte, kSlotBytes>;

template <class T>
void put(std::span<std::byte> bytes, size_t at, T value) {
  std::memcpy(bytes.data() + at, &value, sizeof value);
}

template <class T>
T get(Slot slot, size_t at) {
  T value;
  std::memcpy(&value, slot.data() + at, sizeof value);
  return value;
}

RegionId get_id(Slot slot, size_t at) { return {get<uint64_t>(slot, at), get<uint64_t>(slot, at + 8)}; }

void put_id(std::span<std::byte> bytes, size_t at, const RegionId& id) {
  put(bytes, at, id.high);
  put(bytes, at + 8, id.low);
}

// Of all of the slot but the digest itself.
uint64_t digest_of(Slot slot) {
  std::array<std::byte, kSlotBytes> copy;
  std::memcpy(copy.data(), slot.data(), kSlotBytes);
  put(copy, kDigestAt, uint64_t{0});
  return XXH3_64bits(copy.data(), copy.size());
}

bool has_magic(Slot slot) { return std::memcmp(slot.data(), kMagic, 8) == 0; }

std::optional<Head> decode_slot(Slot slot) {
  if (!has_magic(slot) || get<uint32_t>(slot, kVersionAt) != kVersion || get<uint64_t>(slot, kDigestAt) != digest_of(slot))
    return std::nullopt;
  Head head;
  head.generation = get<uint64_t>(slot, kGenerationAt);
  head.file_bytes = get<uint64_t>(slot, kFileBytesAt);
  head.id = get_id(slot, kIdAt);
  for (size_t i = 0; i < kExtentsMax; ++i) head.extents[i] = get_id(slot, kExtentsAt + 16 * i);
  if (head.file_bytes > kFileBytesMax) return std::nullopt;
  return head;
}

}  // namespace

ExtentRange extent_at(size_t index) {
  const size_t size_class = index / kExtentsOfOneSize;
  const uint64_t class_begin = kFirstExtentBytes * kExtentsOfOneSize * ((uint64_t{1} << size_class) - 1);
  const uint64_t size = kFirstExtentBytes << size_class;
  return {index, class_begin + index % kExtentsOfOneSize * size, size};
}

ExtentRange extent_holding(uint64_t address_bytes) {
  size_t first = 0;  // Of those of its size.
  while (first + kExtentsOfOneSize < kExtentsMax && extent_at(first + kExtentsOfOneSize).begin_bytes <= address_bytes)
    first += kExtentsOfOneSize;
  const ExtentRange range = extent_at(first);
  return extent_at(first + (address_bytes - range.begin_bytes) / range.size_bytes);
}

std::string extent_prefix(const RegionId& head) { return "h5." + to_string(head) + "."; }
std::string extent_name(const RegionId& head, size_t index) { return extent_prefix(head) + std::to_string(index); }

std::array<std::byte, kSlotBytes> encode(const Head& head) {
  std::array<std::byte, kSlotBytes> slot{};
  std::memcpy(slot.data(), kMagic, 8);
  put(slot, kVersionAt, kVersion);
  put(slot, kGenerationAt, head.generation);
  put(slot, kFileBytesAt, head.file_bytes);
  put_id(slot, kIdAt, head.id);
  for (size_t i = 0; i < kExtentsMax; ++i) put_id(slot, kExtentsAt + 16 * i, head.extents[i]);
  put(slot, kDigestAt, digest_of(slot));
  return slot;
}

Head decode(std::span<const std::byte, kHeadBytes> bytes) {
  const Slot first = bytes.first<kSlotBytes>(), second = bytes.last<kSlotBytes>();
  for (const Slot slot : {first, second})
    if (has_magic(slot) && get<uint32_t>(slot, kVersionAt) > kVersion)
      throw Error(GODWIT_ERR_VERSION, "the head of this HDF5 file was written by a later version of Godwit");
  const std::optional<Head> one = decode_slot(first), other = decode_slot(second);
  if (!one && !other) throw Error(GODWIT_ERR_CORRUPT, "this region is not the head of an HDF5 file");
  if (!one || !other) return one ? *one : *other;
  return one->generation > other->generation ? *one : *other;
}

}  // namespace godwit::hdf5
