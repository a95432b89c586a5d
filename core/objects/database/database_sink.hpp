// DatabaseSink: a database at its destination: its files are received, and opened before anything is promised.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "objects/database/database_store.hpp"
#include "objects/files/file_volume.hpp"
#include "objects/source.hpp"

namespace godwit::objects {

class DatabaseFiles;

// One thread at a time, but for the queues of its volume.
class DatabaseSink final : public Sink {
 public:
  // `root`: where its directory is made; empty: the store's own. `scratch`: an absolute directory for what is received of one
  // that will be in memory. begin_pass() follows. Errors: as DatabaseStore::expect().
  static Result<std::unique_ptr<DatabaseSink>> make(DatabaseStore& store, const Id& job, DatabaseIdentity identity,
                                                    const std::string& root, const std::string& scratch);
  // Its directory is there, if the database lasts: from before a restart, too. `database` is expect()'s or expect_again()'s.
  DatabaseSink(DatabaseStore& store, DatabasePtr database)
      : store_(store), database_(std::move(database)), directory_(database_->directory) {}
  ~DatabaseSink() override;

  std::string describe() const override { return database_->describe(); }
  Storage storage() const override { return {volume_.get(), extent_}; }
  std::optional<journal::RegionRecord> record() const override { return std::nullopt; }
  std::optional<journal::DatabaseRecord> database_record() const override { return DatabaseStore::record_of(*database_); }
  // Also makes durable what earlier passes brought. Errors also: kProtocol, no list of a database's files, or it keeps what is
  // not here.
  Result<> begin_pass(model::Fileset files, const std::vector<bool>& kept) override;
  // The directory is of an earlier attempt, or of a database that was whole and has been opened.
  Result<std::vector<Extent>> begin_again(model::Fileset files) override;
  Result<> finish() override;
  // Opens it. Errors also: kInvalid (its options).
  Result<> try_out() override;
  void adopt() override;
  void drop() override;

  const std::string& directory() const { return directory_; }
  // After a restart: whether the directory is still there, and ours alone. Errors: kNotFound, kDenied, kIo.
  Result<> check_directory() const;

 private:
  Result<UniqueFd> open_directory() const;
  Result<> make_volume(const std::vector<bool>& comes);

  DatabaseStore& store_;
  const DatabasePtr database_;
  std::string directory_;  // Where its files arrive.
  bool is_open_ = false;
  std::shared_ptr<DatabaseFiles> files_;
  std::shared_ptr<FileVolume> volume_;
  Extent extent_;
};

}  // namespace godwit::objects
