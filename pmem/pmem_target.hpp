// PmemTarget: a pool in persistent memory (fsdax, devdax), or in any file that can be mapped.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>

#include "pmem/pmem_mapping.hpp"
#include "pmem/pool_file.hpp"
#include "pmem/shared_space.hpp"
#include "pmem/target.hpp"

namespace godwit::pmem {

class PmemTarget final : public Target {
 public:
  // Errors: as open_target().
  static Result<std::unique_ptr<Target>> open(TargetSettings settings);

  Id pool_id() const override { return header_.pool_id; }
  std::string granularity() const override;
  Result<Extent> reserve(uint64_t bytes) override;
  // Also allocates what is missing of it (a pool file copied without its holes' promise). Also kNoSpace, kIo.
  Result<> claim(Extent extent) override;
  void release(Extent extent) override;
  Usage usage() const override { return space_.usage(); }
  std::span<std::byte> memory(Extent extent) override;
  Result<> write(uint64_t offset_bytes, std::span<const std::byte> bytes) override;
  Result<> read(uint64_t offset_bytes, std::span<std::byte> bytes) override;
  Result<> zero(Extent extent) override;
  Result<Durable> persist(Extent extent) override;
  Result<std::unique_ptr<IoQueue>> open_queue(uint32_t depth) override;

 private:
  PmemTarget(TargetSettings settings, PoolFile file, PmemMapping mapping, const PoolHeader& header);

  Result<> flush(Extent extent);
  std::span<std::byte> data() const { return mapping_.bytes().subspan(kHeaderBytes, header_.capacity_bytes); }

  const PoolFile file_;  // Holds the lock.
  const PmemMapping mapping_;
  const PoolHeader header_;
  SharedSpace space_;

  // A page cache reports a failed write-back once, to anyone: so page flushes run one at a time under this mutex, which
  // also guards failure_.
  std::mutex flush_mutex_;
  std::optional<Error> failure_;
  std::atomic<bool> has_failed_{false};  // Whether failure_ is set, for flushes that need no mutex.
};

}  // namespace godwit::pmem
