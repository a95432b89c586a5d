// JobRequest: what a user asks of a job whose source is this node; and how the journal keeps it, so that the job can go on
// after a restart.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "base/id.hpp"
#include "base/result.hpp"
#include "model/transfer.hpp"
#include "objects/files/fileset_source.hpp"

namespace godwit::engine {

struct MigrateRequest {
  std::vector<Id> regions;
  std::string destination_address;
  std::string destination_target;
  bool copy = false;
  std::string name;  // Of a single region at its destination; empty: the one it has.
  model::Transfer transfer = {};
  Id job = {};  // Its id; zero: a new one. Likewise below.
};

struct MigrateFilesRequest {
  std::vector<std::string> paths;  // Absolute.
  std::string destination_address;
  std::string directory;  // There.
  objects::FilesetOptions options = {};
  bool update = false;
  bool dry_run = false;
  bool hold = false;
  model::Transfer transfer = {};
  Id job = {};
};

struct MigrateDatabaseRequest {
  Id database;
  std::string destination_address;
  std::string new_root;      // There, absolute; empty: its root for databases.
  std::string extra_config;  // JSON; empty: none.
  model::Transfer transfer = {};
  Id job = {};
};

using JobRequest = std::variant<MigrateRequest, MigrateFilesRequest, MigrateDatabaseRequest>;

struct RefusedObject {
  uint32_t index = 0;
  Errc error{};
  bool operator==(const RefusedObject&) const = default;
};

// How many objects it names.
size_t object_count(const JobRequest& request);

// With what has changed since it was asked for.
struct KeptRequest {
  JobRequest request;
  std::string source_address;  // Of this node, as the destination reached it.
  bool paused = false;         // By a user.
  bool approved = false;       // The cutover, by a user.
  bool cancelled = false;      // By a user, who was told so: it does not go on.
  // Those of its objects that were refused, or could not be read, and why: by their place in the request, in that order. They
  // are no part of the job any more, but of its results.
  std::vector<RefusedObject> refused = {};
};

// JSON; a name that is no UTF-8 is kept too.
std::string to_json(const KeptRequest& kept);
// Errors: kCorrupt, the text can be logged: also a way to travel that model::check() would not take.
Result<KeptRequest> parse_request(const std::string& text);

}  // namespace godwit::engine
