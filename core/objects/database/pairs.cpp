#include "objects/database/pairs.hpp"

#include <fmt/format.h>

#include <deque>
#include <vector>

#include "objects/database/key_space.hpp"

namespace godwit::objects {

Result<> Pairs::put(std::span<const protocol::Record> pairs) { return change(pairs, false); }
Result<> Pairs::erase(std::span<const protocol::Record> keys) { return change(keys, true); }

Result<> Pairs::change(std::span<const protocol::Record> pairs, bool is_erase) {
  std::vector<Change> changes;
  changes.reserve(pairs.size());
  std::deque<std::string> escaped;  // Keys that could not be stored as they are; their place does not change.
  for (const protocol::Record& pair : pairs) {
    if (pair.key.empty()) return Error{Errc::kInvalid, "a key is empty"};
    if (pair.is_absent && !is_erase) return Error{Errc::kProtocol, "a key to be put has no value"};
    std::string scratch;
    std::string_view key = stored_key(pair.key, scratch);
    if (!is_erase && key.size() > backend_.key_bytes_max())
      return Error{Errc::kLimit,
                   fmt::format("a key has {} bytes; this backend takes {}{}", pair.key.size(), backend_.key_bytes_max(),
                               pair.key.front() == '\0' ? ", one less of those that begin with a zero byte" : "")};
    if (!scratch.empty()) key = escaped.emplace_back(std::move(scratch));
    changes.push_back({key, is_erase ? std::optional<std::string_view>() : pair.value});
  }
  return backend_.apply(changes);
}

Result<> Pairs::get(std::span<const protocol::Record> keys, Results& results) {
  std::string scratch, value;
  for (const protocol::Record& key : keys) {
    const std::string_view stored = stored_key(key.key, scratch);
    if (results.is_full()) {
      auto length = backend_.length(stored);
      if (!length) return std::move(length).error();
      results.add_length({}, length->value_or(0));
      continue;
    }
    auto found = backend_.get(stored, value);
    if (!found) return std::move(found).error();
    if (*found)
      results.add({}, value);
    else
      results.add_absent({});
  }
  return Done{};
}

Result<> Pairs::lengths(std::span<const protocol::Record> keys, Results& results) {
  std::string scratch;
  for (const protocol::Record& key : keys) {
    auto length = backend_.length(stored_key(key.key, scratch));
    if (!length) return std::move(length).error();
    results.add_number(length->value_or(protocol::kAbsent));
  }
  return Done{};
}

Result<> Pairs::scan(std::string_view prefix, std::string_view from, Show show, const Visit& visit) {
  std::string scratch, shown;
  const std::string_view first = stored_key(from < prefix ? prefix : from, scratch);
  return backend_.scan(first, show, [&](std::string_view stored, std::string_view value) {
    const std::string_view key = users_key(stored, shown);
    return key.starts_with(prefix) && visit(key, value);
  });
}

Result<bool> Pairs::list(const Listing& listing, Results& results) {
  bool more = false;
  uint64_t shown = 0;
  auto scanned = scan(listing.prefix, listing.from, listing.show, [&](std::string_view key, std::string_view value) {
    if (!listing.from.empty() && key == listing.from) return true;  // Shown before.
    more = (listing.limit != 0 && shown == listing.limit) || (!results.is_empty() && !results.has_room_for(key, value));
    if (more) return false;
    results.add(key, value);
    ++shown;
    return !results.is_full();
  });
  if (!scanned) return std::move(scanned).error();
  return more;
}

Result<uint64_t> Pairs::count(std::string_view prefix) {
  uint64_t count = 0;
  auto scanned = scan(prefix, {}, Show::kKeys, [&](std::string_view, std::string_view) {
    ++count;
    return true;
  });
  if (!scanned) return std::move(scanned).error();
  return count;
}

}  // namespace godwit::objects
