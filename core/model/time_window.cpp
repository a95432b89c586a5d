#include "model/time_window.hpp"

#include <fmt/format.h>

#include <optional>

#include "base/log.hpp"

namespace godwit::model {
namespace {

// "22:00"; "24:00" is midnight.
std::optional<uint16_t> minute_of(std::string_view text) {
  if (text.size() != 5 || text[2] != ':') return std::nullopt;
  uint32_t digits[4];
  for (size_t i = 0, at = 0; at < text.size(); ++at) {
    if (at == 2) continue;
    if (text[at] < '0' || text[at] > '9') return std::nullopt;
    digits[i++] = static_cast<uint32_t>(text[at] - '0');
  }
  const uint32_t hour = digits[0] * 10 + digits[1], minute = digits[2] * 10 + digits[3];
  if (minute > 59 || hour > 24 || (hour == 24 && minute > 0)) return std::nullopt;
  return static_cast<uint16_t>((hour * 60 + minute) % TimeWindow::kMinutesOfDay);
}

}  // namespace

Result<TimeWindow> parse_time_window(std::string_view text) {
  const Error bad{Errc::kInvalid,
                  fmt::format("'{}' is not a time window; write for example 22:00-06:00", log::printable(text))};
  if (text.size() != 11 || text[5] != '-') return bad;
  const auto begin = minute_of(text.substr(0, 5));
  const auto end = minute_of(text.substr(6));
  if (!begin || !end || *begin == *end) return bad;
  return TimeWindow{*begin, *end};
}

std::string to_string(const TimeWindow& window) {
  if (window.is_always()) return "always";
  return fmt::format("{:02}:{:02}-{:02}:{:02}", window.begin / 60, window.begin % 60, window.end / 60, window.end % 60);
}

}  // namespace godwit::model
