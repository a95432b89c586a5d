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

// Proof that bytes are durable as far as the target can: only persist() makes it, acknowledgements take it.
class Durable {
 public:
  Extent extent() const { return extent_; }

 private:
  friend class Target;
  explicit Durable(Extent extent) : extent_(extent) {}
  Extent extent_;
};

// One read or write of a target by an IoQueue.
struct Io {
  enum class Direction { kRead, kWrite } direction;
  uint64_t offset_bytes;  // In the target.
  std::span<std::byte> memory;
  uint64_t token;
};
struct IoDone {
  uint64_t token;
  Result<> outcome;  // Errors: kIo, kNoSpace; a short transfer has been completed or is an error, never a success.
};

// Several reads and writes of one target in flight. One thread. Memory targets complete inside submit().
class IoQueue {
 public:
  virtual ~IoQueue() = default;
  // Errors: kBusy, `depth` operations are outstanding: wait() first; kIo.
  virtual Result<> submit(const Io& io) = 0;
  // Completions so far, at least `at_least` (0: do not block) of those outstanding.
  virtual Result<std::vector<IoDone>> wait(uint32_t at_least) = 0;
};

// Any thread, except where said. Offsets are in the target and were given by reserve() or claim().
class Target {
 public:
  virtual ~Target() = default;

  const std::string& name() const { return settings_.name; }
  Kind kind() const { return settings_.kind; }
  const TargetSettings& settings() const { return settings_; }
  bool survives_restart() const { return settings_.kind != Kind::kDram; }
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

  // The bytes themselves, readable and writable; empty for file targets. Writes here are durable only after persist().
  virtual std::span<std::byte> memory(Extent extent) = 0;
  // Copies in or out; blocks. Non-temporal into pmem. Errors: kIo, kNoSpace.
  virtual Result<> write(uint64_t offset_bytes, std::span<const std::byte> bytes) = 0;
  virtual Result<> read(uint64_t offset_bytes, std::span<std::byte> bytes) = 0;
  // Makes it read as zeros; blocks.
  virtual Result<> zero(Extent extent) = 0;
  // Makes the extent durable; blocks until it is. dram: nothing to do, and succeeds.
  // Errors: kPmem, kIo: contents unknown; a failed fsync makes every later persist() of this target fail too.
  virtual Result<Durable> persist(Extent extent) = 0;
  virtual Result<std::unique_ptr<IoQueue>> open_queue(uint32_t depth) = 0;

 protected:
  explicit Target(TargetSettings settings) : settings_(std::move(settings)) {}
  static Durable durable(Extent extent) { return Durable{extent}; }
  const TargetSettings settings_;
};

// Opens the pool, or makes it where there is none. Blocks.
// Errors: kCorrupt, the pool is torn, of another size, version or kind: never served; kNoSpace; kPmem; kIo; kConfig;
// kBusy, another process has it open.
Result<std::unique_ptr<Target>> open_target(const TargetSettings& settings);

// What mapping a file at `directory` (or a devdax device) would give: "fsdax, cache line", "page cache, page", ...
std::string probe_granularity(const std::string& path);

}  // namespace godwit::pmem
