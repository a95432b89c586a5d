// BlockPlan: how the bytes of a job's objects are cut into blocks. Pure; source and destination compute the same plan.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/extent.hpp"

namespace godwit::model {

// A run of bytes of one object.
struct Piece {
  uint32_t object;  // Index in the job's list.
  Extent extent;    // Within the object.
};

// A block is one piece of a large object, or many small objects packed together. Its bytes are the pieces' bytes, in order.
class BlockPlan {
 public:
  uint32_t size() const { return static_cast<uint32_t>(first_piece_.size() - 1); }
  std::span<const Piece> pieces(uint32_t block) const;
  uint64_t block_bytes(uint32_t block) const;
  uint64_t total_bytes() const { return total_bytes_; }

 private:
  friend BlockPlan plan_blocks(std::span<const uint64_t> object_sizes_bytes, uint64_t block_bytes_max);
  std::vector<Piece> pieces_;
  std::vector<uint32_t> first_piece_{0};  // Of each block; one more at the end.
  uint64_t total_bytes_ = 0;
};

// Covers every byte of every object once. Objects of at least block_bytes_max / 4 start a block of their own and are cut every
// block_bytes_max; smaller ones are packed, several to a block. Empty objects are in no block. No block is empty or longer
// than block_bytes_max. The caller has checked that sizes add up to less than 2^63 and blocks to less than 2^32.
BlockPlan plan_blocks(std::span<const uint64_t> object_sizes_bytes, uint64_t block_bytes_max);

}  // namespace godwit::model
