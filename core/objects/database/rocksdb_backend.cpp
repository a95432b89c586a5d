#include "objects/database/rocksdb_backend.hpp"

#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/utilities/checkpoint.h>
#include <rocksdb/write_batch.h>

#include "base/units.hpp"
#include "objects/database/files.hpp"

namespace godwit::objects {
namespace {

rocksdb::Slice slice(std::string_view text) { return {text.data(), text.size()}; }
std::string_view view(const rocksdb::Slice& bytes) { return {bytes.data(), bytes.size()}; }

Error error_of(const rocksdb::Status& status) {
  const std::string text = "rocksdb: " + status.ToString();
  if (status.IsCorruption()) return {Errc::kCorrupt, text};
  if (status.IsNoSpace()) return {Errc::kNoSpace, text};
  if (status.IsBusy() || status.IsTryAgain() || text.find("lock hold") != std::string::npos ||
      text.find("While lock file") != std::string::npos)
    return {Errc::kBusy, text};
  return {Errc::kIo, text};
}

Result<> result_of(const rocksdb::Status& status) {
  if (status.ok()) return Done{};
  return error_of(status);
}

// Its log would fill the directory with files that say nothing to an operator; errors come back from each call.
class Silent final : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
};

class RocksDbBackend final : public Backend {
 public:
  RocksDbBackend(std::unique_ptr<rocksdb::DB> db, std::string directory)
      : directory_(std::move(directory)), db_(std::move(db)) {}

  uint64_t key_bytes_max() const override { return UINT32_MAX; }

  Result<> apply(std::span<const Change> changes) override {
    rocksdb::WriteBatch batch;
    for (const Change& change : changes) {
      const auto added = change.value ? batch.Put(slice(change.key), slice(*change.value)) : batch.Delete(slice(change.key));
      if (!added.ok()) return error_of(added);
    }
    return result_of(db_->Write({}, &batch));  // Into the log, which the kernel has when this returns.
  }

  Result<bool> get(std::string_view key, std::string& value) override {
    rocksdb::PinnableSlice found;
    const auto status = db_->Get({}, db_->DefaultColumnFamily(), slice(key), &found);
    if (status.IsNotFound()) return false;
    if (!status.ok()) return error_of(status);
    value.assign(found.data(), found.size());
    return true;
  }

  Result<std::optional<uint64_t>> length(std::string_view key) override {
    rocksdb::PinnableSlice found;
    const auto status = db_->Get({}, db_->DefaultColumnFamily(), slice(key), &found);
    if (status.IsNotFound()) return std::optional<uint64_t>();
    if (!status.ok()) return error_of(status);
    return std::optional<uint64_t>(found.size());
  }

  Result<> scan(std::string_view from, Show show, const Visit& visit) override {
    const std::unique_ptr<rocksdb::Iterator> next(db_->NewIterator({}));
    for (next->Seek(slice(from)); next->Valid(); next->Next())
      if (!visit(view(next->key()), show == Show::kKeys ? std::string_view() : view(next->value()))) break;
    return result_of(next->status());
  }

  Result<> persist() override { return result_of(db_->FlushWAL(true)); }

  Result<> checkpoint(const std::string& directory) override {
    if (auto missing = is_missing_or_empty(directory); !missing || !*missing)
      return Error{Errc::kExists, directory + " exists already"};
    rocksdb::Checkpoint* raw = nullptr;
    if (const auto status = rocksdb::Checkpoint::Create(db_.get(), &raw); !status.ok()) return error_of(status);
    const std::unique_ptr<rocksdb::Checkpoint> checkpoint(raw);
    // What is in memory is flushed to a file first: nothing depends on a log that somebody may have turned off.
    const auto status = checkpoint->CreateCheckpoint(directory, /*log_size_for_flush=*/0);
    if (status.ok()) return Done{};
    (void)remove_tree(directory);
    return error_of(status);
  }
  bool is_immutable(std::string_view file_name) const override {
    return file_name.ends_with(".sst") || file_name.ends_with(".blob");
  }
  uint64_t bytes() const override { return bytes_of(directory_); }

 private:
  const std::string directory_;
  const std::unique_ptr<rocksdb::DB> db_;
};

Result<rocksdb::Options> options_from(Options& options) {
  rocksdb::Options native;
  native.write_buffer_size = options.number("write_buffer_size", 64_MiB, 64_KiB, 1_GiB);
  native.max_write_buffer_number = static_cast<int>(options.number("max_write_buffer_number", 2, 2, 16));
  native.max_background_jobs = static_cast<int>(options.number("max_background_jobs", 2, 1, 64));
  static constexpr rocksdb::CompressionType kTypes[] = {rocksdb::kNoCompression, rocksdb::kLZ4Compression,
                                                        rocksdb::kSnappyCompression, rocksdb::kZSTD};
  native.compression = kTypes[options.choice("compression", {"none", "lz4", "snappy", "zstd"})];
  native.create_if_missing = options.flag("create_if_missing", true);
  const bool disable_wal = options.flag("disable_wal", false);
  if (auto valid = options.check(); !valid) return std::move(valid).error();
  if (disable_wal)
    return Error{Errc::kInvalid,
                 "the option 'disable_wal' cannot be true: keys that were acknowledged would be lost with the daemon"};
  native.info_log = std::make_shared<Silent>();
  native.paranoid_checks = true;
  native.keep_log_file_num = 1;
  return native;
}

}  // namespace

Result<> check_rocksdb_options(Options& options) {
  if (auto native = options_from(options); !native) return std::move(native).error();
  return Done{};
}

Result<std::unique_ptr<Backend>> open_rocksdb(const std::string& directory, Options& options, bool is_new) {
  auto native = options_from(options);
  if (!native) return std::move(native).error();
  if (is_new && !native->create_if_missing) return Error{Errc::kNotFound, directory + ": no rocksdb database is there"};
  rocksdb::DB* raw = nullptr;
  if (!is_new) {
    // A damaged database must stay as it is: look first without the right to write.
    const auto looked = rocksdb::DB::OpenForReadOnly(*native, directory, &raw);
    const std::unique_ptr<rocksdb::DB> look(raw);
    if (!looked.ok()) {
      Error error = error_of(looked);
      // A file that another one names is not there: as bad as a wrong one.
      if (!looked.IsIOError() || looked.IsPathNotFound()) error.code = Errc::kCorrupt;
      return with_context(directory, std::move(error));
    }
  }
  native->create_if_missing = is_new;
  native->error_if_exists = is_new;
  raw = nullptr;
  const auto opened = rocksdb::DB::Open(*native, directory, &raw);
  if (!opened.ok()) return with_context(directory, error_of(opened));
  return std::unique_ptr<Backend>(new RocksDbBackend(std::unique_ptr<rocksdb::DB>(raw), directory));
}

}  // namespace godwit::objects
