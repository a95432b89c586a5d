// Handles of the C API that close themselves.
#pragma once

#include <godwit/godwit.h>

#include <cstddef>
#include <memory>
#include <span>
#include <utility>

namespace godwit::cli {

template <auto close>
struct Close {
  template <class T>
  void operator()(T* handle) const {
    close(handle);
  }
};

using Client = std::unique_ptr<godwit_client, Close<godwit_client_close>>;
using Target = std::unique_ptr<godwit_target, Close<godwit_target_close>>;
using Region = std::unique_ptr<godwit_region, Close<godwit_region_close>>;
using Database = std::unique_ptr<godwit_database, Close<godwit_database_close>>;
using Migration = std::unique_ptr<godwit_migration, Close<godwit_migration_close>>;
using Text = std::unique_ptr<char, Close<godwit_free>>;

// An array that the API allocated.
template <class T>
class Array {
 public:
  T** out() { return &start_; }
  size_t* out_count() { return &count_; }
  std::span<T> items() const { return {start_, count_}; }

  Array() = default;
  Array(Array&& other) noexcept : start_(std::exchange(other.start_, nullptr)), count_(std::exchange(other.count_, 0)) {}
  Array& operator=(Array&&) = delete;
  ~Array() { godwit_free(start_); }

 private:
  T* start_ = nullptr;
  size_t count_ = 0;
};

}  // namespace godwit::cli
