// Members: one object of a plan's document, read strictly: what nobody asks for is refused, with the path of it.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.hpp"
#include "base/result.hpp"

namespace godwit::model {

using nlohmann::json;

// Of the document. "": the whole of it.
inline Error at(const std::string& path, const std::string& what) {
  return Error{Errc::kInvalid, fmt::format("plan: {}: {}", path.empty() ? "the document" : path, what)};
}
inline Error wrong(const std::string& path, std::string_view what) { return at(path, fmt::format("must be {}", what)); }

// The members of one object of the document; those that nobody took are unknown.
class Members {
 public:
  static constexpr size_t kTextBytesMax = 4096;  // Of an address, a path.

  // Errors of these all: kInvalid; the text begins with the path.
  static Result<Members> of(const json& value, std::string path) {
    if (!value.is_object()) return wrong(path, "an object");
    return Members(value, std::move(path));
  }

  // NULL: there is none.
  const json* take(const std::string& key) {
    known_.push_back(key);
    const auto found = value_->find(key);
    return found == value_->end() ? nullptr : &*found;
  }
  std::string path_of(const std::string& key) const { return path_.empty() ? key : path_ + "." + key; }

  // `into` is left as it is if there is no such key.
  Result<> text(const std::string& key, std::string& into, size_t bytes_max = kTextBytesMax) {
    const json* value = take(key);
    if (value == nullptr) return Done{};
    if (!value->is_string()) return wrong(path_of(key), "a text");
    into = value->get<std::string>();
    if (into.empty() || into.size() > bytes_max || log::printable(into) != into)
      return wrong(path_of(key), fmt::format("of 1 to {} bytes, without control characters", bytes_max));
    return Done{};
  }
  Result<> flag(const std::string& key, bool& into) {
    const json* value = take(key);
    if (value == nullptr) return Done{};
    if (!value->is_boolean()) return wrong(path_of(key), "true or false");
    into = value->get<bool>();
    return Done{};
  }
  Result<> number(const std::string& key, uint32_t& into, uint32_t most) {
    const json* value = take(key);
    if (value == nullptr) return Done{};
    if (!value->is_number_unsigned() || value->get<uint64_t>() > most)
      return wrong(path_of(key), fmt::format("a whole number from 0 to {}", most));
    into = value->get<uint32_t>();
    return Done{};
  }
  Result<> check() const {
    for (const auto& [key, value] : value_->items())
      if (std::ranges::find(known_, key) == known_.end())
        return at(path_of(log::printable(key)), fmt::format("unknown key; known here: {}", fmt::join(known_, ", ")));
    return Done{};
  }

 private:
  Members(const json& value, std::string path) : value_(&value), path_(std::move(path)) {}
  const json* value_;
  std::string path_;
  std::vector<std::string> known_;
};

template <class T>
struct Choice {
  std::string_view name;
  T value;
};
// Errors: kInvalid; the text names those there are.
template <class T, size_t n>
Result<T> choose(const json& value, const std::array<Choice<T>, n>& choices) {
  std::string names;
  for (const Choice<T>& choice : choices) {
    if (value.is_string() && value.get<std::string>() == choice.name) return choice.value;
    names += (names.empty() ? "" : ", ") + std::string(choice.name);
  }
  return Error{Errc::kInvalid, "must be one of " + names};
}

}  // namespace godwit::model
