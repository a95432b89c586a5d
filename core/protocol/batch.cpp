#include "protocol/batch.hpp"

#include <fmt/format.h>

#include <bit>
#include <cstring>

namespace godwit::protocol {
namespace {

static_assert(std::endian::native == std::endian::little, "numbers are little-endian on the wire and in dumps");

template <class T>
void append(std::string& batch, T number) {
  batch.append(reinterpret_cast<const char*>(&number), sizeof number);
}

template <class T>
T number_at(std::string_view batch, size_t position) {
  T number;
  std::memcpy(&number, batch.data() + position, sizeof number);
  return number;
}

void append_head(std::string& batch, std::string_view key, uint64_t value_bytes) {
  append(batch, static_cast<uint32_t>(key.size()));
  append(batch, value_bytes);
  batch.append(key);
}

Error damaged(size_t position, std::string_view why) {
  return Error{Errc::kProtocol, fmt::format("the batch is damaged at byte {}: {}", position, why)};
}

}  // namespace

uint64_t record_bytes(std::string_view key, std::string_view value) { return kRecordHeadBytes + key.size() + value.size(); }

void append_record(std::string& batch, std::string_view key, std::string_view value) {
  append_head(batch, key, value.size());
  batch.append(value);
}

void append_absent(std::string& batch, std::string_view key) { append_head(batch, key, kAbsent); }

void append_number(std::string& batch, uint64_t number) { append(batch, number); }

Result<std::vector<Record>> decode_batch(std::string_view batch, Keys keys) {
  std::vector<Record> records;
  for (size_t at = 0; at < batch.size();) {
    if (batch.size() - at < kRecordHeadBytes) return damaged(at, "a record's head is cut short");
    if (records.size() == kBatchRecordsMax)
      return Error{Errc::kLimit, fmt::format("a batch has more than {} records", kBatchRecordsMax)};
    const uint64_t key_bytes = number_at<uint32_t>(batch, at);
    const auto value_bytes = number_at<uint64_t>(batch, at + sizeof(uint32_t));
    const bool is_absent = value_bytes == kAbsent;
    if (key_bytes == 0 && keys == Keys::kNeeded) return damaged(at, "a key is empty");
    if (key_bytes > kKeyBytesMax)
      return Error{Errc::kLimit, fmt::format("a key has {} bytes; {} are allowed", key_bytes, kKeyBytesMax)};
    if (!is_absent && value_bytes > kValueBytesMax)
      return Error{Errc::kLimit, fmt::format("a value has {} bytes; {} are allowed", value_bytes, kValueBytesMax)};
    // Both are bounded by now: the sum cannot wrap.
    const uint64_t body_bytes = key_bytes + (is_absent ? 0 : value_bytes);
    if (body_bytes > batch.size() - at - kRecordHeadBytes) return damaged(at, "a length reaches past the end");
    const std::string_view body = batch.substr(at + kRecordHeadBytes, body_bytes);
    records.push_back({body.substr(0, key_bytes), body.substr(key_bytes), is_absent});
    at += kRecordHeadBytes + body_bytes;
  }
  return records;
}

Result<std::vector<uint64_t>> decode_numbers(std::string_view batch) {
  if (batch.size() % sizeof(uint64_t) != 0)
    return Error{Errc::kProtocol, fmt::format("{} bytes are no list of numbers", batch.size())};
  std::vector<uint64_t> numbers(batch.size() / sizeof(uint64_t));
  if (!numbers.empty()) std::memcpy(numbers.data(), batch.data(), batch.size());
  return numbers;
}

}  // namespace godwit::protocol
