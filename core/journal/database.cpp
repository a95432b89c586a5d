#include "journal/database.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "base/fail_point.hpp"
#include "base/id.hpp"
#include "journal/schema.hpp"

namespace godwit::journal {

namespace {

constexpr int64_t kDatabaseBytesMin = 512;  // SQLite's smallest page.
constexpr const char* kRemedy = "restore the state directory from a copy, or begin with an empty one";

Result<int64_t> number_of(sqlite3* connection, const char* sql) {
  auto statement = Statement::prepare(connection, sql);
  if (!statement) return std::move(statement).error();
  auto row = statement->run();
  if (!row) return std::move(row).error();
  return *row ? statement->number(0) : 0;
}

Result<std::string> text_of(sqlite3* connection, const char* sql) {
  auto statement = Statement::prepare(connection, sql);
  if (!statement) return std::move(statement).error();
  auto row = statement->run();
  if (!row) return std::move(row).error();
  return *row ? statement->text(0) : std::string();
}

// A new name in a directory is durable only after this.
Result<> sync_directory(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return error_from_errno(Errc::kIo, path, errno);
  const int synced = ::fsync(fd);
  const int number = errno;
  ::close(fd);
  if (synced != 0) return error_from_errno(Errc::kIo, path, number);
  return Done{};
}

// Nothing: there is no such file. Errors: kIo.
Result<int64_t> size_of(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0) return int64_t{status.st_size};
  if (errno == ENOENT) return int64_t{-1};
  return error_from_errno(Errc::kIo, path, errno);
}

}  // namespace

// ---------------------------------------------------------------- the lock

Result<FileLock> FileLock::take(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return error_from_errno(Errc::kIo, path, errno);
  FileLock lock(fd);
  if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return lock;
  if (errno == EWOULDBLOCK) return Error{Errc::kBusy, path + ": another daemon has this state directory open"};
  return error_from_errno(Errc::kIo, path, errno);
}

FileLock::~FileLock() {
  if (fd_ >= 0) ::close(fd_);
}

// ---------------------------------------------------------------- opening

Result<> Database::execute(sqlite3* connection, const char* sql) {
  if (sqlite3_exec(connection, sql, nullptr, nullptr, nullptr) != SQLITE_OK) return database_error(connection, sql);
  return Done{};
}

Result<Database::Connection> Database::connect(const std::string& path, int flags) {
  sqlite3* raw = nullptr;
  const int opened = sqlite3_open_v2(path.c_str(), &raw, flags | SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  Connection connection(raw);
  if (opened != SQLITE_OK) return database_error(raw, "open");
  if (define_row_digest(raw) != SQLITE_OK) return database_error(raw, "define row_digest");
  // Exclusive: the first write takes the lock and keeps it, and WAL needs no shared memory.
  for (const char* pragma : {"PRAGMA locking_mode=EXCLUSIVE", "PRAGMA trusted_schema=OFF", "PRAGMA cell_size_check=ON",
                             "PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "BEGIN EXCLUSIVE; COMMIT"})
    if (auto set = execute(raw, pragma); !set) return std::move(set).error();
  return connection;
}

Result<Database> Database::open(const std::string& state_dir) {
  auto lock = FileLock::take(state_dir + "/journal.lock");
  if (!lock) return std::move(lock).error();
  const std::string path = state_dir + "/journal.db";
  auto size_bytes = size_of(path);
  if (!size_bytes) return std::move(size_bytes).error();
  if (*size_bytes < 0) {
    auto log_bytes = size_of(path + "-wal");
    if (!log_bytes) return std::move(log_bytes).error();
    if (*log_bytes > 0) return Error{Errc::kCorrupt, fmt::format("{} is missing, its -wal file is there; {}", path, kRemedy)};
    if (auto made = create(state_dir, path); !made) return with_context(path, std::move(made).error());
  } else if (*size_bytes < kDatabaseBytesMin) {  // SQLite would take an empty one for new, and one of a single byte too.
    return Error{Errc::kCorrupt, fmt::format("{} is {} bytes long, too short for a journal; {}", path, *size_bytes, kRemedy)};
  }
  auto connection = connect(path, 0);
  auto checked = connection ? check(connection->get()) : Result<>(connection.error());
  if (!checked) {
    Error error = with_context(path, std::move(checked).error());
    if (error.code == Errc::kCorrupt) error.text += fmt::format("; {}", kRemedy);
    return error;
  }
  return Database(*std::move(lock), *std::move(connection));
}

Result<> Database::create(const std::string& state_dir, const std::string& path) {
  const std::string draft = path + ".new";
  for (const char* suffix : {"", "-wal", "-journal"}) ::unlink((draft + suffix).c_str());  // Of a start that was cut short.
  {
    auto connection = connect(draft, SQLITE_OPEN_CREATE);
    if (!connection) return std::move(connection).error();
    sqlite3* const raw = connection->get();
    if (auto made = execute(raw, kSchema); !made) return made;
    auto node = Statement::prepare(raw, "INSERT INTO node VALUES(?1,row_digest(?1))");
    if (!node) return std::move(node).error();
    if (auto named = node->run(random_id()); !named) return std::move(named).error();
    if (auto versioned = execute(raw, fmt::format("PRAGMA user_version={}", kSchemaVersion).c_str()); !versioned)
      return versioned;
    // All of it into the one file that is renamed.
    if (auto moved = execute(raw, "PRAGMA wal_checkpoint(TRUNCATE)"); !moved) return moved;
  }
  if (::rename(draft.c_str(), path.c_str()) != 0) return error_from_errno(Errc::kIo, "rename", errno);
  return sync_directory(state_dir);
}

Result<> Database::check(sqlite3* connection) {
  {
    auto check = Statement::prepare(connection, "PRAGMA quick_check(1)");
    if (!check) return std::move(check).error();
    auto row = check->run();
    if (!row) return std::move(row).error();
    if (const std::string verdict = check->text(0); verdict != "ok")
      return Error{Errc::kCorrupt, "the journal is damaged: " + verdict};
  }
  auto version = number_of(connection, "PRAGMA user_version");
  if (!version) return std::move(version).error();
  if (*version > kSchemaVersion)
    return Error{Errc::kCorrupt,
                 fmt::format("the journal has schema {}, of a newer release; this one knows {}", *version, kSchemaVersion)};
  if (*version < kSchemaVersion)
    return Error{Errc::kCorrupt, fmt::format("the journal has schema {}, which was never released", *version)};
  if (auto right = check_shape(connection); !right) return right;
  return check_rows(connection);
}

Result<> Database::check_shape(sqlite3* connection) {
  sqlite3* raw = nullptr;
  const int opened = sqlite3_open_v2(":memory:", &raw, SQLITE_OPEN_READWRITE, nullptr);
  const Connection fresh(raw);
  if (opened != SQLITE_OK) return database_error(raw, "open");
  if (auto made = execute(raw, kSchema); !made) return made;
  auto wanted = text_of(raw, kShape);
  if (!wanted) return std::move(wanted).error();
  auto found = text_of(connection, kShape);
  // A schema that cannot be read is damage, whatever SQLite calls it.
  if (!found) return Error{Errc::kCorrupt, "the journal is damaged: " + found.error().text};
  if (*found == *wanted) return Done{};
  return Error{Errc::kCorrupt, "the journal is damaged: its tables are not as this release makes them"};
}

Result<> Database::check_rows(sqlite3* connection) {
  for (const char* query : kDamageQueries) {
    auto damaged = number_of(connection, query);
    // A table that is not there, or not as it was, is damage too.
    if (!damaged) return Error{Errc::kCorrupt, "the journal is damaged: " + damaged.error().text};
    if (*damaged != 0) return Error{Errc::kCorrupt, fmt::format("the journal is damaged: a row fails [{}]", query)};
  }
  auto nodes = number_of(connection, "SELECT count(*) FROM node");
  if (!nodes) return std::move(nodes).error();
  if (*nodes != 1) return Error{Errc::kCorrupt, "the journal is damaged: it does not know its node"};
  return Done{};
}

// ---------------------------------------------------------------- transactions

Result<> Database::begin() {
  if (failed_) return Error{Errc::kIo, "the journal failed before and takes no more writes; restart godwitd"};
  if (const int number = fail_point("journal.begin"); number != 0) return error_from_errno(Errc::kIo, "journal", number);
  return execute(get(), "BEGIN IMMEDIATE");
}

Result<> Database::commit() {
  const int number = fail_point("journal.commit");
  auto committed = number != 0 ? Result<>(error_from_errno(Errc::kIo, "journal: COMMIT", number)) : execute(get(), "COMMIT");
  if (!committed) {
    failed_ = true;
    (void)execute(get(), "ROLLBACK");  // Nothing more is written either way.
  }
  return committed;
}

}  // namespace godwit::journal
