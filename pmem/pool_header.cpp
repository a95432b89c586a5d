#include "pmem/pool_header.hpp"

#include <fmt/format.h>

#include <bit>
#include <cstring>

#include "base/digest.hpp"

namespace godwit::pmem {
namespace {

static_assert(std::endian::native == std::endian::little, "the header's numbers are little-endian, copied as they are");

constexpr char kMagic[kMagicBytes] = {'G', 'O', 'D', 'W', 'P', 'O', 'O', 'L'};
constexpr uint32_t kKindPmem = 1;
constexpr uint32_t kKindFile = 2;

// Where each field begins, in bytes. docs/design/pool.md has the same table.
constexpr size_t kVersionAt = 8;
constexpr size_t kKindAt = 12;
constexpr size_t kPoolIdAt = 16;  // High, then low.
constexpr size_t kCapacityAt = 32;
constexpr size_t kDataOffsetAt = 40;
constexpr size_t kDigestAt = 4080;  // Low, then high; of all before it.

template <class Number>
void put(HeaderBytes& bytes, size_t at, Number value) {
  std::memcpy(bytes.data() + at, &value, sizeof value);
}

template <class Number>
Number get(std::span<const std::byte, kHeaderBytes> bytes, size_t at) {
  Number value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

Error corrupt(std::string text) { return Error{Errc::kCorrupt, std::move(text)}; }

}  // namespace

HeaderBytes encode(const PoolHeader& header) {
  HeaderBytes bytes{};
  std::memcpy(bytes.data(), kMagic, sizeof kMagic);
  put<uint32_t>(bytes, kVersionAt, kPoolVersion);
  put<uint32_t>(bytes, kKindAt, header.kind == Kind::kFile ? kKindFile : kKindPmem);
  put<uint64_t>(bytes, kPoolIdAt, header.pool_id.high);
  put<uint64_t>(bytes, kPoolIdAt + 8, header.pool_id.low);
  put<uint64_t>(bytes, kCapacityAt, header.capacity_bytes);
  put<uint64_t>(bytes, kDataOffsetAt, kHeaderBytes);
  const Digest digest = digest_of(std::span(bytes).first(kDigestAt));
  put<uint64_t>(bytes, kDigestAt, digest.low);
  put<uint64_t>(bytes, kDigestAt + 8, digest.high);
  return bytes;
}

Result<PoolHeader> decode(std::span<const std::byte, kHeaderBytes> bytes) {
  if (std::memcmp(bytes.data(), kMagic, sizeof kMagic) != 0)
    return corrupt("is not a Godwit pool: it does not begin with GODWPOOL");
  // Before the checksum: another version may have another one.
  if (const auto version = get<uint32_t>(bytes, kVersionAt); version != kPoolVersion)
    return corrupt(fmt::format("is a pool of format version {}, or damaged; this release reads {}", version, kPoolVersion));
  const Digest stored{get<uint64_t>(bytes, kDigestAt + 8), get<uint64_t>(bytes, kDigestAt)};
  if (stored != digest_of(bytes.first(kDigestAt))) return corrupt("has a damaged header: its checksum does not match");

  // From here on a mismatch is another writer's doing, not damage.
  const auto kind = get<uint32_t>(bytes, kKindAt);
  if (kind != kKindPmem && kind != kKindFile) return corrupt(fmt::format("has a header of the unknown kind {}", kind));
  if (const auto at = get<uint64_t>(bytes, kDataOffsetAt); at != kHeaderBytes)
    return corrupt(fmt::format("has its data at offset {}; this release reads {}", at, kHeaderBytes));
  PoolHeader header;
  header.kind = kind == kKindFile ? Kind::kFile : Kind::kPmem;
  header.pool_id = Id{get<uint64_t>(bytes, kPoolIdAt), get<uint64_t>(bytes, kPoolIdAt + 8)};
  header.capacity_bytes = get<uint64_t>(bytes, kCapacityAt);
  if (header.capacity_bytes == 0 || header.capacity_bytes % kHeaderBytes != 0 || header.capacity_bytes > uint64_t{1} << 62)
    return corrupt(fmt::format("has a header with the impossible capacity of {} bytes", header.capacity_bytes));
  return header;
}

Result<> check_expected(const PoolHeader& header, Kind kind, uint64_t capacity_bytes) {
  if (header.kind != kind)
    return corrupt(fmt::format("is a pool of kind {}, and the configuration says {}", to_string(header.kind), to_string(kind)));
  if (capacity_bytes != 0 && header.capacity_bytes != capacity_bytes)
    return corrupt(
        fmt::format("has a capacity of {} bytes, and the configuration says {}", header.capacity_bytes, capacity_bytes));
  return Done{};
}

}  // namespace godwit::pmem
