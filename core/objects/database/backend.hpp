// Backend: an ordered key/value store that a database lies in; one small class for each library.
//
// Keys are ordered by their bytes, as unsigned. What a database adds (limits, prefixes, documents) is made of these few
// operations, so that it is the same for every backend.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace godwit::objects {

// A key that gets a value, or (nothing) is erased.
struct Change {
  std::string_view key;
  std::optional<std::string_view> value;
};

// Is shown a key and its value (empty if only keys were asked for), which are valid during the call. False ends the scan.
using Visit = std::function<bool(std::string_view key, std::string_view value)>;
enum class Show : uint8_t { kKeys, kKeysAndValues };

// Thread-safe. Errors of every call: kCorrupt, a checksum or a structure is wrong; kNoSpace; kIo; kBusy.
// Durability: what apply() has returned for survives the death of this process (but in memory, where nothing does); persist()
// makes it survive the loss of power.
class Backend {
 public:
  virtual ~Backend() = default;

  virtual uint64_t key_bytes_max() const = 0;
  // All of the changes or none, later ones of one key winning; erasing what is not there is no error.
  virtual Result<> apply(std::span<const Change> changes) = 0;
  // False: there is no such key, and `value` is as it was.
  virtual Result<bool> get(std::string_view key, std::string& value) = 0;
  // Nothing: there is no such key.
  virtual Result<std::optional<uint64_t>> length(std::string_view key) = 0;
  // From the first key that is not before `from`, in order, as it is at one moment. `visit` must not call the backend.
  virtual Result<> scan(std::string_view from, Show show, const Visit& visit) = 0;
  virtual Result<> persist() = 0;

  // Makes `directory`, which must not exist, a whole copy of the database at one moment during the call; open_backend() opens
  // it. Not durable: whoever needs that syncs it. LevelDB holds readers and writers up meanwhile, the map its writers. On
  // failure no directory is left. Errors also: kExists; kUnsupported, this backend cannot.
  virtual Result<> checkpoint(const std::string& directory) = 0;
  // Whether a file of this name in a checkpoint never changes: one with the same name and size in a later checkpoint of the
  // same open backend has the same bytes.
  virtual bool is_immutable(std::string_view file_name) const = 0;
  // What it takes on its medium, roughly.
  virtual uint64_t bytes() const = 0;
};

enum class BackendKind : uint8_t { kMap, kRocksDb, kLevelDb, kLmdb };
// "map", "rocksdb", "leveldb", "lmdb".
std::string_view to_string(BackendKind kind);
// Errors: kInvalid, the text names those there are.
Result<BackendKind> parse_backend(std::string_view text);
// Whether its bytes survive a restart of the daemon.
constexpr bool is_lasting(BackendKind kind) { return kind != BackendKind::kMap; }

// What is wrong with the options of a database, before anything is opened. Errors: kInvalid.
Result<> check_options(BackendKind kind, const std::string& options_json);

// `options` with those of `more` in their place, both JSON objects or "". Errors: kInvalid.
Result<std::string> merge_options(const std::string& options, const std::string& more);

enum class Opening : uint8_t {
  kExisting,       // It must be there, whole.
  kNew,            // The directory must be missing or empty.
  kExistingOrNew,  // Either, as a configured database at its first start and later.
};

// Opens the database in `directory`, an absolute path; a map reads the dump there, or begins empty for "".
// Errors: kNotFound, there is none (kExisting); kExists, something is there (kNew); kCorrupt, it is damaged, or what is there
// is no database of this kind: then nothing was changed; kBusy, another process has it open; kInvalid, the options; kNoSpace,
// kIo.
Result<std::unique_ptr<Backend>> open_backend(BackendKind kind, const std::string& directory, const std::string& options_json,
                                              Opening opening);

}  // namespace godwit::objects
