// Whole numbers in the JSON that the journal keeps.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

namespace godwit::engine {

// The library's own get() makes something of every number: of 1.5, of 300 for a byte, and of 1e30, which is undefined.
// Throws std::invalid_argument: it is no whole number, or none of a T.
template <class T>
T whole(const nlohmann::json& value) {
  if (value.is_number_unsigned()) {
    if (const auto number = value.get<uint64_t>(); std::in_range<T>(number)) return static_cast<T>(number);
  } else if (value.is_number_integer()) {
    if (const auto number = value.get<int64_t>(); std::in_range<T>(number)) return static_cast<T>(number);
  }
  throw std::invalid_argument("a whole number that is none, or too large");
}

}  // namespace godwit::engine
