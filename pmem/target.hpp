// Target: a place that holds bytes, of kind dram, pmem or file, behind one interface.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/extent.hpp"
#include "base/id.hpp"
#include "base/result.hpp"
#include "pmem/volume.hpp"

namespace godwit::pmem {

enum class Kind { kDram, kPmem, kFile };
std::string_view to_string(Kind kind);

struct TargetSettings {
  std::string name;  // 1 to 64 of [A-Za-z0-9._-].
  Kind kind = Kind::kDram;
  std::string path;             // pmem and file: the pool file, or /dev/daxN.M. Unused for dram.
  uint64_t capacity_bytes = 0;  // devdax: 0 takes the whole device.
  bool prefault = false;        // dram: touch all pages in the background at start, and keep those of freed regions.
};

struct Usage {
  uint64_t capacity_bytes = 0;
  uint64_t used_bytes = 0;
  uint64_t largest_free_bytes = 0;  // Regions are contiguous: this is what still fits.
};

// Any thread, except where said. Offsets are in the target and were given by reserve() or claim().
class Target : public Volume {
 public:
  const std::string& name() const { return settings_.name; }
  Kind kind() const { return settings_.kind; }
  const TargetSettings& settings() const { return settings_; }
  std::string describe() const override { return "target '" + settings_.name + "'"; }
  bool survives_restart() const override { return settings_.kind != Kind::kDram; }
  std::string why_no_memory() const override { return describe() + " is a " + std::string(to_string(kind())) + " target"; }
  // Names this pool for ever (in its header); a new one at each start for dram.
  virtual Id pool_id() const = 0;
  // "4 KiB pages", "cache line (MAP_SYNC)", "byte": what a flush costs; for doctor and listings.
  virtual std::string granularity() const = 0;

  // A contiguous free run, its space guaranteed (file systems: allocated). Zero bytes gives an extent of length 0.
  // Contents are undefined, and may be those of a freed region: the caller overwrites or zeroes before anyone reads.
  // Errors: kNoSpace, the text says how much is free and the largest run; kIo.
  virtual Result<Extent> reserve(uint64_t bytes) = 0;
  // At start only: takes the extent that the catalogue says is in use. Errors: kCorrupt, overlaps or lies outside.
  virtual Result<> claim(Extent extent) = 0;
  // Frees the space. No access may be under way. (File systems: holes are punched.)
  virtual void release(Extent extent) = 0;
  virtual Usage usage() const = 0;

  // Copies in or out; blocks. Non-temporal into pmem. Errors: kIo, kNoSpace.
  virtual Result<> write(uint64_t offset_bytes, std::span<const std::byte> bytes) = 0;
  virtual Result<> read(uint64_t offset_bytes, std::span<std::byte> bytes) = 0;
  // Makes it read as zeros; blocks.
  virtual Result<> zero(Extent extent) = 0;

 protected:
  explicit Target(TargetSettings settings) : settings_(std::move(settings)) {}
  const TargetSettings settings_;
};

// Opens the pool, or makes it where there is none. Blocks.
// Errors: kCorrupt, the pool is torn, of another size, version or kind: never served; kNoSpace; kPmem; kIo; kConfig;
// kBusy, another process has it open.
Result<std::unique_ptr<Target>> open_target(const TargetSettings& settings);

// What mapping a file at `directory` (or a devdax device) would give: "fsdax, cache line", "page cache, page", ...
std::string probe_granularity(const std::string& path);

}  // namespace godwit::pmem
