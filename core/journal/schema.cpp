#include "journal/schema.hpp"

#include <string>

#include "base/digest.hpp"

namespace godwit::journal {

namespace {

void append(std::string& bytes, const void* data, size_t length) { bytes.append(static_cast<const char*>(data), length); }

void row_digest(sqlite3_context* context, int count, sqlite3_value** values) {
  std::string bytes;
  bytes.reserve(256);
  for (int i = 0; i < count; ++i) {
    const int type = sqlite3_value_type(values[i]);
    append(bytes, &type, sizeof type);
    if (type == SQLITE_INTEGER) {
      const int64_t number = sqlite3_value_int64(values[i]);
      append(bytes, &number, sizeof number);
      continue;
    }
    const void* data = sqlite3_value_blob(values[i]);  // Of a text: its bytes.
    const int length = sqlite3_value_bytes(values[i]);
    append(bytes, &length, sizeof length);
    if (length > 0) append(bytes, data, static_cast<size_t>(length));
  }
  sqlite3_result_int64(context, static_cast<int64_t>(digest_of(std::as_bytes(std::span(bytes))).low));
}

}  // namespace

int define_row_digest(sqlite3* connection) {
  return sqlite3_create_function(connection, "row_digest", -1, SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY, nullptr,
                                 row_digest, nullptr, nullptr);
}

}  // namespace godwit::journal
