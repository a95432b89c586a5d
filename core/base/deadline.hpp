// Deadline: a point on the monotonic clock by which a wait must end.
#pragma once

#include <algorithm>
#include <chrono>

namespace godwit {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

class Deadline {
 public:
  static Deadline after(Clock::duration span) { return Deadline{Clock::now() + span}; }
  static Deadline at(Clock::time_point time) { return Deadline{time}; }

  Clock::time_point time() const { return time_; }
  bool passed() const { return Clock::now() >= time_; }
  // Zero once it has passed.
  Clock::duration left() const { return std::max(time_ - Clock::now(), Clock::duration::zero()); }

 private:
  explicit Deadline(Clock::time_point time) : time_(time) {}
  Clock::time_point time_;
};

}  // namespace godwit
