#include "journal/journal.hpp"

#include <fmt/format.h>

#include <mutex>

#include "journal/database.hpp"

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

// No job: nothing to do.
Result<> forget(sqlite3* database, Direction direction, const Id& job) {
  if (auto gone = run_once(database, "DELETE FROM object WHERE inbound=?1 AND job=?2", uint64_t(direction), job); !gone)
    return gone;
  return run_once(database,
                  direction == Direction::kInbound ? "DELETE FROM inbound WHERE job=?1" : "DELETE FROM outbound WHERE job=?1",
                  job);
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

Result<> Journal::start_outbound(const OutboundJob& job) {
  return impl_->transaction([&](sqlite3* db) -> Result<> {
    auto added = run_once(db, "INSERT INTO outbound VALUES(?1,?2,?3,?4,?5,?6,?7,?8,row_digest(?1,?2,?3,?4,?5,?6,?7,?8))",
                          job.job, uint64_t(OutboundState::kStarted), uint64_t(job.is_move), uint64_t(job.source_survives),
                          job.address, job.target, job.destination_node, uint64_t(job.objects.size()));
    if (!added) return added;
    return add_objects(db, Direction::kOutbound, job.job, job.objects);
  });
}

Result<> Journal::hand_over(const Id& job, std::span<const MovedRecord> moved, std::span<const DatabaseRecord> databases) {
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
    return put_databases(db, databases);
  });
}

Result<> Journal::reclaim(const Id& job, std::span<const RegionRecord> regions, std::span<const DatabaseRecord> databases) {
  return impl_->transaction([&](sqlite3* db) -> Result<> {
    if (auto undone = change_outbound(db, job, "reclaimed", OutboundState::kHandedOver, OutboundState::kStarted); !undone)
      return undone;
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

// ---------------------------------------------------------------- inbound

Result<> Journal::prepare_inbound(const InboundJob& job) {
  return impl_->transaction([&](sqlite3* db) -> Result<> {
    auto added = run_once(db, "INSERT INTO inbound VALUES(?1,?2,?3,?4,?5,?6,?7,?8,row_digest(?1,?2,?3,?4,?5,?6,?7,?8))",
                          job.job, uint64_t(InboundState::kPrepared), job.source_address, job.target, job.pool,
                          uint64_t(job.target_survives), job.source_node, uint64_t(job.objects.size()));
    if (!added) return added;
    return add_objects(db, Direction::kInbound, job.job, job.objects);
  });
}

Result<> Journal::own_inbound(const Id& job, std::span<const RegionRecord> regions, std::span<const DatabaseRecord> databases) {
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
    if (auto added = add_regions(db, regions); !added) return added;
    return put_databases(db, databases);
  });
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

}  // namespace godwit::journal
