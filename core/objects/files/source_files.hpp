// SourceFiles: the files of a tree that was walked, opened to be read; each must still be what the walk saw.
#pragma once

#include <memory>
#include <string>

#include "objects/files/file_roots.hpp"
#include "objects/files/file_volume.hpp"
#include "objects/files/walk.hpp"

namespace godwit::objects {

// Which files are read all the same.
enum class Tolerance : uint8_t {
  kNone,
  kWriters,   // Those that somebody has open for writing; they must not change meanwhile.
  kNewNames,  // Those too that get further names, or lose some: a database's own, whose bytes stay.
};

// Thread-safe: constant.
class SourceFiles final : public VolumeFiles {
 public:
  // `directory`: that the tree is in. `user`: whose rights they are opened with.
  SourceFiles(std::shared_ptr<RootedDirectory> directory, Walked its_walked, Tolerance tolerance, FileUserPtr user = nullptr)
      : walked(std::move(its_walked)), directory_(std::move(directory)), tolerance_(tolerance), user_(std::move(user)) {}

  const Walked walked;

  std::string describe(uint32_t entry) const override;
  // Errors: kChanged, it is another file, has changed, or is open for writing; kDenied; kNotFound; kIo.
  Result<UniqueFd> open(uint32_t entry, pmem::Io::Direction direction) override;
  Result<> finished(uint32_t entry, int fd, pmem::Io::Direction direction) override;
  // That nobody has one of them open for writing now, the tree being in `directory`, unless they may have writers. What cannot
  // be opened is passed over. The calling thread acts as their user. Errors: kChanged.
  Result<> check_writers(int directory) const;

 private:
  Result<> check(uint32_t entry, int fd) const;
  Result<> check_writer(uint32_t entry, int fd) const;

  const std::shared_ptr<RootedDirectory> directory_;
  const Tolerance tolerance_;
  const FileUserPtr user_;
};

}  // namespace godwit::objects
