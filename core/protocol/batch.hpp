// Batch: keys and values as one run of bytes, and back. What travels in database requests, and what a dump is made of.
//
// A record is [u32 key_len][u64 value_len][key][value], little-endian, without padding (docs/design/databases.md).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/units.hpp"

namespace godwit::protocol {

constexpr uint64_t kKeyBytesMax = 64_KiB;
constexpr uint64_t kValueBytesMax = 64_MiB;
// Of one batch, its records' heads included; the largest value fits, with the largest key.
constexpr uint64_t kBatchBytesMax = 65_MiB;
// Of a batch, and of a result, inside a message.
constexpr uint64_t kInlineBatchBytesMax = 64_KiB;
constexpr uint64_t kInlineResultBytesMax = 64_KiB;
constexpr uint64_t kBatchRecordsMax = 1'000'000;
constexpr uint64_t kRecordHeadBytes = sizeof(uint32_t) + sizeof(uint64_t);
// The value_len of a key that has no value, where values or lengths are answered.
constexpr uint64_t kAbsent = UINT64_MAX;

struct Record {
  std::string_view key;
  std::string_view value;
  bool is_absent = false;  // Then `value` is empty.
};

uint64_t record_bytes(std::string_view key, std::string_view value);
void append_record(std::string& batch, std::string_view key, std::string_view value);
void append_absent(std::string& batch, std::string_view key);
void append_number(std::string& batch, uint64_t number);

enum class Keys : uint8_t { kNeeded, kMayBeEmpty };

// The records of a batch; they lie in its bytes. Errors: kProtocol, it is truncated, a length reaches past its end, or a key is
// empty that must not be; kLimit, a key or a value is too long, or there are too many. No field is trusted; nothing is
// allocated by what a length says.
Result<std::vector<Record>> decode_batch(std::string_view batch, Keys keys);
// A run of u64. Errors: kProtocol, its length is no multiple of eight.
Result<std::vector<uint64_t>> decode_numbers(std::string_view batch);

}  // namespace godwit::protocol
