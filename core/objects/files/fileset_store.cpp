#include "objects/files/fileset_store.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "base/log.hpp"
#include "objects/files/private_directory.hpp"

namespace godwit::objects {

Result<FileUserPtr> FilesetStore::user_of(const Id& job) const {
  const Permission owner = permissions_.of(job);
  return FileUser::find(owner.uid, owner.gid);
}

Result<FileUserPtr> FilesetStore::last_known_user_of(const Id& job) const {
  auto user = user_of(job);
  if (user || user.error().code != Errc::kNotFound) return user;
  log::warn("job {}: {}; it is ended without the rights of groups", to_string(job), user.error().text);
  return FileUser::without_groups(permissions_.of(job).uid);
}

Result<std::unique_ptr<Source>> FilesetStore::open(const Id& job, const std::string& path, FilesetOptions& options,
                                                   std::shared_ptr<FileVolume>& volume, const std::atomic<bool>& cancelled) {
  auto user = user_of(job);
  if (!user) return std::move(user).error();
  auto source = FilesetSource::open(roots_, journal_, job, std::move(*user), path, options, volume, cancelled);
  if (!source) return std::move(source).error();
  return std::unique_ptr<Source>(std::move(*source));
}

Result<FilesetStore::Reception> FilesetStore::begin_reception(const Id& job, const std::string& directory) {
  auto user = user_of(job);
  if (!user) return std::move(user).error();
  auto place = roots_.open(directory, RootUse::kWrite, *user);
  if (!place) return std::move(place).error();
  const auto mode = FileVolume::mode_for(place->fd.get());
  auto incoming = IncomingDirectory::make(journal_, job, *user, std::move(*place));
  if (!incoming) return std::move(incoming).error();
  (*incoming)->enter();  // Until end_reception().
  return Reception{std::move(*incoming), std::make_shared<FileVolume>(mode, pmem::Io::Direction::kWrite, std::move(*user))};
}

Result<std::unique_ptr<FilesetSink>> FilesetStore::expect(const Reception& reception, model::Fileset files, bool update) {
  return FilesetSink::make(reception.incoming, std::move(files), update, reception.volume);
}

Result<> FilesetStore::check_writable(const std::string& path) const {
  auto place = roots_.open(path, RootUse::kWrite, nullptr);
  if (!place) return std::move(place).error();
  return Done{};
}

Result<std::vector<bool>> FilesetStore::look(const Id& job, const std::string& directory, model::Fileset files,
                                             bool update) const {
  auto user = user_of(job);
  if (!user) return std::move(user).error();
  auto place = roots_.open(directory, RootUse::kWrite, *user);
  if (!place) return std::move(place).error();
  const ActAs as(*user);
  auto plan = FilesetSink::plan(*place, files, update);
  if (!plan) return std::move(plan).error();
  return std::move(plan->wanted);
}

Result<std::unique_ptr<Source>> FilesetStore::open_again(const Id& job, const journal::JobObject& object, bool may_be_gone) {
  auto user = last_known_user_of(job);
  if (!user) return std::move(user).error();
  auto source = FilesetSource::open_again(roots_, journal_, job, std::move(*user), object, may_be_gone);
  if (!source) return std::move(source).error();
  return std::unique_ptr<Source>(std::move(*source));
}

Result<std::vector<std::unique_ptr<Sink>>> FilesetStore::expect_again(const journal::InboundJob& job) {
  auto user = last_known_user_of(job.job);
  if (!user) return std::move(user).error();
  auto place = roots_.open(job.target, RootUse::kWrite, *user);
  if (!place) return std::move(place).error();
  const auto incoming = IncomingDirectory::find(journal_, job.job, std::move(*user), std::move(*place));
  std::vector<std::unique_ptr<Sink>> sinks;
  for (const journal::JobObject& object : job.objects) {
    auto sink = std::make_unique<FilesetSink>(incoming, object);
    // What is owned may have been shown before the restart; what is only promised is where it was.
    if (job.state == journal::InboundState::kPrepared && !sink->has_arrived())
      return Error{Errc::kNotFound, fmt::format("{} is not in '{}' any more", sink->describe(), incoming_name(job.job))};
    sinks.push_back(std::move(sink));
  }
  return sinks;
}

Result<std::vector<std::unique_ptr<Sink>>> FilesetStore::find_unfinished(const journal::InboundJob& job,
                                                                         std::span<const std::vector<std::byte>> listings) {
  if (listings.size() != job.objects.size()) return Error{Errc::kNotFound, "the journal does not have its lists of files"};
  auto user = user_of(job.job);
  if (!user) return std::move(user).error();
  auto place = roots_.open(job.target, RootUse::kWrite, *user);
  if (!place) return std::move(place).error();
  const auto mode = FileVolume::mode_for(place->fd.get());
  const auto incoming = IncomingDirectory::find(journal_, job.job, *user, std::move(*place));
  // Who may write the place may have put another directory there, with links to somebody else's files: find() has looked whose
  // it is; this says that it is the same one.
  const bool is_ours =
      incoming->fd() >= 0 && std::ranges::all_of(job.objects, [inode = incoming->inode()](const journal::JobObject& object) {
        return object.extent.offset_bytes == inode;
      });
  if (!is_ours) return Error{Errc::kNotFound, "its directory is gone"};
  const auto volume = std::make_shared<FileVolume>(mode, pmem::Io::Direction::kWrite, std::move(*user));
  std::vector<std::unique_ptr<Sink>> sinks;
  for (const std::vector<std::byte>& listing : listings) {
    auto sink = FilesetSink::find(incoming, listing, volume);
    if (!sink) return std::move(sink).error();
    sinks.push_back(std::move(*sink));
  }
  return sinks;
}

Result<> FilesetStore::sweep_one(const journal::StagingRecord& staging, const RootedDirectory& place, const FileUserPtr& user) {
  const ActAs as(user);
  if (staging.incoming) return remove_private(place.fd.get(), incoming_name(staging.job), staging.directory);
  put_back_outgoing(place.fd.get(), staging.directory, staging.job, user);
  return remove_outgoing(place.fd.get(), staging.job, user);
}

Result<> FilesetStore::sweep(const std::function<bool(const journal::StagingRecord&)>& known) {
  auto stagings = journal_.stagings();
  if (!stagings) return std::move(stagings).error();
  for (const journal::StagingRecord& staging : *stagings) {
    if (known(staging)) continue;
    auto user = last_known_user_of(staging.job);
    auto place = user ? roots_.open(staging.directory, RootUse::kWrite, *user) : std::move(user).error();
    if (!place) {
      log::warn("what job {} left in '{}' stays: {}", to_string(staging.job), log::printable(staging.directory),
                place.error().text);
      continue;
    }
    // With the rights of the job's owner: who may write there may have put there what is not his.
    Result<> gone = sweep_one(staging, *place, *user);
    if (gone) gone = journal_.forget_staging(staging);
    if (!gone) log::error("'{}': {}", log::printable(staging.directory), gone.error().text);
  }
  return Done{};
}

}  // namespace godwit::objects
