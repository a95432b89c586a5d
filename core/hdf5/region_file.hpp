// RegionFile: a file of bytes in regions, which grows, is cut, flushed, moved and erased. It knows nothing of HDF5.
#pragma once

#include <godwit/godwit_hdf5.h>

#include <array>
#include <cstdint>
#include <functional>
#include <godwit/godwit.hpp>
#include <optional>
#include <string>
#include <vector>

#include "hdf5/layout.hpp"

namespace godwit::hdf5 {

// One's own copy of a godwit_hdf5_config.
struct Config {
  // Throws Error: GODWIT_ERR_INVALID, a NULL, or no address.
  static Config from(const godwit_hdf5_config* config);

  std::string address;
  std::string target;  // Empty: none.
  godwit_client_options client = GODWIT_CLIENT_OPTIONS_INIT;
};

// One thread. Methods block, and throw Error with what libgodwit says; nothing is flushed unless flush() says so.
class RegionFile {
 public:
  // Errors: NOT_FOUND; CORRUPT and VERSION as decode(), and: a copy of a head.
  static RegionFile open(const Config& config, const std::string& name);
  // An empty file; kReplace: in the place of the file of that name, if there is one.
  // Errors: EXISTS, a region has that name; NO_SPACE; NOT_FOUND (the target) and INVALID, config has no target: the file that
  // was there stays. kReplace: as open(), but for NOT_FOUND.
  enum class WhenThere { kFail, kReplace };
  static RegionFile create(const Config& config, const std::string& name, WhenThere when_there);
  // Errors: as open().
  static void erase(const Config& config, const std::string& name);
  // With all extents, also those made since the last flush. Use the file no more.
  void erase_all();

  const std::string& name() const { return name_; }
  const RegionId& id() const { return id_; }
  uint64_t size_bytes() const { return head_.file_bytes; }

  // What was never written, and what is beyond the end, reads as zeros. Errors: NOT_FOUND, an extent is gone.
  void read(uint64_t address_bytes, void* data, uint64_t length_bytes);
  // From now on the file may say of itself that it has so many bytes (HDF5's superblock does): whatever dies then, it is found
  // to have at least as many. No communication.
  void announce(uint64_t size_bytes) { announced_bytes_ = size_bytes; }
  // The file grows as far as needed. What was written is found by whoever opens the file after this program died.
  // Errors: NO_SPACE; LIMIT, beyond kFileBytesMax.
  void write(uint64_t address_bytes, const void* data, uint64_t length_bytes);
  // Cuts the file, or lets it grow by zeros that take no space. Errors: LIMIT.
  void truncate(uint64_t size_bytes);
  // What was written before is durable. Only then is what was cut off erased. Can be repeated after an error.
  void flush();
  // Moves a file that is flushed. Errors: as godwit_migrate(); INVALID, the options ask for a copy or give a name.
  void migrate(const std::string& destination, const std::string& target, const godwit_migrate_options& options);
  // Calls `each` for the parts that have an extent, in their order.
  void for_each_part(const std::function<void(const ExtentRange& range, uint64_t length_bytes)>& each) const;

 private:
  struct Extent {
    std::optional<Region> region;             // Opened when it is first used.
    uint64_t dirty_begin = 0, dirty_end = 0;  // Written and not persisted, in the extent; equal: nothing.
  };

  RegionFile(Client client, std::string name, Region head_region, const Head& head);

  // The handle of an extent that the head has.
  const Region& region_of(size_t index);
  // Makes the extent, where the head is now: of zeros, or of `data` if that is not NULL.
  void make_extent(const ExtentRange& range, const void* data);
  // Durably. The two slots are written by turns: the other one is durable already.
  void write_head(uint64_t file_bytes);
  void write_part(const ExtentRange& range, uint64_t offset_bytes, const std::byte* data, uint64_t length_bytes);
  // Before the file grows to `size_bytes`: what an earlier, longer file left there is overwritten with zeros.
  void clear_until(uint64_t size_bytes);

  Client client_;
  const std::string name_;
  RegionId id_;
  Region head_region_;
  Head head_;
  bool names_are_dirty_ = false;  // The head on its target has other extents.
  uint64_t head_says_bytes_ = 0;  // The file's size in the head on its target.
  uint64_t announced_bytes_ = 0;
  // From the file's end to here its extents may hold bytes of before.
  uint64_t stale_end_bytes_ = 0;
  std::array<Extent, kExtentsMax> extents_;
  std::vector<Region> cut_off_;  // To be erased when the head on its target does not name them any more.
};

}  // namespace godwit::hdf5
