// TokenBucket: when bytes may go so that on the average no more than a rate of them do. Pure: whoever asks says what time it
// is.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace godwit::model {

// https://en.wikipedia.org/wiki/Token_bucket, with debt: bytes may go whenever nothing is owed, however many they are, and are
// paid for afterwards. So blocks longer than the bucket pass too, and the average is exact. What was not used within kBurst is
// lost: over any time T at most rate x (T + kBurst) and one block go.
class TokenBucket {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Duration = std::chrono::steady_clock::duration;
  static constexpr std::chrono::milliseconds kBurst{40};

  uint64_t rate() const { return rate_; }
  // In bytes a second; 0: no limit. What is owed at the old rate is forgiven.
  void set_rate(uint64_t rate, Time now) {
    rate_ = rate;
    paid_until_ = now;
  }

  // How long from `now` until bytes may go; zero: at once.
  Duration wait(Time now) const { return rate_ == 0 ? Duration::zero() : std::max(Duration::zero(), paid_until_ - now); }

  void spend(uint64_t bytes, Time now) {
    if (rate_ == 0) return;
    paid_until_ = std::min(std::max(paid_until_, now - kBurst) + price(bytes), now + kForEver);
  }

  // Bytes that were spent and did not go after all: what is owed for them is forgiven, and what was paid for them already may
  // be used within kBurst, as everything.
  void give_back(uint64_t bytes, Time now) {
    if (rate_ == 0) return;
    paid_until_ = std::max(paid_until_ - price(bytes), now - kBurst);
  }

 private:
  // A century is as good as for ever, and fits.
  static constexpr Duration kForEver = std::chrono::duration_cast<Duration>(std::chrono::years(100));

  Duration price(uint64_t bytes) const {
    const std::chrono::duration<double> cost(static_cast<double>(bytes) / static_cast<double>(rate_));
    return cost < kForEver ? std::chrono::duration_cast<Duration>(cost) : kForEver;
  }

  uint64_t rate_ = 0;
  Time paid_until_{};  // The bytes that have gone are paid for at this time.
};

}  // namespace godwit::model
