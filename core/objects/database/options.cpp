#include "objects/database/options.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/log.hpp"
#include "base/units.hpp"
#include "objects/database/backend.hpp"

namespace godwit::objects {

Result<Options> Options::parse(const std::string& json) {
  Options options;
  if (json.empty()) return options;
  const auto document = nlohmann::json::parse(json, nullptr, false);
  if (!document.is_object()) return Error{Errc::kInvalid, "the database's options are no JSON object"};
  for (const auto& [key, value] : document.items()) {
    if (value.is_boolean())
      options.values_.emplace(key, value.get<bool>());
    else if (value.is_number_unsigned())
      options.values_.emplace(key, value.get<uint64_t>());
    else if (value.is_string())
      options.values_.emplace(key, value.get<std::string>());
    else
      return Error{Errc::kInvalid,
                   fmt::format("the option '{}' is no text, number from 0, true or false", log::printable(key))};
  }
  return options;
}

Result<std::string> merge_options(const std::string& options, const std::string& more) {
  if (more.empty()) return options;
  const auto added = nlohmann::json::parse(more, nullptr, false);
  if (!added.is_object()) return Error{Errc::kInvalid, "the additional options are no JSON object"};
  auto merged = options.empty() ? nlohmann::json::object() : nlohmann::json::parse(options, nullptr, false);
  if (!merged.is_object()) return Error{Errc::kInvalid, "the database's options are no JSON object"};
  merged.update(added);
  return merged.empty() ? std::string() : merged.dump();
}

const Options::Value* Options::take(const std::string& key) {
  known_.insert(key);
  const auto found = values_.find(key);
  return found == values_.end() ? nullptr : &found->second;
}

void Options::complain(const std::string& key, const std::string& what) {
  if (complaint_.empty()) complaint_ = fmt::format("the option '{}' {}", key, what);
}

uint64_t Options::number(const std::string& key, uint64_t fallback, uint64_t least, uint64_t most) {
  const Value* value = take(key);
  if (value == nullptr) return fallback;
  uint64_t number = 0;
  if (const auto* direct = std::get_if<uint64_t>(value)) {
    number = *direct;
  } else if (const auto* text = std::get_if<std::string>(value)) {
    const auto size = parse_size(*text);
    if (!size) {
      complain(key, "is no number");
      return fallback;
    }
    number = *size;
  } else {
    complain(key, "is no number");
    return fallback;
  }
  if (number >= least && number <= most) return number;
  complain(key, fmt::format("is {}, not between {} and {}", number, least, most));
  return fallback;
}

bool Options::flag(const std::string& key, bool fallback) {
  const Value* value = take(key);
  if (value == nullptr) return fallback;
  if (const auto* flag = std::get_if<bool>(value)) return *flag;
  complain(key, "is neither true nor false");
  return fallback;
}

size_t Options::choice(const std::string& key, const std::vector<std::string>& choices) {
  const Value* value = take(key);
  if (value == nullptr) return 0;
  const auto* text = std::get_if<std::string>(value);
  const auto found = text == nullptr ? choices.end() : std::find(choices.begin(), choices.end(), *text);
  if (found != choices.end()) return static_cast<size_t>(found - choices.begin());
  complain(key, fmt::format("is none of {}", fmt::join(choices, ", ")));
  return 0;
}

Result<> Options::check() const {
  if (!complaint_.empty()) return Error{Errc::kInvalid, complaint_};
  for (const auto& [key, value] : values_)
    if (!known_.contains(key))
      return Error{Errc::kInvalid,
                   fmt::format("this backend has no option '{}'; it has {}", log::printable(key),
                               known_.empty() ? std::string("none") : fmt::format("{}", fmt::join(known_, ", ")))};
  return Done{};
}

}  // namespace godwit::objects
