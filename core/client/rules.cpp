#include "client/rules.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.hpp"
#include "base/utf8.hpp"

namespace godwit::client {
namespace {

constexpr size_t kRegionNameMax = 128;
constexpr size_t kTargetNameMax = 64;

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

Result<> check_object_name(std::string_view what, std::string_view name) {
  if (parse_id(name))
    return Error{Errc::kInvalid, fmt::format("the {} name '{}' is 32 hexadecimal digits, which would be an id", what, name)};
  return check_name(what, name, kRegionNameMax);
}

}  // namespace

Result<> check_region_name(std::string_view name) { return check_object_name("region", name); }
Result<> check_database_name(std::string_view name) { return check_object_name("database", name); }
Result<> check_collection_name(std::string_view name) { return check_object_name("collection", name); }

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

Result<model::Transfer> transfer_from(const TransferOptions& options) {
  if (options.compression < 0 || options.compression > static_cast<int>(model::Compression::kZstd))
    return Error{Errc::kInvalid, fmt::format("compression is {}, no GODWIT_COMPRESSION_*", options.compression)};
  if (options.priority < 0 || options.priority > static_cast<int>(model::Priority::kEmergency))
    return Error{Errc::kInvalid, fmt::format("priority is {}, no GODWIT_PRIORITY_*", options.priority)};
  model::Transfer transfer{options.block_bytes,
                           options.streams,
                           options.bandwidth,
                           static_cast<model::Compression>(options.compression),
                           static_cast<model::Priority>(options.priority),
                           {},
                           options.verify != 0,
                           options.approval != 0,
                           options.max_downtime_ms};
  if (options.time_window != nullptr) {
    const auto window = model::parse_time_window(options.time_window);
    if (!window) return window.error();
    transfer.window = *window;
  }
  if (auto valid = model::check(transfer, options.block_name); !valid) return std::move(valid).error();
  return transfer;
}

}  // namespace godwit::client
