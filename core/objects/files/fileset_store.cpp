#include "objects/files/fileset_store.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/log.hpp"

namespace godwit::objects {

Result<std::unique_ptr<Source>> FilesetStore::open(const Id& job, const std::string& path, const FilesetOptions& options,
                                                   std::shared_ptr<FileVolume>& volume, const std::atomic<bool>& cancelled) {
  auto source = FilesetSource::open(roots_, journal_, job, path, options, volume, cancelled);
  if (!source) return std::move(source).error();
  return std::unique_ptr<Source>(std::move(*source));
}

Result<FilesetStore::Reception> FilesetStore::begin_reception(const Id& job, const std::string& directory) {
  auto place = roots_.open(directory, RootUse::kWrite);
  if (!place) return std::move(place).error();
  const auto mode = FileVolume::mode_for(place->fd.get());
  auto incoming = IncomingDirectory::make(journal_, job, std::move(*place));
  if (!incoming) return std::move(incoming).error();
  (*incoming)->enter();  // Until end_reception().
  return Reception{std::move(*incoming), std::make_shared<FileVolume>(mode, pmem::Io::Direction::kWrite)};
}

Result<std::unique_ptr<FilesetSink>> FilesetStore::expect(const Reception& reception, model::Fileset files, bool update) {
  return FilesetSink::make(reception.incoming, std::move(files), update, reception.volume);
}

Result<> FilesetStore::check_writable(const std::string& path) const {
  auto place = roots_.open(path, RootUse::kWrite);
  if (!place) return std::move(place).error();
  return Done{};
}

Result<std::vector<bool>> FilesetStore::look(const std::string& directory, model::Fileset files, bool update) const {
  auto place = roots_.open(directory, RootUse::kWrite);
  if (!place) return std::move(place).error();
  auto plan = FilesetSink::plan(*place, files, update);
  if (!plan) return std::move(plan).error();
  return std::move(plan->wanted);
}

Result<std::unique_ptr<Source>> FilesetStore::open_again(const Id& job, const journal::JobObject& object) {
  auto source = FilesetSource::open_again(roots_, journal_, job, object);
  if (!source) return with_context("bring the directory back to end the job", std::move(source).error());
  return std::unique_ptr<Source>(std::move(*source));
}

Result<std::vector<std::unique_ptr<Sink>>> FilesetStore::expect_again(const journal::InboundJob& job) {
  auto place = roots_.open(job.target, RootUse::kWrite);
  if (!place)
    return with_context(fmt::format("job {} is decided or in doubt; bring its directory back", to_string(job.job)),
                        std::move(place).error());
  const auto incoming = IncomingDirectory::find(journal_, job.job, std::move(*place));
  std::vector<std::unique_ptr<Sink>> sinks;
  for (const journal::JobObject& object : job.objects) sinks.push_back(std::make_unique<FilesetSink>(incoming, object));
  return sinks;
}

Result<std::vector<std::unique_ptr<Sink>>> FilesetStore::find_unfinished(const journal::InboundJob& job,
                                                                         std::span<const std::vector<std::byte>> listings) {
  if (listings.size() != job.objects.size()) return Error{Errc::kNotFound, "the journal does not have its lists of files"};
  auto place = roots_.open(job.target, RootUse::kWrite);
  if (!place) return std::move(place).error();
  const auto mode = FileVolume::mode_for(place->fd.get());
  const auto incoming = IncomingDirectory::find(journal_, job.job, std::move(*place));
  // Who may write the place may have put another directory there, with somebody else's files, or links to them.
  struct stat status {};
  const bool is_ours = incoming->fd() >= 0 && fstat(incoming->fd(), &status) == 0 && status.st_uid == geteuid() &&
                       (status.st_mode & 0077) == 0 &&
                       std::ranges::all_of(job.objects, [inode = incoming->inode()](const journal::JobObject& object) {
                         return object.extent.offset_bytes == inode;
                       });
  if (!is_ours) return Error{Errc::kNotFound, "its directory is gone"};
  const auto volume = std::make_shared<FileVolume>(mode, pmem::Io::Direction::kWrite);
  std::vector<std::unique_ptr<Sink>> sinks;
  for (const std::vector<std::byte>& listing : listings) {
    auto sink = FilesetSink::find(incoming, listing, volume);
    if (!sink) return std::move(sink).error();
    sinks.push_back(std::move(*sink));
  }
  return sinks;
}

Result<> FilesetStore::sweep(const std::function<bool(const journal::StagingRecord&)>& known) {
  auto stagings = journal_.stagings();
  if (!stagings) return std::move(stagings).error();
  for (const journal::StagingRecord& staging : *stagings) {
    if (known(staging)) continue;
    auto place = roots_.open(staging.directory, RootUse::kWrite);
    if (!place) {
      log::warn("what job {} left in '{}' stays: {}", to_string(staging.job), log::printable(staging.directory),
                place.error().text);
      continue;
    }
    Result<> gone = Done{};
    if (staging.incoming) {
      gone = remove_tree(place->fd.get(), incoming_name(staging.job));
    } else {
      put_back_outgoing(place->fd.get(), staging.directory, staging.job);
      if (unlinkat(place->fd.get(), outgoing_name(staging.job).c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT)
        gone = file_error(outgoing_name(staging.job), errno);
    }
    if (gone) gone = journal_.forget_staging(staging);
    if (!gone) log::error("'{}': {}", log::printable(staging.directory), gone.error().text);
  }
  return Done{};
}

}  // namespace godwit::objects
