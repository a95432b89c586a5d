#include "objects/files/fileset_sink.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "base/log.hpp"
#include "base/units.hpp"
#include "objects/files/private_directory.hpp"
#include "objects/files/rename.hpp"
#include "objects/files/tree_writer.hpp"
#include "objects/files/update.hpp"
#include "protocol/fileset_codec.hpp"

namespace godwit::objects {
namespace {

// Fits into the journal's numbers with a bit to spare.
constexpr uint64_t kInodeMask = (uint64_t{1} << 60) - 1;

bool may_be_updated(const struct stat& there) {
  return S_ISREG(there.st_mode) || S_ISDIR(there.st_mode) || S_ISLNK(there.st_mode);
}

Result<> check_room(int fd, uint64_t bytes, const std::string& shown) {
  struct statvfs status {};
  if (fstatvfs(fd, &status) != 0) return Done{};
  const uint64_t free_bytes = static_cast<uint64_t>(status.f_bavail) * status.f_frsize;
  if (bytes <= free_bytes) return Done{};
  return Error{Errc::kNoSpace, fmt::format("'{}' has {} free; {} are needed", log::printable(shown), format_size(free_bytes),
                                           format_size(bytes))};
}

// What the rename at the end would want of this thread's user: better known now. `there`: of what it replaces, or null.
Result<> check_may_place(const RootedDirectory& place, const std::string& name, const struct stat* there) {
  const auto shown = [&] { return fmt::format("'{}'", log::printable(place.path)); };
  const auto top = [&] { return fmt::format("'{}/{}'", log::printable(place.path), log::printable(name)); };
  if (faccessat(place.fd.get(), ".", W_OK | X_OK, AT_EACCESS) != 0) return file_error(shown(), errno);
  if (there == nullptr || acts_as_root()) return Done{};
  struct stat status {};
  if (fstat(place.fd.get(), &status) != 0) return file_error(shown(), errno);
  const bool is_sticky = (status.st_mode & S_ISVTX) != 0;
  if (is_sticky && status.st_uid != acting_uid() && there->st_uid != acting_uid()) return file_error(top(), EPERM);
  // It gets another parent, which is written into it.
  if (S_ISDIR(there->st_mode) && faccessat(place.fd.get(), name.c_str(), W_OK, AT_EACCESS | AT_SYMLINK_NOFOLLOW) != 0)
    return file_error(top(), errno);
  return Done{};
}

}  // namespace

std::string incoming_name(const Id& job) { return ".godwit-" + to_string(job) + ".in"; }

Result<std::shared_ptr<IncomingDirectory>> IncomingDirectory::make(journal::Journal& journal, const Id& job, FileUserPtr user,
                                                                   RootedDirectory place) {
  if (auto noted = journal.note_staging({job, true, place.path}); !noted) return std::move(noted).error();
  std::shared_ptr<IncomingDirectory> made(new IncomingDirectory(journal, job, std::move(user), std::move(place)));
  const std::string name = incoming_name(job);
  const std::string what = "'" + log::printable(made->place_.path) + "'";
  const auto make_and_open = [&]() -> Result<UniqueFd> {
    const ActAs as(made->user_);
    if (mkdirat(made->place_.fd.get(), name.c_str(), S_IRWXU) != 0) return file_error(what, errno);
    return open_private(made->place_.fd.get(), name, made->place_.path);
  };
  auto fd = make_and_open();
  if (!fd) {
    made->leave();
    return std::move(fd).error();
  }
  made->fd_ = std::move(*fd);
  return made;
}

std::shared_ptr<IncomingDirectory> IncomingDirectory::find(journal::Journal& journal, const Id& job, FileUserPtr user,
                                                           RootedDirectory place) {
  std::shared_ptr<IncomingDirectory> found(new IncomingDirectory(journal, job, std::move(user), std::move(place)));
  const ActAs as(found->user_);
  auto fd = open_private(found->place_.fd.get(), incoming_name(job), found->place_.path);
  if (fd)
    found->fd_ = std::move(*fd);
  else if (fd.error().code != Errc::kNotFound)
    log::error("job {}: {}", to_string(job), fd.error().text);
  return found;
}

uint64_t IncomingDirectory::inode() const {
  struct stat status {};
  return fd_ && fstat(fd_.get(), &status) == 0 ? status.st_ino & kInodeMask : 0;
}

void IncomingDirectory::leave() {
  if (trees_ > 0 && --trees_ > 0) return;
  const auto remove = [&] {
    const ActAs as(user_);
    return remove_private(place_.fd.get(), incoming_name(job_), place_.path);
  };
  if (auto gone = remove(); !gone) {
    log::error("'{}' keeps '{}': {}", log::printable(place_.path), incoming_name(job_), gone.error().text);
    return;
  }
  if (auto forgotten = journal_.forget_staging({job_, true, place_.path}); !forgotten) log::error("{}", forgotten.error().text);
}

// What the volume's queues write, and read back. Thread-safe.
class SinkFiles final : public VolumeFiles {
 public:
  SinkFiles(std::shared_ptr<IncomingDirectory> its_incoming, model::Fileset its_files)
      : incoming(std::move(its_incoming)), files(std::move(its_files)), writer(incoming->fd(), files, incoming->place().path) {}

  const std::shared_ptr<IncomingDirectory> incoming;
  const model::Fileset files;
  const TreeWriter writer;
  std::atomic<bool> is_further_attempt{false};  // Files may be there already.
  std::atomic<bool> is_whole{false};            // All of it is, and durable.
  std::atomic<bool> was_found{false};           // After a restart.

  std::string describe(uint32_t entry) const override { return writer.describe(entry); }
  Result<UniqueFd> open(uint32_t entry, pmem::Io::Direction direction) override {
    const ActAs as(incoming->user());
    const bool writes = direction == pmem::Io::Direction::kWrite;
    // The source tries again on that, and the tree is sent anew.
    if (writes && is_whole) return Error{Errc::kBusy, describe(entry) + " has arrived, and has other bytes at its source now"};
    // What is here is read back between the writes, and may be dressed for a user who may not read it.
    if (was_found && !is_whole) return writer.create_again(entry);
    if (writes) return is_further_attempt ? writer.create_again(entry) : writer.create(entry);
    auto fd = open_regular(incoming->fd(), path_of(files, entry), O_RDONLY, describe(entry));
    // What is read back comes from the medium, where there is one: it is durable by now, so that its pages can go.
    if (fd) (void)posix_fadvise(fd->get(), 0, 0, POSIX_FADV_DONTNEED);
    return fd;
  }
  Result<> finished(uint32_t entry, int fd, pmem::Io::Direction direction) override {
    const ActAs as(incoming->user());
    return direction == pmem::Io::Direction::kWrite ? writer.dress(entry, fd) : Done{};
  }
};

FilesetSink::FilesetSink(std::shared_ptr<IncomingDirectory> incoming, const journal::JobObject& object)
    : incoming_(std::move(incoming)),
      name_(object.name),
      replaces_((object.extent.offset_bytes & 1) != 0),
      inode_(object.extent.offset_bytes >> 1) {
  incoming_->enter();
}

FilesetSink::~FilesetSink() = default;

std::string FilesetSink::describe() const {
  return fmt::format("fileset '{}/{}'", log::printable(incoming_->place().path), log::printable(name_));
}

Result<FilesetSink::Plan> FilesetSink::plan(const RootedDirectory& place, model::Fileset& files, bool update) {
  const std::string& name = files.entries[0].name;
  struct stat status {};
  Plan plan;
  plan.replaces = fstatat(place.fd.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
  if (plan.replaces && !update)
    return Error{Errc::kExists, fmt::format("'{}/{}' is there already{}", log::printable(place.path), log::printable(name),
                                            may_be_updated(status) ? "; --update brings it up to date" : "")};
  const size_t received = files.entries.size();
  if (auto may = check_may_place(place, name, plan.replaces ? &status : nullptr); !may) return std::move(may).error();
  if (plan.replaces) {
    auto wanted = compare(place.fd.get(), name, place.path, files);
    if (!wanted) return std::move(wanted).error();
    plan.wanted = std::move(*wanted);
  }
  uint64_t bytes = 0;
  for (size_t i = 0; i < received; ++i)
    if (plan.wanted.empty() || plan.wanted[i]) bytes += files.entries[i].data_bytes();
  if (auto room = check_room(place.fd.get(), bytes, place.path); !room) return std::move(room).error();
  return plan;
}

Result<std::unique_ptr<FilesetSink>> FilesetSink::make(std::shared_ptr<IncomingDirectory> incoming, model::Fileset files,
                                                       bool update, std::shared_ptr<FileVolume> volume) {
  std::unique_ptr<FilesetSink> sink(new FilesetSink(std::move(incoming), files.entries[0].name));
  const ActAs as(sink->incoming_->user());
  const RootedDirectory& place = sink->incoming_->place();
  const size_t received = files.entries.size();
  auto plan = FilesetSink::plan(place, files, update);
  if (!plan) return std::move(plan).error();
  sink->replaces_ = plan->replaces;
  sink->wanted_ = std::move(plan->wanted);
  sink->files_ = std::make_shared<SinkFiles>(sink->incoming_, std::move(files));
  const auto make_all = [&]() -> Result<> {
    if (auto made = sink->files_->writer.make_frame(sink->wanted_); !made) return made;
    if (sink->wanted_.empty()) return Done{};
    return link_unwanted(place.fd.get(), sink->incoming_->fd(), sink->files_->files, received, sink->wanted_,
                         sink->files_->writer);
  };
  if (auto made = make_all(); !made) {
    if (auto gone = remove_tree(sink->incoming_->fd(), sink->name_); !gone) log::error("{}", gone.error().text);
    return std::move(made).error();
  }
  sink->incoming_->enter();
  sink->volume_ = std::move(volume);
  sink->extent_ = sink->volume_->add(sink->files_, sink->files_->files, sink->wanted_);
  if (!sink->wanted_.empty()) sink->wanted_.resize(received);
  return sink;
}

Result<std::unique_ptr<FilesetSink>> FilesetSink::find(std::shared_ptr<IncomingDirectory> incoming,
                                                       std::span<const std::byte> listing, std::shared_ptr<FileVolume> volume) {
  auto files = protocol::decode_fileset(listing);
  if (!files) return std::move(files).error();
  const ActAs as(incoming->user());
  std::unique_ptr<FilesetSink> sink(new FilesetSink(std::move(incoming), files->entries[0].name));
  sink->files_ = std::make_shared<SinkFiles>(sink->incoming_, std::move(*files));
  sink->files_->was_found = true;
  if (auto there = sink->files_->writer.check_frame(); !there) return std::move(there).error();
  sink->incoming_->enter();
  sink->volume_ = std::move(volume);
  sink->extent_ = sink->volume_->add(sink->files_, sink->files_->files, {});
  return sink;
}

uint64_t FilesetSink::top_inode(int directory) const {
  struct stat status {};
  return fstatat(directory, name_.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 ? status.st_ino & kInodeMask : 0;
}

bool FilesetSink::has_arrived() const {
  const ActAs as(incoming_->user());
  return incoming_->fd() >= 0 && inode_ != 0 && top_inode(incoming_->fd()) == inode_;
}

Result<> FilesetSink::begin_attempt(std::span<const Extent> landed) {
  // It was compared with the tree that it replaces, which may be another one now.
  if (replaces_) return Error{Errc::kChanged, describe() + " is brought up to date, and has to be looked at again"};
  if (!files_) return Error{Errc::kChanged, describe() + " was whole before the restart"};
  files_->is_further_attempt = true;
  return volume_->begin_again(extent_, landed);
}

Result<> FilesetSink::finish() {
  const ActAs as(incoming_->user());
  if (!files_->is_whole) {
    if (files_->was_found)
      if (auto dressed = files_->writer.dress_all(); !dressed) return dressed;
    if (auto completed = files_->writer.complete(files_->is_further_attempt); !completed) return completed;
    if (auto durable = files_->writer.make_durable(); !durable) return durable;
  }
  if (!replaces_ && top_inode(incoming_->place().fd.get()) != 0)
    return Error{Errc::kExists, describe() + " has come to be there meanwhile"};
  inode_ = top_inode(incoming_->fd());
  files_->is_whole = true;
  return Done{};
}

void FilesetSink::note(journal::JobObject& object) const {
  object.extent = {inode_ << 1 | (replaces_ ? 1 : 0), object.size_bytes};
}

Result<> FilesetSink::note_unfinished(std::vector<std::byte>& listing) const {
  if (replaces_ || !files_) return Error{Errc::kUnsupported, describe() + " has to be looked at again"};
  auto encoded = protocol::encode(files_->files);
  if (!encoded) return std::move(encoded).error();
  listing = std::move(*encoded);
  return Done{};
}

// Whatever happens here happens again after a crash: each step leaves a state from which it goes on.
void FilesetSink::adopt() {
  if (!show()) return;  // Its directory stays, with all that it holds.
  // With the daemon's rights: who may write a directory need not be let read it.
  const UniqueFd place(openat(incoming_->place().fd.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!place || fsync(place.get()) != 0) log::error("{}: {}", describe(), file_error("fsync of its directory", errno).text);
  incoming_->leave();
}

bool FilesetSink::show() const {
  const ActAs as(incoming_->user());
  const int place = incoming_->place().fd.get();
  const int from = incoming_->fd();
  const uint64_t there = top_inode(place);
  const bool is_shown = from < 0 || top_inode(from) == 0 || (there != 0 && there == inode_);
  if (!is_shown) {
    Result<> shown = Error{Errc::kExists, ""};
    if (there == 0)
      shown = rename_new(from, name_, place, name_);
    else if (replaces_)
      shown = exchange(from, name_, place, name_);
    if (!shown && shown.error().code == Errc::kUnsupported) {
      // One after the other, on a file system that knows no better: the old tree waits where the new one came from.
      const std::string old = name_.substr(0, 200) + ".godwit-old";
      shown = rename_new(place, name_, from, old);
      if (shown) shown = rename_new(from, name_, place, name_);
    }
    if (!shown) {
      // Somebody has taken the name since the decision, which is not taken back: both stay.
      const std::string other = name_.substr(0, 200) + incoming_name(random_id()).substr(0, 16);
      const auto kept = rename_new(from, name_, place, other);
      log::error("{} could not be shown ({}); it is at '{}/{}'{}", describe(), shown.error().text,
                 log::printable(incoming_->place().path), log::printable(other), kept ? "" : ": " + kept.error().text);
      if (!kept) return false;
    }
  }
  if (files_) files_->writer.show_mode(place, inode_, kInodeMask);
  return true;
}

void FilesetSink::drop() {
  files_.reset();
  incoming_->leave();
}

}  // namespace godwit::objects
