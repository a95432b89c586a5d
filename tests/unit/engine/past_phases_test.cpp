#include "engine/past_phases.hpp"

#include <gtest/gtest.h>

namespace godwit::engine {
namespace {

std::string line(const std::string& seconds, const std::string& rest) {
  return R"({"time":"2026-02-28T23:59:)" + seconds + R"(Z",)" + rest + "}\n";
}

const std::string kBefore = line("10.000", R"("event":"queued","kind":"move")") +
                            line("10.500", R"("event":"phase","from":"planning","to":"sync")") +
                            line("12.000", R"("event":"limited","bytes_per_second":5)");
const std::string kRecovered = line("50.000", R"("event":"recovered","kind":"move")");

TEST(PastPhases, OfAJobThatNothingInterruptedThereAreNone) {
  EXPECT_TRUE(past_phases("").empty());
  EXPECT_TRUE(past_phases(kBefore).empty());
}

TEST(PastPhases, EndWithTheLastEventBeforeTheRestart) {
  const auto phases = past_phases(kBefore + kRecovered + line("51.000", R"("event":"phase","from":"planning","to":"sync")"));
  ASSERT_EQ(phases.size(), 2U);
  EXPECT_EQ(phases[0].phase, "planning");
  EXPECT_DOUBLE_EQ(phases[0].seconds, 0.5);
  EXPECT_EQ(phases[1].phase, "sync");
  EXPECT_DOUBLE_EQ(phases[1].seconds, 1.5);
}

TEST(PastPhases, OfSeveralRestartsAreAllThere) {
  const auto phases =
      past_phases(kBefore + kRecovered + line("51.250", R"("event":"phase","from":"planning","to":"sync")") +
                  line("52.000", R"("event":"handed-over")") + line("59.000", R"("event":"recovered","phase":"in-doubt")"));
  ASSERT_EQ(phases.size(), 4U);
  EXPECT_EQ(phases[2].phase, "planning");
  EXPECT_DOUBLE_EQ(phases[2].seconds, 1.25);
  EXPECT_EQ(phases[3].phase, "sync");
  EXPECT_DOUBLE_EQ(phases[3].seconds, 0.75);
}

TEST(PastPhases, WhatMakesNoSenseIsPassedOver) {
  const auto phases = past_phases(
      "{\n[]\n7\nnull\n"
      R"({"time":5,"event":"phase","to":"sync"})"
      "\n" +
      kBefore +
      R"({"time":"long ago","event":"phase","to":"cutover"})"
      "\n" +
      line("11.000", R"("event":"phase","to":5)") + kRecovered + R"({"event":"torn)");
  ASSERT_EQ(phases.size(), 2U);
  EXPECT_EQ(phases[1].phase, "sync");
  EXPECT_DOUBLE_EQ(phases[1].seconds, 1.5);
}

TEST(PastPhases, AClockThatWasSetBackTakesNoTime) {
  const auto phases = past_phases(kBefore + line("01.000", R"("event":"phase","to":"cutover")") + kRecovered);
  ASSERT_EQ(phases.size(), 3U);
  EXPECT_DOUBLE_EQ(phases[1].seconds, 0);
}

}  // namespace
}  // namespace godwit::engine
