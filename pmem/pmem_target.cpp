#include "pmem/pmem_target.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/fail_point.hpp"
#include "base/log.hpp"
#include "pmem/bounds.hpp"
#include "pmem/sync_queue.hpp"

namespace godwit::pmem {
namespace {

// A new pool on a device that has none. The magic last: before it is there, the device is no pool.
Result<PoolHeader> create_on_device(const PmemMapping& mapping, uint64_t capacity_bytes) {
  const PoolHeader header{Kind::kPmem, random_id(), capacity_bytes};
  const HeaderBytes bytes = encode(header);
  const auto rest = std::span(bytes).subspan(kMagicBytes);
  mapping.copy(mapping.bytes().data() + kMagicBytes, rest);
  if (auto durable = mapping.persist(mapping.bytes().subspan(kMagicBytes, rest.size())); !durable)
    return std::move(durable).error();
  mapping.copy(mapping.bytes().data(), std::span(bytes).first(kMagicBytes));
  if (auto durable = mapping.persist(mapping.bytes().first(kMagicBytes)); !durable) return std::move(durable).error();
  return header;
}

Result<PoolHeader> open_on_device(const PmemMapping& mapping, const TargetSettings& settings) {
  const auto corrupt = [&](const std::string& text) {
    return Error{Errc::kCorrupt, fmt::format("'{}' {}; to start empty, zero its first 4 KiB", settings.path, text)};
  };
  HeaderBytes bytes;
  std::copy_n(mapping.bytes().begin(), bytes.size(), bytes.begin());
  const uint64_t room_bytes = mapping.bytes().size() - kHeaderBytes;
  const bool is_blank = std::all_of(bytes.begin(), bytes.end(), [](std::byte byte) { return byte == std::byte{0}; });
  if (is_blank) {
    const uint64_t wanted = settings.capacity_bytes == 0 ? room_bytes : round_up_to_page(settings.capacity_bytes);
    return create_on_device(mapping, wanted);
  }
  auto header = decode(bytes);
  if (!header) return corrupt(header.error().text);
  if (auto expected = check_expected(*header, Kind::kPmem, round_up_to_page(settings.capacity_bytes)); !expected)
    return corrupt(expected.error().text);
  if (header->capacity_bytes > room_bytes)
    return corrupt(fmt::format("has room for {} bytes, and its header says {}", room_bytes, header->capacity_bytes));
  return header;
}

}  // namespace

Result<std::unique_ptr<Target>> PmemTarget::open(TargetSettings settings) {
  const auto context = [&](Error error) { return with_context(fmt::format("target '{}'", settings.name), std::move(error)); };
  auto file = PoolFile::is_device(settings.path) ? PoolFile::open_device(settings) : PoolFile::open(settings);
  if (!file) return context(std::move(file).error());
  auto mapping = PmemMapping::map(file->fd(), settings.path);
  if (!mapping) return context(std::move(mapping).error());
  auto header = file->is_device() ? open_on_device(*mapping, settings) : Result<PoolHeader>(file->header());
  if (!header) return context(std::move(header).error());
  if (mapping->bytes().size() < kHeaderBytes + header->capacity_bytes)
    return context(
        Error{Errc::kPmem, fmt::format("'{}': only {} bytes of it could be mapped", settings.path, mapping->bytes().size())});
  return std::unique_ptr<Target>(new PmemTarget(std::move(settings), *std::move(file), *std::move(mapping), *header));
}

PmemTarget::PmemTarget(TargetSettings settings, PoolFile file, PmemMapping mapping, const PoolHeader& header)
    : Target(std::move(settings)),
      file_(std::move(file)),
      mapping_(std::move(mapping)),
      header_(header),
      space_(settings_.name, header.capacity_bytes) {}

std::string PmemTarget::granularity() const {
  switch (mapping_.granularity()) {
    case Granularity::kByte: return "byte";
    case Granularity::kCacheLine: return file_.is_device() ? "cache line (devdax)" : "cache line (MAP_SYNC)";
    case Granularity::kPage: return "4 KiB pages (msync)";
  }
  return "unknown";
}

Result<Extent> PmemTarget::reserve(uint64_t bytes) {
  auto extent = space_.reserve(bytes);
  if (!extent) return extent;
  // A store through the mapping into a hole of a full file system would be SIGBUS.
  if (auto promised = file_.guarantee(*extent, PoolFile::Contents::kUndefined); !promised) {
    release(*extent);
    return with_context(fmt::format("target '{}'", name()), std::move(promised).error());
  }
  return extent;
}

Result<> PmemTarget::claim(Extent extent) {
  if (auto claimed = space_.claim(extent); !claimed) return claimed;
  if (auto promised = file_.guarantee(extent, PoolFile::Contents::kKept); !promised) {
    space_.release(extent);  // Not punched out: it holds a region.
    return with_context(fmt::format("target '{}'", name()), std::move(promised).error());
  }
  return Done{};
}

void PmemTarget::release(Extent extent) {
  // Before the space is free: afterwards it may be another region's.
  if (extent.offset_bytes % kPageBytes == 0 && lies_within(extent, header_.capacity_bytes))
    if (auto punched = file_.punch(extent); !punched) log::warn("target '{}': {}", name(), punched.error().text);
  space_.release(extent);
}

std::span<std::byte> PmemTarget::memory(Extent extent) {
  if (!lies_within(extent, header_.capacity_bytes)) return {};
  return data().subspan(extent.offset_bytes, extent.length_bytes);
}

Result<> PmemTarget::write(uint64_t offset_bytes, std::span<const std::byte> bytes) {
  if (auto inside = check_bounds(*this, {offset_bytes, bytes.size()}, header_.capacity_bytes); !inside) return inside;
  mapping_.copy(data().data() + offset_bytes, bytes);
  return Done{};
}

Result<> PmemTarget::read(uint64_t offset_bytes, std::span<std::byte> bytes) {
  if (auto inside = check_bounds(*this, {offset_bytes, bytes.size()}, header_.capacity_bytes); !inside) return inside;
  if (!bytes.empty()) std::memcpy(bytes.data(), data().data() + offset_bytes, bytes.size());
  return Done{};
}

Result<> PmemTarget::zero(Extent extent) {
  if (auto inside = check_bounds(*this, extent, header_.capacity_bytes); !inside) return inside;
  mapping_.zero(data().subspan(extent.offset_bytes, extent.length_bytes));
  return Done{};
}

Result<> PmemTarget::flush(Extent extent) {
  std::unique_lock lock(flush_mutex_, std::defer_lock);
  if (mapping_.granularity() == Granularity::kPage) lock.lock();
  if (has_failed_.load(std::memory_order_acquire)) {
    if (!lock) lock.lock();
    return *failure_;
  }
  const int number = fail_point("pmem.persist");
  Result<> outcome = number != 0 ? Result<>(Error{Errc::kPmem, error_from_errno(Errc::kPmem, "persist", number).text})
                                 : mapping_.persist(data().subspan(extent.offset_bytes, extent.length_bytes));
  if (outcome) return outcome;
  if (!lock) lock.lock();
  if (!failure_)
    failure_ = Error{Errc::kPmem, fmt::format("target '{}': '{}': {}: what it holds is unknown until it is opened again",
                                              name(), settings_.path, outcome.error().text)};
  has_failed_.store(true, std::memory_order_release);
  return *failure_;
}

Result<Durable> PmemTarget::persist(Extent extent) {
  if (auto inside = check_bounds(*this, extent, header_.capacity_bytes); !inside) return std::move(inside).error();
  if (auto flushed = flush(extent); !flushed) return std::move(flushed).error();
  return durable(extent);
}

Result<std::unique_ptr<IoQueue>> PmemTarget::open_queue(uint32_t depth) { return SyncQueue::open(*this, depth); }

}  // namespace godwit::pmem
