#include "journal/statement.hpp"

#include <cstring>

namespace godwit::journal {

Error database_error(sqlite3* database, std::string_view what) {
  Errc code = Errc::kIo;
  switch (sqlite3_errcode(database) & 0xff) {
    case SQLITE_FULL: code = Errc::kNoSpace; break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: code = Errc::kCorrupt; break;
    case SQLITE_CONSTRAINT: code = Errc::kExists; break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: code = Errc::kBusy; break;
    default: break;
  }
  return Error{code, std::string("journal: ") + std::string(what) + ": " + sqlite3_errmsg(database)};
}

Result<Statement> Statement::prepare(sqlite3* database, const char* sql) {
  sqlite3_stmt* raw = nullptr;
  if (sqlite3_prepare_v2(database, sql, -1, &raw, nullptr) != SQLITE_OK) return database_error(database, sql);
  return Statement(raw);
}

Result<bool> Statement::step() {
  switch (sqlite3_step(statement_.get())) {
    case SQLITE_ROW: return true;
    case SQLITE_DONE: return false;
    default: return database_error(sqlite3_db_handle(statement_.get()), sqlite3_sql(statement_.get()));
  }
}

std::string Statement::text(int column) const {
  const auto* text = sqlite3_column_text(statement_.get(), column);
  if (text == nullptr) return {};
  return {reinterpret_cast<const char*>(text), static_cast<size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

Id Statement::id(int column) const {
  Id id;
  const void* blob = sqlite3_column_blob(statement_.get(), column);
  if (blob == nullptr || sqlite3_column_bytes(statement_.get(), column) != sizeof id) return id;
  std::memcpy(&id, blob, sizeof id);
  return id;
}

void Statement::bind(int index, const std::string& text) {
  sqlite3_bind_text(statement_.get(), index, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
}

void Statement::bind(int index, const Id& id) {
  static_assert(sizeof id == 16);
  sqlite3_bind_blob(statement_.get(), index, &id, sizeof id, SQLITE_TRANSIENT);
}

void Statement::bind(int index, std::span<const std::byte> bytes) {
  sqlite3_bind_blob64(statement_.get(), index, bytes.data(), bytes.size(), SQLITE_TRANSIENT);
}

std::span<const std::byte> Statement::bytes(int column) const {
  const void* data = sqlite3_column_blob(statement_.get(), column);
  const auto length = static_cast<size_t>(sqlite3_column_bytes(statement_.get(), column));
  return {static_cast<const std::byte*>(data), data == nullptr ? 0 : length};
}

}  // namespace godwit::journal
