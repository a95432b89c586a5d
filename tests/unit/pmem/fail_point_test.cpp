#include "base/fail_point.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "support/waiting.hpp"

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

TEST_F(FailPoint, AtAPauseTheThreadWaitsUntilItsFileIsRemoved) {
  char directory[] = "/tmp/godwit-test-XXXXXX";
  ASSERT_NE(mkdtemp(directory), nullptr);
  setenv("GODWIT_FAIL_PAUSES", directory, 1);
  const std::filesystem::path file = std::filesystem::path(directory) / "a.b";
  ASSERT_TRUE(set_fail_points("a.b=PAUSE@2"));
  EXPECT_EQ(fail_point("a.b"), 0);
  EXPECT_FALSE(std::filesystem::exists(file));
  std::atomic<bool> went_on{false};
  std::jthread thread([&] {
    EXPECT_EQ(fail_point("a.b"), 0);
    went_on = true;
  });
  EXPECT_TRUE(test::comes_true([&] { return std::filesystem::exists(file); }));
  EXPECT_FALSE(went_on);
  EXPECT_EQ(fail_point("a.b"), 0);  // Nobody else is stopped.
  std::filesystem::remove(file);
  thread.join();
  EXPECT_TRUE(went_on);
  unsetenv("GODWIT_FAIL_PAUSES");
  std::filesystem::remove(directory);
}

TEST_F(FailPoint, KillEndsTheProcess) {
  ASSERT_TRUE(set_fail_points("a=KILL"));
  EXPECT_EXIT(fail_point("a"), testing::KilledBySignal(SIGKILL), "");
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
