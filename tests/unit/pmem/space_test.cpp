#include "pmem/space.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <vector>

namespace godwit::pmem {
namespace {

TEST(Space, TakesTheSmallestRunThatFits) {
  Space space(100, 1);
  const Extent a = *space.reserve(10);
  const Extent gap_of_20 = *space.reserve(20);
  const Extent b = *space.reserve(10);
  const Extent gap_of_12 = *space.reserve(12);
  const Extent c = *space.reserve(10);
  EXPECT_TRUE(space.release(gap_of_20));
  EXPECT_TRUE(space.release(gap_of_12));
  EXPECT_EQ(space.reserve(11)->offset_bytes, gap_of_12.offset_bytes);
  EXPECT_EQ(space.reserve(13)->offset_bytes, gap_of_20.offset_bytes);
  for (const Extent& extent : {a, b, c}) EXPECT_TRUE(space.release(extent));
}

TEST(Space, NeighboursCoalesceOnBothSides) {
  Space space(30, 1);
  const Extent a = *space.reserve(10);
  const Extent b = *space.reserve(10);
  const Extent c = *space.reserve(10);
  EXPECT_FALSE(space.reserve(1));
  EXPECT_TRUE(space.release(a));
  EXPECT_TRUE(space.release(c));
  EXPECT_EQ(space.largest_free_bytes(), 10U);
  EXPECT_EQ(space.free_run_count(), 2U);
  EXPECT_TRUE(space.release(b));
  EXPECT_EQ(space.largest_free_bytes(), 30U);
  EXPECT_EQ(space.free_run_count(), 1U);
}

TEST(Space, RoundsUpToGranulesAndAlignsToThem) {
  Space space(3 * 4096 + 100, 4096);
  EXPECT_EQ(space.capacity_bytes(), 3U * 4096);
  EXPECT_EQ(*space.reserve(1), (Extent{0, 1}));
  EXPECT_EQ(*space.reserve(4097), (Extent{4096, 4097}));
  EXPECT_EQ(space.used_bytes(), 3U * 4096);
  EXPECT_FALSE(space.reserve(1));
  EXPECT_TRUE(space.release({4096, 4097}));
  EXPECT_EQ(space.largest_free_bytes(), 8192U);
}

TEST(Space, ZeroBytesTakeNothing) {
  Space space(4096, 4096);
  EXPECT_EQ(*space.reserve(0), (Extent{0, 0}));
  EXPECT_EQ(space.used_bytes(), 0U);
  EXPECT_TRUE(space.release({0, 0}));
  EXPECT_TRUE(space.claim({4096, 0}));
  EXPECT_FALSE(space.claim({4097, 0}));
}

TEST(Space, SizesThatWrapAreRefused) {
  Space space(1 << 20, 4096);
  for (const uint64_t bytes : {uint64_t{(1 << 20) + 1}, uint64_t{1} << 63, UINT64_MAX, UINT64_MAX - 4095}) {
    EXPECT_FALSE(space.reserve(bytes)) << bytes;
    EXPECT_FALSE(space.claim({0, bytes})) << bytes;
    EXPECT_FALSE(space.release({4096, bytes})) << bytes;
  }
  EXPECT_FALSE(space.claim({UINT64_MAX - 4095, 4096}));
  EXPECT_EQ(space.used_bytes(), 0U);
}

TEST(Space, AClaimTakesExactlyThatExtent) {
  Space space(10 * 4096, 4096);
  EXPECT_TRUE(space.claim({4096, 5000}));
  EXPECT_FALSE(space.claim({4096, 1})) << "taken";
  EXPECT_FALSE(space.claim({8192, 4096})) << "the claim's last granule";
  EXPECT_FALSE(space.claim({0, 8192})) << "overlaps at its end";
  EXPECT_FALSE(space.claim({100, 10})) << "inside a granule";
  EXPECT_TRUE(space.claim({0, 4096}));
  EXPECT_TRUE(space.claim({9 * 4096, 4096}));
  EXPECT_EQ(space.used_bytes(), 4U * 4096);
}

TEST(Space, ReleasingWhatIsFreeChangesNothing) {
  Space space(10 * 4096, 4096);
  const Extent a = *space.reserve(4096);
  const Extent b = *space.reserve(8192);
  EXPECT_TRUE(space.release(a));
  EXPECT_FALSE(space.release(a));
  EXPECT_FALSE(space.release({0, 8192})) << "half free";
  EXPECT_FALSE(space.release({8192, 8192})) << "half free";
  EXPECT_FALSE(space.release({4097, 100})) << "inside a granule";
  EXPECT_EQ(space.used_bytes(), 8192U);
  EXPECT_TRUE(space.release(b));
  EXPECT_EQ(space.largest_free_bytes(), space.capacity_bytes());
}

TEST(Space, NoCapacityHoldsNothing) {
  Space space(0, 4096);
  EXPECT_FALSE(space.reserve(1));
  EXPECT_EQ(space.largest_free_bytes(), 0U);
}

// One flag a granule, and every question answered by walking them.
class NaiveSpace {
 public:
  explicit NaiveSpace(size_t granules) : used_(granules, false) {}

  struct Run {
    size_t start;
    size_t length;
  };
  std::vector<Run> free_runs() const {
    std::vector<Run> runs;
    for (size_t i = 0; i < used_.size(); ++i) {
      if (used_[i]) continue;
      if (i > 0 && !used_[i - 1])
        ++runs.back().length;
      else
        runs.push_back({i, 1});
    }
    return runs;
  }
  // The offset that best fit chooses, in granules; SIZE_MAX: none.
  size_t best_fit(size_t length) const {
    Run best{SIZE_MAX, SIZE_MAX};
    for (const Run& run : free_runs())
      if (run.length >= length && run.length < best.length) best = run;
    return best.start;
  }
  bool all(size_t start, size_t length, bool used) const {
    if (start > used_.size() || length > used_.size() - start) return false;
    return std::all_of(used_.begin() + static_cast<long>(start), used_.begin() + static_cast<long>(start + length),
                       [used](bool flag) { return flag == used; });
  }
  void set(size_t start, size_t length, bool used) { std::fill_n(used_.begin() + static_cast<long>(start), length, used); }
  size_t used_count() const { return static_cast<size_t>(std::count(used_.begin(), used_.end(), true)); }

 private:
  std::vector<bool> used_;
};

class SpaceProperty : public testing::TestWithParam<uint64_t> {};

TEST_P(SpaceProperty, AnyHistoryAgreesWithTheNaiveModel) {
  constexpr uint64_t kGranule = 4096;
  constexpr size_t kGranules = 96;
  std::mt19937_64 random(GetParam());
  const auto pick = [&](uint64_t below) { return random() % below; };
  Space space(kGranules * kGranule, kGranule);
  NaiveSpace model(kGranules);
  std::vector<Extent> held;
  for (int step = 0; step < 4000; ++step) {
    const uint64_t action = pick(10);
    if (action < 5) {
      const uint64_t bytes = 1 + pick(pick(4) == 0 ? 40 * kGranule : 4 * kGranule);
      const size_t granules = (bytes + kGranule - 1) / kGranule;
      const size_t expected = model.best_fit(granules);
      const auto got = space.reserve(bytes);
      ASSERT_EQ(got.has_value(), expected != SIZE_MAX) << "step " << step;
      if (got) {
        ASSERT_EQ(*got, (Extent{expected * kGranule, bytes})) << "step " << step;
        model.set(expected, granules, true);
        held.push_back(*got);
      }
    } else if (action < 9 && !held.empty()) {
      const size_t at = pick(held.size());
      ASSERT_TRUE(space.release(held[at]));
      model.set(held[at].offset_bytes / kGranule, (held[at].length_bytes + kGranule - 1) / kGranule, false);
      held[at] = held.back();
      held.pop_back();
    } else {  // A claim of anything, right or wrong.
      const Extent extent{pick(kGranules + 2) * kGranule, 1 + pick(5 * kGranule)};
      const size_t granules = (extent.length_bytes + kGranule - 1) / kGranule;
      const bool expected = model.all(extent.offset_bytes / kGranule, granules, false);
      ASSERT_EQ(space.claim(extent), expected) << "step " << step;
      if (expected) {
        model.set(extent.offset_bytes / kGranule, granules, true);
        held.push_back(extent);
      }
    }
    const auto runs = model.free_runs();
    size_t largest = 0;
    for (const auto& run : runs) largest = std::max(largest, run.length);
    ASSERT_EQ(space.largest_free_bytes(), largest * kGranule) << "step " << step;
    ASSERT_EQ(space.used_bytes(), model.used_count() * kGranule) << "step " << step;
    ASSERT_EQ(space.free_run_count(), runs.size()) << "step " << step;
  }
  for (const Extent& extent : held) ASSERT_TRUE(space.release(extent));
  EXPECT_EQ(space.largest_free_bytes(), space.capacity_bytes());
}

INSTANTIATE_TEST_SUITE_P(Seeds, SpaceProperty, testing::Range<uint64_t>(1, 9));

}  // namespace
}  // namespace godwit::pmem
