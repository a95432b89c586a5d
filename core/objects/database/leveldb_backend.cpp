#include "objects/database/leveldb_backend.hpp"

#include <leveldb/cache.h>
#include <leveldb/db.h>
#include <leveldb/dumpfile.h>
#include <leveldb/env.h>
#include <leveldb/filter_policy.h>
#include <leveldb/write_batch.h>

#include <charconv>
#include <fstream>
#include <mutex>
#include <set>
#include <shared_mutex>

#include "base/units.hpp"
#include "objects/database/files.hpp"

namespace godwit::objects {
namespace {

leveldb::Slice slice(std::string_view text) { return {text.data(), text.size()}; }
std::string_view view(const leveldb::Slice& bytes) { return {bytes.data(), bytes.size()}; }

// LevelDB passes the kernel's errors on as text.
Error error_of(const leveldb::Status& status) {
  const std::string text = "leveldb: " + status.ToString();
  const auto says = [&](const char* words) { return text.find(words) != std::string::npos; };
  if (status.IsCorruption() || status.IsInvalidArgument()) return {Errc::kCorrupt, text};
  if (says("No space left") || says("quota exceeded")) return {Errc::kNoSpace, text};
  if (says("lock ") && (says("already held") || says("temporarily unavailable"))) return {Errc::kBusy, text};
  return {Errc::kIo, text};
}

Result<> result_of(const leveldb::Status& status) {
  if (status.ok()) return Done{};
  return error_of(status);
}

class Silent final : public leveldb::Logger {
 public:
  void Logv(const char*, va_list) override {}
};

struct Native {
  leveldb::Options options;
  std::unique_ptr<leveldb::Cache> cache;
  std::unique_ptr<const leveldb::FilterPolicy> filter;
  Silent log;
};

// The number at the beginning of the text; 0 if there is none.
uint64_t number_in(std::string_view text) {
  uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// Keeps which tables are named, of the text that LevelDB makes of a manifest: lines "  AddFile: LEVEL NUMBER SIZE ..." and
// "  RemoveFile: LEVEL NUMBER" (DeleteFile before LevelDB 1.23). Keys in it are escaped, so that each line is LevelDB's own.
class TableNames final : public leveldb::WritableFile {
 public:
  leveldb::Status Append(const leveldb::Slice& text) override {
    pending_.append(text.data(), text.size());
    for (size_t end; (end = pending_.find('\n')) != std::string::npos; pending_.erase(0, end + 1))
      take(std::string_view(pending_).substr(0, end));
    return leveldb::Status::OK();
  }
  leveldb::Status Close() override { return leveldb::Status::OK(); }
  leveldb::Status Flush() override { return leveldb::Status::OK(); }
  leveldb::Status Sync() override { return leveldb::Status::OK(); }
  std::set<uint64_t>& tables() { return tables_; }

 private:
  void take(std::string_view line) {
    for (const std::string_view word : {"  AddFile: ", "  RemoveFile: ", "  DeleteFile: "}) {
      if (!line.starts_with(word)) continue;
      const size_t number = line.find(' ', word.size());  // After the level.
      if (number == std::string_view::npos) return;
      if (word[2] == 'A')
        tables_.insert(number_in(line.substr(number + 1)));
      else
        tables_.erase(number_in(line.substr(number + 1)));
    }
  }

  std::string pending_;
  std::set<uint64_t> tables_;
};

// The tables of the database, which is closed. Errors: kCorrupt, kIo.
Result<std::set<uint64_t>> tables_of(const std::string& directory) {
  std::ifstream current(directory + "/CURRENT");
  std::string manifest;
  if (!std::getline(current, manifest) || !manifest.starts_with("MANIFEST-"))
    return Error{Errc::kCorrupt, directory + "/CURRENT names no manifest"};
  TableNames names;
  const auto read = leveldb::DumpFile(leveldb::Env::Default(), directory + "/" + manifest, &names);
  if (!read.ok()) return error_of(read);
  return std::move(names.tables());
}

// LevelDB cannot be copied while it is open: it replaces files when it compacts. A checkpoint closes it, which waits for a
// compaction to stop, and opens it again; meanwhile everybody waits at the mutex.
class LevelDbBackend final : public Backend {
 public:
  LevelDbBackend(std::unique_ptr<Native> native, std::string directory)
      : directory_(std::move(directory)), native_(std::move(native)), closed_{Errc::kIo, ""} {
    read_.verify_checksums = true;
  }

  // Before anybody else sees it, and within checkpoint().
  Result<> open(bool is_new) {
    native_->options.create_if_missing = is_new;
    native_->options.error_if_exists = is_new;
    leveldb::DB* raw = nullptr;
    const auto opened = leveldb::DB::Open(native_->options, directory_, &raw);
    db_.reset(raw);
    if (opened.ok()) return Done{};
    closed_ = with_context(directory_, error_of(opened));
    return closed_;
  }

  uint64_t key_bytes_max() const override { return UINT32_MAX; }

  Result<> apply(std::span<const Change> changes) override {
    leveldb::WriteBatch batch;
    for (const Change& change : changes) {
      if (change.value)
        batch.Put(slice(change.key), slice(*change.value));
      else
        batch.Delete(slice(change.key));
    }
    const std::shared_lock lock(mutex_);
    if (!db_) return closed_;
    return result_of(db_->Write({}, &batch));
  }

  Result<bool> get(std::string_view key, std::string& value) override {
    const std::shared_lock lock(mutex_);
    if (!db_) return closed_;
    std::string found;
    const auto status = db_->Get(read_, slice(key), &found);
    if (status.IsNotFound()) return false;
    if (!status.ok()) return error_of(status);
    value = std::move(found);
    return true;
  }

  Result<std::optional<uint64_t>> length(std::string_view key) override {
    std::string value;
    auto found = get(key, value);
    if (!found) return std::move(found).error();
    return *found ? std::optional<uint64_t>(value.size()) : std::optional<uint64_t>();
  }

  Result<> scan(std::string_view from, Show show, const Visit& visit) override {
    const std::shared_lock lock(mutex_);
    if (!db_) return closed_;
    const std::unique_ptr<leveldb::Iterator> next(db_->NewIterator(read_));
    for (next->Seek(slice(from)); next->Valid(); next->Next())
      if (!visit(view(next->key()), show == Show::kKeys ? std::string_view() : view(next->value()))) break;
    return result_of(next->status());
  }

  // A synced write would sync the newest log alone; the one before it may still be what a table is being made from.
  Result<> persist() override {
    const std::shared_lock lock(mutex_);
    if (!db_) return closed_;
    auto names = files_of(directory_);
    if (!names) return std::move(names).error();
    for (const std::string& name : *names) {
      if (!name.ends_with(".log")) continue;
      // One that has gone meanwhile is in a table, which was synced before.
      auto synced = sync_path(directory_ + "/" + name);
      if (!synced && synced.error().code != Errc::kNotFound) return synced;
    }
    return sync_path(directory_);
  }

  Result<> checkpoint(const std::string& directory) override {
    return fill_new_directory(directory, [&]() -> Result<> {
      const std::unique_lock lock(mutex_);
      if (!db_) return closed_;
      db_.reset();
      auto copied = copy_closed(directory);
      if (auto again = open(false); !again) return again;
      return copied;
    });
  }
  bool is_immutable(std::string_view file_name) const override {
    return file_name.ends_with(".ldb") || file_name.ends_with(".sst");
  }
  uint64_t bytes() const override { return bytes_of(directory_); }

 private:
  // Nobody changes the files: tables, which never change, get a second name; the log and the manifest are copied. Tables that
  // the manifest does not name, which a compaction leaves when it is stopped, stay behind: their numbers are used again, and
  // LevelDB then cuts the file to nothing, under both of its names.
  Result<> copy_closed(const std::string& directory) const {
    auto names = files_of(directory_);
    if (!names) return std::move(names).error();
    auto tables = tables_of(directory_);
    if (!tables) return std::move(tables).error();
    for (const std::string& name : *names) {
      if (name == "LOCK") continue;
      const std::string from = directory_ + "/" + name, to = directory + "/" + name;
      auto copied = Result<>(Done{});
      if (!is_immutable(name))
        copied = copy_file(from, to);
      else if (tables->erase(number_in(name)) == 1)
        copied = link_or_copy(from, to);
      if (!copied) return copied;
    }
    if (tables->empty()) return Done{};
    return Error{Errc::kCorrupt, directory_ + ": table " + std::to_string(*tables->begin()) + " is missing"};
  }

  const std::string directory_;
  const std::unique_ptr<Native> native_;
  leveldb::ReadOptions read_;  // Constant after construction.

  std::shared_mutex mutex_;  // Guards all below; held shared while db_ is used.
  std::unique_ptr<leveldb::DB> db_;
  Error closed_;  // Why db_ is null.
};

Result<std::unique_ptr<Native>> options_from(Options& options) {
  auto native = std::make_unique<Native>();
  native->options.write_buffer_size = options.number("write_buffer_size", 4_MiB, 64_KiB, 1_GiB);
  native->cache.reset(leveldb::NewLRUCache(options.number("block_cache_size", 8_MiB, 64_KiB, 64_GiB)));
  native->options.compression =
      options.choice("compression", {"none", "snappy"}) == 0 ? leveldb::kNoCompression : leveldb::kSnappyCompression;
  native->options.create_if_missing = options.flag("create_if_missing", true);
  if (auto valid = options.check(); !valid) return std::move(valid).error();
  native->filter.reset(leveldb::NewBloomFilterPolicy(10));
  native->options.block_cache = native->cache.get();
  native->options.filter_policy = native->filter.get();
  native->options.info_log = &native->log;
  native->options.paranoid_checks = true;  // A damaged log is an error, not a smaller database.
  return native;
}

}  // namespace

Result<> check_leveldb_options(Options& options) {
  if (auto native = options_from(options); !native) return std::move(native).error();
  return Done{};
}

Result<std::unique_ptr<Backend>> open_leveldb(const std::string& directory, Options& options, bool is_new) {
  auto native = options_from(options);
  if (!native) return std::move(native).error();
  if (is_new && !(*native)->options.create_if_missing)
    return Error{Errc::kNotFound, directory + ": no leveldb database is there"};
  auto backend = std::make_unique<LevelDbBackend>(std::move(*native), directory);
  if (auto opened = backend->open(is_new); !opened) return std::move(opened).error();
  return std::unique_ptr<Backend>(std::move(backend));
}

}  // namespace godwit::objects
