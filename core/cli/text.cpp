#include "text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdlib>

namespace godwit::cli {
namespace {

// The length of the well-formed UTF-8 character that `text` begins with; 0 if there is none.
size_t utf8_length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  const size_t length = first < 0x80 ? 1 : first >= 0xc2 && first < 0xe0 ? 2 : (first & 0xf0) == 0xe0 ? 3 : 4;
  if ((first >= 0x80 && first < 0xc2) || first > 0xf4 || length > text.size()) return 0;
  for (size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xc0) != 0x80) return 0;
  if (length == 3 && ((first == 0xe0 && byte(1) < 0xa0) || (first == 0xed && byte(1) >= 0xa0))) return 0;
  if (length == 4 && ((first == 0xf0 && byte(1) < 0x90) || (first == 0xf4 && byte(1) >= 0x90))) return 0;
  return length;
}

bool is_harmless(std::string_view character) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(character[i]); };
  if (character.size() == 1) return byte(0) >= 0x20 && byte(0) != 0x7f;
  if (character.size() == 2) return byte(0) != 0xc2 || byte(1) >= 0xa0;  // U+0080..9F: control characters.
  if (character.size() == 3 && byte(0) == 0xe2) {
    if (byte(1) == 0x80 && (byte(2) >= 0xa8 && byte(2) <= 0xae)) return false;  // Separators, direction overrides.
    if (byte(1) == 0x81 && (byte(2) >= 0xa6 && byte(2) <= 0xa9)) return false;  // Direction isolates.
  }
  return true;
}

constexpr uint64_t kSizeMax = uint64_t{1} << 63;

struct Unit {
  std::string_view suffix;
  uint64_t bytes;
};

constexpr std::array kUnits{
    Unit{"", 1},
    Unit{"b", 1},
    Unit{"k", 1ull << 10},
    Unit{"kb", 1'000},
    Unit{"kib", 1ull << 10},
    Unit{"m", 1ull << 20},
    Unit{"mb", 1'000'000},
    Unit{"mib", 1ull << 20},
    Unit{"g", 1ull << 30},
    Unit{"gb", 1'000'000'000},
    Unit{"gib", 1ull << 30},
    Unit{"t", 1ull << 40},
    Unit{"tb", 1'000'000'000'000},
    Unit{"tib", 1ull << 40},
    Unit{"p", 1ull << 50},
    Unit{"pb", 1'000'000'000'000'000},
    Unit{"pib", 1ull << 50},
    Unit{"e", 1ull << 60},
    Unit{"eb", 1'000'000'000'000'000'000},
    Unit{"eib", 1ull << 60},
};

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const size_t length = utf8_length(text);
    const std::string_view character = text.substr(0, std::max<size_t>(length, 1));
    if (length != 0 && is_harmless(character)) {
      out += character;
    } else {
      for (const char c : character) out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
    text.remove_prefix(character.size());
  }
  return out;
}

std::optional<uint64_t> parse_size(std::string_view text) {
  const size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
  if (digits == 0 || text[0] == '.') return std::nullopt;
  const std::string number(text.substr(0, digits));
  std::string suffix(text.substr(digits));
  suffix.erase(0, suffix.find_first_not_of(' '));
  std::transform(suffix.begin(), suffix.end(), suffix.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const auto* const unit = std::find_if(kUnits.begin(), kUnits.end(), [&](const Unit& u) { return u.suffix == suffix; });
  if (unit == kUnits.end()) return std::nullopt;
  if (number.find('.') == std::string::npos) {  // Whole numbers are exact, also where a double is not.
    errno = 0;
    const unsigned long long value = std::strtoull(number.c_str(), nullptr, 10);
    if (errno != 0) return std::nullopt;
    if (unit->bytes == 1) return value;
    return value <= (kSizeMax - 1) / unit->bytes ? std::optional<uint64_t>(value * unit->bytes) : std::nullopt;
  }
  if (unit->bytes == 1) return std::nullopt;
  char* end = nullptr;
  const double value = std::strtod(number.c_str(), &end) * static_cast<double>(unit->bytes);
  if (*end != '\0' || !(value < 0x1p63)) return std::nullopt;
  return static_cast<uint64_t>(std::llround(value));
}

std::string format_size(double bytes) {
  static constexpr std::array kNames{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  size_t unit = 0;
  while (bytes >= 1024 && unit + 1 < kNames.size()) {
    bytes /= 1024;
    ++unit;
  }
  if (unit == 0) return fmt::format("{:.0f} B", bytes);
  return fmt::format("{:.{}f} {}", bytes, bytes < 10 ? 2 : bytes < 100 ? 1 : 0, kNames[unit]);
}

std::optional<uint32_t> parse_mode(std::string_view text) {
  uint32_t mode = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), mode, 8);
  if (error != std::errc{} || end != text.data() + text.size() || (mode & ~uint32_t{0666}) != 0) return std::nullopt;
  return mode;
}

std::string format_mode(uint32_t mode) {
  std::string letters = "rw-rw-rw-";
  for (size_t i = 0; i < letters.size(); ++i)
    if ((mode >> (8 - i) & 1) == 0) letters[i] = '-';
  return fmt::format("{:04o} ({})", mode, letters);
}

std::string format_seconds(double seconds) {
  if (seconds < 60) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<uint64_t>(seconds);
  if (whole < 3600) return fmt::format("{}:{:02}", whole / 60, whole % 60);
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

std::string Table::text() const {
  std::vector<size_t> widths;
  std::vector<std::vector<std::string>> rows;
  for (const auto& row : rows_) {
    rows.emplace_back();
    for (size_t i = 0; i < row.size(); ++i) {
      rows.back().push_back(printable(row[i]));
      if (widths.size() <= i) widths.push_back(0);
      widths[i] = std::max(widths[i], rows.back().back().size());
    }
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) line += fmt::format("{:<{}}  ", row[i], widths[i]);
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

}  // namespace godwit::cli
