// TimeWindow: the hours of each day in which a job may send, in the local time of its source.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace godwit::model {

// From `begin` up to, not including, `end`, in minutes after midnight; across midnight if `end` comes first. Both alike:
// always.
struct TimeWindow {
  static constexpr uint16_t kMinutesOfDay = 24 * 60;
  uint16_t begin = 0;
  uint16_t end = 0;

  bool is_always() const { return begin == end; }
  bool has(uint32_t second_of_day) const {
    const uint32_t from = begin * 60u, to = end * 60u;
    if (is_always()) return true;
    return from < to ? from <= second_of_day && second_of_day < to : from <= second_of_day || second_of_day < to;
  }
};

// "22:00-06:00". Errors: kInvalid; also an empty window ("06:00-06:00").
Result<TimeWindow> parse_time_window(std::string_view text);
std::string to_string(const TimeWindow& window);

}  // namespace godwit::model
