#include "journal/journal.hpp"

#include <fmt/format.h>

#include <mutex>

#include "journal/database.hpp"
#include "journal/fileset_rows.hpp"
#include "journal/job_rows.hpp"
#include "journal/object_rows.hpp"

namespace godwit::journal {

struct Journal::Impl {
  explicit Impl(Database opened) : database(std::move(opened)) {}

  template <class Work>
  Result<> transaction(const Work& work) {
    const std::lock_guard lock(mutex);
    return database.transaction(work);
  }

  Id node;           // Constant after open.
  std::mutex mutex;  // Guards the database: one call at a time.
  Database database;
};

Journal::Journal(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Journal::~Journal() = default;
Id Journal::node_id() const { return impl_->node; }

Result<std::unique_ptr<Journal>> Journal::open(const std::string& state_dir) {
  auto database = Database::open(state_dir);
  if (!database) return std::move(database).error();
  auto impl = std::make_unique<Impl>(*std::move(database));
  {
    auto read = Statement::prepare(impl->database.get(), "SELECT id FROM node");
    if (!read) return std::move(read).error();
    if (auto row = read->run(); !row) return std::move(row).error();
    impl->node = read->id(0);
  }
  return std::unique_ptr<Journal>(new Journal(std::move(impl)));
}

// ---------------------------------------------------------------- regions

Result<> Journal::add_region(const RegionRecord& region) {
  return impl_->transaction([&](sqlite3* db) { return add_regions(db, std::span(&region, 1)); });
}

Result<> Journal::remove_region(const Id& id) {
  return impl_->transaction([&](sqlite3* db) { return run_once(db, "DELETE FROM region WHERE id=?1", id); });
}

Result<std::vector<RegionRecord>> Journal::regions() {
  const std::lock_guard lock(impl_->mutex);
  return read_rows<RegionRecord>(
      impl_->database.get(), "SELECT id,epoch,name,target,pool,offset,length,size FROM region", [](const Statement& row) {
        return RegionRecord{row.id(0),  row.size(1), row.text(2), row.text(3), row.id(4), {row.size(5), row.size(6)},
                            row.size(7)};
      });
}

Result<std::vector<MovedRecord>> Journal::moved() {
  const std::lock_guard lock(impl_->mutex);
  return read_rows<MovedRecord>(impl_->database.get(), "SELECT id,epoch,name,address,target FROM moved",
                                [](const Statement& row) {
                                  return MovedRecord{row.id(0), row.size(1), row.text(2), row.text(3), row.text(4)};
                                });
}

// ---------------------------------------------------------------- databases

Result<> Journal::put_database(const DatabaseRecord& record) {
  return impl_->transaction([&](sqlite3* db) { return put_databases(db, std::span(&record, 1)); });
}

Result<std::vector<DatabaseRecord>> Journal::databases() {
  const std::lock_guard lock(impl_->mutex);
  return read_rows<DatabaseRecord>(
      impl_->database.get(),
      "SELECT id,epoch,name,backend,path,options,is_created,state,address FROM database ORDER BY id,epoch",
      [](const Statement& row) {
        return DatabaseRecord{row.id(0),   row.size(1), row.text(2),        row.text(3),
                              row.text(4), row.text(5), row.number(6) != 0, static_cast<DatabaseState>(row.number(7)),
                              row.text(8)};
      });
}

// ---------------------------------------------------------------- outbound

Result<> Journal::start_outbound(const OutboundJob& job, bool again) {
  return impl_->transaction([&](sqlite3* db) -> Result<> {
    if (again)
      if (auto gone = remove_outbound(db, job.job); !gone) return gone;
    return add_outbound(db, job);
  });
}

Result<> Journal::hand_over(const Id& job, std::span<const MovedRecord> moved, std::span<const DatabaseRecord> databases,
                            std::span<const std::string> paths) {
  return impl_->transaction([&](sqlite3* db) -> Result<> {
    if (auto decided = change_outbound(db, job, "handed over", OutboundState::kStarted, OutboundState::kHandedOver); !decided)
      return decided;
    auto insert = Statement::prepare(db, "INSERT OR REPLACE INTO moved VALUES(?1,?2,?3,?4,?5,row_digest(?1,?2,?3,?4,?5))");
    if (!insert) return std::move(insert).error();
    auto remove = Statement::prepare(db, "DELETE FROM region WHERE id=?1");
    if (!remove) return std::move(remove).error();
    for (const MovedRecord& record : moved) {
      if (auto done = insert->run(record.id, record.epoch, record.name, record.address, record.target); !done)
        return std::move(done).error();
      if (auto done = remove->run(record.id); !done) return std::move(done).error();
    }
    if (auto gone = forget_filesets(db, paths); !gone) return gone;
    return put_databases(db, databases);
  });
}

Result<> Journal::reclaim(const Id& job, std::span<const RegionRecord> regions, std::span<const DatabaseRecord> databases) {
  return impl_->transaction([&](sqlite3* db) -> Result<> {
    if (auto undone = change_outbound(db, job, "reclaimed", OutboundState::kHandedOver, OutboundState::kStarted); !undone)
      return undone;
    // A commit may still be on its way: the job does not go on.
    if (auto gone = run_once(db, "DELETE FROM request WHERE job=?1", job); !gone) return gone;
    // Every object of a move is here again, those on volatile targets too. A copy gave nothing away.
    auto back = run_once(db,
                         "DELETE FROM moved WHERE EXISTS(SELECT 1 FROM outbound WHERE job=?1 AND is_move=1) AND "
                         "id IN (SELECT id FROM object WHERE inbound=0 AND job=?1)",
                         job);
    if (!back) return back;
    if (auto added = add_regions(db, regions); !added) return added;
    return put_databases(db, databases);
  });
}

Result<> Journal::finish_outbound(const Id& job) {
  return impl_->transaction([&](sqlite3* db) -> Result<> {
    auto done = change_outbound(db, job, "finished", OutboundState::kHandedOver, OutboundState::kDone);
    if (done || done.error().code != Errc::kNotFound) return done;
    return change_outbound(db, job, "finished", OutboundState::kDone, OutboundState::kDone);  // A restart may repeat it.
  });
}

Result<> Journal::forget_outbound(const Id& job) {
  return impl_->transaction([&](sqlite3* db) { return forget_outbound_rows(db, job); });
}

Result<std::vector<OutboundJob>> Journal::outbound() {
  const std::lock_guard lock(impl_->mutex);
  return read_outbound(impl_->database.get());
}

Result<> Journal::put_request(const RequestRecord& request) {
  return impl_->transaction([&](sqlite3* db) {
    return run_once(db, "INSERT OR REPLACE INTO request VALUES(?1,?2,?3,row_digest(?1,?2,?3))", request.job, request.attempt,
                    request.text);
  });
}

Result<std::vector<RequestRecord>> Journal::requests() {
  const std::lock_guard lock(impl_->mutex);
  return read_rows<RequestRecord>(impl_->database.get(), "SELECT job,attempt,text FROM request", [](const Statement& row) {
    return RequestRecord{row.id(0), row.size(1), row.text(2)};
  });
}

// ---------------------------------------------------------------- inbound

Result<> Journal::checkpoint_inbound(const InboundJob& job, const Checkpoint& checkpoint) {
  return impl_->transaction([&](sqlite3* db) -> Result<> {
    if (auto gone = remove_inbound(db, job.job, InboundState::kPrepared); !gone) return gone;
    auto known = Statement::prepare(db, "SELECT 1 FROM inbound WHERE job=?1 AND state=?2");
    if (!known) return std::move(known).error();
    auto row = known->run(job.job, uint64_t(InboundState::kReceiving));
    if (!row) return std::move(row).error();
    if (!*row)
      if (auto added = add_inbound(db, job, InboundState::kReceiving); !added) return added;
    return put_checkpoint(db, job.job, checkpoint);
  });
}

Result<Checkpoint> Journal::checkpoint(const Id& job) {
  const std::lock_guard lock(impl_->mutex);
  return read_checkpoint(impl_->database.get(), job);
}

Result<> Journal::prepare_inbound(const InboundJob& job) {
  return impl_->transaction([&](sqlite3* db) -> Result<> {
    if (auto gone = remove_inbound(db, job.job, InboundState::kReceiving); !gone) return gone;
    return add_inbound(db, job, InboundState::kPrepared);
  });
}

Result<> Journal::own_inbound(const Id& job, std::span<const RegionRecord> regions, std::span<const DatabaseRecord> databases,
                              std::span<const FilesetRecord> filesets) {
  return impl_->transaction([&](sqlite3* db) -> Result<> {
    auto owned = change_inbound(db, job, "owned", InboundState::kPrepared, InboundState::kOwner);
    if (!owned) return owned;
    auto back =
        run_once(db, "DELETE FROM moved WHERE id IN (SELECT destination_id FROM object WHERE inbound=1 AND job=?1)", job);
    if (!back) return back;
    if (auto gone = forget_checkpoint(db, job); !gone) return gone;
    if (auto added = add_regions(db, regions); !added) return added;
    if (auto put = put_filesets(db, filesets); !put) return put;
    return put_databases(db, databases);
  });
}

Result<std::vector<FilesetRecord>> Journal::filesets() {
  const std::lock_guard lock(impl_->mutex);
  return read_filesets(impl_->database.get());
}

Result<> Journal::forget_inbound(const Id& job) {
  return impl_->transaction([&](sqlite3* db) { return forget_inbound_rows(db, job); });
}

Result<std::vector<InboundJob>> Journal::inbound() {
  const std::lock_guard lock(impl_->mutex);
  return read_inbound(impl_->database.get());
}

// ---------------------------------------------------------------- staging

Result<> Journal::note_staging(const StagingRecord& staging) {
  return impl_->transaction([&](sqlite3* db) {
    return run_once(db, "INSERT OR REPLACE INTO staging VALUES(?1,?2,?3,row_digest(?1,?2,?3))", staging.job,
                    uint64_t(staging.incoming), staging.directory);
  });
}

Result<> Journal::forget_staging(const StagingRecord& staging) {
  return impl_->transaction([&](sqlite3* db) {
    return run_once(db, "DELETE FROM staging WHERE job=?1 AND incoming=?2 AND directory=?3", staging.job,
                    uint64_t(staging.incoming), staging.directory);
  });
}

Result<std::vector<StagingRecord>> Journal::stagings() {
  const std::lock_guard lock(impl_->mutex);
  return read_rows<StagingRecord>(impl_->database.get(), "SELECT job,incoming,directory FROM staging",
                                  [](const Statement& row) {
                                    return StagingRecord{row.id(0), row.size(1) != 0, row.text(2)};
                                  });
}

// ---------------------------------------------------------------- plans

Result<> Journal::put_plan(const PlanRecord& plan) {
  return impl_->transaction([&](sqlite3* db) {
    return run_once(db, "INSERT OR REPLACE INTO plan VALUES(?1,?2,?3,?4,?5,?6,row_digest(?1,?2,?3,?4,?5,?6))", plan.id,
                    plan.created_ms, uint64_t(plan.state), plan.document, plan.findings, plan.progress);
  });
}

Result<> Journal::change_plan(const Id& id, uint8_t state, const std::string& progress) {
  return impl_->transaction([&](sqlite3* db) -> Result<> {
    auto done =
        run_once(db, "UPDATE plan SET state=?2,progress=?3,digest=row_digest(id,created,?2,document,findings,?3) WHERE id=?1",
                 id, uint64_t(state), progress);
    if (!done || sqlite3_changes(db) == 1) return done;
    return Error{Errc::kNotFound, fmt::format("journal: no plan {}", to_string(id))};
  });
}

Result<> Journal::forget_plan(const Id& id) {
  return impl_->transaction([&](sqlite3* db) { return run_once(db, "DELETE FROM plan WHERE id=?1", id); });
}

Result<std::vector<PlanRecord>> Journal::plans() {
  const std::lock_guard lock(impl_->mutex);
  return read_rows<PlanRecord>(
      impl_->database.get(), "SELECT id,created,state,document,findings,progress FROM plan ORDER BY created,id",
      [](const Statement& row) {
        return PlanRecord{row.id(0), row.size(1), static_cast<uint8_t>(row.number(2)), row.text(3), row.text(4), row.text(5)};
      });
}

Result<bool> Journal::has_job(const Id& job) {
  const std::lock_guard lock(impl_->mutex);
  auto read = Statement::prepare(impl_->database.get(),
                                 "SELECT 1 FROM outbound WHERE job=?1 UNION ALL SELECT 1 FROM inbound WHERE job=?1 UNION ALL "
                                 "SELECT 1 FROM request WHERE job=?1 UNION ALL SELECT 1 FROM staging WHERE job=?1");
  if (!read) return std::move(read).error();
  return read->run(job);
}

Result<> Journal::put_permissions(std::span<const PermissionRecord> permissions) {
  return impl_->transaction([&](sqlite3* db) -> Result<> {
    auto put = Statement::prepare(db, "INSERT OR REPLACE INTO permission VALUES(?1,?2,?3,?4,row_digest(?1,?2,?3,?4))");
    if (!put) return std::move(put).error();
    for (const PermissionRecord& one : permissions)
      if (auto done = put->run(one.id, uint64_t{one.uid}, uint64_t{one.gid}, uint64_t{one.mode}); !done)
        return std::move(done).error();
    return Done{};
  });
}

Result<> Journal::forget_permissions(std::span<const Id> ids) {
  return impl_->transaction([&](sqlite3* db) -> Result<> {
    for (const Id& id : ids)
      if (auto gone = run_once(db, "DELETE FROM permission WHERE id=?1", id); !gone) return gone;
    return Done{};
  });
}

Result<std::vector<PermissionRecord>> Journal::permissions() {
  const std::lock_guard lock(impl_->mutex);
  return read_rows<PermissionRecord>(impl_->database.get(), "SELECT id,uid,gid,mode FROM permission", [](const Statement& row) {
    return PermissionRecord{row.id(0), static_cast<uint32_t>(row.number(1)), static_cast<uint32_t>(row.number(2)),
                            static_cast<uint32_t>(row.number(3))};
  });
}

}  // namespace godwit::journal
