// BufferRing: registered buffers of one length, made when the first is asked for, and which of them are free.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "fabric/buffer_pool.hpp"

namespace godwit::engine {

// One thread: a stream's.
class BufferRing {
 public:
  BufferRing(std::shared_ptr<fabric::Domain> domain, fabric::Access access, uint64_t buffer_bytes, uint32_t buffers)
      : domain_(std::move(domain)), access_(access), buffer_bytes_(buffer_bytes), buffers_(buffers) {}

  // A free buffer. Nothing: all are in use. Errors: kMemory, kFabric.
  Result<std::optional<uint32_t>> take() {
    if (!pool_) {
      auto made = fabric::BufferPool::create(domain_, buffer_bytes_, buffers_, access_);
      if (!made) return std::move(made).error();
      pool_.emplace(std::move(*made));
      for (uint32_t i = buffers_; i > 0; --i) free_.push_back(i - 1);
    }
    if (free_.empty()) return std::optional<uint32_t>{};
    const uint32_t buffer = free_.back();
    free_.pop_back();
    return std::optional<uint32_t>{buffer};
  }
  void give_back(uint32_t buffer) { free_.push_back(buffer); }

  // Of those taken.
  std::span<std::byte> buffer(uint32_t index) const { return pool_->buffer(index); }
  const fabric::BufferPool& pool() const { return *pool_; }

 private:
  const std::shared_ptr<fabric::Domain> domain_;
  const fabric::Access access_;
  const uint64_t buffer_bytes_;
  const uint32_t buffers_;
  std::optional<fabric::BufferPool> pool_;
  std::vector<uint32_t> free_;
};

}  // namespace godwit::engine
