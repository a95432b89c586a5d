#include "pmem/dram_target.hpp"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/log.hpp"
#include "base/units.hpp"
#include "pmem/bounds.hpp"
#include "pmem/machine_memory.hpp"
#include "pmem/sync_queue.hpp"

namespace godwit::pmem {
namespace {

constexpr uint64_t kHugePageBytes = 2_MiB;
// Looking at the machine's memory costs 50 us: not for each of 10,000 small regions.
constexpr uint64_t kCheckEveryBytes = 64_MiB;

}  // namespace

Result<AnonymousMapping> AnonymousMapping::make(uint64_t bytes) {
  constexpr int kProtection = PROT_READ | PROT_WRITE;
  constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS;
  const Error too_large{Errc::kMemory, fmt::format("no address space for a mapping of {}", format_size(bytes))};
  if (bytes > (uint64_t{1} << 62)) return too_large;

  // Without MAP_NORESERVE: the kernel refuses now rather than with SIGBUS at first use.
  const size_t huge_bytes = (bytes + kHugePageBytes - 1) & ~(kHugePageBytes - 1);
  void* start = mmap(nullptr, huge_bytes, kProtection, kFlags | MAP_HUGETLB | (21 << MAP_HUGE_SHIFT), -1, 0);
  if (start != MAP_FAILED) return AnonymousMapping{{static_cast<std::byte*>(start), bytes}, huge_bytes, true};

  // One huge page more than needed, so that the pool can begin at one.
  const size_t mapped_bytes = huge_bytes + kHugePageBytes;
  start = mmap(nullptr, mapped_bytes, kProtection, kFlags | MAP_NORESERVE, -1, 0);
  if (start == MAP_FAILED) return with_context(too_large.text, error_from_errno(Errc::kMemory, "mmap", errno));
  const size_t lead_bytes = (kHugePageBytes - reinterpret_cast<uintptr_t>(start) % kHugePageBytes) % kHugePageBytes;
  auto* first = static_cast<std::byte*>(start) + lead_bytes;
  if (lead_bytes != 0) munmap(start, lead_bytes);
  munmap(first + huge_bytes, kHugePageBytes - lead_bytes);
  madvise(first, huge_bytes, MADV_HUGEPAGE);  // A kernel without them is slower, no more.
  return AnonymousMapping{{first, bytes}, huge_bytes, false};
}

AnonymousMapping::AnonymousMapping(AnonymousMapping&& other) noexcept
    : bytes_(std::exchange(other.bytes_, {})), mapped_bytes_(other.mapped_bytes_), is_hugetlb_(other.is_hugetlb_) {}

AnonymousMapping::~AnonymousMapping() {
  if (bytes_.data() != nullptr) munmap(bytes_.data(), mapped_bytes_);
}

Result<std::unique_ptr<Target>> DramTarget::open(TargetSettings settings) {
  auto mapping = AnonymousMapping::make(round_up_to_page(settings.capacity_bytes));
  if (!mapping) return with_context(fmt::format("target '{}'", settings.name), std::move(mapping).error());
  return std::unique_ptr<Target>(new DramTarget(std::move(settings), *std::move(mapping)));
}

DramTarget::DramTarget(TargetSettings settings, AnonymousMapping mapping)
    : Target(std::move(settings)), mapping_(std::move(mapping)), space_(settings_.name, mapping_.bytes().size()) {
  if (settings_.prefault) prefault_.emplace(settings_.name, mapping_.bytes());
}

std::string DramTarget::granularity() const {
  std::string text =
      mapping_.is_hugetlb() ? "memory, not durable (huge pages set aside" : "memory, not durable (transparent huge pages";
  if (prefault_) {
    switch (prefault_->state()) {
      case Prefault::State::kRunning: text += ", prefault under way"; break;
      case Prefault::State::kComplete: text += ", prefaulted"; break;
      case Prefault::State::kIncomplete: text += ", prefault incomplete"; break;
    }
  }
  return text + ")";
}

bool DramTarget::is_backed() const {
  return mapping_.is_hugetlb() || (prefault_ && prefault_->state() == Prefault::State::kComplete);
}

Result<> DramTarget::check_machine(uint64_t bytes) {
  if (is_backed()) return Done{};
  const uint64_t unchecked = unchecked_bytes_.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  if (unchecked < kCheckEveryBytes) return Done{};
  unchecked_bytes_.store(0, std::memory_order_relaxed);
  const uint64_t touched = prefault_ ? prefault_->touched_bytes() : 0;
  const uint64_t used = space_.usage().used_bytes;  // With these bytes, unless another thread has released some.
  const uint64_t available = available_memory_bytes();
  if (missing_memory_bytes(unchecked, touched, used - std::min(used, bytes)) <= available) return Done{};
  return Error{Errc::kMemory, fmt::format("target '{}': {} wanted, but this machine (or its control group) has only {} left",
                                          name(), format_size(bytes), format_size(available))};
}

Result<Extent> DramTarget::reserve(uint64_t bytes) {
  auto extent = space_.reserve(bytes);
  if (!extent || bytes == 0) return extent;
  if (auto enough = check_machine(bytes); !enough) {
    space_.release(*extent);
    return std::move(enough).error();
  }
  return extent;
}

void DramTarget::release(Extent extent) {
  // Before the space is free: afterwards it may be another region's.
  const bool gives_back = !settings_.prefault && !mapping_.is_hugetlb();
  if (gives_back && extent.length_bytes != 0 && extent.offset_bytes % kPageBytes == 0 &&
      lies_within(extent, mapping_.bytes().size()))
    madvise(mapping_.bytes().data() + extent.offset_bytes, round_up_to_page(extent.length_bytes), MADV_DONTNEED);
  space_.release(extent);
}

std::span<std::byte> DramTarget::memory(Extent extent) {
  if (!lies_within(extent, mapping_.bytes().size())) return {};
  return mapping_.bytes().subspan(extent.offset_bytes, extent.length_bytes);
}

Result<> DramTarget::write(uint64_t offset_bytes, std::span<const std::byte> bytes) {
  if (auto inside = check_bounds(*this, {offset_bytes, bytes.size()}, mapping_.bytes().size()); !inside) return inside;
  if (!bytes.empty()) std::memcpy(mapping_.bytes().data() + offset_bytes, bytes.data(), bytes.size());
  return Done{};
}

Result<> DramTarget::read(uint64_t offset_bytes, std::span<std::byte> bytes) {
  if (auto inside = check_bounds(*this, {offset_bytes, bytes.size()}, mapping_.bytes().size()); !inside) return inside;
  if (!bytes.empty()) std::memcpy(bytes.data(), mapping_.bytes().data() + offset_bytes, bytes.size());
  return Done{};
}

Result<> DramTarget::zero(Extent extent) {
  if (auto inside = check_bounds(*this, extent, mapping_.bytes().size()); !inside) return inside;
  // Not MADV_DONTNEED: a device that has the pages registered would go on writing to the old ones.
  if (extent.length_bytes != 0) std::memset(mapping_.bytes().data() + extent.offset_bytes, 0, extent.length_bytes);
  return Done{};
}

Result<Durable> DramTarget::persist(Extent extent) {
  if (auto inside = check_bounds(*this, extent, mapping_.bytes().size()); !inside) return std::move(inside).error();
  return durable(extent);
}

Result<std::unique_ptr<IoQueue>> DramTarget::open_queue(uint32_t depth) { return SyncQueue::open(*this, depth); }

}  // namespace godwit::pmem
