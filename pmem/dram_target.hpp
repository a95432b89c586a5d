// DramTarget: a pool of memory, one anonymous mapping; gone when the process is.
#pragma once

#include <atomic>
#include <memory>
#include <optional>

#include "pmem/prefault.hpp"
#include "pmem/shared_space.hpp"
#include "pmem/target.hpp"

namespace godwit::pmem {

// An anonymous private mapping; unmaps itself.
class AnonymousMapping {
 public:
  // Takes milliseconds whatever the size: pages come at first use. Huge pages that the administrator has set aside
  // are used if they suffice for all of it, else transparent ones. `bytes` is a multiple of the page.
  // Errors: kMemory, no address space for it.
  static Result<AnonymousMapping> make(uint64_t bytes);
  AnonymousMapping(AnonymousMapping&& other) noexcept;
  AnonymousMapping& operator=(AnonymousMapping&&) = delete;
  ~AnonymousMapping();

  std::span<std::byte> bytes() const { return bytes_; }
  // Set-aside huge pages: the kernel has reserved them all for us already.
  bool is_hugetlb() const { return is_hugetlb_; }

 private:
  AnonymousMapping(std::span<std::byte> bytes, size_t mapped_bytes, bool is_hugetlb)
      : bytes_(bytes), mapped_bytes_(mapped_bytes), is_hugetlb_(is_hugetlb) {}

  std::span<std::byte> bytes_;
  size_t mapped_bytes_;
  bool is_hugetlb_;
};

class DramTarget final : public Target {
 public:
  // Errors: kConfig, kMemory.
  static Result<std::unique_ptr<Target>> open(TargetSettings settings);

  Id pool_id() const override { return pool_id_; }
  std::string granularity() const override;
  // Also kMemory: the machine has not that much memory left. (Checked for large requests, and now and then for small.)
  Result<Extent> reserve(uint64_t bytes) override;
  Result<> claim(Extent extent) override { return space_.claim(extent); }
  // Without prefault its pages go back to the machine: registrations of them with a device must have ended.
  void release(Extent extent) override;
  Usage usage() const override { return space_.usage(); }
  std::span<std::byte> memory(Extent extent) override;
  Result<> write(uint64_t offset_bytes, std::span<const std::byte> bytes) override;
  Result<> read(uint64_t offset_bytes, std::span<std::byte> bytes) override;
  Result<> zero(Extent extent) override;
  Result<Durable> persist(Extent extent) override;
  Result<std::unique_ptr<IoQueue>> open_queue(uint32_t depth) override;

 private:
  DramTarget(TargetSettings settings, AnonymousMapping mapping);

  Result<> check_machine(uint64_t bytes);
  // Whether all pages are there for good, so that no reservation can fail later.
  bool is_backed() const;

  const Id pool_id_ = random_id();
  AnonymousMapping mapping_;
  SharedSpace space_;
  std::atomic<uint64_t> unchecked_bytes_{0};  // Reserved since the machine's memory was last looked at.
  std::optional<Prefault> prefault_;          // Ends first: it touches the mapping.
};

}  // namespace godwit::pmem
