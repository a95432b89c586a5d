// Statement: one prepared SQLite statement, bound by position, errors as values.
#pragma once

#include <sqlite3.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/id.hpp"
#include "base/result.hpp"

namespace godwit::journal {

// The last failure of this database. Errors: kNoSpace, kCorrupt, kBusy, kExists, kIo.
Error database_error(sqlite3* database, std::string_view what);

// One thread.
class Statement {
 public:
  // Errors: kIo, kCorrupt.
  static Result<Statement> prepare(sqlite3* database, const char* sql);

  // Binds the arguments to ?1, ?2, ... and runs to the next row. True: there is a row. Reset first to run again.
  template <class... Args>
  Result<bool> run(const Args&... args) {
    sqlite3_reset(statement_.get());
    int index = 0;
    (bind(++index, args), ...);
    return step();
  }
  Result<bool> step();

  int64_t number(int column) const { return sqlite3_column_int64(statement_.get(), column); }
  uint64_t size(int column) const { return static_cast<uint64_t>(number(column)); }
  std::string text(int column) const;
  Id id(int column) const;
  // Of a blob; valid until the next step.
  std::span<const std::byte> bytes(int column) const;

 private:
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
  void bind(int index, uint64_t value) { sqlite3_bind_int64(statement_.get(), index, static_cast<int64_t>(value)); }
  void bind(int index, const std::string& text);
  void bind(int index, const Id& id);
  void bind(int index, std::span<const std::byte> bytes);

  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

// Prepares `sql` and runs it, to its first row at most. Errors: those of Statement.
template <class... Args>
Result<> run_once(sqlite3* database, const char* sql, const Args&... args) {
  auto statement = Statement::prepare(database, sql);
  if (!statement) return std::move(statement).error();
  auto ran = statement->run(args...);
  if (!ran) return std::move(ran).error();
  return Done{};
}

// What `make(statement)` makes of each row. Errors: those of Statement.
template <class Record, class Make, class... Args>
Result<std::vector<Record>> read_rows(sqlite3* database, const char* sql, const Make& make, const Args&... args) {
  auto read = Statement::prepare(database, sql);
  if (!read) return std::move(read).error();
  std::vector<Record> records;
  for (auto row = read->run(args...);; row = read->step()) {
    if (!row) return std::move(row).error();
    if (!*row) return records;
    records.push_back(make(*read));
  }
}

}  // namespace godwit::journal
