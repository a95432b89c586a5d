#include "objects/database/lmdb_backend.hpp"

#include <lmdb.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/units.hpp"
#include "objects/database/files.hpp"

namespace godwit::objects {
namespace {

constexpr const char* kDataName = "/data.mdb";

MDB_val value_of(std::string_view text) { return {text.size(), const_cast<char*>(text.data())}; }
std::string_view view(const MDB_val& value) { return {static_cast<const char*>(value.mv_data), value.mv_size}; }

Error error_of(int number) {
  const std::string text = std::string("lmdb: ") + mdb_strerror(number);
  switch (number) {
    case MDB_MAP_FULL: return {Errc::kNoSpace, text + ": raise the option map_size"};
    case MDB_CORRUPTED:
    case MDB_INVALID:
    case MDB_PAGE_NOTFOUND:
    case MDB_VERSION_MISMATCH:
    case MDB_PANIC: return {Errc::kCorrupt, text};
    case MDB_READERS_FULL: return {Errc::kBusy, text};
    case MDB_BAD_VALSIZE: return {Errc::kLimit, text};
    default: return number > 0 ? error_from_errno(Errc::kIo, "lmdb", number) : Error{Errc::kIo, text};
  }
}

struct CloseEnvironment {
  void operator()(MDB_env* environment) const { mdb_env_close(environment); }
};
using Environment = std::unique_ptr<MDB_env, CloseEnvironment>;

// Undone unless committed.
class Transaction {
 public:
  static Result<Transaction> begin(MDB_env* environment, unsigned flags) {
    MDB_txn* raw = nullptr;
    if (const int failed = mdb_txn_begin(environment, nullptr, flags, &raw); failed != 0) return error_of(failed);
    return Transaction(raw);
  }
  MDB_txn* get() const { return transaction_.get(); }
  int commit() { return mdb_txn_commit(transaction_.release()); }

 private:
  struct Abort {
    void operator()(MDB_txn* transaction) const { mdb_txn_abort(transaction); }
  };
  explicit Transaction(MDB_txn* raw) : transaction_(raw) {}
  std::unique_ptr<MDB_txn, Abort> transaction_;
};

// Durable at each commit: it is a tree that is changed in place by pages, and has no log that could be synced later.
class LmdbBackend final : public Backend {
 public:
  LmdbBackend(Environment environment, MDB_dbi pairs, std::string directory)
      : directory_(std::move(directory)), environment_(std::move(environment)), pairs_(pairs) {}

  uint64_t key_bytes_max() const override { return static_cast<uint64_t>(mdb_env_get_maxkeysize(environment_.get())); }

  Result<> apply(std::span<const Change> changes) override {
    auto transaction = Transaction::begin(environment_.get(), 0);
    if (!transaction) return std::move(transaction).error();
    for (const Change& change : changes) {
      MDB_val key = value_of(change.key);
      int failed;
      if (change.value) {
        MDB_val value = value_of(*change.value);
        failed = mdb_put(transaction->get(), pairs_, &key, &value, 0);
      } else {
        failed = mdb_del(transaction->get(), pairs_, &key, nullptr);
        if (failed == MDB_NOTFOUND) failed = 0;
      }
      if (failed != 0) return error_of(failed);
    }
    if (const int failed = transaction->commit(); failed != 0) return error_of(failed);
    return Done{};
  }

  Result<bool> get(std::string_view key, std::string& value) override {
    return look_up(key, [&](std::string_view found) { value.assign(found); });
  }

  Result<std::optional<uint64_t>> length(std::string_view key) override {
    std::optional<uint64_t> length;
    auto found = look_up(key, [&](std::string_view value) { length = value.size(); });
    if (!found) return std::move(found).error();
    return length;
  }

  Result<> scan(std::string_view from, Show show, const Visit& visit) override {
    auto transaction = Transaction::begin(environment_.get(), MDB_RDONLY);
    if (!transaction) return std::move(transaction).error();
    MDB_cursor* raw = nullptr;
    if (const int failed = mdb_cursor_open(transaction->get(), pairs_, &raw); failed != 0) return error_of(failed);
    struct Close {
      void operator()(MDB_cursor* cursor) const { mdb_cursor_close(cursor); }
    };
    const std::unique_ptr<MDB_cursor, Close> cursor(raw);
    MDB_val key = value_of(from), value{};
    for (int failed = mdb_cursor_get(raw, &key, &value, from.empty() ? MDB_FIRST : MDB_SET_RANGE); failed != MDB_NOTFOUND;
         failed = mdb_cursor_get(raw, &key, &value, MDB_NEXT)) {
      if (failed != 0) return error_of(failed);
      if (!visit(view(key), show == Show::kKeys ? std::string_view() : view(value))) break;
    }
    return Done{};
  }

  Result<> persist() override {
    if (const int failed = mdb_env_sync(environment_.get(), 1); failed != 0) return error_of(failed);
    return Done{};
  }

  Result<> checkpoint(const std::string& directory) override {
    return fill_new_directory(directory, [&]() -> Result<> {
      if (const int failed = mdb_env_copy2(environment_.get(), directory.c_str(), 0); failed != 0) return error_of(failed);
      return Done{};
    });
  }
  bool is_immutable(std::string_view) const override { return false; }
  uint64_t bytes() const override { return bytes_of(directory_); }

 private:
  template <class Found>  // void(std::string_view value), valid during the call.
  Result<bool> look_up(std::string_view text, Found found) {
    auto transaction = Transaction::begin(environment_.get(), MDB_RDONLY);
    if (!transaction) return std::move(transaction).error();
    MDB_val key = value_of(text), value{};
    const int failed = mdb_get(transaction->get(), pairs_, &key, &value);
    // No key is longer than what it takes, or empty.
    if (failed == MDB_NOTFOUND || failed == MDB_BAD_VALSIZE) return false;
    if (failed != 0) return error_of(failed);
    found(view(value));
    return true;
  }

  const std::string directory_;
  const Environment environment_;
  const MDB_dbi pairs_;
};

struct Native {
  uint64_t map_bytes;
  unsigned readers_max;
  bool create_if_missing;
};

Result<Native> options_from(Options& options) {
  Native native{};
  // Address space, not memory or disk: the file grows as it fills.
  native.map_bytes = options.number("map_size", 256_GiB, 1_MiB, 64 * 1024_GiB);
  native.readers_max = static_cast<unsigned>(options.number("max_readers", 1024, 16, 65536));
  native.create_if_missing = options.flag("create_if_missing", true);
  if (auto valid = options.check(); !valid) return std::move(valid).error();
  return native;
}

// A file that was cut short would end the daemon by SIGBUS when its missing pages are touched: count them first.
Result<> check_size(MDB_env* environment, const std::string& path) {
  MDB_stat tree{};
  MDB_envinfo info{};
  struct stat status {};
  if (mdb_env_stat(environment, &tree) != 0 || mdb_env_info(environment, &info) != 0 || ::stat(path.c_str(), &status) != 0)
    return Error{Errc::kIo, path + ": cannot be looked at"};
  const uint64_t wanted = (static_cast<uint64_t>(info.me_last_pgno) + 1) * tree.ms_psize;
  if (static_cast<uint64_t>(status.st_size) >= wanted) return Done{};
  return Error{Errc::kCorrupt, path + ": " + std::to_string(status.st_size) + " bytes long, it should have " +
                                   std::to_string(wanted) + " at least"};
}

}  // namespace

Result<> check_lmdb_options(Options& options) {
  if (auto native = options_from(options); !native) return std::move(native).error();
  return Done{};
}

Result<std::unique_ptr<Backend>> open_lmdb(const std::string& directory, Options& options, bool is_new) {
  auto native = options_from(options);
  if (!native) return std::move(native).error();
  if (is_new && !native->create_if_missing) return Error{Errc::kNotFound, directory + ": no lmdb database is there"};
  const std::string path = directory + kDataName;
  // LMDB takes an empty file for a new database.
  struct stat status {};
  if (!is_new && (::stat(path.c_str(), &status) != 0 || status.st_size == 0))
    return Error{Errc::kCorrupt, path + ": missing or empty"};
  MDB_env* raw = nullptr;
  if (const int failed = mdb_env_create(&raw); failed != 0) return error_of(failed);
  Environment environment(raw);
  int failed = mdb_env_set_mapsize(raw, native->map_bytes);
  if (failed == 0) failed = mdb_env_set_maxreaders(raw, native->readers_max);
  // Readers belong to their transactions, not to threads: workers come and go.
  if (failed == 0) failed = mdb_env_open(raw, directory.c_str(), MDB_NOTLS | MDB_NORDAHEAD, 0600);
  if (failed != 0) return with_context(directory, error_of(failed));
  if (auto whole = check_size(raw, path); !whole) return std::move(whole).error();
  MDB_dbi pairs = 0;
  {
    auto transaction = Transaction::begin(raw, 0);
    if (!transaction) return with_context(directory, std::move(transaction).error());
    failed = mdb_dbi_open(transaction->get(), nullptr, 0, &pairs);
    if (failed == 0) failed = transaction->commit();
    if (failed != 0) return with_context(directory, error_of(failed));
  }
  return std::unique_ptr<Backend>(new LmdbBackend(std::move(environment), pairs, directory));
}

}  // namespace godwit::objects
