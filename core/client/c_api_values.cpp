#include "client/c_api_values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "client/c_boundary.hpp"

namespace godwit::client {
namespace {

static_assert(GODWIT_NO_VALUE == protocol::kAbsent);

Error wrong_count() { return Error{Errc::kProtocol, "the daemon answered for another number of keys"}; }

}  // namespace

Result<std::string_view> bytes_from(const void* data, uint64_t size, std::string_view what) {
  if (data == nullptr && size > 0) return is_null(what);
  if (size > static_cast<uint64_t>(PTRDIFF_MAX))
    return Error{Errc::kInvalid, fmt::format("the size of the {}, {}, is more than memory can hold", what, size)};
  return std::string_view(static_cast<const char*>(data), size);
}

Result<std::string_view> bytes_from(const void* const* data, const size_t* sizes, size_t i, std::string_view what) {
  return bytes_from(data[i], sizes[i], what);
}

Result<> get_one(Database& database, const Question& question, void* value, uint64_t* size, const Error& absent) {
  if (size == nullptr) return is_null("the value's size");
  const auto room = bytes_from(value, *size, "value");
  if (!room) return room.error();
  // Nothing longer than there is room for is sent at all.
  const Result<Answer> answer = database.ask(question, protocol::kRecordHeadBytes + std::min(*size, protocol::kValueBytesMax));
  if (!answer) return answer.error();
  if (answer->result.size() != answer->result_bytes && answer->result_bytes >= protocol::kRecordHeadBytes) {
    const uint64_t needed = answer->result_bytes - protocol::kRecordHeadBytes;
    const uint64_t given = std::exchange(*size, needed);
    return Error{Errc::kRange, fmt::format("the value has {} bytes, there is room for {}", needed, given)};
  }
  const auto records = protocol::decode_batch(answer->result, protocol::Keys::kMayBeEmpty);
  if (!records) return records.error();
  if (records->size() != 1) return wrong_count();
  const protocol::Record& record = records->front();
  if (record.is_absent) return absent;
  const uint64_t given = std::exchange(*size, record.value.size());
  if (record.value.size() > given)
    return Error{Errc::kRange, fmt::format("the value has {} bytes, there is room for {}", record.value.size(), given)};
  if (!record.value.empty()) std::memcpy(value, record.value.data(), record.value.size());
  return Done{};
}

Result<> get_many(Database& database, const Question& question, size_t count, void* const* values, uint64_t* sizes) {
  for (size_t i = 0; i < count; ++i)
    if (const auto room = bytes_from(values[i], sizes[i], "value"); !room) return room.error();
  const Result<Answer> answer = database.ask(question);
  if (!answer) return answer.error();
  const auto records = protocol::decode_batch(answer->result, protocol::Keys::kMayBeEmpty);
  if (!records) return records.error();
  if (records->size() != count) return wrong_count();
  size_t too_long = 0;
  for (size_t i = 0; i < count; ++i) {
    const protocol::Record& record = (*records)[i];
    const uint64_t room = std::exchange(sizes[i], record.is_absent ? GODWIT_NO_VALUE : record.value.size());
    if (record.value.size() > room)
      ++too_long;
    else if (!record.value.empty())
      std::memcpy(values[i], record.value.data(), record.value.size());
  }
  if (too_long == 0) return Done{};
  return Error{Errc::kRange, fmt::format("{} of {} values have too little room", too_long, count)};
}

Result<std::vector<uint64_t>> numbers_of(Database& database, const Question& question, size_t count) {
  const Result<Answer> answer = database.ask(question);
  if (!answer) return answer.error();
  auto numbers = protocol::decode_numbers(answer->result);
  if (numbers && numbers->size() != count) return wrong_count();
  return numbers;
}

}  // namespace godwit::client
