#include "objects/database/database_sink.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <unordered_map>
#include <utility>

#include "base/log.hpp"
#include "objects/database/database_files.hpp"
#include "objects/database/files.hpp"

namespace godwit::objects {

namespace {

// Errors: kProtocol, no list of a database's files.
Result<> check_is_flat(const model::Fileset& files, const std::string& what) {
  for (size_t i = 0; i < files.entries.size(); ++i)
    if (files.entries[i].kind != (i == 0 ? model::FileKind::kDirectory : model::FileKind::kRegular))
      return Error{Errc::kProtocol, what + ": what comes is no database: it has more than files in one directory"};
  return Done{};
}

}  // namespace

Result<std::unique_ptr<DatabaseSink>> DatabaseSink::make(DatabaseStore& store, const Id& job, DatabaseIdentity identity,
                                                         const std::string& root, const std::string& scratch) {
  auto database = store.expect(job, std::move(identity), root);
  if (!database) return std::move(database).error();
  auto sink = std::make_unique<DatabaseSink>(store, std::move(*database));
  sink->directory_ = sink->database_->directory;
  if (!sink->directory_.empty()) return sink;
  sink->directory_ = fmt::format("{}/{}{}.in", scratch, store.checkpoint_prefix(), to_string(job));
  if (auto made = make_directory(sink->directory_); !made) {
    sink->directory_.clear();
    sink->drop();
    return std::move(made).error();
  }
  return sink;
}

DatabaseSink::~DatabaseSink() {
  if (directory_.empty() || !database_->directory.empty()) return;
  if (auto removed = remove_tree(directory_); !removed) log::error("{}: {}", describe(), removed.error().text);
}

Result<> DatabaseSink::check_directory() const {
  struct stat status {};
  if (lstat(directory_.c_str(), &status) != 0) return file_error(directory_, errno);
  if (S_ISDIR(status.st_mode) && status.st_uid == geteuid() && (status.st_mode & 0077) == 0) return Done{};
  return Error{Errc::kDenied, fmt::format("'{}' is not ours alone", directory_)};
}

Result<UniqueFd> DatabaseSink::open_directory() const {
  UniqueFd fd(::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return file_error(directory_, errno);
  return fd;
}

Result<> DatabaseSink::begin_pass(model::Fileset files, const std::vector<bool>& kept) {
  if (auto flat = check_is_flat(files, describe()); !flat) return flat;
  auto fd = open_directory();
  if (!fd) return std::move(fd).error();
  std::unordered_map<std::string, uint32_t> here;
  if (files_) {
    if (auto durable = files_->make_durable(); !durable) return durable;
    for (uint32_t i = 1; i < files_->files.entries.size(); ++i) here.emplace(files_->files.entries[i].name, i);
  }
  std::vector<bool> comes(files.entries.size(), true);
  for (uint32_t i = 1; i < files.entries.size(); ++i) {
    if (i >= kept.size() || !kept[i]) continue;
    const auto found = here.find(files.entries[i].name);
    if (found == here.end() || files_->files.entries[found->second].size_bytes != files.entries[i].size_bytes)
      return Error{Errc::kProtocol, fmt::format("{}: the source keeps file {}, which is not here", describe(), i)};
    comes[i] = false;
    here.erase(found);
  }
  for (const auto& [name, index] : here)
    if (auto removed = files_->remove(index); !removed) return removed;
  volume_.reset();
  files_ = std::make_shared<DatabaseFiles>(std::move(*fd), directory_, std::move(files));
  return make_volume(comes);
}

// What the database's library has made of files that had arrived already goes, too.
Result<std::vector<Extent>> DatabaseSink::begin_again(model::Fileset files) {
  if (auto flat = check_is_flat(files, describe()); !flat) return std::move(flat).error();
  database_->close();
  is_open_ = false;
  volume_.reset();
  const bool was_restarted = !std::exchange(files_, nullptr);
  auto fd = open_directory();
  if (!fd) return std::move(fd).error();
  files_ = std::make_shared<DatabaseFiles>(std::move(*fd), directory_, std::move(files));
  auto found = files_->find(was_restarted);
  if (!found) return found;
  if (auto made = make_volume(std::vector<bool>(files_->files.entries.size(), true)); !made) return std::move(made).error();
  // A file that is here is open only while it is used: nobody knows when it is whole.
  if (auto begun = volume_->begin_again(extent_, *found); !begun) return std::move(begun).error();
  return found;
}

Result<> DatabaseSink::make_volume(const std::vector<bool>& comes) {
  if (auto made = files_->make_empty(comes); !made) return made;
  volume_ = std::make_shared<FileVolume>(
      pmem::FdQueue::probe() == 0 ? pmem::FdQueue::Mode::kRing : pmem::FdQueue::Mode::kAtOnce, pmem::Io::Direction::kWrite);
  extent_ = volume_->add(files_, files_->files, comes);
  return Done{};
}

Result<> DatabaseSink::finish() {
  files_->are_complete();
  if (is_lasting(database_->identity.kind)) return files_->make_durable();
  return Done{};
}

// Backends write when they open a database: their files are not those that arrived any more.
Result<> DatabaseSink::try_out() {
  if (auto opened = database_->open_from(Opening::kExisting, directory_); !opened) return opened;
  is_open_ = true;
  return Done{};
}

void DatabaseSink::adopt() {
  if (!is_open_)  // After a restart. What was promised is there: whoever asks hears why it cannot be read, if so.
    if (auto opened = database_->open(Opening::kExisting); !opened) log::error("{}: {}", describe(), opened.error().text);
  store_.adopt(database_);
}

void DatabaseSink::drop() {
  volume_.reset();
  files_.reset();
  store_.drop(database_);
}

}  // namespace godwit::objects
