#include "base/units.hpp"

#include <fmt/format.h>

#include <array>
#include <cctype>
#include <charconv>
#include <cmath>

namespace godwit {
namespace {

struct Unit {
  std::string_view suffix;  // Lower case.
  double bytes;
};
constexpr std::array kUnits{
    Unit{"", 1},         Unit{"b", 1},      Unit{"kib", 0x1p10}, Unit{"mib", 0x1p20}, Unit{"gib", 0x1p30},
    Unit{"tib", 0x1p40}, Unit{"kb", 1e3},   Unit{"mb", 1e6},     Unit{"gb", 1e9},     Unit{"tb", 1e12},
    Unit{"k", 0x1p10},   Unit{"m", 0x1p20}, Unit{"g", 0x1p30},   Unit{"t", 0x1p40},
};

}  // namespace

Result<uint64_t> parse_size(std::string_view text) {
  const Error bad{Errc::kInvalid, fmt::format("'{}' is not a size; write for example 4096, 64KiB or 2GiB", text)};
  const char* end = text.data() + text.size();

  uint64_t whole = 0;  // Exact for plain numbers, which a double is not above 2^53.
  if (auto [ptr, ec] = std::from_chars(text.data(), end, whole); ec == std::errc{} && ptr == end) {
    if (whole > (uint64_t{1} << 63)) return bad;
    return whole;
  }
  double number = 0;
  const auto [ptr, ec] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
  if (ec != std::errc{} || !(number >= 0)) return bad;
  std::string suffix;
  for (const char* c = ptr; c != end; ++c)
    if (*c != ' ' || !suffix.empty()) suffix += static_cast<char>(std::tolower(static_cast<unsigned char>(*c)));
  for (const Unit& unit : kUnits) {
    if (suffix != unit.suffix) continue;
    const double bytes = std::round(number * unit.bytes);
    if (!(bytes <= 0x1p63)) return bad;
    return static_cast<uint64_t>(bytes);
  }
  return bad;
}

std::string format_size(uint64_t bytes) {
  static constexpr std::array kNames{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 999.5 && unit + 1 < kNames.size()) {
    value /= 1024;
    ++unit;
  }
  if (unit == 0) return fmt::format("{} B", bytes);
  return fmt::format("{:.{}f} {}", value, value < 9.995 ? 2 : value < 99.95 ? 1 : 0, kNames[unit]);
}

std::string format_seconds(double seconds) {
  if (seconds < 60) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<uint64_t>(seconds);
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

}  // namespace godwit
