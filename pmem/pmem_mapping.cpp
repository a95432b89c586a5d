#include "pmem/pmem_mapping.hpp"

#include <fmt/format.h>
#include <libpmem2.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>

#include "pmem/shared_space.hpp"

namespace godwit::pmem {
namespace {

constexpr unsigned kPastTheCaches = PMEM2_F_MEM_NONTEMPORAL | PMEM2_F_MEM_NODRAIN;

struct DeleteConfig {
  void operator()(pmem2_config* config) const { pmem2_config_delete(&config); }
};
struct DeleteSource {
  void operator()(pmem2_source* source) const { pmem2_source_delete(&source); }
};

Error failed(std::string_view what, const std::string& path, int result) {
  const Errc code = result == -ENOMEM ? Errc::kMemory : Errc::kPmem;
  return Error{code, fmt::format("cannot {} '{}': {}", what, path, pmem2_errormsg())};
}

}  // namespace

std::string_view to_string(Granularity granularity) {
  switch (granularity) {
    case Granularity::kByte: return "byte";
    case Granularity::kCacheLine: return "cache line";
    case Granularity::kPage: return "page";
  }
  return "unknown";
}

void PmemMapping::Unmap::operator()(pmem2_map* map) const { pmem2_map_delete(&map); }

Result<PmemMapping> PmemMapping::map(int fd, const std::string& path, size_t length_bytes) {
  pmem2_config* raw_config = nullptr;
  if (const int result = pmem2_config_new(&raw_config); result != 0) return failed("configure a mapping of", path, result);
  const std::unique_ptr<pmem2_config, DeleteConfig> config(raw_config);
  if (const int result = pmem2_config_set_required_store_granularity(config.get(), PMEM2_GRANULARITY_PAGE); result != 0)
    return failed("configure a mapping of", path, result);
  if (length_bytes != 0) {
    if (const int result = pmem2_config_set_length(config.get(), length_bytes); result != 0)
      return failed("configure a mapping of", path, result);
  }
  pmem2_source* raw_source = nullptr;
  if (const int result = pmem2_source_from_fd(&raw_source, fd); result != 0) return failed("use", path, result);
  const std::unique_ptr<pmem2_source, DeleteSource> source(raw_source);
  pmem2_map* raw_map = nullptr;
  if (const int result = pmem2_map_new(&raw_map, config.get(), source.get()); result != 0) return failed("map", path, result);

  PmemMapping mapping;
  mapping.map_.reset(raw_map);
  mapping.bytes_ = {static_cast<std::byte*>(pmem2_map_get_address(raw_map)), pmem2_map_get_size(raw_map)};
  mapping.memcpy_ = pmem2_get_memcpy_fn(raw_map);
  mapping.memset_ = pmem2_get_memset_fn(raw_map);
  mapping.persist_ = pmem2_get_persist_fn(raw_map);
  switch (pmem2_map_get_store_granularity(raw_map)) {
    case PMEM2_GRANULARITY_BYTE: mapping.granularity_ = Granularity::kByte; break;
    case PMEM2_GRANULARITY_CACHE_LINE: mapping.granularity_ = Granularity::kCacheLine; break;
    case PMEM2_GRANULARITY_PAGE: mapping.granularity_ = Granularity::kPage; break;
  }
  return mapping;
}

void PmemMapping::copy(std::byte* at, std::span<const std::byte> from) const {
  if (from.empty()) return;
  if (granularity_ == Granularity::kPage)
    std::memcpy(at, from.data(), from.size());
  else
    memcpy_(at, from.data(), from.size(), kPastTheCaches);
}

void PmemMapping::zero(std::span<std::byte> part) const {
  if (part.empty()) return;
  if (granularity_ == Granularity::kPage)
    std::memset(part.data(), 0, part.size());
  else
    memset_(part.data(), 0, part.size(), kPastTheCaches);
}

Result<> PmemMapping::persist(std::span<const std::byte> part) const {
  if (part.empty()) return Done{};
  if (granularity_ != Granularity::kPage) {
    persist_(part.data(), part.size());
    return Done{};
  }
  const auto first = static_cast<size_t>(part.data() - bytes_.data());
  const size_t page = first & ~(kPageBytes - 1);  // The mapping begins at a page.
  const size_t end = first + part.size();
  while (msync(bytes_.data() + page, end - page, MS_SYNC) != 0) {
    if (errno == EINTR) continue;
    const int number = errno;
    return Error{Errc::kPmem, error_from_errno(Errc::kPmem, "msync", number).text};
  }
  return Done{};
}

}  // namespace godwit::pmem
