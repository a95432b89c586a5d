#include "godwit-h5stage/pieces.hpp"

#include <algorithm>
#include <random>

#include "expect_failure.hpp"

namespace godwit::h5stage {
namespace {

using Counts = std::vector<uint64_t>;

// How often each element of a small dataset is in a box.
Counts covered(const Shape& shape, const Pieces& pieces) {
  uint64_t elements = 1;
  for (const uint64_t dim : shape.dims) elements *= dim;
  Counts times(elements);
  for (size_t index = 0; index < pieces.size(); ++index) {
    const Box box = pieces.box(index);
    uint64_t in_box = 1;
    for (const uint64_t count : box.count) in_box *= count;
    for (uint64_t at = 0; at < in_box; ++at) {
      uint64_t rest = at, element = 0, stride = 1;
      for (size_t dim = shape.dims.size(); dim-- > 0;) {
        element += (box.start[dim] + rest % box.count[dim]) * stride;
        rest /= box.count[dim];
        stride *= shape.dims[dim];
      }
      ++times[element];
    }
  }
  return times;
}

TEST(Pieces, AScalarIsOne) {
  const Pieces pieces(Shape{{}, {}, 8, false}, 1);
  EXPECT_EQ(pieces.size(), 1u);
  EXPECT_TRUE(pieces.box(0).count.empty());
  EXPECT_EQ(pieces.bytes(0), 8u);
  EXPECT_EQ(pieces.bytes_total(), 8u);
}

TEST(Pieces, ADatasetThatFitsIsOne) {
  const Pieces pieces(Shape{{10, 20}, {}, 4, false}, 800);
  EXPECT_EQ(pieces.size(), 1u);
  EXPECT_EQ(pieces.box(0).count, (Counts{10, 20}));
  EXPECT_EQ(Pieces(Shape{{10, 20}, {}, 4, false}, 799).size(), 2u);
}

TEST(Pieces, SplitAlongTheSlowestDimension) {
  const Pieces pieces(Shape{{10, 20}, {}, 4, false}, 240);
  EXPECT_EQ(pieces.size(), 4u);
  EXPECT_EQ(pieces.box(1).start, (Counts{3, 0}));
  EXPECT_EQ(pieces.box(1).count, (Counts{3, 20}));
  EXPECT_EQ(pieces.box(3).count, (Counts{1, 20}));
  EXPECT_EQ(pieces.bytes_max(), 240u);
  EXPECT_EQ(pieces.bytes(3), 80u);
}

TEST(Pieces, ARowThatIsTooLargeIsSplitToo) {
  const Pieces pieces(Shape{{2, 20}, {}, 4, false}, 79);
  EXPECT_EQ(pieces.size(), 4u);
  EXPECT_EQ(pieces.box(1).start, (Counts{0, 19}));
  EXPECT_EQ(pieces.box(1).count, (Counts{1, 1}));
}

TEST(Pieces, OfWholeChunks) {
  const Pieces pieces(Shape{{100, 100}, {10, 30}, 1, true}, 600);
  EXPECT_EQ(pieces.size(), 10u * 2);
  EXPECT_EQ(pieces.box(0).count, (Counts{10, 60}));
  EXPECT_EQ(pieces.box(1).start, (Counts{0, 60}));
  EXPECT_EQ(pieces.box(1).count, (Counts{10, 40}));
}

TEST(Pieces, AFilteredChunkThatIsTooLargeStaysWhole) {
  const Pieces whole(Shape{{100, 100}, {10, 30}, 1, true}, 299);
  EXPECT_EQ(whole.box(0).count, (Counts{10, 30}));
  EXPECT_EQ(whole.bytes_max(), 300u);
  EXPECT_EQ(Pieces(Shape{{100, 100}, {10, 30}, 1, false}, 299).box(0).count, (Counts{2, 100}));
}

TEST(Pieces, AChunkThatJustFitsStaysWhole) {
  EXPECT_EQ(Pieces(Shape{{100, 100}, {10, 30}, 1, false}, 300).box(0).count, (Counts{10, 30}));
}

TEST(Pieces, AChunkMayBeLargerThanTheDataset) {
  const Pieces pieces(Shape{{7}, {64}, 8, true}, 16);
  EXPECT_EQ(pieces.size(), 1u);
  EXPECT_EQ(pieces.box(0).count, Counts{7});
}

TEST(Pieces, AnElementLargerThanAllIsOne) {
  const Pieces pieces(Shape{{3}, {}, 1000, false}, 1);
  EXPECT_EQ(pieces.size(), 3u);
  EXPECT_EQ(pieces.bytes_max(), 1000u);
}

TEST(Pieces, EveryElementIsInExactlyOneBoxOfChunksThatFit) {
  std::mt19937 generator(7);
  const auto below = [&](uint64_t end) { return generator() % end; };
  for (int round = 0; round < 3000; ++round) {
    Shape shape;
    const bool is_chunked = below(2) == 0;
    for (uint64_t dim = below(4) + 1; dim > 0; --dim) {
      shape.dims.push_back(below(9) + 1);
      if (is_chunked) shape.chunk.push_back(below(11) + 1);
    }
    shape.element_bytes = below(8) + 1;
    shape.is_filtered = is_chunked && below(2) == 0;
    const uint64_t bytes_max = below(500) + 1;
    const Pieces pieces(shape, bytes_max);
    const Counts times = covered(shape, pieces);
    ASSERT_TRUE(std::ranges::all_of(times, [](uint64_t count) { return count == 1; })) << round;
    uint64_t total = 0;
    for (size_t index = 0; index < pieces.size(); ++index) {
      total += pieces.bytes(index);
      ASSERT_LE(pieces.bytes(index), pieces.bytes_max());
      const Box box = pieces.box(index);
      for (size_t dim = 0; shape.is_filtered && dim < shape.dims.size(); ++dim) {
        ASSERT_EQ(box.start[dim] % shape.chunk[dim], 0u);
        ASSERT_TRUE(box.count[dim] % shape.chunk[dim] == 0 || box.start[dim] + box.count[dim] == shape.dims[dim]);
      }
    }
    ASSERT_EQ(total, pieces.bytes_total());
    const uint64_t most = std::max(bytes_max, shape.element_bytes);
    ASSERT_TRUE(shape.is_filtered || pieces.bytes_max() <= most);
  }
}

TEST(Pieces, WhatCannotBeIsRefused) {
  expect_failure(GODWIT_ERR_LIMIT, "64 bits", [] { Pieces(Shape{{uint64_t{1} << 62}, {}, 4, false}, 1); });
  expect_failure(GODWIT_ERR_LIMIT, "too many pieces", [] { Pieces(Shape{{Pieces::kPiecesMax + 1}, {}, 1, false}, 1); });
  EXPECT_EQ(Pieces(Shape{{Pieces::kPiecesMax}, {}, 1, false}, 1).size(), Pieces::kPiecesMax);
  for (const Shape& shape :
       {Shape{{3}, {}, 0, false}, Shape{{3, 0}, {}, 1, false}, Shape{{3}, {0}, 1, false}, Shape{{3}, {1, 1}, 1, false}})
    expect_failure(GODWIT_ERR_INVALID, "shape", [&] { Pieces(shape, 1); });
}

}  // namespace
}  // namespace godwit::h5stage
