// Database: a key/value store that this node hosts, and who may use it now.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/id.hpp"
#include "base/result.hpp"
#include "objects/database/backend.hpp"
#include "objects/database/documents.hpp"
#include "objects/database/pairs.hpp"
#include "objects/gate.hpp"

namespace godwit::objects {

// What a database is, wherever it lies.
struct DatabaseIdentity {
  Id id;
  uint64_t epoch = 1;
  std::string name;
  BackendKind kind = BackendKind::kMap;
  std::string options;  // JSON, "" for none.
};

// Thread-safe. Its contents are used by whoever holds an Access of it, or is the job that pinned it.
class Database : public Gate {
 public:
  // Constant after construction.
  const DatabaseIdentity identity;
  const std::string directory;  // Absolute; empty: in memory.
  const bool is_created;        // At run time, so that the directory is the store's to remove.

  Database(DatabaseIdentity its_identity, std::string its_directory, bool created, GateState state)
      : Gate(subject_of("database", its_identity.id, its_identity.name), state),
        identity(std::move(its_identity)),
        directory(std::move(its_directory)),
        is_created(created) {}

  // Opens its backend, which others see once the gate serves. Errors: as open_backend(); then contents() tell the same error
  // from now on.
  Result<> open(Opening opening) { return open_from(opening, directory); }
  // The same from another directory: a map's, where its dump arrived.
  Result<> open_from(Opening opening, const std::string& other_directory);
  // Nobody is inside any more. Contents() then say that it is gone.
  void close();

  struct Contents {
    Backend& backend;
    Pairs& pairs;
    Documents& documents;
  };
  // Errors: why it could not be opened, e.g. kCorrupt.
  Result<Contents> contents();

 private:
  struct Opened {
    explicit Opened(std::unique_ptr<Backend> its_backend)
        : backend(std::move(its_backend)), pairs(*backend), documents(*backend) {}
    std::unique_ptr<Backend> backend;  // Closed last.
    Pairs pairs;
    Documents documents;
  };
  // Changed only while the gate lets nobody in.
  std::unique_ptr<Opened> opened_;
  Error closed_{Errc::kNotFound, "it is not open"};
};

}  // namespace godwit::objects
