// Results: what an operation answers, as far as there is room for it; beyond, it only counts what would be needed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "objects/database/backend.hpp"
#include "protocol/batch.hpp"

namespace godwit::objects {

// One thread.
class Results {
 public:
  explicit Results(uint64_t room_bytes) : room_bytes_(room_bytes) {}

  void add(std::string_view key, std::string_view value) {
    if (grow(protocol::record_bytes(key, value))) protocol::append_record(bytes_, key, value);
  }
  void add_absent(std::string_view key) {
    if (grow(protocol::record_bytes(key, {}))) protocol::append_absent(bytes_, key);
  }
  void add_number(uint64_t number) {
    if (grow(sizeof number)) protocol::append_number(bytes_, number);
  }
  // For a value that there is no room for anyway.
  void add_length(std::string_view key, uint64_t value_bytes) { grow(protocol::record_bytes(key, {}) + value_bytes); }

  bool is_full() const { return needed_bytes_ > room_bytes_; }
  bool has_room_for(std::string_view key, std::string_view value) const {
    return needed_bytes_ + protocol::record_bytes(key, value) <= room_bytes_;
  }
  bool is_empty() const { return needed_bytes_ == 0; }
  uint64_t needed_bytes() const { return needed_bytes_; }
  // All of them, or nothing if they had no room.
  std::string take() { return is_full() ? std::string() : std::move(bytes_); }

 private:
  // Whether there is room for so many more.
  bool grow(uint64_t bytes) {
    needed_bytes_ += bytes;
    if (!is_full()) return true;
    std::string().swap(bytes_);
    return false;
  }

  const uint64_t room_bytes_;
  uint64_t needed_bytes_ = 0;
  std::string bytes_;
};

// Which part of an ordered listing is wanted.
struct Listing {
  Show show = Show::kKeys;
  std::string_view prefix = {};
  std::string_view from = {};  // Keys after this one; empty: from the first.
  uint64_t limit = 0;          // 0: as many as there is room for.
};

}  // namespace godwit::objects
