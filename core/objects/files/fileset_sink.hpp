// FilesetSink: a tree of files at its destination: made out of sight, then shown at once.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "objects/files/file_roots.hpp"
#include "objects/files/file_volume.hpp"
#include "objects/source.hpp"

namespace godwit::objects {

// The directory in which a job's trees are made, next to where they will be.
std::string incoming_name(const Id& job);

// The directory of what a job brings to one place. It goes when the last of its trees has been shown or dropped.
class IncomingDirectory {
 public:
  // Makes it, noted in the journal first so that a restart finds it. Errors: kDenied, kNoSpace, kIo, the journal's.
  static Result<std::shared_ptr<IncomingDirectory>> make(journal::Journal& journal, const Id& job, FileUserPtr user,
                                                         RootedDirectory place);
  // Opens the one that was made before a restart. It may have gone.
  static std::shared_ptr<IncomingDirectory> find(journal::Journal& journal, const Id& job, FileUserPtr user,
                                                 RootedDirectory place);

  // Whose rights all that is done here is done with.
  const FileUserPtr& user() const { return user_; }

  const RootedDirectory& place() const { return place_; }
  int fd() const { return fd_.get(); }
  // That tells it from any other of its file system; 0: it is not there. Less than 2^60.
  uint64_t inode() const;
  // One more tree is made here; one has been shown or dropped.
  void enter() { ++trees_; }
  void leave();

 private:
  IncomingDirectory(journal::Journal& journal, const Id& job, FileUserPtr user, RootedDirectory place)
      : journal_(journal), job_(job), user_(std::move(user)), place_(std::move(place)) {}

  journal::Journal& journal_;
  const Id job_;
  const FileUserPtr user_;
  const RootedDirectory place_;
  UniqueFd fd_;
  uint32_t trees_ = 0;
};

class SinkFiles;

// One thread at a time, but for the queues of its volume.
class FilesetSink final : public Sink {
 public:
  // What has to be done at `place` for `files`, to which is appended what stays there (update.hpp); changes nothing.
  struct Plan {
    bool replaces = false;
    std::vector<bool> wanted = {};  // By entry; empty: all.
  };
  // With the rights of the calling thread. Errors: as make().
  static Result<Plan> plan(const RootedDirectory& place, model::Fileset& files, bool update);
  // Makes the tree, without its data: directories, links and files that are empty. With `update`, a tree of that name that is
  // there already gives what is the same: wanted() tells what is not. Errors: kExists, without `update` or where the two tops
  // are of different kinds; kDenied; kNoSpace, also where the data would not fit; kIo; then nothing is left.
  static Result<std::unique_ptr<FilesetSink>> make(std::shared_ptr<IncomingDirectory> incoming, model::Fileset files,
                                                   bool update, std::shared_ptr<FileVolume> volume);
  // After a restart, of a tree that was whole.
  FilesetSink(std::shared_ptr<IncomingDirectory> incoming, const journal::JobObject& object);
  // After a restart, of one that was not: `listing` is note_unfinished()'s. begin_attempt() follows. Errors: kNotFound, what
  // was made is not there any more; kDenied, kIo; kProtocol.
  static Result<std::unique_ptr<FilesetSink>> find(std::shared_ptr<IncomingDirectory> incoming,
                                                   std::span<const std::byte> listing, std::shared_ptr<FileVolume> volume);
  ~FilesetSink() override;

  std::string describe() const override;
  // After a restart: whether what was promised is where it arrived.
  bool has_arrived() const;
  Storage storage() const override { return {volume_.get(), extent_}; }
  std::optional<journal::RegionRecord> record() const override { return std::nullopt; }
  Result<> begin_attempt(std::span<const Extent> landed) override;
  std::vector<bool> wanted() const override { return wanted_; }
  // Once more after begin_attempt(): nothing, if it was whole before.
  Result<> finish() override;
  void note(journal::JobObject& object) const override;
  Result<> note_unfinished(std::vector<std::byte>& listing) const override;
  void adopt() override;
  void drop() override;

 private:
  FilesetSink(std::shared_ptr<IncomingDirectory> incoming, std::string name)
      : incoming_(std::move(incoming)), name_(std::move(name)) {}
  uint64_t top_inode(int directory) const;
  // Puts it in its place. Whether its directory can go.
  bool show() const;

  const std::shared_ptr<IncomingDirectory> incoming_;
  const std::string name_;
  bool replaces_ = false;             // A tree of that name, which it exchanges its place with.
  uint64_t inode_ = 0;                // Of the new top, once all is there: tells it from the one that it replaces.
  std::shared_ptr<SinkFiles> files_;  // Null after a restart.
  std::shared_ptr<FileVolume> volume_;
  Extent extent_;
  std::vector<bool> wanted_;
};

}  // namespace godwit::objects
