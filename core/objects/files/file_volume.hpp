// FileVolume: the bytes of a job's files as one run, file after file; holes are left out.
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "model/fileset.hpp"
#include "objects/files/beneath.hpp"
#include "objects/files/file_user.hpp"
#include "pmem/fd_queue.hpp"
#include "pmem/volume.hpp"

namespace godwit::objects {

// The files of one fileset, as the volume needs them. Thread-safe: several streams open different files at once; the volume
// sees to it that one file is opened and closed by one thread at a time.
class VolumeFiles {
 public:
  virtual ~VolumeFiles() = default;
  // "'/scratch/run/a'", for errors.
  virtual std::string describe(uint32_t entry) const = 0;
  // Errors: those of the file.
  virtual Result<UniqueFd> open(uint32_t entry, pmem::Io::Direction direction) = 0;
  // The last of its bytes has been read or written, and nobody uses `fd` any more; again whenever more is done with it then.
  // Errors: those of the file; what was read or written last then counts as failed.
  virtual Result<> finished(uint32_t entry, int fd, pmem::Io::Direction direction) = 0;
};

// Thread-safe once all is added.
class FileVolume final : public pmem::Volume {
 public:
  // `mode`: how its queues do their operations. `job`: what they are for; all bytes of a file gone this way, it is finished.
  // `user`: whose rights they are done with: who writes may run into a quota, or into the blocks that are kept for root.
  FileVolume(pmem::FdQueue::Mode mode, pmem::Io::Direction job, FileUserPtr user = nullptr)
      : mode_(mode), job_(job), user_(std::move(user)) {}
  // How the files of the directory `fd` are read and written best.
  static pmem::FdQueue::Mode mode_for(int fd);

  // Before the first queue: adds the data of those entries of the fileset but those that `wanted` says no of. Both stay
  // as long as the volume. The run of them within the volume.
  Extent add(std::shared_ptr<VolumeFiles> files, const model::Fileset& fileset, const std::vector<bool>& wanted);

  // While there is no queue: of the fileset at `extent` only the runs `landed`, which do not overlap, have been written; the
  // rest will be, perhaps once more. Errors: of files that are finished by that.
  Result<> begin_again(Extent extent, std::span<const Extent> landed);

  std::string describe() const override { return "the files"; }
  bool survives_restart() const override { return true; }
  std::span<std::byte> memory(Extent) override { return {}; }
  std::string why_no_memory() const override { return "files are read and written through the page cache"; }
  // Files are made durable all at once by their sink.
  Result<pmem::Durable> persist(Extent extent) override { return durable(extent); }
  Result<std::unique_ptr<pmem::IoQueue>> open_queue(uint32_t depth) override;

 private:
  friend class FileVolumeQueue;
  // A run of data of one file; ends where the next begins.
  struct Run {
    uint64_t offset_bytes;  // In the volume.
    uint64_t file_offset_bytes;
    uint32_t fileset;
    uint32_t entry;
  };
  struct OpenFile {
    UniqueFd fd;
    uint32_t users = 0;
    uint64_t left_bytes = 0;
  };
  struct Files {
    std::shared_ptr<VolumeFiles> files;
    std::vector<OpenFile> open;  // By entry.
  };

  size_t run_at(uint64_t offset_bytes) const;
  uint64_t end_of(size_t run) const { return run + 1 < runs_.size() ? runs_[run + 1].offset_bytes : length_bytes_; }
  Result<int> enter(const Run& run, pmem::Io::Direction direction);
  Result<> leave(const Run& run, uint64_t bytes, pmem::Io::Direction direction);
  std::mutex& lock_of(const Run& run) { return locks_[(run.entry + run.fileset) % locks_.size()]; }

  const pmem::FdQueue::Mode mode_;
  const pmem::Io::Direction job_;
  const FileUserPtr user_;
  std::vector<Run> runs_;
  uint64_t length_bytes_ = 0;
  std::vector<Files> filesets_;
  std::array<std::mutex, 64> locks_;  // Each guards the OpenFiles of some entries.
};

}  // namespace godwit::objects
