// FilesetSource: a tree of files at its source.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "objects/files/file_roots.hpp"
#include "objects/files/file_volume.hpp"
#include "objects/files/walk.hpp"
#include "objects/source.hpp"

namespace godwit::objects {

struct FilesetOptions {
  WalkOptions walk = {};
  bool move = false;   // Remove it at the source once the destination has it.
  bool force = false;  // Read files that are open for writing.
};

// The directory into which a job moves trees out of sight before it removes them, in the directory where they are.
std::string outgoing_name(const Id& job);

class SourceFiles;

class FilesetSource final : public Source {
 public:
  // Walks the tree at `path`, with the rights of `user`, as all that is done with it. Its data are added to `volume` once the
  // destination has accepted it. What its listing takes is taken off `options`, for the job's next. Errors: as
  // FileRoots::open() and walk(); kInvalid, "/" or a move that would leave something out; kExists, the journal's.
  static Result<std::unique_ptr<FilesetSource>> open(const FileRoots& roots, journal::Journal& journal, const Id& job,
                                                     FileUserPtr user, const std::string& path, FilesetOptions& options,
                                                     std::shared_ptr<FileVolume>& volume, const std::atomic<bool>& cancelled);
  // After a restart: one whose move had been decided, out of sight. `may_be_gone`: its removal had begun; where nothing is left
  // of it, there is nothing to do for it. Errors: as FileRoots::open() and open_private(); kNotFound, its place is not there
  // and has to be; the journal's.
  static Result<std::unique_ptr<FilesetSource>> open_again(const FileRoots& roots, journal::Journal& journal, const Id& job,
                                                           FileUserPtr user, const journal::JobObject& object,
                                                           bool may_be_gone);
  ~FilesetSource() override;

  ObjectKind kind() const override { return ObjectKind::kFileset; }
  std::string describe() const override;
  uint64_t size_bytes() const override;
  Storage storage() const override { return {volume_.get(), extent_.value_or(Extent{})}; }
  journal::JobObject manifest() const override;
  std::optional<journal::RegionRecord> record() const override { return std::nullopt; }
  std::optional<journal::MovedRecord> moved_record(const Moved&) const override { return std::nullopt; }
  Result<std::vector<std::byte>> listing() const override;
  std::vector<PlannedFile> planned(const std::vector<bool>& wanted) const override;
  void accepted(const std::vector<bool>& wanted) override;
  Result<> quiesce(Deadline) override { return Done{}; }
  // A move: takes the tree out of sight, and looks whether it still is what was read. Errors: kChanged; kDenied; kIo; then it
  // is back in its place.
  Result<> stop(Deadline deadline) override;
  void resume() override;
  void finish_move(const Moved& moved) override;

 private:
  FilesetSource(journal::Journal& journal, const Id& job, FileUserPtr user, RootedDirectory directory, std::string name);
  Result<> hide();
  void leave_outgoing();
  void forget_outgoing();

  journal::Journal& journal_;
  const Id job_;
  const FileUserPtr user_;
  const Id id_ = random_id();
  const std::shared_ptr<RootedDirectory> directory_;  // Where it is.
  const std::string name_;                            // There.
  bool hidden_ = false;
  UniqueFd outgoing_;                   // Where it is hidden; none before, nor where it is gone.
  std::shared_ptr<SourceFiles> files_;  // Null after a restart.
  std::shared_ptr<FileVolume> volume_;
  std::optional<Extent> extent_;  // Of what travels, in the volume; none before the destination has accepted it.
};

// After a restart: puts back what a job that was not decided had taken out of sight. What cannot be put back, because there is
// something of that name again, stays there; the log says so.
void put_back_outgoing(int directory, const std::string& shown, const Id& job, const FileUserPtr& user);
// The directory of the outgoing, which must be empty; no error if it is not there. Errors: kDenied, kIo.
Result<> remove_outgoing(int directory, const Id& job, const FileUserPtr& user);

}  // namespace godwit::objects
