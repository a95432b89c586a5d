// Journal: what must survive a crash, on SQLite in WAL mode: the catalogue of regions on lasting targets and of databases,
// where moved ones went, and the cutover state of every job. Tables and their meaning: docs/design/journal.md.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/digest.hpp"
#include "base/extent.hpp"
#include "base/id.hpp"
#include "base/result.hpp"

namespace godwit::journal {

// A region that this node owns on a target that survives restarts.
struct RegionRecord {
  Id id;
  uint64_t epoch = 1;  // Grows by one with each change of owner.
  std::string name;    // Empty: none.
  std::string target;
  Id pool;                  // The target's pool_id(): a pool that was swapped is noticed.
  Extent extent;            // Within 2^62 bytes: a journal that says otherwise is not opened.
  uint64_t size_bytes = 0;  // At most the extent's.
};

// A region that was here.
struct MovedRecord {
  Id id;
  uint64_t epoch = 0;   // That the new owner has.
  std::string name;     // It had here; empty: none.
  std::string address;  // Of the new owner's node.
  std::string target;
};

// Numbers are on disk and in messages: append only.
enum class ObjectKind : uint8_t { kRegion = 0, kFileset = 1, kDatabase = 2 };
enum class DatabaseState : uint8_t {
  kServing = 0,
  kMoved = 1,       // To `address`.
  kUnfinished = 2,  // Being made, or erased: its directory goes at the next start.
  kForgotten = 3,   // Never written: the record of this id and epoch goes.
};
// A database that this node serves or served: those that last, and those in memory that moved away.
struct DatabaseRecord {
  Id id;
  uint64_t epoch = 1;  // Grows by one with each change of owner. Moved within this node, both have a record until it ended.
  std::string name;
  std::string backend;
  std::string path;         // Absolute; empty in memory.
  std::string options;      // JSON.
  bool is_created = false;  // At run time: the directory is ours to remove. Else the configuration names it.
  DatabaseState state = DatabaseState::kServing;
  std::string address;  // Of the node that a moved one went to.
};

struct JobObject {
  Id id;               // At the source.
  Id destination_id;   // The same for a move, new for a copy.
  uint64_t epoch = 0;  // At the source; a move's destination serves epoch + 1, a copy's 1.
  std::string name;    // At the destination.
  uint64_t size_bytes = 0;
  std::string target;  // At this node, with the extent there. Of a fileset: the directory that it is in.
  Extent extent = {};
  ObjectKind kind = ObjectKind::kRegion;
};

// A directory in which a job keeps files out of sight: what a crash leaves there is found by it.
struct StagingRecord {
  Id job;
  bool incoming = false;  // At the destination; else at the source of a move.
  std::string directory;  // That it is in.
};

enum class OutboundState : uint8_t { kStarted = 0, kHandedOver = 1, kDone = 2 };
struct OutboundJob {
  Id job;
  OutboundState state = OutboundState::kStarted;
  bool is_move = true;
  bool source_survives = false;  // Every object is on a target that survives restarts.
  std::string address;           // Of the destination.
  std::string target;
  std::vector<JobObject> objects;
  Id destination_node;  // Its node_id(): only that daemon can say what became of the job.
};

// What a user asked of a job whose source is this node, so that a restart can go on with it.
struct RequestRecord {
  Id job;
  uint64_t attempt = 0;  // Offers that were made.
  std::string text;      // engine/job_request.hpp
};

enum class InboundState : uint8_t { kPrepared = 0, kOwner = 1, kReceiving = 2 };
struct InboundJob {
  Id job;
  InboundState state = InboundState::kPrepared;
  std::string source_address;  // Whom to ask.
  std::string target;
  Id pool;
  bool target_survives = false;
  std::vector<JobObject> objects;
  Id source_node;  // Its node_id(): only that daemon can tell the decision.
};

// Which blocks of an inbound job have landed and are durable: those from chunk * kChunkBlocks on, as many as there are digests.
constexpr uint32_t kChunkBlocks = 4096;
struct CheckpointChunk {
  uint32_t chunk = 0;
  std::vector<Digest> blocks;  // Zero: has not landed.
};
struct Checkpoint {
  uint64_t block_bytes = 0;
  std::vector<CheckpointChunk> chunks = {};
  std::vector<std::vector<std::byte>> listings = {};  // By object; none: as written before.
};

// A plan of migrations whose source is this node. The texts are the engine's (engine/plan_json.hpp).
struct PlanRecord {
  Id id;
  uint64_t created_ms = 0;  // Since 1970.
  uint8_t state = 0;        // model::PlanState.
  std::string document;     // As its user wrote it.
  std::string findings;
  std::string progress;
};

// Whose an object or a job is (objects/permissions.hpp); those without one are the daemon's own user's.
struct PermissionRecord {
  Id id;
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint32_t mode = 0;  // At most 0777.
};

// A tree of files that a job brought here, as it was then: nobody else tells what becomes of files.
struct FilesetRecord {
  Id id;  // The job's: of this tree here, and of no other.
  Id job;
  std::string path;      // Absolute, objects::normal_path(); not always UTF-8.
  uint32_t uid = 0;      // Whose job it was.
  uint64_t arrival = 0;  // Higher than that of any that came before.
};
// So many are remembered; the oldest go.
constexpr size_t kFilesetsMax = 10'000;

// Thread-safe; each call is one transaction, durable (fsync) when it returns. Blocks.
// Errors of every call: kIo, kNoSpace, kCorrupt; of a job's also kExists, it is there already, or kNotFound, no such job in a
// state for this. After a failed commit the journal refuses all writes (kIo) until reopened: what is on disk is then unknown.
class Journal {
 public:
  // Makes the database if there is none. Errors also: kCorrupt, damaged, or of a newer schema; kBusy, another daemon has it
  // open.
  static Result<std::unique_ptr<Journal>> open(const std::string& state_dir);
  ~Journal();

  // This node's identity; made at the first start.
  Id node_id() const;

  Result<> add_region(const RegionRecord& region);
  Result<> remove_region(const Id& id);
  Result<std::vector<RegionRecord>> regions();
  Result<std::vector<MovedRecord>> moved();

  // Writes the record over the one of the same id and epoch.
  Result<> put_database(const DatabaseRecord& database);
  Result<std::vector<DatabaseRecord>> databases();

  // `databases` of the calls below are put as by put_database(), in the same transaction.

  // Outbound: this node is the source.
  // `again`: in the place of its record, which says kStarted.
  Result<> start_outbound(const OutboundJob& job, bool again = false);
  // The decision to commit. A move also writes `moved` and removes the regions' records, all at once. The space of
  // regions on lasting targets is not free until finish_outbound: until then their records are kept in the job. Of a move of
  // files: `paths` that are no more, so that no FilesetRecord is at or below them.
  Result<> hand_over(const Id& job, std::span<const MovedRecord> moved, std::span<const DatabaseRecord> databases = {},
                     std::span<const std::string> paths = {});
  // The destination lost its copy before it owned: takes hand_over back; `regions` are the records to restore. Of a copy,
  // which gave nothing away, only the decision. Its request goes: such a job does not go on.
  Result<> reclaim(const Id& job, std::span<const RegionRecord> regions, std::span<const DatabaseRecord> databases = {});
  // Where the objects went is final. May be repeated.
  Result<> finish_outbound(const Id& job);
  // And its request. No such job: nothing to do, no error.
  Result<> forget_outbound(const Id& job);
  Result<std::vector<OutboundJob>> outbound();

  // Writes the record over the one of the same job, which may have no other record yet.
  Result<> put_request(const RequestRecord& request);
  Result<std::vector<RequestRecord>> requests();

  // Inbound: this node is the destination.

  // What has arrived and is durable: puts the job's record (kReceiving) where there is none, or one that was prepared, and
  // `checkpoint`'s chunks over those of the same numbers; and its listings.
  Result<> checkpoint_inbound(const InboundJob& job, const Checkpoint& checkpoint);
  // Empty: there is none.
  Result<Checkpoint> checkpoint(const Id& job);
  // In the place of a record that says kReceiving; its checkpoints stay.
  Result<> prepare_inbound(const InboundJob& job);
  // Owner: `regions` (those on lasting targets) join the catalogue; older `moved` records of the same ids go. `filesets`
  // are put each in the place of the record of its path, the oldest beyond kFilesetsMax go.
  Result<> own_inbound(const Id& job, std::span<const RegionRecord> regions, std::span<const DatabaseRecord> databases = {},
                       std::span<const FilesetRecord> filesets = {});
  // What came here, the oldest first.
  Result<std::vector<FilesetRecord>> filesets();
  // No such job: nothing to do, no error.
  Result<> forget_inbound(const Id& job);

  // Directories of jobs; twice the same, or none of it: no error.
  Result<> note_staging(const StagingRecord& staging);
  Result<> forget_staging(const StagingRecord& staging);
  Result<std::vector<StagingRecord>> stagings();

  Result<std::vector<InboundJob>> inbound();

  // Whether there is anything of that job, as a source or as a destination: a record, a request, a directory. Who it belongs to
  // (below) is not asked.
  Result<bool> has_job(const Id& job);

  // Writes the record over the one of the same id.
  Result<> put_plan(const PlanRecord& plan);
  // Errors also: kNotFound, no such plan.
  Result<> change_plan(const Id& id, uint8_t state, const std::string& progress);
  // No such plan: nothing to do, no error.
  Result<> forget_plan(const Id& id);
  // The oldest first.
  Result<std::vector<PlanRecord>> plans();

  // Writes the record over the one of the same id.
  Result<> put_permissions(std::span<const PermissionRecord> permissions);
  // None of that id: nothing to do, no error.
  Result<> forget_permissions(std::span<const Id> ids);
  Result<std::vector<PermissionRecord>> permissions();

 private:
  struct Impl;
  explicit Journal(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace godwit::journal
