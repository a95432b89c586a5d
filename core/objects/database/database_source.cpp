#include "objects/database/database_source.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <unordered_map>

#include "base/log.hpp"
#include "objects/database/files.hpp"
#include "protocol/fileset_codec.hpp"

namespace godwit::objects {

Result<std::unique_ptr<DatabaseSource>> DatabaseSource::open(DatabaseStore& store, DatabasePtr database, const Id& job,
                                                             const std::string& scratch) {
  if (auto pinned = database->pin(job); !pinned) return std::move(pinned).error();
  if (auto contents = database->contents(); !contents) {
    database->resume();
    return std::move(contents).error();
  }
  return std::make_unique<DatabaseSource>(store, std::move(database), job, scratch);
}

DatabaseSource::DatabaseSource(DatabaseStore& store, DatabasePtr database, const Id& job, const std::string& scratch)
    : store_(store), database_(std::move(database)), job_(job), scratch_(scratch) {}

DatabaseSource::~DatabaseSource() {
  volume_.reset();
  files_.reset();
  for (uint32_t pass = 1; pass <= passes_; ++pass) remove_checkpoint(pass);
}

// Beside the database, so that its files need only further names.
std::string DatabaseSource::checkpoint_path(uint32_t pass) const {
  const std::string where =
      database_->directory.empty() ? scratch_ : std::filesystem::path(database_->directory).parent_path().string();
  return fmt::format("{}/{}{}.{}", where, store_.checkpoint_prefix(), to_string(job_), pass);
}

void DatabaseSource::remove_checkpoint(uint32_t pass) const {
  if (auto removed = remove_tree(checkpoint_path(pass)); !removed) log::error("{}: {}", describe(), removed.error().text);
}

uint64_t DatabaseSource::size_bytes() const {
  if (!files_) {
    auto contents = database_->contents();
    return contents ? contents->backend.bytes() : 0;
  }
  if (volume_) return extent_.length_bytes;
  uint64_t bytes = 0;
  for (size_t i = 0; i < files_->walked.files.entries.size(); ++i)
    if (i >= kept_.size() || !kept_[i]) bytes += files_->walked.files.entries[i].data_bytes();
  return bytes;
}

journal::JobObject DatabaseSource::manifest() const {
  const DatabaseIdentity& identity = database_->identity;
  return {identity.id,  identity.id,          identity.epoch,    identity.name,
          size_bytes(), database_->directory, {0, size_bytes()}, ObjectKind::kDatabase};
}

std::optional<journal::DatabaseRecord> DatabaseSource::database_record(const Moved* moved) const {
  return moved == nullptr ? DatabaseStore::record_of(*database_) : DatabaseStore::moved_record_of(*database_, moved->address);
}

// Where no file of a checkpoint outlasts it there is nothing to be won.
bool DatabaseSource::has_live_passes() const {
  return database_->identity.kind == BackendKind::kRocksDb || database_->identity.kind == BackendKind::kLevelDb;
}

Result<> DatabaseSource::begin_pass(bool) {
  auto contents = database_->contents();
  if (!contents) return std::move(contents).error();
  const uint32_t pass = ++passes_;
  const std::filesystem::path path(checkpoint_path(pass));
  if (auto made = contents->backend.checkpoint(path); !made) return with_context(describe(), std::move(made).error());
  auto directory = std::make_shared<RootedDirectory>();
  directory->path = path.parent_path();
  directory->fd = UniqueFd(::open(directory->path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory->fd) return file_error(directory->path, errno);
  const std::atomic<bool> never{false};
  auto walked = walk(directory->fd.get(), path.filename(), {}, directory->path, never);
  if (!walked) return std::move(walked).error();
  for (model::FileEntry& entry : walked->files.entries) {  // A database's files are its own, not further names of each other.
    if (entry.kind == model::FileKind::kHardLink)
      return Error{Errc::kUnsupported, fmt::format("{}: two of its files are one", describe())};
  }
  kept_.assign(walked->files.entries.size(), false);
  if (files_) {
    std::unordered_map<std::string, uint64_t> before;
    for (const model::FileEntry& entry : files_->walked.files.entries) before.emplace(entry.name, entry.size_bytes);
    for (size_t i = 1; i < kept_.size(); ++i) {
      const model::FileEntry& entry = walked->files.entries[i];
      const auto found = before.find(entry.name);
      kept_[i] = found != before.end() && found->second == entry.size_bytes && contents->backend.is_immutable(entry.name);
    }
    volume_.reset();
    files_.reset();
    remove_checkpoint(pass - 1);
  }
  files_ = std::make_shared<SourceFiles>(std::move(directory), std::move(*walked), Tolerance::kNewNames);
  return Done{};
}

Result<std::vector<std::byte>> DatabaseSource::listing() const { return protocol::encode(files_->walked.files); }

void DatabaseSource::accepted(const std::vector<bool>&) {
  volume_ = std::make_shared<FileVolume>(
      pmem::FdQueue::probe() == 0 ? pmem::FdQueue::Mode::kRing : pmem::FdQueue::Mode::kAtOnce, pmem::Io::Direction::kRead);
  std::vector<bool> comes = kept_;
  comes.flip();
  extent_ = volume_->add(files_, files_->walked.files, comes);
}

void DatabaseSource::resume() {
  if (auto back = store_.take_back(database_); !back) log::error("{}: {}", describe(), back.error().text);
}

}  // namespace godwit::objects
