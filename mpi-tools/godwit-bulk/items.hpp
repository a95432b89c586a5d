// Items: what a run moves, in a table that is small enough for a million of them on rank 0.
#pragma once

#include <godwit/godwit.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace godwit::bulk {

enum class Kind : uint8_t { kRegion, kDatabase, kFiles };
// As users write it and reports tell it: "region", "database", "files".
const char* text_of(Kind kind);
std::string text_of(godwit_region_id id);

enum class State : uint8_t {
  kWaiting,   // For its first call, or for another one elsewhere.
  kUnderWay,  // A rank was told to move it.
  kArrived,
  kFailed,   // It stays where it was.
  kInDoubt,  // Its job may still be at work. It is never sent again by this run.
};
// "waiting", "under way", "arrived", "failed", "in doubt".
const char* text_of(State state);

// Indices are those of the run's sources and destinations.
struct Item {
  godwit_region_id id{};  // Of files: made of the source and the path, and the same in every run.
  uint64_t size_bytes = 0;
  uint32_t name = 0;  // Where Items keeps it.
  int16_t error = 0;  // GODWIT_ERR_* of the last call.
  uint16_t source = 0;
  uint16_t destination = 0;  // Of the last call.
  Kind kind = Kind::kRegion;
  State state = State::kWaiting;
  uint8_t attempts = 0;
};
static_assert(sizeof(Item) == 40, "rank 0 has one for every object: 40 bytes, and its name");

// The id of a path at a source, which has none of its own.
godwit_region_id id_of_files(std::string_view source_address, std::string_view path);

// One thread at a time.
class Items {
 public:
  void reserve(size_t count) { items_.reserve(count); }
  // name: "" if it has none. Throws Refused: LIMIT, the names together have 4 GiB, or there are 2^32 - 1 items.
  void add(const Item& item, std::string_view name);
  // By source, kind, and size, the largest first, so that what can go in one call is in a row. Once, before anything moves.
  void sort();
  // Keeps one of the regions and databases that have the same id, of the first source: a daemon may be there under two names.
  // Before sort().
  void drop_repeated();
  // Keeps the items for which `keep` is true; their order stays.
  template <class Keep>
  void keep_if(Keep keep) {
    std::erase_if(items_, [&](const Item& item) { return !keep(item); });
  }

  uint32_t size() const { return static_cast<uint32_t>(items_.size()); }
  Item& operator[](uint32_t index) { return items_[index]; }
  const Item& operator[](uint32_t index) const { return items_[index]; }
  // "" if it has none; ended by NUL.
  const char* name(const Item& item) const { return names_.c_str() + item.name; }
  // As the user knows it: its name, or its id.
  std::string label(const Item& item) const;
  uint64_t bytes() const;
  // What the table takes of this process's memory.
  size_t memory_bytes() const { return items_.capacity() * sizeof(Item) + names_.capacity(); }

 private:
  std::vector<Item> items_;
  std::string names_ = std::string(1, '\0');  // Each ended by NUL; the first is "".
};

}  // namespace godwit::bulk
