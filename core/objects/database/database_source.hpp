// DatabaseSource: a database at its source: checkpoints of it travel as files, the last one with its writers stopped.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "objects/database/database_store.hpp"
#include "objects/files/source_files.hpp"
#include "objects/source.hpp"

namespace godwit::objects {

class DatabaseSource final : public Source {
 public:
  // Pins the database for the job. `scratch`: an absolute directory for checkpoints of databases in memory; of others they lie
  // beside the database. Errors: kBusy, kNotFound; why the database cannot be read (kCorrupt).
  static Result<std::unique_ptr<DatabaseSource>> open(DatabaseStore& store, DatabasePtr database, const Id& job,
                                                      const std::string& scratch);
  // After a restart: `database` is kept_handed_over().
  DatabaseSource(DatabaseStore& store, DatabasePtr database, const Id& job, const std::string& scratch);
  ~DatabaseSource() override;

  ObjectKind kind() const override { return ObjectKind::kDatabase; }
  std::string describe() const override { return database_->describe(); }
  uint64_t size_bytes() const override;
  Storage storage() const override { return {volume_.get(), extent_}; }
  bool survives_restart() const override { return is_lasting(database_->identity.kind); }
  journal::JobObject manifest() const override;
  const DatabaseIdentity* database() const override { return &database_->identity; }
  std::optional<journal::RegionRecord> record() const override { return std::nullopt; }
  std::optional<journal::MovedRecord> moved_record(const Moved&) const override { return std::nullopt; }
  std::optional<journal::DatabaseRecord> database_record(const Moved* moved) const override;

  bool has_live_passes() const override;
  Result<> begin_pass(bool last) override;
  Result<std::vector<std::byte>> listing() const override;
  std::vector<bool> kept() const override { return kept_; }
  void accepted(const std::vector<bool>& wanted) override;

  Result<> quiesce(Deadline deadline) override { return database_->quiesce(deadline); }
  Result<> stop(Deadline deadline) override { return database_->stop(deadline); }
  void resume() override;
  void finish_move(const Moved& moved) override { store_.finish_move(database_, job_, moved); }

 private:
  std::string checkpoint_path(uint32_t pass) const;
  void remove_checkpoint(uint32_t pass) const;

  DatabaseStore& store_;
  const DatabasePtr database_;
  const Id job_;
  const std::string scratch_;
  uint32_t passes_ = 0;
  std::shared_ptr<SourceFiles> files_;  // Of this pass.
  std::vector<bool> kept_;              // By entry.
  std::shared_ptr<FileVolume> volume_;
  Extent extent_;
};

}  // namespace godwit::objects
