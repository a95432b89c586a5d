#include "model/block_plan.hpp"

#include <algorithm>

namespace godwit::model {

std::span<const Piece> BlockPlan::pieces(uint32_t block) const {
  const uint32_t first = first_piece_[block];
  return std::span(pieces_).subspan(first, first_piece_[block + 1] - first);
}

uint64_t BlockPlan::block_bytes(uint32_t block) const {
  uint64_t bytes = 0;
  for (const Piece& piece : pieces(block)) bytes += piece.extent.length_bytes;
  return bytes;
}

BlockPlan plan_blocks(std::span<const uint64_t> object_sizes_bytes, uint64_t block_bytes_max) {
  BlockPlan plan;
  uint64_t packed_bytes = 0;  // Of the block that small objects are being packed into.
  const auto end_block = [&] {
    if (plan.pieces_.size() > plan.first_piece_.back()) plan.first_piece_.push_back(static_cast<uint32_t>(plan.pieces_.size()));
    packed_bytes = 0;
  };
  for (uint32_t object = 0; object < object_sizes_bytes.size(); ++object) {
    const uint64_t size = object_sizes_bytes[object];
    plan.total_bytes_ += size;
    if (size == 0) continue;
    if (size >= block_bytes_max / 4) {
      end_block();
      for (uint64_t offset = 0; offset < size; offset += block_bytes_max) {
        plan.pieces_.push_back({object, {offset, std::min(block_bytes_max, size - offset)}});
        end_block();
      }
      continue;
    }
    if (packed_bytes + size > block_bytes_max) end_block();
    plan.pieces_.push_back({object, {0, size}});
    packed_bytes += size;
  }
  end_block();
  return plan;
}

}  // namespace godwit::model
