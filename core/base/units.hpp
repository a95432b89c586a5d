// Sizes and times as people write them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace godwit {

constexpr uint64_t operator""_KiB(unsigned long long n) { return n << 10; }
constexpr uint64_t operator""_MiB(unsigned long long n) { return n << 20; }
constexpr uint64_t operator""_GiB(unsigned long long n) { return n << 30; }

// "4096", "64KiB", "2GiB", "1.5MB" (decimal: 1,500,000), case ignored, in bytes; whole numbers are exact. Reads what
// format_size() prints.
// Errors: kInvalid, not a size, negative, or above 2^63.
Result<uint64_t> parse_size(std::string_view text);
// "2GiB/s", "50MB/s", "50mbps" and "1.5gbps" (bits, decimal), or a size, in bytes a second. Case is ignored, but for the unit's
// own last letters: "MBps" are bytes.
// Errors: kInvalid, not a rate; as parse_size().
Result<uint64_t> parse_rate(std::string_view text);
// "1.50 GiB": three significant digits, binary units.
std::string format_size(uint64_t bytes);
// "1:02:03" or "4.2 s".
std::string format_seconds(double seconds);

}  // namespace godwit
