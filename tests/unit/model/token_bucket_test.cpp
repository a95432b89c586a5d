#include "model/token_bucket.hpp"

#include <gtest/gtest.h>

#include <random>

namespace godwit::model {
namespace {

using namespace std::chrono_literals;
using Time = TokenBucket::Time;

const Time kStart = Time{} + 1h;

// What goes in `span` when blocks of `bytes` go as early as they may, asked for after a delay of up to `late`.
uint64_t sent_within(TokenBucket& bucket, Time start, TokenBucket::Duration span, uint64_t bytes,
                     TokenBucket::Duration late = 0s) {
  std::mt19937_64 random(1);
  uint64_t sent = 0;
  for (Time now = start; now < start + span;) {
    const auto wait = bucket.wait(now);
    if (wait > 0s) {
      now += wait + TokenBucket::Duration(
                        late.count() == 0 ? 0 : static_cast<int64_t>(random() % static_cast<uint64_t>(late.count())));
      continue;
    }
    bucket.spend(bytes, now);
    sent += bytes;
  }
  return sent;
}

TEST(TokenBucket, WithoutALimitNothingWaits) {
  TokenBucket bucket;
  bucket.spend(uint64_t{1} << 60, kStart);
  EXPECT_EQ(bucket.wait(kStart), 0s);
}

TEST(TokenBucket, KeepsItsRateWithinAFewPercentOfEachSecond) {
  for (const uint64_t rate : {uint64_t{1} << 20, uint64_t{6'250'000}, uint64_t{1} << 30}) {
    TokenBucket bucket;
    bucket.set_rate(rate, kStart);
    for (int second = 0; second < 5; ++second) {
      const auto sent = static_cast<double>(sent_within(bucket, kStart + second * 1s, 1s, rate / 64));
      EXPECT_NEAR(sent, static_cast<double>(rate), static_cast<double>(rate) * 0.03) << rate;
    }
  }
}

TEST(TokenBucket, CatchesUpWithAskersThatAreLate) {
  TokenBucket bucket;
  bucket.set_rate(1'000'000, kStart);
  const auto sent = static_cast<double>(sent_within(bucket, kStart, 10s, 10'000, TokenBucket::kBurst));
  EXPECT_NEAR(sent, 10e6, 0.02 * 10e6);
}

TEST(TokenBucket, DoesNotSaveUpWhatNobodyUsed) {
  TokenBucket bucket;
  bucket.set_rate(1'000'000, kStart);
  const auto sent = static_cast<double>(sent_within(bucket, kStart + 1h, 1s, 10'000));
  EXPECT_LE(sent, 1e6 * 1.05 + 10'000);
}

TEST(TokenBucket, ABlockLargerThanASecondIsPaidForAfterwards) {
  TokenBucket bucket;
  bucket.set_rate(1'000, kStart);
  EXPECT_EQ(bucket.wait(kStart), 0s);
  bucket.spend(5'000, kStart);
  EXPECT_GE(bucket.wait(kStart), 5s - TokenBucket::kBurst);
  EXPECT_EQ(bucket.wait(kStart + 5s), 0s);
}

TEST(TokenBucket, AnotherRateHoldsAtOnce) {
  TokenBucket bucket;
  bucket.set_rate(1, kStart);
  bucket.spend(uint64_t{1} << 62, kStart);
  EXPECT_GT(bucket.wait(kStart), 24h * 365);
  bucket.set_rate(1'000'000, kStart);
  EXPECT_EQ(bucket.wait(kStart), 0s);
  bucket.spend(1, kStart);
  bucket.set_rate(0, kStart);
  EXPECT_EQ(bucket.wait(kStart), 0s);
}

TEST(TokenBucket, WhatIsGivenBackIsNotOwed) {
  TokenBucket bucket;
  bucket.set_rate(1'000, kStart);
  bucket.spend(5'000, kStart);
  bucket.give_back(4'000, kStart);
  EXPECT_EQ(bucket.wait(kStart), 1s);
}

// Of blocks that a tenth is left of ten times as many go; and no more than that, though each was given back late.
TEST(TokenBucket, WhatTravelsKeepsTheRateWhenTheRestIsGivenBack) {
  TokenBucket bucket;
  bucket.set_rate(1'000'000, kStart);
  double travelled = 0;
  for (Time now = kStart; now < kStart + 10s;) {
    if (const auto wait = bucket.wait(now); wait > 0s) {
      now += wait;
      continue;
    }
    bucket.spend(10'000, now);
    now += 500us;  // It is compressed.
    bucket.give_back(9'000, now);
    travelled += 1'000;
  }
  EXPECT_NEAR(travelled, 10e6, 0.02 * 10e6);
}

TEST(TokenBucket, WhatIsGivenBackIsNotSavedUpEither) {
  TokenBucket bucket;
  bucket.set_rate(1'000'000, kStart);
  for (int i = 0; i < 1'000; ++i) bucket.give_back(1'000'000, kStart);
  const auto sent = static_cast<double>(sent_within(bucket, kStart, 1s, 10'000));
  EXPECT_LE(sent, 1e6 * 1.05 + 10'000);
  bucket.set_rate(0, kStart);
  bucket.give_back(uint64_t{1} << 62, kStart);  // Without a limit there is nothing to give back.
  EXPECT_EQ(bucket.wait(kStart), 0s);
}

}  // namespace
}  // namespace godwit::model
