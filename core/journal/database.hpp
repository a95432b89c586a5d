// Database: the journal's SQLite file, opened for this process alone and checked; transactions that are durable when they
// return.
#pragma once

#include <sqlite3.h>

#include <memory>
#include <string>

#include "base/result.hpp"
#include "journal/statement.hpp"

namespace godwit::journal {

// An advisory lock on a file; the kernel gives it back when the process dies.
class FileLock {
 public:
  // Errors: kBusy, somebody has it; kIo, kNotFound.
  static Result<FileLock> take(const std::string& path);
  FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock();

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_;
};

// One thread at a time.
class Database {
 public:
  // Opens state_dir/journal.db, or makes it by writing another file and renaming it: one that is there is whole, or damaged.
  // Errors: kBusy, another process has it; kCorrupt, damaged, truncated, or not of this release's schema; kIo, kNoSpace.
  static Result<Database> open(const std::string& state_dir);

  sqlite3* get() const { return connection_.get(); }

  // Runs `work(sqlite3*)` in a transaction that is durable when this returns, and undone if `work` fails.
  // After a failed commit every later one is refused: what is on disk is unknown. Errors: those of `work`; kIo, kNoSpace.
  template <class Work>
  Result<> transaction(const Work& work) {
    if (auto begun = begin(); !begun) return begun;
    if (auto done = work(get()); !done) {
      (void)execute(get(), "ROLLBACK");  // The error of `work` says more.
      return done;
    }
    return commit();
  }

  static Result<> execute(sqlite3* connection, const char* sql);

 private:
  struct Close {
    void operator()(sqlite3* connection) const { sqlite3_close(connection); }
  };
  using Connection = std::unique_ptr<sqlite3, Close>;

  Database(FileLock lock, Connection connection) : lock_(std::move(lock)), connection_(std::move(connection)) {}
  static Result<Connection> connect(const std::string& path, int flags);
  static Result<> create(const std::string& state_dir, const std::string& path);
  static Result<> check(sqlite3* connection);
  static Result<> check_shape(sqlite3* connection);
  static Result<> check_rows(sqlite3* connection);
  Result<> begin();
  Result<> commit();

  FileLock lock_;  // Released last.
  Connection connection_;
  bool failed_ = false;
};

}  // namespace godwit::journal
