// DatabaseStore: the databases of this node by id and by name, and where those went that were here.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/deadline.hpp"
#include "base/id.hpp"
#include "base/result.hpp"
#include "journal/journal.hpp"
#include "objects/database/database.hpp"
#include "objects/region_store.hpp"

namespace godwit::objects {

using DatabasePtr = std::shared_ptr<Database>;

// A database of the configuration.
struct DatabaseSettings {
  std::string name;
  BackendKind kind = BackendKind::kMap;
  std::string path;     // Absolute; empty for a map.
  std::string options;  // JSON.
};

// What a request for a database finds.
struct DatabaseLookup {
  DatabasePtr database;  // Null: not here.
  Moved moved;           // Then: where it went; empty: unknown here.
};

// Thread-safe. Keeps the journal's catalogue in step for databases that last. It removes only directories that it made itself,
// below a root, named by the database's id: never one that the configuration names.
class DatabaseStore {
 public:
  // `root`: an absolute path, where databases made at run time and those that arrive lie; empty: only maps can be made.
  DatabaseStore(std::string root, journal::Journal& journal) : root_(std::move(root)), journal_(journal) {}

  // At start, before anything is served: the catalogue's databases, those of the configuration, and where moved ones went. One
  // that cannot be opened is there all the same, and answers with its error. Removes what a crash left unfinished. Errors:
  // kConfig, the configuration and the catalogue do not fit; kIo, kNoSpace. `awaited`: those that prepared jobs will ask for
  // with expect_again(), by id and epoch: what has arrived of them stays. `scratch`: where checkpoints of maps lie.
  Result<> load(const std::vector<DatabaseSettings>& configured, const std::set<std::pair<Id, uint64_t>>& awaited = {},
                const std::string& scratch = {});
  // Empty: none is configured.
  const std::string& root() const { return root_; }
  // Begins the name of every directory that jobs of this node use for a while: at its start all such go.
  std::string checkpoint_prefix() const;

  // A new, empty one, served from now on. Blocks for the disk. Errors: kInvalid, the name or the options; kExists, the name;
  // kUnsupported, no root is configured; those of open_backend(), kIo, kNoSpace: then nothing is left.
  Result<DatabasePtr> create(const std::string& name, BackendKind kind, const std::string& options);
  DatabaseLookup find(const Id& id) const;
  DatabaseLookup find(const std::string& name) const;
  // Up to `limit` databases with ids above `after`, in their order.
  std::vector<DatabasePtr> list(const Id& after, uint32_t limit) const;
  // Errors: kBusy, a job works on it; kTimeout; kUnsupported, it is the configuration's; kIo.
  Result<> erase(const DatabasePtr& database, Deadline deadline);

  // ---- a move's source

  // After the hand-over is journalled and the new owner has confirmed: requests are told where it went; it is closed, and its
  // directory removed if the store made it. `database` serves nobody and is pinned by `job`.
  void finish_move(const DatabasePtr& database, const Id& job, const Moved& moved);
  // After a restart: the database of a job that has handed it over, not opened. It serves nobody. Errors: kNotFound.
  Result<DatabasePtr> keep_handed_over(const Id& id, uint64_t epoch, const Id& job);
  // It serves here (again): the job failed, or was a copy. Errors: as Database::open, of one that is not open.
  Result<> take_back(const DatabasePtr& database);

  // ---- a destination

  // Name and, unless it is a map, an empty directory below `root` (empty: the store's own) for a database to come; a map's dump
  // is put in a directory of the caller's. Errors: kExists, the name or a database of that id (unless it is pinned by the same
  // job: a move within this node); kInvalid; kUnsupported, no root; kIo, kNoSpace.
  Result<DatabasePtr> expect(const Id& job, DatabaseIdentity identity, const std::string& root);
  // Whether expect() would take it from the node `source`, and a database of so many bytes has room; changes nothing. Blocks
  // for the disk. Errors: as expect(), and kNoSpace.
  Result<> look(const DatabaseIdentity& identity, const std::string& root, uint64_t bytes, const Id& source) const;
  // The same again after a restart. Errors: kNotFound, the journal has no record of it; kExists.
  Result<DatabasePtr> expect_again(const Id& id, uint64_t epoch);
  // It arrived, its backend is open, and the journal has it: served from now on.
  void adopt(const DatabasePtr& database);
  // It did not: name and directory go.
  void drop(const DatabasePtr& database);

  // What the journal keeps of it: serving here; or moved, for a hand-over. A map that serves needs none: kForgotten.
  static journal::DatabaseRecord record_of(const Database& database);
  static journal::DatabaseRecord moved_record_of(const Database& database, const std::string& address);

 private:
  Result<> load_record(const journal::DatabaseRecord& record, bool is_awaited);
  void sweep_checkpoints(const std::string& directory) const;
  Result<> load_configured(const DatabaseSettings& settings, const std::vector<journal::DatabaseRecord>& records);
  // Closed; removes its directory if that is the store's own.
  Result<> remove_directory(const Database& database) const;
  // Errors: kInvalid, kExists.
  Result<> check_name_locked(const std::string& name) const;
  Result<> take_name_locked(const std::string& name, const Id& id);
  void free_name_locked(const Database& database);
  // Errors: kUnsupported, there is no root.
  Result<std::string> home_of(BackendKind kind, const std::string& root) const;

  const std::string root_;
  journal::Journal& journal_;

  mutable std::mutex mutex_;  // Guards all below.
  std::map<Id, DatabasePtr> databases_;
  std::map<Id, DatabasePtr> incoming_;
  std::unordered_map<std::string, Id> names_;  // Of databases and of those to come.
  std::unordered_map<Id, Moved> moved_;
  std::unordered_map<std::string, Id> moved_names_;
};

// Errors: kNotFound; kMoved, then `moved` says where.
Result<DatabasePtr> found_or_moved(DatabaseLookup found, const std::string& what, Moved& moved);

}  // namespace godwit::objects
