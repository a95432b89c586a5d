// Id: a random 128-bit name, shown as 32 hexadecimal digits.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace godwit {

struct Id {
  uint64_t high = 0;
  uint64_t low = 0;

  auto operator<=>(const Id&) const = default;
  bool is_zero() const { return high == 0 && low == 0; }
};

// From the kernel's generator. Any thread.
Id random_id();
std::string to_string(const Id& id);
// Nothing unless the text is exactly 32 hexadecimal digits.
std::optional<Id> parse_id(std::string_view text);

}  // namespace godwit

template <>
struct std::hash<godwit::Id> {
  size_t operator()(const godwit::Id& id) const noexcept {
    return static_cast<size_t>(id.high ^ (id.low * 0x9E3779B97F4A7C15ULL));
  }
};
