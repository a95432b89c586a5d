#include "objects/database/database_store.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "base/fail_point.hpp"
#include "base/log.hpp"
#include "base/units.hpp"
#include "objects/database/files.hpp"

namespace godwit::objects {
namespace {

constexpr size_t kOptionsBytesMax = 4096;

std::string directory_name(const Id& id, uint64_t epoch) { return fmt::format("{}.{}", to_string(id), epoch); }

journal::DatabaseRecord record_in(const Database& database, journal::DatabaseState state) {
  const DatabaseIdentity& identity = database.identity;
  return {identity.id,
          identity.epoch,
          identity.name,
          std::string(to_string(identity.kind)),
          database.directory,
          identity.options,
          database.is_created,
          state,
          {}};
}

}  // namespace

Result<DatabasePtr> found_or_moved(DatabaseLookup found, const std::string& what, Moved& moved) {
  if (found.database) return std::move(found.database);
  if (found.moved.address.empty()) return Error{Errc::kNotFound, fmt::format("no database {} here", what)};
  moved = std::move(found.moved);
  return Error{Errc::kMoved, fmt::format("database {} has moved to {}", what, moved.address)};
}

journal::DatabaseRecord DatabaseStore::record_of(const Database& database) {
  return record_in(database,
                   is_lasting(database.identity.kind) ? journal::DatabaseState::kServing : journal::DatabaseState::kForgotten);
}

journal::DatabaseRecord DatabaseStore::moved_record_of(const Database& database, const std::string& address) {
  auto record = record_in(database, journal::DatabaseState::kMoved);
  record.address = address;
  return record;
}

// ---------------------------------------------------------------- the start

Result<> DatabaseStore::load(const std::vector<DatabaseSettings>& configured, const std::set<std::pair<Id, uint64_t>>& awaited,
                             const std::string& scratch) {
  auto records = journal_.databases();
  if (!records) return std::move(records).error();
  std::set<std::string> places{root_, scratch};
  for (const journal::DatabaseRecord& record : *records) places.insert(std::filesystem::path(record.path).parent_path());
  for (const std::string& place : places)
    if (!place.empty()) sweep_checkpoints(place);
  for (const journal::DatabaseRecord& record : *records)  // In the order of epochs: a later owner's record counts.
    if (auto loaded = load_record(record, awaited.contains({record.id, record.epoch})); !loaded) return loaded;
  for (const DatabaseSettings& settings : configured)
    if (auto loaded = load_configured(settings, *records); !loaded) return loaded;
  return Done{};
}

std::string DatabaseStore::checkpoint_prefix() const {
  return fmt::format(".godwit-checkpoint-{}-", to_string(journal_.node_id()));
}

void DatabaseStore::sweep_checkpoints(const std::string& directory) const {
  std::error_code failed;
  std::vector<std::string> found;
  for (auto entry = std::filesystem::directory_iterator(directory, failed); !failed && entry != std::filesystem::end(entry);
       entry.increment(failed))
    if (entry->path().filename().string().starts_with(checkpoint_prefix())) found.push_back(entry->path());
  for (const std::string& path : found)
    if (auto removed = remove_tree(path); !removed) log::error("{}", removed.error().text);
}

Result<> DatabaseStore::load_record(const journal::DatabaseRecord& record, bool is_awaited) {
  auto kind = parse_backend(record.backend);
  if (!kind) return Error{Errc::kCorrupt, fmt::format("the catalogue has a database of backend '{}'", record.backend)};
  const auto database =
      std::make_shared<Database>(DatabaseIdentity{record.id, record.epoch, record.name, *kind, record.options}, record.path,
                                 record.is_created, GateState::kServing);
  switch (record.state) {
    case journal::DatabaseState::kUnfinished: {
      if (is_awaited) return Done{};
      if (auto removed = remove_directory(*database); !removed) return removed;
      auto forgotten = record;
      forgotten.state = journal::DatabaseState::kForgotten;
      return journal_.put_database(forgotten);
    }
    case journal::DatabaseState::kMoved: {
      const std::lock_guard lock(mutex_);
      databases_.erase(record.id);
      free_name_locked(*database);
      moved_[record.id] = Moved{record.address, {}, record.id};
      moved_names_[record.name] = record.id;
      return Done{};
    }
    case journal::DatabaseState::kServing: {
      if (!record.is_created) return Done{};  // Served if the configuration still names it.
      if (auto opened = database->open(Opening::kExisting); !opened) log::error("{}", opened.error().text);
      const std::lock_guard lock(mutex_);
      if (auto taken = take_name_locked(record.name, record.id); !taken) return taken;
      moved_.erase(record.id);
      databases_[record.id] = database;
      return Done{};
    }
    case journal::DatabaseState::kForgotten: break;
  }
  return Done{};
}

Result<> DatabaseStore::load_configured(const DatabaseSettings& settings, const std::vector<journal::DatabaseRecord>& records) {
  const auto known = std::find_if(records.rbegin(), records.rend(), [&](const journal::DatabaseRecord& record) {
    return record.name == settings.name && !record.is_created && record.state != journal::DatabaseState::kUnfinished;
  });
  if (known != records.rend() && known->state == journal::DatabaseState::kMoved) {
    log::warn("database '{}' of the configuration has moved to {}: requests are sent there", settings.name, known->address);
    return Done{};
  }
  const bool is_known = known != records.rend();
  if (is_known && known->backend != to_string(settings.kind))
    return Error{Errc::kConfig, fmt::format("database '{}' is configured with backend {}; it was made with {}", settings.name,
                                            to_string(settings.kind), known->backend)};
  const DatabaseIdentity identity{is_known ? known->id : random_id(), is_known ? known->epoch : 1, settings.name, settings.kind,
                                  settings.options};
  const auto database = std::make_shared<Database>(identity, settings.path, false, GateState::kServing);
  // What was served before must be there: an empty one in its place would hide that it is lost.
  auto opened = database->open(is_known ? Opening::kExisting : Opening::kExistingOrNew);
  if (!opened) log::error("{}", opened.error().text);
  if (opened && is_lasting(settings.kind))
    if (auto put = journal_.put_database(record_of(*database)); !put) return put;
  const std::lock_guard lock(mutex_);
  if (auto taken = take_name_locked(settings.name, identity.id); !taken)
    return Error{Errc::kConfig, fmt::format("database '{}' of the configuration: {}", settings.name, taken.error().text)};
  databases_[identity.id] = database;
  return Done{};
}

// ---------------------------------------------------------------- names and directories

Result<> DatabaseStore::check_name_locked(const std::string& name) const {
  if (name.empty()) return Error{Errc::kInvalid, "a database needs a name"};
  if (auto valid = check_name(name, "database"); !valid) return valid;
  if (names_.contains(name)) return Error{Errc::kExists, fmt::format("a database named '{}' exists already", name)};
  return Done{};
}

Result<> DatabaseStore::take_name_locked(const std::string& name, const Id& id) {
  if (auto valid = check_name_locked(name); !valid) return valid;
  names_.emplace(name, id);
  moved_names_.erase(name);  // The name now means this one.
  return Done{};
}

void DatabaseStore::free_name_locked(const Database& database) {
  const auto found = names_.find(database.identity.name);
  if (found != names_.end() && found->second == database.identity.id) names_.erase(found);
}

Result<> DatabaseStore::remove_directory(const Database& database) const {
  if (!database.is_created || database.directory.empty()) return Done{};
  // The last word on what may be removed: a directory (no link) that bears the name that this store gives.
  const std::filesystem::path path(database.directory);
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0 && errno == ENOENT) return Done{};
  if (!S_ISDIR(status.st_mode) || path.filename() != directory_name(database.identity.id, database.identity.epoch))
    return Error{Errc::kIo, fmt::format("{}: not a directory that was made for {}; it is left as it is", database.directory,
                                        database.describe())};
  return remove_tree(database.directory);
}

// ---------------------------------------------------------------- requests

Result<DatabasePtr> DatabaseStore::create(const std::string& name, BackendKind kind, const std::string& options) {
  if (options.size() > kOptionsBytesMax)
    return Error{Errc::kInvalid,
                 fmt::format("the options are {} bytes long; {} are allowed", options.size(), kOptionsBytesMax)};
  if (auto valid = check_options(kind, options); !valid) return std::move(valid).error();
  auto database = expect(Id{}, {random_id(), 1, name, kind, options}, {});
  if (!database) return std::move(database).error();
  auto opened = (*database)->open(Opening::kNew);
  crash_point("database.create");
  if (opened && is_lasting(kind)) {
    opened = sync_path((*database)->directory);
    if (opened) opened = journal_.put_database(record_of(**database));
  }
  if (!opened) {
    drop(*database);
    return std::move(opened).error();
  }
  adopt(*database);
  return database;
}

DatabaseLookup DatabaseStore::find(const Id& id) const {
  const std::lock_guard lock(mutex_);
  if (const auto found = databases_.find(id); found != databases_.end()) return {found->second, {}};
  if (const auto found = incoming_.find(id); found != incoming_.end() && found->second) return {found->second, {}};
  if (const auto found = moved_.find(id); found != moved_.end()) return {nullptr, found->second};
  return {};
}

DatabaseLookup DatabaseStore::find(const std::string& name) const {
  Id id;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = names_.find(name); found != names_.end())
      id = found->second;
    else if (const auto gone = moved_names_.find(name); gone != moved_names_.end())
      id = gone->second;
    else
      return {};
  }
  return find(id);
}

std::vector<DatabasePtr> DatabaseStore::list(const Id& after, uint32_t limit) const {
  const std::lock_guard lock(mutex_);
  std::vector<DatabasePtr> found;
  for (auto next = after.is_zero() ? databases_.begin() : databases_.upper_bound(after);
       next != databases_.end() && found.size() < limit; ++next)
    found.push_back(next->second);
  return found;
}

Result<> DatabaseStore::erase(const DatabasePtr& database, Deadline deadline) {
  if (is_lasting(database->identity.kind) && !database->is_created)
    return Error{Errc::kUnsupported, fmt::format("{} belongs to the configuration: take it out there, and remove {} yourself",
                                                 database->describe(), database->directory)};
  if (auto retired = database->retire(Id{}, deadline); !retired) return retired;
  auto record = record_in(*database, journal::DatabaseState::kUnfinished);
  if (is_lasting(database->identity.kind)) {
    if (auto put = journal_.put_database(record); !put) {
      database->resume();  // The catalogue still has it.
      return put;
    }
  }
  database->close();
  {
    const std::lock_guard lock(mutex_);
    free_name_locked(*database);
    databases_.erase(database->identity.id);
  }
  if (!is_lasting(database->identity.kind)) return Done{};
  if (auto removed = remove_directory(*database); !removed) return removed;  // The next start tries again.
  record.state = journal::DatabaseState::kForgotten;
  return journal_.put_database(record);
}

// ---------------------------------------------------------------- moves

void DatabaseStore::finish_move(const DatabasePtr& database, const Id& job, const Moved& moved) {
  const DatabaseIdentity& identity = database->identity;
  // It has been stopped: nobody is inside, so this cannot time out.
  if (auto retired = database->retire(job, Deadline::after(milliseconds(0))); !retired) {
    log::error("after job {}: {}; its files stay until the restart", to_string(job), retired.error().text);
  } else {
    database->close();
    if (auto removed = remove_directory(*database); !removed) log::error("{}", removed.error().text);
  }
  const std::lock_guard lock(mutex_);
  const auto found = databases_.find(identity.id);
  if (found != databases_.end() && found->second != database) return;  // It moved within this node, and is served again.
  free_name_locked(*database);
  if (found != databases_.end()) databases_.erase(found);
  moved_[identity.id] = Moved{moved.address, moved.target, identity.id};
  moved_names_[identity.name] = identity.id;
}

Result<DatabasePtr> DatabaseStore::keep_handed_over(const Id& id, uint64_t epoch, const Id& job) {
  auto records = journal_.databases();
  if (!records) return std::move(records).error();
  for (const journal::DatabaseRecord& record : *records) {
    if (record.id != id || record.epoch != epoch || record.state != journal::DatabaseState::kMoved) continue;
    auto kind = parse_backend(record.backend);
    if (!kind) return std::move(kind).error();
    auto database = std::make_shared<Database>(DatabaseIdentity{id, epoch, record.name, *kind, record.options}, record.path,
                                               record.is_created, GateState::kServing);
    if (auto pinned = database->pin(job); !pinned) return std::move(pinned).error();
    if (auto stopped = database->stop(Deadline::after(milliseconds(0))); !stopped) return std::move(stopped).error();
    return database;
  }
  return Error{Errc::kNotFound, fmt::format("the catalogue has no database {} that moved away", to_string(id))};
}

Result<> DatabaseStore::take_back(const DatabasePtr& database) {
  auto opened = Result<>(Done{});
  if (auto contents = database->contents(); !contents && contents.error().code == Errc::kNotFound)
    opened = database->open(Opening::kExisting);
  {
    const std::lock_guard lock(mutex_);
    moved_.erase(database->identity.id);
    moved_names_.erase(database->identity.name);
    databases_[database->identity.id] = database;
    names_[database->identity.name] = database->identity.id;
  }
  database->resume();
  return opened;
}

Result<std::string> DatabaseStore::home_of(BackendKind kind, const std::string& root) const {
  std::string home = root.empty() ? root_ : root;
  if (is_lasting(kind) && home.empty())
    return Error{Errc::kUnsupported, "no database_root is configured here: only databases of backend map can be made"};
  return home;
}

Result<> DatabaseStore::look(const DatabaseIdentity& identity, const std::string& root, uint64_t bytes,
                             const Id& source) const {
  const auto home = home_of(identity.kind, root);
  if (!home) return home.error();
  {
    const std::lock_guard lock(mutex_);
    const auto here = databases_.find(identity.id);
    const bool moves_within_node = here != databases_.end() && source == journal_.node_id();
    if ((here != databases_.end() && !moves_within_node) || incoming_.contains(identity.id))
      return Error{Errc::kExists, fmt::format("database {} is here already", to_string(identity.id))};
    if (!moves_within_node)
      if (auto valid = check_name_locked(identity.name); !valid) return valid;
  }
  if (!is_lasting(identity.kind)) return Done{};
  // Its root is made with the first database: until then what there is of the way there tells.
  std::filesystem::path place(*home);
  std::error_code failed;
  while (!std::filesystem::exists(place, failed) && place.has_relative_path()) place = place.parent_path();
  if (access(place.c_str(), W_OK | X_OK) != 0) return error_from_errno(Errc::kIo, place.string(), errno);
  const std::filesystem::space_info space = std::filesystem::space(place, failed);
  if (!failed && space.available < bytes)
    return Error{Errc::kNoSpace, fmt::format("'{}' has {} free; {} are needed", place.string(), format_size(space.available),
                                             format_size(bytes))};
  return Done{};
}

Result<DatabasePtr> DatabaseStore::expect(const Id& job, DatabaseIdentity identity, const std::string& root) {
  const auto found_home = home_of(identity.kind, root);
  if (!found_home) return found_home.error();
  const std::string& home = *found_home;
  const bool lasts = is_lasting(identity.kind);
  const Id id = identity.id;
  const std::string name = identity.name;
  const auto database = std::make_shared<Database>(
      identity, lasts ? home + "/" + directory_name(id, identity.epoch) : std::string(), true, GateState::kIncoming);
  {
    const std::lock_guard lock(mutex_);
    const auto here = databases_.find(id);
    const bool moves_within_node = here != databases_.end() && !job.is_zero() && here->second->is_pinned_by(job);
    if ((here != databases_.end() && !moves_within_node) || incoming_.contains(id))
      return Error{Errc::kExists, fmt::format("database {} is here already", to_string(id))};
    if (moves_within_node && here->second->identity.epoch >= identity.epoch)
      return Error{Errc::kExists,
                   fmt::format("database {} is here with epoch {}", to_string(id), here->second->identity.epoch)};
    if (!(moves_within_node && here->second->identity.name == name))
      if (auto taken = take_name_locked(name, id); !taken) return std::move(taken).error();
    incoming_.emplace(id, database);
  }
  auto made = Result<>(Done{});
  if (lasts) {
    std::error_code failed;
    std::filesystem::create_directories(home, failed);
    if (failed) made = error_from_errno(Errc::kIo, home, failed.value());
    // The record first: what a crash leaves is found, and removed.
    if (made) made = journal_.put_database(record_in(*database, journal::DatabaseState::kUnfinished));
    if (made) made = make_directory(database->directory);
  }
  if (made) return database;
  drop(database);
  return std::move(made).error();
}

Result<DatabasePtr> DatabaseStore::expect_again(const Id& id, uint64_t epoch) {
  auto records = journal_.databases();
  if (!records) return std::move(records).error();
  const auto record = std::ranges::find_if(*records, [&](const auto& one) { return one.id == id && one.epoch == epoch; });
  if (record == records->end())
    return Error{Errc::kNotFound, fmt::format("the catalogue has no database {} of epoch {}", to_string(id), epoch)};
  auto kind = parse_backend(record->backend);
  if (!kind) return std::move(kind).error();
  auto database = std::make_shared<Database>(DatabaseIdentity{id, epoch, record->name, *kind, record->options}, record->path,
                                             record->is_created, GateState::kIncoming);
  const std::lock_guard lock(mutex_);
  if (!names_.emplace(record->name, id).second && names_[record->name] != id)
    return Error{Errc::kExists, fmt::format("a database named '{}' exists already", record->name)};
  incoming_[id] = database;
  return database;
}

void DatabaseStore::adopt(const DatabasePtr& database) {
  const DatabaseIdentity& identity = database->identity;
  {
    const std::lock_guard lock(mutex_);
    incoming_.erase(identity.id);
    databases_[identity.id] = database;
    moved_.erase(identity.id);
    names_[identity.name] = identity.id;
    moved_names_.erase(identity.name);
  }
  database->resume();
}

void DatabaseStore::drop(const DatabasePtr& database) {
  {
    const std::lock_guard lock(mutex_);
    incoming_.erase(database->identity.id);
    const auto here = databases_.find(database->identity.id);
    if (here == databases_.end() || here->second->identity.name != database->identity.name) free_name_locked(*database);
  }
  database->close();
  if (!is_lasting(database->identity.kind)) return;
  if (auto removed = remove_directory(*database); !removed) return log::error("{}", removed.error().text);
  auto record = record_in(*database, journal::DatabaseState::kForgotten);
  if (auto put = journal_.put_database(record); !put) log::error("{}", put.error().text);
}

}  // namespace godwit::objects
