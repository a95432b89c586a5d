#include "pmem/target.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "pmem/dram_target.hpp"
#include "pmem/file_target.hpp"
#include "pmem/pmem_target.hpp"

namespace godwit::pmem {
namespace {

Result<> check(const TargetSettings& settings) {
  constexpr std::string_view kAllowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
  const std::string& name = settings.name;
  if (name.empty() || name.size() > 64 || name.find_first_not_of(kAllowed) != std::string::npos)
    return Error{Errc::kConfig, "a target's name is 1 to 64 of A-Z, a-z, 0-9, '.', '_', '-'"};
  if (settings.capacity_bytes > uint64_t{1} << 62)
    return Error{Errc::kConfig,
                 fmt::format("target '{}': a capacity of {} bytes is beyond any machine", name, settings.capacity_bytes)};
  if (settings.kind == Kind::kDram && settings.capacity_bytes == 0)
    return Error{Errc::kConfig, fmt::format("target '{}': its capacity is not set", name)};
  if (settings.kind != Kind::kDram && settings.path.empty())
    return Error{Errc::kConfig, fmt::format("target '{}': a {} target needs a path", name, to_string(settings.kind))};
  return Done{};
}

}  // namespace

std::string_view to_string(Kind kind) {
  switch (kind) {
    case Kind::kDram: return "dram";
    case Kind::kPmem: return "pmem";
    case Kind::kFile: return "file";
  }
  return "unknown";
}

Result<std::unique_ptr<Target>> open_target(const TargetSettings& settings) {
  if (auto valid = check(settings); !valid) return std::move(valid).error();
  switch (settings.kind) {
    case Kind::kDram: return DramTarget::open(settings);
    case Kind::kPmem: return PmemTarget::open(settings);
    case Kind::kFile: return FileTarget::open(settings);
  }
  return Error{Errc::kInternal, "a target of no kind"};
}

}  // namespace godwit::pmem
