// The key space of a database: what its users' keys are called in the backend, and where everything else lies.
//
// A user's key is stored as it is, but for one that begins with a zero byte: 00 rest -> 00 01 rest. So 00 00 is free for
// documents, users' keys stay in their order, and the database of another program can be served (docs/design/databases.md).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "objects/database/backend.hpp"

namespace godwit::objects {

using namespace std::string_view_literals;
constexpr std::string_view kUsersFirst = "\0\1"sv;  // No user's key is stored before it.
constexpr std::string_view kReserved = "\0\0"sv;    // Everything else begins so.

// The key as it is stored; it lies in `key`, or in `scratch`.
inline std::string_view stored_key(std::string_view key, std::string& scratch) {
  if (!key.empty() && key.front() != '\0') return key;
  scratch.assign(kUsersFirst);
  if (!key.empty()) scratch.append(key.substr(1));
  return scratch;
}
// The user's key that is stored so, which begins with kUsersFirst or later; it lies in `stored`, or in `scratch`.
inline std::string_view users_key(std::string_view stored, std::string& scratch) {
  if (stored.front() != '\0') return stored;
  scratch.assign(1, '\0');
  scratch.append(stored.substr(kUsersFirst.size()));
  return scratch;
}

}  // namespace godwit::objects
