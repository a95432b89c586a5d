#include "objects/database/backend.hpp"

#include <fmt/format.h>

#include <array>
#include <filesystem>

#include "objects/database/files.hpp"
#include "objects/database/leveldb_backend.hpp"
#include "objects/database/lmdb_backend.hpp"
#include "objects/database/map_backend.hpp"
#include "objects/database/options.hpp"
#include "objects/database/rocksdb_backend.hpp"

namespace godwit::objects {
namespace {

constexpr std::array kKinds{BackendKind::kMap, BackendKind::kRocksDb, BackendKind::kLevelDb, BackendKind::kLmdb};

// The file without which a directory is no database of this kind.
std::string_view first_file(BackendKind kind) {
  switch (kind) {
    case BackendKind::kMap: return "map.dump";
    case BackendKind::kRocksDb:
    case BackendKind::kLevelDb: return "CURRENT";
    case BackendKind::kLmdb: return "data.mdb";
  }
  return {};
}

// Whether a database has to be made there. Errors: as open_backend().
Result<bool> is_new(BackendKind kind, const std::string& directory, Opening opening) {
  if (!std::filesystem::path(directory).is_absolute())
    return Error{Errc::kInvalid, fmt::format("the path '{}' is relative", directory)};
  auto empty = is_missing_or_empty(directory);
  if (!empty) return std::move(empty).error();
  if (*empty) {
    if (opening == Opening::kExisting) return Error{Errc::kNotFound, fmt::format("{}: no database is there", directory)};
    return true;
  }
  if (opening == Opening::kNew) return Error{Errc::kExists, fmt::format("{}: the directory is not empty", directory)};
  std::error_code failed;
  if (!std::filesystem::exists(std::filesystem::path(directory) / first_file(kind), failed))
    return Error{Errc::kCorrupt, fmt::format("{}: what is there is no {} database: it has no file {}", directory,
                                             to_string(kind), first_file(kind))};
  return false;
}

}  // namespace

std::string_view to_string(BackendKind kind) {
  switch (kind) {
    case BackendKind::kMap: return "map";
    case BackendKind::kRocksDb: return "rocksdb";
    case BackendKind::kLevelDb: return "leveldb";
    case BackendKind::kLmdb: return "lmdb";
  }
  return "?";
}

Result<BackendKind> parse_backend(std::string_view text) {
  for (const BackendKind kind : kKinds)
    if (to_string(kind) == text) return kind;
  return Error{Errc::kInvalid, "no such backend; there are map, rocksdb, leveldb and lmdb"};
}

Result<> check_options(BackendKind kind, const std::string& options_json) {
  auto options = Options::parse(options_json);
  if (!options) return std::move(options).error();
  switch (kind) {
    case BackendKind::kMap: return check_map_options(*options);
    case BackendKind::kRocksDb: return check_rocksdb_options(*options);
    case BackendKind::kLevelDb: return check_leveldb_options(*options);
    case BackendKind::kLmdb: return check_lmdb_options(*options);
  }
  return Done{};
}

Result<std::unique_ptr<Backend>> open_backend(BackendKind kind, const std::string& directory, const std::string& options_json,
                                              Opening opening) {
  auto options = Options::parse(options_json);
  if (!options) return std::move(options).error();
  if (kind == BackendKind::kMap) return open_map(directory, *options);
  auto is_to_be_made = is_new(kind, directory, opening);
  if (!is_to_be_made) return std::move(is_to_be_made).error();
  if (*is_to_be_made) {
    std::error_code failed;
    std::filesystem::create_directories(directory, failed);
    if (failed) return error_from_errno(Errc::kIo, directory, failed.value());
  }
  switch (kind) {
    case BackendKind::kMap: break;
    case BackendKind::kRocksDb: return open_rocksdb(directory, *options, *is_to_be_made);
    case BackendKind::kLevelDb: return open_leveldb(directory, *options, *is_to_be_made);
    case BackendKind::kLmdb: return open_lmdb(directory, *options, *is_to_be_made);
  }
  return Error{Errc::kInternal, "a backend of no kind"};
}

}  // namespace godwit::objects
