#include "base/units.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>

#include "base/log.hpp"

namespace godwit {
namespace {

constexpr uint64_t kSizeMax = uint64_t{1} << 63;

struct Unit {
  std::string_view suffix;  // Lower case.
  uint64_t bytes;
};
constexpr std::array kUnits{
    Unit{"", 1},
    Unit{"b", 1},
    Unit{"k", 1ull << 10},
    Unit{"kib", 1ull << 10},
    Unit{"kb", 1'000},
    Unit{"m", 1ull << 20},
    Unit{"mib", 1ull << 20},
    Unit{"mb", 1'000'000},
    Unit{"g", 1ull << 30},
    Unit{"gib", 1ull << 30},
    Unit{"gb", 1'000'000'000},
    Unit{"t", 1ull << 40},
    Unit{"tib", 1ull << 40},
    Unit{"tb", 1'000'000'000'000},
    Unit{"p", 1ull << 50},
    Unit{"pib", 1ull << 50},
    Unit{"pb", 1'000'000'000'000'000},
    Unit{"e", 1ull << 60},
    Unit{"eib", 1ull << 60},
    Unit{"eb", 1'000'000'000'000'000'000},
};

// The unit that the text says, spaces before it or none; NULL if it is none.
const Unit* unit_of(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  std::string suffix(text);
  std::transform(suffix.begin(), suffix.end(), suffix.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const auto* const unit =
      std::find_if(kUnits.begin(), kUnits.end(), [&](const Unit& known) { return known.suffix == suffix; });
  return unit == kUnits.end() ? nullptr : unit;
}

}  // namespace

Result<uint64_t> parse_size(std::string_view text) {
  const Error bad{Errc::kInvalid,
                  fmt::format("'{}' is not a size; write for example 4096, 64KiB or 2GiB", log::printable(text))};
  const char* end = text.data() + text.size();
  // Whole numbers are exact, which a double is not above 2^53.
  uint64_t whole = 0;
  if (const auto [ptr, ec] = std::from_chars(text.data(), end, whole); ec == std::errc{} && (ptr == end || *ptr != '.')) {
    const Unit* const unit = unit_of({ptr, end});
    if (unit == nullptr || whole > kSizeMax / unit->bytes) return bad;
    return whole * unit->bytes;
  }
  double number = 0;
  const auto [ptr, ec] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
  if (ec != std::errc{} || !(number >= 0) || std::signbit(number)) return bad;
  const Unit* const unit = unit_of({ptr, end});
  if (unit == nullptr) return bad;
  const double bytes = std::round(number * static_cast<double>(unit->bytes));
  if (!(bytes <= 0x1p63)) return bad;
  return static_cast<uint64_t>(bytes);
}

Result<uint64_t> parse_rate(std::string_view text) {
  const Error bad{Errc::kInvalid,
                  fmt::format("'{}' is not a rate; write for example 50mbps, 100MB/s or 2GiB/s", log::printable(text))};
  const auto without = [&](std::string_view suffix) { return text.substr(0, text.size() - suffix.size()); };
  if (text.ends_with("/s")) {
    auto bytes = parse_size(without("/s"));
    return bytes ? bytes : Result<uint64_t>(bad);
  }
  if (text.ends_with("Bps")) {
    auto bytes = parse_size(without("ps"));
    return bytes ? bytes : Result<uint64_t>(bad);
  }
  if (text.size() > 3 && (text.ends_with("bps") || text.ends_with("bit"))) {
    // Bits come in thousands: "50m" would be binary.
    auto bits = parse_size(std::string(without("bps")) + "B");
    if (!bits) return bad;
    return *bits == 0 ? 0 : std::max<uint64_t>(1, *bits / 8);
  }
  auto bytes = parse_size(text);
  return bytes ? bytes : Result<uint64_t>(bad);
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
