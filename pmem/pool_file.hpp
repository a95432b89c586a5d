// PoolFile: the open and locked file or device of a pool, and the space that its file system has promised.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "pmem/pool_header.hpp"
#include "pmem/target.hpp"
#include "pmem/unique_fd.hpp"

namespace godwit::pmem {

// The lock lasts as long as the object. Offsets are in the target: the header is added here.
class PoolFile {
 public:
  // Opens the pool file, or makes it where there is none: never half of one, whenever the machine stops.
  // Errors: kCorrupt, kBusy, kNoSpace, kIo, kConfig (see open_target()).
  static Result<PoolFile> open(const TargetSettings& settings);
  // Opens and locks a devdax device; its header is read and written through its mapping, not here.
  // Errors: kBusy, kIo, kConfig, smaller than the capacity asked for.
  static Result<PoolFile> open_device(const TargetSettings& settings);
  // Whether `path` is a character device (devdax).
  static bool is_device(const std::string& path);

  int fd() const { return fd_.get(); }
  bool is_device() const { return device_bytes_ != 0; }
  uint64_t device_bytes() const { return device_bytes_; }  // 0: a file.
  // Of a file; of a device nothing yet.
  const PoolHeader& header() const { return header_; }

  // The file system promises the extent's blocks: later writes, also through a mapping, cannot fail for want of space.
  // What was written there before stays if `contents` is kKept; where the file system cannot allocate, that costs the
  // promise, and kUndefined costs a write of zeros. On failure the extent's blocks may or may not be there.
  // Errors: kNoSpace, kIo.
  enum class Contents { kUndefined, kKept };
  Result<> guarantee(Extent extent, Contents contents) const;
  // Gives the extent's blocks back; where that is not supported they stay. Errors: kIo.
  Result<> punch(Extent extent) const;

 private:
  PoolFile(UniqueFd fd, PoolHeader header, uint64_t device_bytes, std::string path)
      : fd_(std::move(fd)), header_(header), device_bytes_(device_bytes), path_(std::move(path)) {}

  static Result<PoolFile> open_existing(UniqueFd fd, const TargetSettings& settings);

  UniqueFd fd_;
  PoolHeader header_;
  uint64_t device_bytes_;
  std::string path_;
};

// "WHAT 'PATH': ..." for an errno. A missing directory is kIo: no region or target is meant by it.
Error pool_error(std::string_view what, const std::string& path, int number);

// Reads or writes all of it at this offset of the file; blocks. Errors: kIo, kNoSpace; a file that ends early is kIo.
Result<> read_fully(int fd, std::span<std::byte> bytes, uint64_t file_offset_bytes, const std::string& path);
Result<> write_fully(int fd, std::span<const std::byte> bytes, uint64_t file_offset_bytes, const std::string& path);

}  // namespace godwit::pmem
