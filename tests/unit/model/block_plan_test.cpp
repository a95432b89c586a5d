#include "model/block_plan.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <numeric>
#include <random>

namespace godwit::model {
namespace {

constexpr uint64_t kMiB = 1 << 20;

// What the header promises, whatever the sizes.
void expect_sound(const std::vector<uint64_t>& sizes, uint64_t block_bytes_max, const BlockPlan& plan) {
  std::vector<uint64_t> covered(sizes.size());  // Of each object, from its start: pieces come in order.
  uint64_t total_bytes = 0;
  for (uint32_t block = 0; block < plan.size(); ++block) {
    const auto pieces = plan.pieces(block);
    ASSERT_FALSE(pieces.empty()) << "block " << block;
    uint64_t block_bytes = 0;
    for (const Piece& piece : pieces) {
      ASSERT_LT(piece.object, sizes.size());
      ASSERT_GT(piece.extent.length_bytes, 0U) << "block " << block;
      ASSERT_EQ(piece.extent.offset_bytes, covered[piece.object]) << "a gap or an overlap in object " << piece.object;
      covered[piece.object] += piece.extent.length_bytes;
      block_bytes += piece.extent.length_bytes;
      const bool is_large = sizes[piece.object] >= block_bytes_max / 4;
      ASSERT_TRUE(!is_large || pieces.size() == 1) << "a large object shares block " << block;
    }
    ASSERT_LE(block_bytes, block_bytes_max) << "block " << block;
    ASSERT_EQ(plan.block_bytes(block), block_bytes);
    total_bytes += block_bytes;
  }
  ASSERT_EQ(covered, sizes);
  ASSERT_EQ(plan.total_bytes(), total_bytes);
}

BlockPlan plan_and_check(const std::vector<uint64_t>& sizes, uint64_t block_bytes_max) {
  BlockPlan plan = plan_blocks(sizes, block_bytes_max);
  expect_sound(sizes, block_bytes_max, plan);
  return plan;
}

TEST(BlockPlan, NoObjectsGiveNoBlock) {
  EXPECT_EQ(plan_and_check({}, kMiB).size(), 0U);
  EXPECT_EQ(plan_and_check({0, 0, 0}, kMiB).size(), 0U);
}

TEST(BlockPlan, OneByteIsOneBlock) { EXPECT_EQ(plan_and_check({1}, kMiB).size(), 1U); }

TEST(BlockPlan, LastBlockIsShortWhenSizeIsNotAMultiple) {
  const BlockPlan plan = plan_and_check({3 * kMiB + 5}, kMiB);
  ASSERT_EQ(plan.size(), 4U);
  EXPECT_EQ(plan.block_bytes(3), 5U);
}

TEST(BlockPlan, WholeMultipleHasNoEmptyLastBlock) { EXPECT_EQ(plan_and_check({4 * kMiB}, kMiB).size(), 4U); }

TEST(BlockPlan, TebibyteIsCutWithoutOverflow) { EXPECT_EQ(plan_and_check({uint64_t{1} << 40}, 64 * kMiB).size(), 1U << 14); }

TEST(BlockPlan, SizesNearTheLimitDoNotWrap) {
  const uint64_t block_bytes_max = uint64_t{1} << 61;
  EXPECT_EQ(plan_and_check({(uint64_t{1} << 62) + 1, 7}, block_bytes_max).size(), 4U);
}

TEST(BlockPlan, ThousandsOfSmallObjectsShareBlocks) {
  const BlockPlan plan = plan_and_check(std::vector<uint64_t>(10'000, 4096), kMiB);
  EXPECT_EQ(plan.size(), 40U);  // 256 of them to a block.
}

TEST(BlockPlan, SmallObjectsAroundALargeOneDoNotShareItsBlock) {
  const BlockPlan plan = plan_and_check({10, kMiB / 4, 10}, kMiB);
  ASSERT_EQ(plan.size(), 3U);
  EXPECT_EQ(plan.pieces(1)[0].object, 1U);
}

TEST(BlockPlan, ObjectJustBelowTheLimitIsPacked) { EXPECT_EQ(plan_and_check({kMiB / 4 - 1, kMiB / 4 - 1}, kMiB).size(), 1U); }

TEST(BlockPlan, TinyBlocksCutEverything) {
  EXPECT_EQ(plan_and_check({5, 1, 0, 3}, 1).size(), 9U);
  EXPECT_EQ(plan_and_check({5, 1, 0, 3}, 3).size(), 4U);
}

// GODWIT_PLAN_SEED=n replays one seed.
TEST(BlockPlan, EveryByteIsCoveredOnceWhateverTheSizes) {
  const char* replay = std::getenv("GODWIT_PLAN_SEED");
  const uint64_t first = replay != nullptr ? std::strtoull(replay, nullptr, 10) : 1;
  for (uint64_t seed = first; seed < first + (replay != nullptr ? 1 : 3000); ++seed) {
    SCOPED_TRACE(testing::Message() << "GODWIT_PLAN_SEED=" << seed);
    std::mt19937_64 random(seed);
    const uint64_t block_bytes_max = 1 + (random() >> (40 + random() % 24));
    std::vector<uint64_t> sizes(random() % 200);
    for (uint64_t& size : sizes) {
      // Mostly small, some of many blocks, and the borders.
      switch (random() % 6) {
        case 0: size = 0; break;
        case 1: size = random() % (20 * block_bytes_max); break;
        case 2: size = block_bytes_max / 4 - (block_bytes_max >= 4 ? random() % 2 : 0); break;
        case 3: size = block_bytes_max * (random() % 3); break;
        default: size = random() % (block_bytes_max / 4 + 1); break;
      }
    }
    plan_and_check(sizes, block_bytes_max);
    if (HasFatalFailure()) return;
  }
}

TEST(BlockPlan, SameSizesGiveTheSamePlan) {
  const std::vector<uint64_t> sizes{1, 2 * kMiB, 3, 4, 900'000, 0, 17};
  const BlockPlan one = plan_blocks(sizes, kMiB);
  const BlockPlan other = plan_blocks(sizes, kMiB);
  ASSERT_EQ(one.size(), other.size());
  for (uint32_t block = 0; block < one.size(); ++block)
    for (size_t piece = 0; piece < one.pieces(block).size(); ++piece) {
      EXPECT_EQ(one.pieces(block)[piece].object, other.pieces(block)[piece].object);
      EXPECT_EQ(one.pieces(block)[piece].extent, other.pieces(block)[piece].extent);
    }
}

}  // namespace
}  // namespace godwit::model
