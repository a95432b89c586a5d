#include "base/alarm.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>

#include "support/waiting.hpp"

namespace godwit {
namespace {

TEST(Alarm, RingsOnceAtItsTime) {
  std::atomic<int> rings{0};
  std::atomic<Clock::rep> rung_at{0};
  Alarm alarm;
  const auto when = Clock::now() + milliseconds(50);
  ASSERT_TRUE(alarm.set(when, [&] {
    rung_at = Clock::now().time_since_epoch().count();
    ++rings;
  }));
  ASSERT_TRUE(test::comes_true([&] { return rings == 1; }));
  EXPECT_GE(rung_at.load(), when.time_since_epoch().count());
  alarm.clear();
  EXPECT_EQ(rings, 1);
}

TEST(Alarm, ThatIsClearedOrGoneDoesNotRing) {
  std::atomic<int> rings{0};
  const auto ring = [&] { ++rings; };
  const auto never = Clock::now() + std::chrono::hours(24 * 365 * 100);
  Alarm alarm;
  ASSERT_TRUE(alarm.set(never, ring));
  alarm.clear();
  alarm.clear();
  {
    Alarm gone;
    ASSERT_TRUE(gone.set(never, ring));
  }
  ASSERT_TRUE(alarm.set(never, ring));
  ASSERT_TRUE(alarm.set(Clock::now(), ring));  // In its place.
  ASSERT_TRUE(test::comes_true([&] { return rings == 1; }));
}

}  // namespace
}  // namespace godwit
