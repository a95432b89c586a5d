#include "objects/database/documents.hpp"

#include <fmt/format.h>

#include <cstring>
#include <set>

#include "base/log.hpp"
#include "objects/database/key_space.hpp"
#include "objects/region_store.hpp"

namespace godwit::objects {
namespace {

// After kReserved: what lies there. docs/design/databases.md has the table.
constexpr char kCollection = 'c', kDocument = 'd', kNextNumber = 'n', kDropped = 'x';

std::string reserved(char what) { return std::string(kReserved) + what; }

// Big-endian, so that the order of bytes is the order of numbers.
void append_ordered(std::string& key, uint64_t number) {
  for (int shift = 56; shift >= 0; shift -= 8) key.push_back(static_cast<char>(number >> shift));
}
uint64_t ordered_at(std::string_view bytes) {
  uint64_t number = 0;
  for (const char byte : bytes.substr(0, sizeof number)) number = number << 8 | static_cast<unsigned char>(byte);
  return number;
}

std::string collection_key(std::string_view name) { return reserved(kCollection).append(name); }
std::string dropped_key(uint64_t number) {
  std::string key = reserved(kDropped);
  append_ordered(key, number);
  return key;
}
std::string documents_prefix(uint64_t number) {
  std::string key = reserved(kDocument);
  append_ordered(key, number);
  return key;
}
std::string document_key(uint64_t number, uint64_t id) {
  std::string key = documents_prefix(number);
  append_ordered(key, id);
  return key;
}

std::string numbers(std::initializer_list<uint64_t> values) {
  std::string text;
  for (const uint64_t value : values) append_ordered(text, value);
  return text;
}

Error no_document(const std::string& collection, uint64_t id) {
  return Error{Errc::kNotFound, fmt::format("the collection '{}' has no document {}", collection, id)};
}

}  // namespace

Result<Documents::Meta> Documents::find(const std::string& collection) {
  if (collection.empty()) return Error{Errc::kInvalid, "the collection has no name"};
  if (auto valid = check_name(collection, "collection"); !valid) return std::move(valid).error();
  std::string value;
  auto found = backend_.get(collection_key(collection), value);
  if (!found) return std::move(found).error();
  if (!*found) return Error{Errc::kNotFound, fmt::format("no collection '{}' in this database", collection)};
  if (value.size() != 3 * sizeof(uint64_t))
    return Error{Errc::kCorrupt, fmt::format("the record of the collection '{}' is damaged", collection)};
  const std::string_view bytes = value;
  return Meta{ordered_at(bytes), {ordered_at(bytes.substr(8)), ordered_at(bytes.substr(16))}};
}

Result<> Documents::recover() {
  const std::lock_guard lock(mutex_);
  std::vector<uint64_t> dropped;
  const std::string first = reserved(kDropped);
  auto scanned = backend_.scan(first, Show::kKeys, [&](std::string_view key, std::string_view) {
    if (!key.starts_with(first)) return false;
    dropped.push_back(ordered_at(key.substr(first.size())));
    return true;
  });
  if (!scanned) return scanned;
  for (const uint64_t number : dropped)
    if (auto gone = erase_all(number); !gone) return gone;
  return Done{};
}

Result<> Documents::create(const std::string& collection) {
  const std::lock_guard lock(mutex_);
  auto found = find(collection);
  if (found) return Error{Errc::kExists, fmt::format("a collection '{}' exists already", collection)};
  if (found.error().code != Errc::kNotFound) return std::move(found).error();
  std::string next;
  auto numbered = backend_.get(reserved(kNextNumber), next);
  if (!numbered) return std::move(numbered).error();
  const uint64_t number = *numbered ? ordered_at(next) : 0;
  const std::string counter_key = reserved(kNextNumber), counter = numbers({number + 1});
  const std::string key = collection_key(collection), meta = numbers({number, 0, 0});
  const Change changes[] = {{counter_key, counter}, {key, meta}};
  return backend_.apply(changes);
}

Result<> Documents::drop(const std::string& collection) {
  const std::lock_guard lock(mutex_);
  auto meta = find(collection);
  if (!meta) return std::move(meta).error();
  const std::string key = collection_key(collection), dropped = dropped_key(meta->number);
  const Change changes[] = {{key, std::nullopt}, {dropped, std::string_view()}};
  if (auto marked = backend_.apply(changes); !marked) return marked;
  return erase_all(meta->number);
}

Result<> Documents::erase_all(uint64_t number) {
  constexpr size_t kAtOnce = 1'000;
  const std::string prefix = documents_prefix(number);
  for (;;) {
    std::vector<std::string> keys;
    auto scanned = backend_.scan(prefix, Show::kKeys, [&](std::string_view key, std::string_view) {
      if (!key.starts_with(prefix)) return false;
      keys.emplace_back(key);
      return keys.size() < kAtOnce;
    });
    if (!scanned) return scanned;
    const bool is_last = keys.size() < kAtOnce;
    if (is_last) keys.push_back(dropped_key(number));
    std::vector<Change> changes;
    for (const std::string& key : keys) changes.push_back({key, std::nullopt});
    if (auto erased = backend_.apply(changes); !erased || is_last) return erased;
  }
}

Result<bool> Documents::names(std::string_view from, uint64_t limit, Results& results) {
  const std::string first = reserved(kCollection);
  bool more = false;
  uint64_t shown = 0;
  auto scanned = backend_.scan(first + std::string(from), Show::kKeys, [&](std::string_view key, std::string_view) {
    if (!key.starts_with(first)) return false;
    const std::string_view name = key.substr(first.size());
    if (name == from) return true;
    more = (limit != 0 && shown == limit) || (!results.is_empty() && !results.has_room_for(name, {}));
    if (more) return false;
    results.add(name, {});
    ++shown;
    return !results.is_full();
  });
  if (!scanned) return std::move(scanned).error();
  return more;
}

Result<CollectionInfo> Documents::stat(const std::string& collection) {
  auto meta = find(collection);
  if (!meta) return std::move(meta).error();
  return meta->info;
}

Result<uint64_t> Documents::store(const std::string& collection, std::span<const protocol::Record> documents) {
  const std::lock_guard lock(mutex_);
  auto meta = find(collection);
  if (!meta) return std::move(meta).error();
  const uint64_t first = meta->info.next;
  if (documents.size() >= UINT64_MAX - first) return Error{Errc::kLimit, "the collection has used all its ids"};
  std::vector<std::string> keys;
  std::vector<Change> changes;
  keys.reserve(documents.size());
  for (size_t i = 0; i < documents.size(); ++i) {
    keys.push_back(document_key(meta->number, first + i));
    changes.push_back({keys.back(), documents[i].value});
  }
  const std::string key = collection_key(collection);
  const std::string after = numbers({meta->number, meta->info.size + documents.size(), first + documents.size()});
  changes.push_back({key, after});
  if (auto stored = backend_.apply(changes); !stored) return std::move(stored).error();
  return first;
}

Result<> Documents::load(const std::string& collection, std::span<const uint64_t> ids, Results& results) {
  auto meta = find(collection);
  if (!meta) return std::move(meta).error();
  std::string document;
  for (const uint64_t id : ids) {
    const std::string key = document_key(meta->number, id);
    if (results.is_full()) {
      auto length = backend_.length(key);
      if (!length) return std::move(length).error();
      results.add_length({}, length->value_or(0));
      continue;
    }
    auto found = backend_.get(key, document);
    if (!found) return std::move(found).error();
    if (*found)
      results.add({}, document);
    else
      results.add_absent({});
  }
  return Done{};
}

Result<> Documents::lengths(const std::string& collection, std::span<const uint64_t> ids, Results& results) {
  auto meta = find(collection);
  if (!meta) return std::move(meta).error();
  for (const uint64_t id : ids) {
    auto length = backend_.length(document_key(meta->number, id));
    if (!length) return std::move(length).error();
    results.add_number(length->value_or(protocol::kAbsent));
  }
  return Done{};
}

Result<> Documents::update(const std::string& collection, std::span<const uint64_t> ids,
                           std::span<const protocol::Record> documents) {
  const std::lock_guard lock(mutex_);
  auto meta = find(collection);
  if (!meta) return std::move(meta).error();
  std::vector<std::string> keys;
  std::vector<Change> changes;
  keys.reserve(ids.size());
  for (size_t i = 0; i < ids.size(); ++i) {
    keys.push_back(document_key(meta->number, ids[i]));
    auto length = backend_.length(keys.back());
    if (!length) return std::move(length).error();
    if (!*length) return no_document(collection, ids[i]);
    changes.push_back({keys.back(), documents[i].value});
  }
  return backend_.apply(changes);
}

Result<> Documents::erase(const std::string& collection, std::span<const uint64_t> ids) {
  const std::lock_guard lock(mutex_);
  auto meta = find(collection);
  if (!meta) return std::move(meta).error();
  std::vector<std::string> keys;
  for (const uint64_t id : std::set<uint64_t>(ids.begin(), ids.end())) {
    std::string key = document_key(meta->number, id);
    auto length = backend_.length(key);
    if (!length) return std::move(length).error();
    if (*length) keys.push_back(std::move(key));
  }
  const std::string key = collection_key(collection);
  const std::string after = numbers({meta->number, meta->info.size - keys.size(), meta->info.next});
  std::vector<Change> changes{{key, after}};
  for (const std::string& document : keys) changes.push_back({document, std::nullopt});
  return backend_.apply(changes);
}

Result<bool> Documents::list(const std::string& collection, uint64_t first, uint64_t limit, Results& results) {
  auto meta = find(collection);
  if (!meta) return std::move(meta).error();
  const std::string prefix = documents_prefix(meta->number);
  bool more = false;
  uint64_t shown = 0;
  auto scanned = backend_.scan(
      document_key(meta->number, first), Show::kKeysAndValues, [&](std::string_view key, std::string_view document) {
        if (!key.starts_with(prefix)) return false;
        std::string id;
        protocol::append_number(id, ordered_at(key.substr(prefix.size())));
        more = (limit != 0 && shown == limit) || (!results.is_empty() && !results.has_room_for(id, document));
        if (more) return false;
        results.add(id, document);
        ++shown;
        return !results.is_full();
      });
  if (!scanned) return std::move(scanned).error();
  return more;
}

}  // namespace godwit::objects
