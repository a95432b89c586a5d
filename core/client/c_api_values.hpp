// What the functions of godwit.h about databases and about documents share: memory of the caller, in and out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "client/database.hpp"
#include "godwit/godwit.h"

namespace godwit::client {

// Bytes from a C caller. Errors: kInvalid, NULL though they are not none, or more than an address space holds.
Result<std::string_view> bytes_from(const void* data, uint64_t size, std::string_view what);
// The i-th of several. Errors: kInvalid.
Result<std::string_view> bytes_from(const void* const* data, const size_t* sizes, size_t i, std::string_view what);

// One value into *size bytes at `value`, as godwit_database_get() says; `question` asks for one value, `absent` is the error if
// there is none.
Result<> get_one(Database& database, const Question& question, void* value, uint64_t* size, const Error& absent);
// Several, as godwit_database_get_multi() says.
Result<> get_many(Database& database, const Question& question, size_t count, void* const* values, uint64_t* sizes);
// A number for each of `count`.
Result<std::vector<uint64_t>> numbers_of(Database& database, const Question& question, size_t count);

// One allocation with `count` elements in front and the bytes they point to behind, for godwit_free(). Errors: kMemory.
// fill(element, record) is given a record whose views lie in that allocation.
template <class T, class Fill>
Result<T*> list_for_c(const std::vector<std::string>& pages, size_t* count, Fill fill);

template <class T, class Fill>
Result<T*> list_for_c(const std::vector<std::string>& pages, size_t* count, Fill fill) {
  size_t bytes = 0, elements = 0;
  std::vector<std::vector<protocol::Record>> records;
  for (const std::string& page : pages) {
    auto decoded = protocol::decode_batch(page, protocol::Keys::kNeeded);
    if (!decoded) return std::move(decoded).error();
    bytes += page.size();
    elements += decoded->size();
    records.push_back(*std::move(decoded));
  }
  const size_t head_bytes = (elements == 0 ? 1 : elements) * sizeof(T);
  void* const memory = std::malloc(head_bytes + bytes);
  if (memory == nullptr) return Error{Errc::kMemory, "no memory for the answer"};
  T* next = static_cast<T*>(memory);
  char* place = static_cast<char*>(memory) + head_bytes;
  const auto put = [&place](std::string_view text) {
    if (!text.empty()) std::memcpy(place, text.data(), text.size());
    const std::string_view there(place, text.size());
    place += text.size();
    return there;
  };
  for (const auto& page : records)
    for (const protocol::Record& record : page) {
      const std::string_view key = put(record.key);
      fill(*next++, protocol::Record{key, put(record.value)});
    }
  *count = elements;
  return static_cast<T*>(memory);
}

}  // namespace godwit::client
