#include "objects/files/fileset_source.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/log.hpp"
#include "objects/files/private_directory.hpp"
#include "objects/files/rename.hpp"
#include "objects/files/source_files.hpp"
#include "protocol/fileset_codec.hpp"

namespace godwit::objects {

namespace {

// Whether this thread's user may remove all of it: better known before it has moved. Errors: kDenied, the text names the first.
Result<> check_removable(const RootedDirectory& directory, const Walked& walked) {
  if (acts_as_root()) return Done{};
  const auto& entries = walked.files.entries;
  const auto& top = entries[0];
  const auto refused = [&](int number) {
    return file_error(fmt::format("'{}/{}', which a move removes", log::printable(directory.path), log::printable(top.name)),
                      number);
  };
  if (faccessat(directory.fd.get(), ".", W_OK | X_OK, AT_EACCESS) != 0) return refused(errno);
  struct stat status {};
  if (fstat(directory.fd.get(), &status) != 0) return refused(errno);
  if ((status.st_mode & S_ISVTX) != 0 && status.st_uid != acting_uid() && top.user != acting_uid()) return refused(EPERM);
  std::vector<bool> is_looked_at(entries.size());
  for (uint32_t i = 1; i < entries.size(); ++i) {
    const uint32_t parent = entries[i].parent;
    const auto refusal = [&](int number) {
      return file_error(fmt::format("'{}/{}', which a move removes", log::printable(directory.path),
                                    log::printable(path_of(walked.files, i))),
                        number);
    };
    if (entries[parent].user == acting_uid()) continue;  // Who can open it up.
    if ((entries[parent].mode & S_ISVTX) != 0 && entries[i].user != acting_uid()) return refusal(EPERM);
    if (is_looked_at[parent]) continue;
    is_looked_at[parent] = true;
    auto fd = open_beneath(directory.fd.get(), path_of(walked.files, parent), O_PATH | O_DIRECTORY, Links::kNone, "");
    if (!fd || faccessat(fd->get(), ".", W_OK | X_OK, AT_EACCESS) != 0) return refusal(fd ? errno : EACCES);
  }
  return Done{};
}

}  // namespace

std::string outgoing_name(const Id& job) { return ".godwit-" + to_string(job) + ".out"; }

FilesetSource::FilesetSource(journal::Journal& journal, const Id& job, FileUserPtr user, RootedDirectory directory,
                             std::string name)
    : journal_(journal),
      job_(job),
      user_(std::move(user)),
      directory_(std::make_shared<RootedDirectory>(std::move(directory))),
      name_(std::move(name)) {}

FilesetSource::~FilesetSource() = default;

Result<std::unique_ptr<FilesetSource>> FilesetSource::open(const FileRoots& roots, journal::Journal& journal, const Id& job,
                                                           FileUserPtr user, const std::string& path, FilesetOptions& options,
                                                           std::shared_ptr<FileVolume>& volume,
                                                           const std::atomic<bool>& cancelled) {
  auto normal = normal_path(path);
  if (!normal) return std::move(normal).error();
  const size_t slash = normal->rfind('/');
  std::string name = normal->substr(slash + 1);
  if (!model::is_file_name(name)) return Error{Errc::kInvalid, fmt::format("'{}' cannot be migrated", log::printable(*normal))};
  const std::string parent = slash == 0 ? "/" : normal->substr(0, slash);
  // The tree may itself be a root: then the directory that it is in need not be below one.
  auto directory = roots.open_parent(*normal, RootUse::kRead, user);
  if (!directory) return std::move(directory).error();
  if (options.move)
    if (auto writable = roots.open(parent, RootUse::kWrite, user); !writable)
      return with_context("a move removes the source, which", std::move(writable).error());
  const ActAs as(user);
  auto walked = walk(directory->fd.get(), name, options.walk, directory->path, cancelled);
  if (!walked) return std::move(walked).error();
  options.walk.listing_bytes_max -= walked->listing_bytes;
  if (options.move && walked->left_out > 0)
    return Error{Errc::kInvalid, fmt::format("'{}' has {} files that would be left out, and a move removes them: copy it",
                                             log::printable(*normal), walked->left_out)};
  if (options.move)
    if (auto removable = check_removable(*directory, *walked); !removable) return std::move(removable).error();
  if (!volume)
    volume = std::make_shared<FileVolume>(FileVolume::mode_for(directory->fd.get()), pmem::Io::Direction::kRead, user);
  std::unique_ptr<FilesetSource> source(new FilesetSource(journal, job, user, std::move(*directory), std::move(name)));
  source->files_ = std::make_shared<SourceFiles>(source->directory_, std::move(*walked),
                                                 options.force ? Tolerance::kWriters : Tolerance::kNone, user);
  source->volume_ = volume;
  return source;
}

Result<std::unique_ptr<FilesetSource>> FilesetSource::open_again(const FileRoots& roots, journal::Journal& journal,
                                                                 const Id& job, FileUserPtr user,
                                                                 const journal::JobObject& object, bool may_be_gone) {
  const auto what = [&] { return fmt::format("job {} moves '{}'", to_string(job), log::printable(object.name)); };
  auto directory = roots.open(object.target, RootUse::kWrite, user);
  if (!directory) return with_context(what(), std::move(directory).error());
  std::unique_ptr<FilesetSource> source(new FilesetSource(journal, job, std::move(user), std::move(*directory), object.name));
  const ActAs as(source->user_);
  auto out = open_private(source->directory_->fd.get(), outgoing_name(job), source->directory_->path);
  if (!out && out.error().code != Errc::kNotFound) return with_context(what(), std::move(out).error());
  if (out) source->outgoing_ = std::move(*out);
  if (!out && !may_be_gone) {  // Only what was never hidden has no place there.
    auto stagings = journal.stagings();
    if (!stagings) return std::move(stagings).error();
    const auto is_its = [&](const journal::StagingRecord& staging) {
      return staging.job == job && !staging.incoming && staging.directory == source->directory_->path;
    };
    if (std::ranges::any_of(*stagings, is_its)) return with_context(what(), std::move(out).error());
  }
  source->hidden_ = true;
  return source;
}

std::string FilesetSource::describe() const {
  return fmt::format("fileset '{}/{}'", log::printable(directory_->path), log::printable(name_));
}

uint64_t FilesetSource::size_bytes() const {
  if (extent_) return extent_->length_bytes;
  if (!files_) return 0;  // After a restart nothing of it travels any more.
  uint64_t bytes = 0;
  for (const model::FileEntry& entry : files_->walked.files.entries) bytes += entry.data_bytes();
  return bytes;
}

journal::JobObject FilesetSource::manifest() const {
  return {id_, id_, 0, name_, size_bytes(), directory_->path, {0, size_bytes()}, ObjectKind::kFileset};
}

Result<std::vector<std::byte>> FilesetSource::listing() const { return protocol::encode(files_->walked.files); }

std::vector<PlannedFile> FilesetSource::planned(const std::vector<bool>& wanted) const {
  const model::Fileset& files = files_->walked.files;
  std::vector<PlannedFile> planned;
  for (uint32_t i = 0; i < files.entries.size(); ++i)
    planned.push_back(
        {path_of(files, i), files.entries[i].kind, i >= wanted.size() || wanted[i], files.entries[i].data_bytes()});
  return planned;
}

void FilesetSource::accepted(const std::vector<bool>& wanted) { extent_ = volume_->add(files_, files_->walked.files, wanted); }

Result<> FilesetSource::hide() {
  if (auto noted = journal_.note_staging({job_, false, directory_->path}); !noted) return noted;
  const ActAs as(user_);
  const std::string outgoing = outgoing_name(job_);
  if (mkdirat(directory_->fd.get(), outgoing.c_str(), S_IRWXU) != 0 && errno != EEXIST)
    return file_error(fmt::format("'{}/{}'", directory_->path, outgoing), errno);
  auto out = open_private(directory_->fd.get(), outgoing, directory_->path);
  if (!out) return std::move(out).error();
  outgoing_ = std::move(*out);
  auto renamed = rename_new(directory_->fd.get(), name_, outgoing_.get(), name_);
  if (!renamed && renamed.error().code == Errc::kDenied && files_->walked.files.entries[0].kind == model::FileKind::kDirectory)
    return Error{Errc::kDenied,
                 fmt::format("{}: {}; who moves a directory must be allowed to write it", describe(), renamed.error().text)};
  if (!renamed) return with_context(describe(), std::move(renamed).error());
  hidden_ = true;
  return Done{};
}

Result<> FilesetSource::stop(Deadline) {
  if (auto hidden = hide(); !hidden) return hidden;
  // Out of sight nobody opens it any more. Who has it open still would write what is to be removed; who had, shows after that.
  const auto look_again = [&]() -> Result<> {
    const ActAs as(user_);
    if (auto alone = files_->check_writers(outgoing_.get()); !alone) return alone;
    return recheck(outgoing_.get(), files_->walked, name_, directory_->path);
  };
  auto same = look_again();
  if (!same) resume();
  return same;
}

void FilesetSource::resume() {
  if (!hidden_) return;
  hidden_ = false;
  if (!outgoing_) return;  // After a restart: it never was there.
  const auto put_back = [&] {
    const ActAs as(user_);
    return rename_new(outgoing_.get(), name_, directory_->fd.get(), name_);
  };
  if (auto renamed = put_back(); !renamed)
    log::error("{} stays in '{}': {}", describe(), outgoing_name(job_), renamed.error().text);
  leave_outgoing();
}

void FilesetSource::finish_move(const Moved&) {
  if (!hidden_) return;
  hidden_ = false;
  const auto remove = [&]() -> Result<> {
    const ActAs as(user_);
    if (!outgoing_) return Done{};  // It was removed before the restart.
    struct stat status {};
    if (files_ && fstatat(outgoing_.get(), name_.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
        (status.st_dev != files_->walked.states[0].device || status.st_ino != files_->walked.states[0].inode))
      return Error{Errc::kChanged, "it is another one now"};
    return remove_tree(outgoing_.get(), name_);
  };
  const auto gone = remove();
  if (gone) return leave_outgoing();
  log::error("{} has moved, but is not all removed; the rest is in '{}', for you to remove: {}", describe(),
             outgoing_name(job_), gone.error().text);
  forget_outgoing();  // So that no start puts it back.
}

// The last tree of the job in this directory takes the directory of the outgoing with it.
void FilesetSource::leave_outgoing() {
  if (auto gone = remove_outgoing(directory_->fd.get(), job_, user_); gone) forget_outgoing();
}

void FilesetSource::forget_outgoing() {
  if (auto forgotten = journal_.forget_staging({job_, false, directory_->path}); !forgotten)
    log::error("{}", forgotten.error().text);
}

Result<> remove_outgoing(int directory, const Id& job, const FileUserPtr& user) {
  const ActAs as(user);
  const std::string outgoing = outgoing_name(job);
  if (unlinkat(directory, outgoing.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) return file_error(outgoing, errno);
  return Done{};
}

void put_back_outgoing(int directory, const std::string& shown, const Id& job, const FileUserPtr& user) {
  const ActAs as(user);
  const std::string outgoing = outgoing_name(job);
  auto out = open_private(directory, outgoing, shown);
  if (!out && out.error().code != Errc::kNotFound) log::error("job {}: {}", to_string(job), out.error().text);
  if (!out) return;
  const auto names = names_in(out->get(), fmt::format("'{}/{}'", log::printable(shown), outgoing));
  if (!names) return log::error("what job {} moved stays where it is: {}", to_string(job), names.error().text);
  size_t left = 0;
  std::string why;
  for (const std::string& name : *names)
    if (auto renamed = rename_new(out->get(), name, directory, name); !renamed && left++ == 0) why = renamed.error().text;
  if (left > 0)
    log::error("{} of {} stay in '{}/{}', the first: {}", left, names->size(), log::printable(shown), outgoing, why);
}

}  // namespace godwit::objects
