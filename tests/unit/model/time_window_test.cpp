#include "model/time_window.hpp"

#include <gtest/gtest.h>

#include "model/transfer.hpp"

namespace godwit::model {
namespace {

constexpr uint32_t second(uint32_t hour, uint32_t minute, uint32_t second = 0) { return (hour * 60 + minute) * 60 + second; }

TEST(TimeWindow, HasItsHoursAndNoOthers) {
  const auto window = parse_time_window("08:30-17:00");
  ASSERT_TRUE(window);
  EXPECT_FALSE(window->has(second(8, 29, 59)));
  EXPECT_TRUE(window->has(second(8, 30)));
  EXPECT_TRUE(window->has(second(16, 59, 59)));
  EXPECT_FALSE(window->has(second(17, 0)));
  EXPECT_EQ(to_string(*window), "08:30-17:00");
}

TEST(TimeWindow, GoesAcrossMidnight) {
  const auto window = parse_time_window("22:00-06:00");
  ASSERT_TRUE(window);
  EXPECT_TRUE(window->has(second(23, 59, 59)));
  EXPECT_TRUE(window->has(0));
  EXPECT_TRUE(window->has(second(5, 59, 59)));
  EXPECT_FALSE(window->has(second(6, 0)));
  EXPECT_FALSE(window->has(second(21, 59, 59)));
}

TEST(TimeWindow, MidnightIsAnEndAndABeginning) {
  const auto evening = parse_time_window("20:00-24:00"), night = parse_time_window("00:00-04:00");
  ASSERT_TRUE(evening && night);
  EXPECT_TRUE(evening->has(second(23, 59, 59)));
  EXPECT_FALSE(evening->has(0));
  EXPECT_TRUE(night->has(0));
  EXPECT_FALSE(night->has(second(23, 59, 59)));
}

TEST(TimeWindow, OnlyHoursOfTheDayAreRead) {
  for (const char* bad : {"", "22-6", "22:00", "22:00-22:00", "25:00-06:00", "22:60-06:00", "24:01-06:00", "22:00-06:00 ",
                          "2200-0600x", "-1:00-06:00", "22:00/06:00", "aa:bb-cc:dd", "00:00-24:00"})
    EXPECT_FALSE(parse_time_window(bad)) << bad;
}

TEST(Transfer, ContradictionsAreErrors) {
  Transfer transfer;
  EXPECT_TRUE(check(transfer));
  transfer.priority = Priority::kEmergency;
  EXPECT_TRUE(check(transfer));
  transfer.bandwidth_bytes_per_second = 1;
  EXPECT_EQ(check(transfer).error().code, Errc::kInvalid);
  transfer.bandwidth_bytes_per_second = 0;
  transfer.window = {60, 120};
  EXPECT_EQ(check(transfer).error().code, Errc::kInvalid);
  transfer.priority = Priority::kHigh;
  EXPECT_TRUE(check(transfer));
  transfer.window.end = TimeWindow::kMinutesOfDay;
  EXPECT_EQ(check(transfer).error().code, Errc::kInvalid);
}

}  // namespace
}  // namespace godwit::model
