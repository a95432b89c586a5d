// Pairs: the keys and values of a database as its users see them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "objects/database/backend.hpp"
#include "objects/database/results.hpp"
#include "protocol/batch.hpp"

namespace godwit::objects {

// Thread-safe, as the backend is, which must outlive it. Errors of every call: those of Backend; kInvalid, an empty key;
// kLimit, a key or a value that is too long for the backend or for us.
class Pairs {
 public:
  explicit Pairs(Backend& backend) : backend_(backend) {}

  // All or nothing.
  Result<> put(std::span<const protocol::Record> pairs);
  // All or nothing; a key that is not there is no error.
  Result<> erase(std::span<const protocol::Record> keys);
  // A record for each key, without the key: its value, or that it is absent.
  Result<> get(std::span<const protocol::Record> keys, Results& results);
  // A number for each key: its value's length, or kAbsent.
  Result<> lengths(std::span<const protocol::Record> keys, Results& results);
  // Records in the order of keys. True: there are more than were shown. The first one is counted even if there is no room for
  // it.
  Result<bool> list(const Listing& listing, Results& results);
  Result<uint64_t> count(std::string_view prefix);

 private:
  Result<> change(std::span<const protocol::Record> pairs, bool is_erase);
  // Shows users' keys that begin with the prefix, from `from` on.
  Result<> scan(std::string_view prefix, std::string_view from, Show show, const Visit& visit);

  Backend& backend_;
};

}  // namespace godwit::objects
