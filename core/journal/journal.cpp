#include "journal/journal.hpp"

#include <fmt/format.h>

#include <cstring>
#include <mutex>

#include "journal/database.hpp"
#include "journal/fileset_rows.hpp"

namespace godwit::journal {
namespace {

template <class... Args>
Result<> run_once(sqlite3* database, const char* sql, const Args&... args) {
  auto statement = Statement::prepare(database, sql);
  if (!statement) return std::move(statement).error();
  auto ran = statement->run(args...);
  if (!ran) return std::move(ran).error();
  return Done{};
}

// As run_once, for a statement that has to change the one row of `job`.
template <class... Args>
Result<> change_job(sqlite3* database, const char* what, const char* sql, const Id& job, const Args&... args) {
  if (auto done = run_once(database, sql, job, args...); !done) return done;
  if (sqlite3_changes(database) == 1) return Done{};
  return Error{Errc::kNotFound, fmt::format("journal: no job {} that could be {}", to_string(job), what)};
}

// A move within one node is outbound and inbound there at once, under one id.
enum class Direction : uint8_t { kOutbound = 0, kInbound = 1 };

Result<> add_regions(sqlite3* database, std::span<const RegionRecord> regions) {
  if (regions.empty()) return Done{};
  auto insert = Statement::prepare(
      database, "INSERT OR REPLACE INTO region VALUES(?1,?2,?3,?4,?5,?6,?7,?8,row_digest(?1,?2,?3,?4,?5,?6,?7,?8))");
  if (!insert) return std::move(insert).error();
  for (const RegionRecord& region : regions) {
    auto done = insert->run(region.id, region.epoch, region.name, region.target, region.pool, region.extent.offset_bytes,
                            region.extent.length_bytes, region.size_bytes);
    if (!done) return std::move(done).error();
  }
  return Done{};
}

Result<> put_databases(sqlite3* database, std::span<const DatabaseRecord> records) {
  for (const DatabaseRecord& record : records) {
    auto put = record.state == DatabaseState::kForgotten
                   ? run_once(database, "DELETE FROM database WHERE id=?1 AND epoch=?2", record.id, record.epoch)
                   : run_once(database,
                              "INSERT OR REPLACE INTO database VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,"
                              "row_digest(?1,?2,?3,?4,?5,?6,?7,?8,?9))",
                              record.id, record.epoch, record.name, record.backend, record.path, record.options,
                              uint64_t(record.is_created), uint64_t(record.state), record.address);
    if (!put) return put;
  }
  return Done{};
}

Result<> add_objects(sqlite3* database, Direction direction, const Id& job, std::span<const JobObject> objects) {
  auto insert = Statement::prepare(database,
                                   "INSERT INTO object VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,"
                                   "row_digest(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12))");
  if (!insert) return std::move(insert).error();
  uint64_t position = 0;
  for (const JobObject& object : objects) {
    auto done = insert->run(uint64_t(direction), job, position++, object.id, object.destination_id, object.epoch, object.name,
                            object.size_bytes, object.target, object.extent.offset_bytes, object.extent.length_bytes,
                            uint64_t(object.kind));
    if (!done) return std::move(done).error();
  }
  return Done{};
}

Result<std::vector<JobObject>> objects_of(sqlite3* database, Direction direction, const Id& job) {
  auto read = Statement::prepare(database,
                                 "SELECT id,destination_id,epoch,name,size,target,offset,length,kind FROM object "
                                 "WHERE inbound=?1 AND job=?2 ORDER BY position");
  if (!read) return std::move(read).error();
  std::vector<JobObject> objects;
  for (auto row = read->run(uint64_t(direction), job);; row = read->step()) {
    if (!row) return std::move(row).error();
    if (!*row) return objects;
    objects.push_back({read->id(0),
                       read->id(1),
                       read->size(2),
                       read->text(3),
                       read->size(4),
                       read->text(5),
                       {read->size(6), read->size(7)},
                       static_cast<ObjectKind>(read->size(8))});
  }
}

// What was noted of an inbound job before it was whole.
Result<> forget_arrived(sqlite3* database, const Id& job) {
  if (auto gone = run_once(database, "DELETE FROM checkpoint WHERE job=?1", job); !gone) return gone;
  return run_once(database, "DELETE FROM listing WHERE job=?1", job);
}

// No job: nothing to do.
Result<> forget(sqlite3* database, Direction direction, const Id& job) {
  const bool inbound = direction == Direction::kInbound;
  if (auto gone = run_once(database, "DELETE FROM object WHERE inbound=?1 AND job=?2", uint64_t(direction), job); !gone)
    return gone;
  auto gone = inbound ? forget_arrived(database, job) : run_once(database, "DELETE FROM request WHERE job=?1", job);
  if (!gone) return gone;
  return run_once(database, inbound ? "DELETE FROM inbound WHERE job=?1" : "DELETE FROM outbound WHERE job=?1", job);
}

Result<> add_inbound(sqlite3* database, const InboundJob& job, InboundState state) {
  auto added = run_once(database, "INSERT INTO inbound VALUES(?1,?2,?3,?4,?5,?6,?7,?8,row_digest(?1,?2,?3,?4,?5,?6,?7,?8))",
                        job.job, uint64_t(state), job.source_address, job.target, job.pool, uint64_t(job.target_survives),
                        job.source_node, uint64_t(job.objects.size()));
  if (!added) return added;
  return add_objects(database, Direction::kInbound, job.job, job.objects);
}

// Makes room for another record of the job; its checkpoints stay.
Result<> remove_inbound(sqlite3* database, const Id& job, InboundState state) {
  if (auto gone = run_once(database, "DELETE FROM inbound WHERE job=?1 AND state=?2", job, uint64_t(state)); !gone) return gone;
  if (sqlite3_changes(database) == 0) return Done{};
  return run_once(database, "DELETE FROM object WHERE inbound=1 AND job=?1", job);
}

}  // namespace

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
  auto read = Statement::prepare(impl_->database.get(), "SELECT id,epoch,name,target,pool,offset,length,size FROM region");
  if (!read) return std::move(read).error();
  std::vector<RegionRecord> regions;
  for (auto row = read->run();; row = read->step()) {
    if (!row) return std::move(row).error();
    if (!*row) return regions;
    regions.push_back(
        {read->id(0), read->size(1), read->text(2), read->text(3), read->id(4), {read->size(5), read->size(6)}, read->size(7)});
  }
}

Result<std::vector<MovedRecord>> Journal::moved() {
  const std::lock_guard lock(impl_->mutex);
  auto read = Statement::prepare(impl_->database.get(), "SELECT id,epoch,name,address,target FROM moved");
  if (!read) return std::move(read).error();
  std::vector<MovedRecord> moved;
  for (auto row = read->run();; row = read->step()) {
    if (!row) return std::move(row).error();
    if (!*row) return moved;
    moved.push_back({read->id(0), read->size(1), read->text(2), read->text(3), read->text(4)});
  }
}

// ---------------------------------------------------------------- databases

Result<> Journal::put_database(const DatabaseRecord& record) {
  return impl_->transaction([&](sqlite3* db) { return put_databases(db, std::span(&record, 1)); });
}

Result<std::vector<DatabaseRecord>> Journal::databases() {
  const std::lock_guard lock(impl_->mutex);
  auto read =
      Statement::prepare(impl_->database.get(),
                         "SELECT id,epoch,name,backend,path,options,is_created,state,address FROM database ORDER BY id,epoch");
  if (!read) return std::move(read).error();
  std::vector<DatabaseRecord> records;
  for (auto row = read->run();; row = read->step()) {
    if (!row) return std::move(row).error();
    if (!*row) return records;
    records.push_back({read->id(0), read->size(1), read->text(2), read->text(3), read->text(4), read->text(5),
                       read->number(6) != 0, static_cast<DatabaseState>(read->number(7)), read->text(8)});
  }
}

// ---------------------------------------------------------------- outbound

namespace {

Result<> change_outbound(sqlite3* database, const Id& job, const char* what, OutboundState from, OutboundState to) {
  return change_job(
      database, what,
      "UPDATE outbound SET state=?3,digest=row_digest(job,?3,is_move,source_survives,address,target,node,objects) "
      "WHERE job=?1 AND state=?2",
      job, uint64_t(from), uint64_t(to));
}

}  // namespace

Result<> Journal::start_outbound(const OutboundJob& job, bool again) {
  return impl_->transaction([&](sqlite3* db) -> Result<> {
    if (again) {
      auto gone = change_job(db, "started again", "DELETE FROM outbound WHERE job=?1 AND state=?2", job.job,
                             uint64_t(OutboundState::kStarted));
      if (!gone) return gone;
      gone = run_once(db, "DELETE FROM object WHERE inbound=0 AND job=?1", job.job);
      if (!gone) return gone;
    }
    auto added = run_once(db, "INSERT INTO outbound VALUES(?1,?2,?3,?4,?5,?6,?7,?8,row_digest(?1,?2,?3,?4,?5,?6,?7,?8))",
                          job.job, uint64_t(OutboundState::kStarted), uint64_t(job.is_move), uint64_t(job.source_survives),
                          job.address, job.target, job.destination_node, uint64_t(job.objects.size()));
    if (!added) return added;
    return add_objects(db, Direction::kOutbound, job.job, job.objects);
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
  return impl_->transaction([&](sqlite3* db) { return forget(db, Direction::kOutbound, job); });
}

Result<std::vector<OutboundJob>> Journal::outbound() {
  const std::lock_guard lock(impl_->mutex);
  auto read =
      Statement::prepare(impl_->database.get(), "SELECT job,state,is_move,source_survives,address,target,node FROM outbound");
  if (!read) return std::move(read).error();
  std::vector<OutboundJob> jobs;
  for (auto row = read->run();; row = read->step()) {
    if (!row) return std::move(row).error();
    if (!*row) return jobs;
    auto objects = objects_of(impl_->database.get(), Direction::kOutbound, read->id(0));
    if (!objects) return std::move(objects).error();
    jobs.push_back({read->id(0), static_cast<OutboundState>(read->number(1)), read->number(2) != 0, read->number(3) != 0,
                    read->text(4), read->text(5), std::move(*objects), read->id(6)});
  }
}

Result<> Journal::put_request(const RequestRecord& request) {
  return impl_->transaction([&](sqlite3* db) {
    return run_once(db, "INSERT OR REPLACE INTO request VALUES(?1,?2,?3,row_digest(?1,?2,?3))", request.job, request.attempt,
                    request.text);
  });
}

Result<std::vector<RequestRecord>> Journal::requests() {
  const std::lock_guard lock(impl_->mutex);
  auto read = Statement::prepare(impl_->database.get(), "SELECT job,attempt,text FROM request");
  if (!read) return std::move(read).error();
  std::vector<RequestRecord> requests;
  for (auto row = read->run();; row = read->step()) {
    if (!row) return std::move(row).error();
    if (!*row) return requests;
    requests.push_back({read->id(0), read->size(1), read->text(2)});
  }
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
    auto put = Statement::prepare(db, "INSERT OR REPLACE INTO checkpoint VALUES(?1,?2,?3,?4,row_digest(?1,?2,?3,?4))");
    if (!put) return std::move(put).error();
    for (const CheckpointChunk& chunk : checkpoint.chunks)
      if (auto done = put->run(job.job, uint64_t(chunk.chunk), checkpoint.block_bytes, std::as_bytes(std::span(chunk.blocks)));
          !done)
        return std::move(done).error();
    for (size_t i = 0; i < checkpoint.listings.size(); ++i)
      if (auto done = run_once(db, "INSERT OR REPLACE INTO listing VALUES(?1,?2,?3,row_digest(?1,?2,?3))", job.job, uint64_t{i},
                               std::span(checkpoint.listings[i]));
          !done)
        return done;
    return Done{};
  });
}

Result<Checkpoint> Journal::checkpoint(const Id& job) {
  const std::lock_guard lock(impl_->mutex);
  sqlite3* const db = impl_->database.get();
  Checkpoint checkpoint;
  auto read = Statement::prepare(db, "SELECT chunk,block_bytes,blocks FROM checkpoint WHERE job=?1 ORDER BY chunk");
  if (!read) return std::move(read).error();
  auto row = read->run(job);
  for (; row && *row; row = read->step()) {
    checkpoint.block_bytes = read->size(1);
    CheckpointChunk chunk{static_cast<uint32_t>(read->size(0)), {}};
    const auto bytes = read->bytes(2);
    chunk.blocks.resize(bytes.size() / sizeof(Digest));
    std::memcpy(chunk.blocks.data(), bytes.data(), chunk.blocks.size() * sizeof(Digest));
    checkpoint.chunks.push_back(std::move(chunk));
  }
  if (!row) return std::move(row).error();
  read = Statement::prepare(db, "SELECT bytes FROM listing WHERE job=?1 ORDER BY position");
  if (!read) return std::move(read).error();
  for (row = read->run(job); row && *row; row = read->step()) {
    const auto bytes = read->bytes(0);
    checkpoint.listings.emplace_back(bytes.begin(), bytes.end());
  }
  if (!row) return std::move(row).error();
  return checkpoint;
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
    auto owned = change_job(
        db, "owned",
        "UPDATE inbound SET state=?3,digest=row_digest(job,?3,source_address,target,pool,target_survives,node,objects) "
        "WHERE job=?1 AND state=?2",
        job, uint64_t(InboundState::kPrepared), uint64_t(InboundState::kOwner));
    if (!owned) return owned;
    auto back =
        run_once(db, "DELETE FROM moved WHERE id IN (SELECT destination_id FROM object WHERE inbound=1 AND job=?1)", job);
    if (!back) return back;
    if (auto gone = forget_arrived(db, job); !gone) return gone;
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
  return impl_->transaction([&](sqlite3* db) { return forget(db, Direction::kInbound, job); });
}

Result<std::vector<InboundJob>> Journal::inbound() {
  const std::lock_guard lock(impl_->mutex);
  auto read = Statement::prepare(impl_->database.get(),
                                 "SELECT job,state,source_address,target,pool,target_survives,node FROM inbound");
  if (!read) return std::move(read).error();
  std::vector<InboundJob> jobs;
  for (auto row = read->run();; row = read->step()) {
    if (!row) return std::move(row).error();
    if (!*row) return jobs;
    auto objects = objects_of(impl_->database.get(), Direction::kInbound, read->id(0));
    if (!objects) return std::move(objects).error();
    jobs.push_back({read->id(0), static_cast<InboundState>(read->number(1)), read->text(2), read->text(3), read->id(4),
                    read->number(5) != 0, std::move(*objects), read->id(6)});
  }
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
  auto read = Statement::prepare(impl_->database.get(), "SELECT job,incoming,directory FROM staging");
  if (!read) return std::move(read).error();
  std::vector<StagingRecord> stagings;
  for (auto row = read->run();; row = read->step()) {
    if (!row) return std::move(row).error();
    if (!*row) return stagings;
    stagings.push_back({read->id(0), read->size(1) != 0, read->text(2)});
  }
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
  auto read = Statement::prepare(impl_->database.get(),
                                 "SELECT id,created,state,document,findings,progress FROM plan ORDER BY created,id");
  if (!read) return std::move(read).error();
  std::vector<PlanRecord> plans;
  for (auto row = read->run();; row = read->step()) {
    if (!row) return std::move(row).error();
    if (!*row) return plans;
    plans.push_back(
        {read->id(0), read->size(1), static_cast<uint8_t>(read->number(2)), read->text(3), read->text(4), read->text(5)});
  }
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
  auto read = Statement::prepare(impl_->database.get(), "SELECT id,uid,gid,mode FROM permission");
  if (!read) return std::move(read).error();
  std::vector<PermissionRecord> permissions;
  for (auto row = read->run();; row = read->step()) {
    if (!row) return std::move(row).error();
    if (!*row) return permissions;
    permissions.push_back({read->id(0), static_cast<uint32_t>(read->number(1)), static_cast<uint32_t>(read->number(2)),
                           static_cast<uint32_t>(read->number(3))});
  }
}

}  // namespace godwit::journal
