#include "journal/job_rows.hpp"

#include <fmt/format.h>

#include <cstring>
#include <span>

#include "journal/statement.hpp"

namespace godwit::journal {
namespace {

// As run_once, for a statement that has to change the one row of `job`.
template <class... Args>
Result<> change_job(sqlite3* database, const char* what, const char* sql, const Id& job, const Args&... args) {
  if (auto done = run_once(database, sql, job, args...); !done) return done;
  if (sqlite3_changes(database) == 1) return Done{};
  return Error{Errc::kNotFound, fmt::format("journal: no job {} that could be {}", to_string(job), what)};
}

// A move within one node is outbound and inbound there at once, under one id.
enum class Direction : uint8_t { kOutbound = 0, kInbound = 1 };

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
  return read_rows<JobObject>(
      database,
      "SELECT id,destination_id,epoch,name,size,target,offset,length,kind FROM object WHERE inbound=?1 AND job=?2 ORDER BY "
      "position",
      [](const Statement& row) {
        return JobObject{row.id(0),
                         row.id(1),
                         row.size(2),
                         row.text(3),
                         row.size(4),
                         row.text(5),
                         {row.size(6), row.size(7)},
                         static_cast<ObjectKind>(row.size(8))};
      },
      uint64_t(direction), job);
}

// Of jobs that were read without their objects.
template <class Job>
Result<std::vector<Job>> with_objects(sqlite3* database, Direction direction, Result<std::vector<Job>> jobs) {
  if (!jobs) return jobs;
  for (Job& job : *jobs) {
    auto objects = objects_of(database, direction, job.job);
    if (!objects) return std::move(objects).error();
    job.objects = std::move(*objects);
  }
  return jobs;
}

}  // namespace

// ---------------------------------------------------------------- outbound

Result<> add_outbound(sqlite3* database, const OutboundJob& job) {
  auto added = run_once(database, "INSERT INTO outbound VALUES(?1,?2,?3,?4,?5,?6,?7,?8,row_digest(?1,?2,?3,?4,?5,?6,?7,?8))",
                        job.job, uint64_t(OutboundState::kStarted), uint64_t(job.is_move), uint64_t(job.source_survives),
                        job.address, job.target, job.destination_node, uint64_t(job.objects.size()));
  if (!added) return added;
  return add_objects(database, Direction::kOutbound, job.job, job.objects);
}

Result<> remove_outbound(sqlite3* database, const Id& job) {
  auto gone = change_job(database, "started again", "DELETE FROM outbound WHERE job=?1 AND state=?2", job,
                         uint64_t(OutboundState::kStarted));
  if (!gone) return gone;
  return run_once(database, "DELETE FROM object WHERE inbound=0 AND job=?1", job);
}

Result<> change_outbound(sqlite3* database, const Id& job, const char* what, OutboundState from, OutboundState to) {
  return change_job(
      database, what,
      "UPDATE outbound SET state=?3,digest=row_digest(job,?3,is_move,source_survives,address,target,node,objects) "
      "WHERE job=?1 AND state=?2",
      job, uint64_t(from), uint64_t(to));
}

Result<> forget_outbound_rows(sqlite3* database, const Id& job) {
  for (const char* sql : {"DELETE FROM object WHERE inbound=0 AND job=?1", "DELETE FROM request WHERE job=?1",
                          "DELETE FROM outbound WHERE job=?1"})
    if (auto gone = run_once(database, sql, job); !gone) return gone;
  return Done{};
}

Result<std::vector<OutboundJob>> read_outbound(sqlite3* database) {
  auto jobs = read_rows<OutboundJob>(database, "SELECT job,state,is_move,source_survives,address,target,node FROM outbound",
                                     [](const Statement& row) {
                                       return OutboundJob{row.id(0),
                                                          static_cast<OutboundState>(row.number(1)),
                                                          row.number(2) != 0,
                                                          row.number(3) != 0,
                                                          row.text(4),
                                                          row.text(5),
                                                          {},
                                                          row.id(6)};
                                     });
  return with_objects(database, Direction::kOutbound, std::move(jobs));
}

// ---------------------------------------------------------------- inbound

Result<> add_inbound(sqlite3* database, const InboundJob& job, InboundState state) {
  auto added = run_once(database, "INSERT INTO inbound VALUES(?1,?2,?3,?4,?5,?6,?7,?8,row_digest(?1,?2,?3,?4,?5,?6,?7,?8))",
                        job.job, uint64_t(state), job.source_address, job.target, job.pool, uint64_t(job.target_survives),
                        job.source_node, uint64_t(job.objects.size()));
  if (!added) return added;
  return add_objects(database, Direction::kInbound, job.job, job.objects);
}

Result<> remove_inbound(sqlite3* database, const Id& job, InboundState state) {
  if (auto gone = run_once(database, "DELETE FROM inbound WHERE job=?1 AND state=?2", job, uint64_t(state)); !gone) return gone;
  if (sqlite3_changes(database) == 0) return Done{};
  return run_once(database, "DELETE FROM object WHERE inbound=1 AND job=?1", job);
}

Result<> change_inbound(sqlite3* database, const Id& job, const char* what, InboundState from, InboundState to) {
  return change_job(
      database, what,
      "UPDATE inbound SET state=?3,digest=row_digest(job,?3,source_address,target,pool,target_survives,node,objects) "
      "WHERE job=?1 AND state=?2",
      job, uint64_t(from), uint64_t(to));
}

Result<> forget_inbound_rows(sqlite3* database, const Id& job) {
  if (auto gone = run_once(database, "DELETE FROM object WHERE inbound=1 AND job=?1", job); !gone) return gone;
  if (auto gone = forget_checkpoint(database, job); !gone) return gone;
  return run_once(database, "DELETE FROM inbound WHERE job=?1", job);
}

Result<std::vector<InboundJob>> read_inbound(sqlite3* database) {
  auto jobs = read_rows<InboundJob>(
      database, "SELECT job,state,source_address,target,pool,target_survives,node FROM inbound", [](const Statement& row) {
        return InboundJob{
            row.id(0), static_cast<InboundState>(row.number(1)), row.text(2), row.text(3), row.id(4), row.number(5) != 0, {},
            row.id(6)};
      });
  return with_objects(database, Direction::kInbound, std::move(jobs));
}

// ---------------------------------------------------------------- what has arrived

Result<> put_checkpoint(sqlite3* database, const Id& job, const Checkpoint& checkpoint) {
  auto put = Statement::prepare(database, "INSERT OR REPLACE INTO checkpoint VALUES(?1,?2,?3,?4,row_digest(?1,?2,?3,?4))");
  if (!put) return std::move(put).error();
  for (const CheckpointChunk& chunk : checkpoint.chunks)
    if (auto done = put->run(job, uint64_t(chunk.chunk), checkpoint.block_bytes, std::as_bytes(std::span(chunk.blocks))); !done)
      return std::move(done).error();
  for (size_t i = 0; i < checkpoint.listings.size(); ++i)
    if (auto done = run_once(database, "INSERT OR REPLACE INTO listing VALUES(?1,?2,?3,row_digest(?1,?2,?3))", job, uint64_t{i},
                             std::span(checkpoint.listings[i]));
        !done)
      return done;
  return Done{};
}

Result<Checkpoint> read_checkpoint(sqlite3* database, const Id& job) {
  Checkpoint checkpoint;
  auto chunks = read_rows<CheckpointChunk>(
      database, "SELECT chunk,block_bytes,blocks FROM checkpoint WHERE job=?1 ORDER BY chunk",
      [&](const Statement& row) {
        checkpoint.block_bytes = row.size(1);
        CheckpointChunk chunk{static_cast<uint32_t>(row.size(0)), {}};
        const auto bytes = row.bytes(2);
        chunk.blocks.resize(bytes.size() / sizeof(Digest));
        std::memcpy(chunk.blocks.data(), bytes.data(), chunk.blocks.size() * sizeof(Digest));
        return chunk;
      },
      job);
  if (!chunks) return std::move(chunks).error();
  auto listings = read_rows<std::vector<std::byte>>(
      database, "SELECT bytes FROM listing WHERE job=?1 ORDER BY position",
      [](const Statement& row) {
        const auto bytes = row.bytes(0);
        return std::vector<std::byte>(bytes.begin(), bytes.end());
      },
      job);
  if (!listings) return std::move(listings).error();
  checkpoint.chunks = std::move(*chunks);
  checkpoint.listings = std::move(*listings);
  return checkpoint;
}

Result<> forget_checkpoint(sqlite3* database, const Id& job) {
  if (auto gone = run_once(database, "DELETE FROM checkpoint WHERE job=?1", job); !gone) return gone;
  return run_once(database, "DELETE FROM listing WHERE job=?1", job);
}

}  // namespace godwit::journal
