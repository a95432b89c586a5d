// FileTarget: a pool in a file that is read and written, not mapped: parallel file systems, disks, NVMe.
#pragma once

#include <memory>
#include <string>

#include "pmem/pool_file.hpp"
#include "pmem/shared_space.hpp"
#include "pmem/sync_group.hpp"
#include "pmem/target.hpp"

namespace godwit::pmem {

class FileTarget final : public Target {
 public:
  // Errors: as open_target().
  static Result<std::unique_ptr<Target>> open(TargetSettings settings);

  Id pool_id() const override { return file_.header().pool_id; }
  std::string granularity() const override;
  Result<Extent> reserve(uint64_t bytes) override;
  Result<> claim(Extent extent) override { return space_.claim(extent); }
  void release(Extent extent) override;
  Usage usage() const override { return space_.usage(); }
  std::span<std::byte> memory(Extent) override { return {}; }
  Result<> write(uint64_t offset_bytes, std::span<const std::byte> bytes) override;
  Result<> read(uint64_t offset_bytes, std::span<std::byte> bytes) override;
  Result<> zero(Extent extent) override;
  // Of the whole file, one at a time; callers that come meanwhile share the next.
  Result<Durable> persist(Extent extent) override;
  Result<std::unique_ptr<IoQueue>> open_queue(uint32_t depth) override;

 private:
  FileTarget(TargetSettings settings, PoolFile file);

  uint64_t capacity_bytes() const { return file_.header().capacity_bytes; }
  Result<> sync_data() const;

  const PoolFile file_;
  const int uring_errno_;  // 0: io_uring works here; else why not, and queues use pread and pwrite.
  SharedSpace space_;
  SyncGroup syncs_;
};

}  // namespace godwit::pmem
