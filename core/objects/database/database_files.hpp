// DatabaseFiles: the files of a database at its destination, in one directory, which is ours alone.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "base/extent.hpp"
#include "model/fileset.hpp"
#include "objects/files/file_volume.hpp"

namespace godwit::objects {

// What the volume's queues write, and read back. Thread-safe, but for find(), which comes before all else.
class DatabaseFiles final : public VolumeFiles {
 public:
  // `path` is that of `directory`.
  DatabaseFiles(UniqueFd directory, std::string path, model::Fileset its_files)
      : files(std::move(its_files)),
        directory_(std::move(directory)),
        path_(std::move(path)),
        is_found_(files.entries.size(), false) {}

  const model::Fileset files;

  // The directory is that of an earlier attempt: those of its files that `files` name stay, and get the size that they are to
  // have; all else in it goes. The runs that hold something, in the data of all `files` one after the other: sorted, none
  // beside another. What they hold may be anything. `by_others`: another process wrote them; then they are read from the
  // medium, which may have lost what that one was told of. Blocks for the disk. Errors: kDenied, kNoSpace, kIo.
  Result<std::vector<Extent>> find(bool by_others);

  std::string describe(uint32_t entry) const override;
  Result<UniqueFd> open(uint32_t entry, pmem::Io::Direction direction) override;
  Result<> finished(uint32_t, int, pmem::Io::Direction) override { return Done{}; }

  // Those without data, which are in no volume, of the entries that `comes` says yes of. Errors: as create().
  Result<> make_empty(const std::vector<bool>& comes) const;
  // Nothing there: no error. Errors: kDenied, kIo.
  Result<> remove(uint32_t entry) const;
  // Every byte and name is on the medium. Blocks. Errors: kIo; kNotFound, a file has gone.
  Result<> make_durable() const;
  // From here on what is read comes from the medium, where there is one.
  void are_complete() { is_complete_ = true; }

 private:
  Result<UniqueFd> create(uint32_t entry) const;
  Result<UniqueFd> look(uint32_t entry, int flags) const;
  bool can_stay(uint32_t entry) const;

  const UniqueFd directory_;
  const std::string path_;
  std::vector<bool> is_found_;  // By entry; constant after find().
  std::atomic<bool> is_complete_{false};
};

}  // namespace godwit::objects
