// SharedSpace: the Space of one target, for any thread, with errors that say what is left.
#pragma once

#include <mutex>
#include <string>

#include "base/result.hpp"
#include "pmem/space.hpp"
#include "pmem/target.hpp"

namespace godwit::pmem {

// Every target hands out whole pages: regions can then be tracked, punched out and given back on their own.
constexpr uint64_t kPageBytes = 4096;
constexpr uint64_t round_up_to_page(uint64_t bytes) { return (bytes + kPageBytes - 1) & ~(kPageBytes - 1); }

// Thread-safe; never blocks for long.
class SharedSpace {
 public:
  SharedSpace(std::string target_name, uint64_t capacity_bytes)
      : target_name_(std::move(target_name)), space_(capacity_bytes, kPageBytes) {}

  // Errors: kNoSpace.
  Result<Extent> reserve(uint64_t bytes);
  // Errors: kCorrupt.
  Result<> claim(Extent extent);
  // An extent that is not in use is a defect of the caller: logged, and nothing changes.
  void release(Extent extent);
  Usage usage() const;

 private:
  const std::string target_name_;
  mutable std::mutex mutex_;  // Guards space_.
  Space space_;
};

}  // namespace godwit::pmem
