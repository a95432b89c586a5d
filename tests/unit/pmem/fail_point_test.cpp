#include "base/fail_point.hpp"

#include <gtest/gtest.h>

#include <cerrno>

namespace godwit {
namespace {

#if defined(GODWIT_FAIL_POINTS)

class FailPoint : public testing::Test {
 protected:
  void TearDown() override { clear_fail_points(); }
};

TEST_F(FailPoint, NothingFailsUntilItIsSet) { EXPECT_EQ(fail_point("a"), 0); }

TEST_F(FailPoint, APointFailsEveryTimeUntilTakenBack) {
  set_fail_point("a", EIO);
  EXPECT_EQ(fail_point("a"), EIO);
  EXPECT_EQ(fail_point("a"), EIO);
  EXPECT_EQ(fail_point("b"), 0);
  set_fail_point("a", 0);
  EXPECT_EQ(fail_point("a"), 0);
}

TEST_F(FailPoint, APointWithAHitFailsOnlyThen) {
  set_fail_point("a", EIO, 2);
  EXPECT_EQ(fail_point("a"), 0);
  EXPECT_EQ(fail_point("a"), EIO);
  EXPECT_EQ(fail_point("a"), 0);
}

TEST_F(FailPoint, TextSetsSeveral) {
  ASSERT_TRUE(set_fail_points("a=EIO,b=28@1"));
  EXPECT_EQ(fail_point("a"), EIO);
  EXPECT_EQ(fail_point("b"), ENOSPC);
  EXPECT_EQ(fail_point("b"), 0);
}

TEST_F(FailPoint, TextThatIsNoPointSetsNone) {
  for (const char* text : {"a", "a=", "=EIO", "a=EWHAT", "a=0", "a=-5", "a=EIO@", "a=EIO@0", "b=EIO,a", "b=EIO,,c=EIO"}) {
    const auto outcome = set_fail_points(text);
    ASSERT_FALSE(outcome) << text;
    EXPECT_EQ(outcome.error().code, Errc::kInvalid);
    EXPECT_EQ(fail_point("b"), 0) << text;
  }
}

#else

TEST(FailPoint, IsNothingInThisBuild) { static_assert(fail_point("a") == 0); }

#endif

}  // namespace
}  // namespace godwit
