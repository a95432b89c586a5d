#include "client/rules.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

#include "base/log.hpp"

namespace godwit::client {
namespace {

constexpr size_t kRegionNameMax = 128;
constexpr size_t kTargetNameMax = 64;

// The bytes that follow the first byte of a UTF-8 character; negative if none can begin so.
int continuation_bytes(unsigned char first) {
  if (first < 0x80) return 0;
  if (first >= 0xc2 && first < 0xe0) return 1;
  if (first >= 0xe0 && first < 0xf0) return 2;
  if (first >= 0xf0 && first < 0xf5) return 3;
  return -1;
}

// As RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    const auto first = static_cast<unsigned char>(text[i]);
    const int more = continuation_bytes(first);
    if (more < 0 || text.size() - i <= static_cast<size_t>(more)) return false;
    for (int k = 1; k <= more; ++k) {
      const auto byte = static_cast<unsigned char>(text[++i]);
      const unsigned char low = k > 1 ? 0x80 : first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
      const unsigned char high = k > 1 ? 0xbf : first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
      if (byte < low || byte > high) return false;
    }
  }
  return true;
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

Result<> check_name(std::string_view what, std::string_view name, size_t bytes_max) {
  const auto invalid = [&](std::string_view why) {
    return Error{Errc::kInvalid, fmt::format("the {} name '{}' {}", what, log::printable(name.substr(0, bytes_max)), why)};
  };
  if (name.empty()) return invalid("is empty");
  if (name.size() > bytes_max) return invalid(fmt::format("is longer than {} bytes", bytes_max));
  if (std::ranges::any_of(name, is_control)) return invalid("has a control character in it");
  if (!is_utf8(name)) return Error{Errc::kInvalid, fmt::format("the {} name is not UTF-8", what)};
  return Done{};
}

}  // namespace

Result<> check_region_name(std::string_view name) {
  if (parse_id(name))
    return Error{Errc::kInvalid, fmt::format("the region name '{}' is 32 hexadecimal digits, which would be an id", name)};
  return check_name("region", name, kRegionNameMax);
}

Result<> check_target_name(std::string_view name) { return check_name("target", name, kTargetNameMax); }

Result<fabric::Address> address_from(const char* text) {
  if (text == nullptr) return Error{Errc::kInvalid, "the address is NULL"};
  return fabric::parse_address(text);
}

Result<Id> id_from(const char* text, std::string_view what) {
  if (text == nullptr) return Error{Errc::kInvalid, fmt::format("{} is NULL", what)};
  const std::optional<Id> id = parse_id(text);
  if (!id) return Error{Errc::kInvalid, fmt::format("{} is not 32 hexadecimal digits", what)};
  return *id;
}

}  // namespace godwit::client
