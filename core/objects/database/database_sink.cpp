#include "objects/database/database_sink.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <unordered_map>

#include "base/log.hpp"
#include "objects/database/files.hpp"

namespace godwit::objects {

// Its files in one directory, which is ours alone.
class DatabaseFiles final : public VolumeFiles {
 public:
  DatabaseFiles(UniqueFd directory, std::string path, model::Fileset its_files)
      : files(std::move(its_files)), directory_(std::move(directory)), path_(std::move(path)) {}

  const model::Fileset files;

  std::string describe(uint32_t entry) const override {
    return fmt::format("'{}/{}'", path_, log::printable(files.entries[entry].name));
  }
  Result<UniqueFd> open(uint32_t entry, pmem::Io::Direction direction) override {
    if (direction == pmem::Io::Direction::kWrite) return create(entry);
    auto fd = look(entry);
    // What is read back comes from the medium, where there is one: it is durable by then, so that its pages can go.
    if (fd) (void)posix_fadvise(fd->get(), 0, 0, POSIX_FADV_DONTNEED);
    return fd;
  }
  Result<> finished(uint32_t, int, pmem::Io::Direction) override { return Done{}; }

  Result<UniqueFd> create(uint32_t entry) const {
    auto fd = open_beneath(directory_.get(), files.entries[entry].name, O_RDWR | O_CREAT | O_EXCL, Links::kNone,
                           describe(entry), S_IRUSR | S_IWUSR);
    if (fd && ftruncate(fd->get(), static_cast<off_t>(files.entries[entry].size_bytes)) != 0)
      return file_error(describe(entry), errno);
    return fd;
  }
  Result<UniqueFd> look(uint32_t entry) const {
    return open_beneath(directory_.get(), files.entries[entry].name, O_RDONLY, Links::kNone, describe(entry));
  }
  Result<> remove(uint32_t entry) const {
    if (unlinkat(directory_.get(), files.entries[entry].name.c_str(), 0) == 0 || errno == ENOENT) return Done{};
    return file_error(describe(entry), errno);
  }
  Result<> make_durable() const {
    for (uint32_t i = 1; i < files.entries.size(); ++i) {
      auto fd = look(i);
      if (!fd) return std::move(fd).error();
      if (fsync(fd->get()) != 0) return Error{Errc::kIo, file_error(describe(i), errno).text};
    }
    if (fsync(directory_.get()) != 0) return Error{Errc::kIo, file_error(path_, errno).text};
    return Done{};
  }

 private:
  const UniqueFd directory_;
  const std::string path_;
};

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

Result<> DatabaseSink::begin_pass(model::Fileset files, const std::vector<bool>& kept) {
  for (size_t i = 0; i < files.entries.size(); ++i)
    if (files.entries[i].kind != (i == 0 ? model::FileKind::kDirectory : model::FileKind::kRegular))
      return Error{Errc::kProtocol, describe() + ": what comes is no database: it has more than files in one directory"};
  UniqueFd fd(::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return file_error(directory_, errno);
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
  files_ = std::make_shared<DatabaseFiles>(std::move(fd), directory_, std::move(files));
  for (uint32_t i = 1; i < files_->files.entries.size(); ++i)
    if (comes[i] && files_->files.entries[i].data.empty())
      if (auto made = files_->create(i); !made) return std::move(made).error();
  volume_ = std::make_shared<FileVolume>(
      pmem::FdQueue::probe() == 0 ? pmem::FdQueue::Mode::kRing : pmem::FdQueue::Mode::kAtOnce, pmem::Io::Direction::kWrite);
  extent_ = volume_->add(files_, files_->files, comes);
  return Done{};
}

Result<> DatabaseSink::finish() {
  if (is_lasting(database_->identity.kind)) return files_->make_durable();
  return Done{};
}

// Backends write when they open a database: their files are not those that arrived any more.
Result<> DatabaseSink::try_out() {
  auto opened = database_->open_from(Opening::kExisting, directory_);
  if (!opened) return with_context(describe(), std::move(opened).error());
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
