#include "godwit-h5stage/parts.hpp"

#include "expect_failure.hpp"

namespace godwit::h5stage {
namespace {

std::vector<size_t> pieces_of(const std::vector<Part>& parts) {
  std::vector<size_t> counts;
  for (const Part& part : parts) counts.push_back(part.pieces);
  return counts;
}

// Pieces of 10 bytes, and a last one of 5.
Pieces pieces(size_t count) { return {Shape{{count * 10 - 5}, {}, 1, false}, 10}; }

TEST(Parts, HoldAllPiecesInOrder) {
  const std::vector<Part> parts = cut_parts(pieces(7), 3, 1000);
  size_t next = 0;
  uint64_t bytes = 0;
  for (const Part& part : parts) {
    EXPECT_EQ(part.first, next);
    next += part.pieces;
    bytes += part.bytes;
  }
  EXPECT_EQ(next, 7u);
  EXPECT_EQ(bytes, 65u);
  EXPECT_EQ(pieces_of(parts), (std::vector<size_t>{2, 2, 2, 1}));
}

TEST(Parts, OnePieceIsOnePart) { EXPECT_EQ(pieces_of(cut_parts(pieces(1), 8, 1000)), std::vector<size_t>{1}); }

TEST(Parts, NoneIsLargerThanAllowed) {
  for (const Part& part : cut_parts(pieces(20), 1, 45)) EXPECT_LE(part.bytes, 45u);
  EXPECT_EQ(cut_parts(pieces(20), 1, 1000).size(), 1u);
  EXPECT_EQ(cut_parts(pieces(4), 1, 3).size(), 4u) << "a piece that is larger is a part";
}

TEST(Parts, OfSmallPiecesBesideALargeOneAreNotLargerEither) {
  const Pieces chunks(Shape{{11, 11}, {10, 10}, 1, true}, 1);  // 100, 10, 10 and 1.
  EXPECT_EQ(pieces_of(cut_parts(chunks, 1, 15)), (std::vector<size_t>{1, 1, 2}));
}

TEST(Parts, GoWhereTheLargestShareIsFree) {
  const std::vector<Place> places{{"a", "t", 100}, {"b", "t", 300}};
  EXPECT_EQ(place_parts({50, 50, 50, 50, 50, 50, 50, 50}, places), (std::vector<size_t>{0, 1, 1, 1, 0, 1, 1, 1}));
}

TEST(Parts, GoWhereTheyFit) {
  EXPECT_EQ(place_parts({50, 10}, {{"a", "t", 40}, {"b", "t", 60}}), (std::vector<size_t>{1, 0}));
  EXPECT_EQ(place_parts({40, 60}, {{"a", "t", 40}, {"b", "t", 60}}), (std::vector<size_t>{0, 1}));
}

TEST(Parts, ThatFitNowhereAreTold) {
  expect_failure(GODWIT_ERR_NO_SPACE, "no room for 101 bytes of data: target 't' at a has 40, target 'u' at b has 60", [] {
    place_parts({40, 61}, {{"a", "t", 40}, {"b", "u", 60}});
  });
  EXPECT_TRUE(place_parts({}, {{"a", "t", 0}}).empty());
}

}  // namespace
}  // namespace godwit::h5stage
