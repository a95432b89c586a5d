#include "engine/totals.hpp"

#include <gtest/gtest.h>

namespace godwit::engine {
namespace {

using std::chrono::duration;

TEST(Histogram, ATimeFallsIntoTheFirstBucketWhoseBoundHoldsIt) {
  Histogram histogram;
  for (const double seconds : {0.0, 0.001, 0.0011, 1.0, 1.5, 36000.0, 36000.1, 1e9})
    histogram.observe(duration<double>(seconds));
  const auto now = histogram.snapshot();
  EXPECT_EQ(now.counts, (std::array<uint64_t, 10>{2, 1, 0, 1, 1, 0, 0, 0, 1, 2}));
  EXPECT_NEAR(now.sum_seconds, 1e9 + 72002.6021, 1e-3);
}

TEST(Counted, CountsForAsLongAsItLives) {
  std::atomic<int64_t> count{5};
  {
    const Counted one(count), two(count);
    EXPECT_EQ(count, 7);
  }
  EXPECT_EQ(count, 5);
}

}  // namespace
}  // namespace godwit::engine
