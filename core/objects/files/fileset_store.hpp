// FilesetStore: filesets that leave this node and come to it, below the directories that its operator allows.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "objects/files/fileset_sink.hpp"
#include "objects/files/fileset_source.hpp"
#include "objects/permissions.hpp"

namespace godwit::objects {

// Thread-safe. What is done for a job is done with the rights of whoever `permissions` has as its owner.
class FilesetStore {
 public:
  // `permissions` stay as long as this.
  FilesetStore(std::vector<FileRoot> roots, journal::Journal& journal, const Permissions& permissions)
      : roots_(std::move(roots)), journal_(journal), permissions_(permissions) {}

  // As FilesetSource::open() and FileUser::find(): all filesets of a job share one volume, made with the first.
  Result<std::unique_ptr<Source>> open(const Id& job, const std::string& path, FilesetOptions& options,
                                       std::shared_ptr<FileVolume>& volume, const std::atomic<bool>& cancelled);

  // What a job brings to one directory.
  struct Reception {
    std::shared_ptr<IncomingDirectory> incoming;
    std::shared_ptr<FileVolume> volume;
  };
  // Errors: as FileUser::find(), FileRoots::open() and IncomingDirectory::make(). To be ended by end_reception() once all sinks
  // are made.
  Result<Reception> begin_reception(const Id& job, const std::string& directory);
  // Errors: as FilesetSink::make().
  Result<std::unique_ptr<FilesetSink>> expect(const Reception& reception, model::Fileset files, bool update);
  // If nothing is expected there, its directory goes.
  void end_reception(const Reception& reception) { reception.incoming->leave(); }

  // Whether the operator lets the directory at `path` be written. Errors: as FileRoots::open().
  Result<> check_writable(const std::string& path) const;
  // What expect() would want, by entry (empty: all); changes nothing. Errors: as begin_reception() and expect().
  Result<std::vector<bool>> look(const Id& job, const std::string& directory, model::Fileset files, bool update) const;

  // After a restart, what the journal's jobs had handed over. Errors: those of FileUser::find() and FileRoots::open(): its
  // directory is not to be had now; nothing has changed.
  Result<std::unique_ptr<Source>> open_again(const Id& job, const journal::JobObject& object, bool may_be_gone);
  // The same of what had been promised, or is owned here. Errors: those of FileUser::find() and FileRoots::open(); kNotFound,
  // what was promised is not there.
  Result<std::vector<std::unique_ptr<Sink>>> expect_again(const journal::InboundJob& job);
  // The same of a job that was receiving: `listings`, by object, are note_unfinished()'s. Errors also: as FilesetSink::find().
  Result<std::vector<std::unique_ptr<Sink>>> find_unfinished(const journal::InboundJob& job,
                                                             std::span<const std::vector<std::byte>> listings);
  // What jobs left that are not `known` (any more): incoming trees are removed, outgoing ones put back. A directory that is not
  // to be had is tried again at the next start. Errors: the journal's.
  Result<> sweep(const std::function<bool(const journal::StagingRecord&)>& known);

 private:
  Result<FileUserPtr> user_of(const Id& job) const;
  // For what has to be ended. One whom this node does not know any more ends it as the owner of what is his, and no more.
  Result<FileUserPtr> last_known_user_of(const Id& job) const;
  Result<> sweep_one(const journal::StagingRecord& staging, const RootedDirectory& place, const FileUserPtr& user);

  const FileRoots roots_;
  journal::Journal& journal_;
  const Permissions& permissions_;
};

}  // namespace godwit::objects
