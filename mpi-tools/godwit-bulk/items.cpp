#include "godwit-bulk/items.hpp"

#include <algorithm>
#include <limits>
#include <tuple>

#include "godwit-bulk/refused.hpp"

namespace godwit::bulk {
namespace {

// FNV-1a, 64 bits, from this start on.
uint64_t hash_of(uint64_t hash, std::string_view text) {
  for (const char byte : text) hash = (hash ^ static_cast<uint8_t>(byte)) * 0x100000001b3u;
  return hash;
}

}  // namespace

const char* text_of(Kind kind) {
  switch (kind) {
    case Kind::kRegion: return "region";
    case Kind::kDatabase: return "database";
    case Kind::kFiles: return "files";
  }
  return "";
}

const char* text_of(State state) {
  switch (state) {
    case State::kWaiting: return "waiting";
    case State::kUnderWay: return "under way";
    case State::kArrived: return "arrived";
    case State::kFailed: return "failed";
    case State::kInDoubt: return "in doubt";
  }
  return "";
}

std::string text_of(godwit_region_id id) {
  char text[33];
  godwit_region_id_format(id, text);
  return text;
}

godwit_region_id id_of_files(std::string_view source_address, std::string_view path) {
  const std::string whole = std::string(source_address) + '\0' + std::string(path);
  return godwit_region_id{hash_of(0xcbf29ce484222325u, whole), hash_of(0x9ae16a3b2f90404fu, whole)};
}

void Items::add(const Item& item, std::string_view name) {
  constexpr size_t kMost = std::numeric_limits<uint32_t>::max();
  if (items_.size() >= kMost || names_.size() + name.size() >= kMost)
    throw Refused(GODWIT_ERR_LIMIT, "that is more than one run can move: take some of them with --list");
  items_.push_back(item);
  items_.back().name = 0;
  if (name.empty()) return;
  items_.back().name = static_cast<uint32_t>(names_.size());
  names_.append(name).push_back('\0');
}

void Items::drop_repeated() {
  const auto key = [](const Item& item) { return std::tie(item.kind, item.id.high, item.id.low); };
  std::stable_sort(items_.begin(), items_.end(),
                   [&](const Item& a, const Item& b) { return key(a) != key(b) ? key(a) < key(b) : a.source < b.source; });
  const auto repeated = std::unique(items_.begin(), items_.end(),
                                    [&](const Item& a, const Item& b) { return a.kind != Kind::kFiles && key(a) == key(b); });
  items_.erase(repeated, items_.end());
}

void Items::sort() {
  std::sort(items_.begin(), items_.end(), [](const Item& a, const Item& b) {
    return std::tie(a.source, a.kind, b.size_bytes, a.id.high, a.id.low) <
           std::tie(b.source, b.kind, a.size_bytes, b.id.high, b.id.low);
  });
}

std::string Items::label(const Item& item) const { return item.name ? name(item) : text_of(item.id); }

uint64_t Items::bytes() const {
  uint64_t sum = 0;
  for (const Item& item : items_) sum += item.size_bytes;
  return sum;
}

}  // namespace godwit::bulk
