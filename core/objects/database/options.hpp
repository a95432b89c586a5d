// Options: what a user may set of a backend, as a flat JSON object; a key that nobody knows is an error.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "base/result.hpp"

namespace godwit::objects {

// One thread. Each getter takes its option; check() then tells of the first error, or of a key that no getter took.
class Options {
 public:
  // "" is an empty object. Errors: kInvalid, not an object of texts, numbers from 0, and true or false.
  static Result<Options> parse(const std::string& json);

  // A number, or a size as text ("64MiB").
  uint64_t number(const std::string& key, uint64_t fallback, uint64_t least, uint64_t most);
  bool flag(const std::string& key, bool fallback);
  // One of the choices; the first is the default. Returns its index.
  size_t choice(const std::string& key, const std::vector<std::string>& choices);
  // Errors: kInvalid; the text names the key.
  Result<> check() const;

 private:
  using Value = std::variant<bool, uint64_t, std::string>;
  const Value* take(const std::string& key);
  void complain(const std::string& key, const std::string& what);

  std::map<std::string, Value> values_;
  std::set<std::string> known_;
  std::string complaint_;
};

}  // namespace godwit::objects
