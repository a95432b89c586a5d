#include "hdf5/region_file.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace godwit::hdf5 {
namespace {

struct IdLess {
  bool operator()(const RegionId& a, const RegionId& b) const { return a.high != b.high ? a.high < b.high : a.low < b.low; }
};

bool same(const RegionId& a, const RegionId& b) { return a.high == b.high && a.low == b.low; }

// The error again, with what it was about.
[[noreturn]] void rethrow(const std::string& about, const Error& error) {
  throw Error(error.code(), about + ": " + error.what());
}

std::string file_named(const std::string& name) { return "HDF5 file '" + name + "'"; }

void erase_if_there(const Region& region) {
  try {
    region.erase();
  } catch (const Error& error) {
    if (error.code() != GODWIT_ERR_NOT_FOUND) throw;
  }
}

}  // namespace

Config Config::from(const godwit_hdf5_config* config) {
  if (config == nullptr) throw Error(GODWIT_ERR_INVALID, "config is NULL");
  if (config->address == nullptr || *config->address == '\0') throw Error(GODWIT_ERR_INVALID, "config has no address");
  return {config->address, config->target == nullptr ? "" : config->target, config->client};
}

RegionFile::RegionFile(Client client, std::string name, Region head_region, const Head& head)
    : client_(std::move(client)),
      name_(std::move(name)),
      id_(head_region.id()),
      head_region_(std::move(head_region)),
      head_(head) {
  for (size_t i = 0; i < kExtentsMax; ++i)
    if (!is_zero(head_.extents[i])) stale_end_bytes_ = extent_at(i).end_bytes();
  head_says_bytes_ = head_.file_bytes;
  head_.id = id_;
}

RegionFile RegionFile::open(const Config& config, const std::string& name) {
  try {
    Client client(config.client);
    Region region = client.region(config.address, name);
    if (region.size() != kHeadBytes) throw Error(GODWIT_ERR_CORRUPT, "this region is not the head of an HDF5 file");
    std::array<std::byte, kHeadBytes> bytes;
    region.read(0, bytes.data(), bytes.size());
    const Head head = decode(bytes);
    if (!is_zero(head.id) && !same(head.id, region.id()))
      throw Error(GODWIT_ERR_CORRUPT, "this region is a copy of the head of another HDF5 file, which has the extents: region " +
                                          to_string(head.id));
    return RegionFile(std::move(client), name, std::move(region), head);
  } catch (const Error& error) {
    rethrow(file_named(name) + " at " + config.address, error);
  }
}

RegionFile RegionFile::create(const Config& config, const std::string& name, WhenThere when_there) {
  try {
    if (config.target.empty()) throw Error(GODWIT_ERR_INVALID, "config has no target to make a file on");
    Client client(config.client);
    const Target target = client.target(config.address, config.target);
    if (when_there == WhenThere::kReplace) {
      try {
        erase(config, name);
      } catch (const Error& error) {
        if (error.code() != GODWIT_ERR_NOT_FOUND) throw;
      }
    }
    Head head;
    head.generation = 1;
    std::array<std::byte, kHeadBytes> bytes{};
    std::ranges::copy(encode(head), bytes.begin() + static_cast<ptrdiff_t>(slot_offset(head.generation)));
    Region region = target.create(bytes.data(), bytes.size(), name);
    return RegionFile(std::move(client), name, std::move(region), head);
  } catch (const Error& error) {
    rethrow("making " + file_named(name) + " at " + config.address, error);
  }
}

void RegionFile::erase(const Config& config, const std::string& name) {
  RegionFile file = open(config, name);
  try {
    file.erase_all();
  } catch (const Error& error) {
    rethrow("erasing " + file_named(name), error);
  }
}

// The head last: as long as it is there, a second attempt finds the rest.
void RegionFile::erase_all() {
  for (size_t i = 0; i < kExtentsMax; ++i) {
    if (is_zero(head_.extents[i])) continue;
    try {
      region_of(i).erase();
    } catch (const Error& error) {
      if (error.code() != GODWIT_ERR_NOT_FOUND) throw;
    }
  }
  // And one that the head does not name: its writer died before it could.
  const std::string address = head_region_.info().address;
  for (const RegionInfo& info : client_.regions(address))
    if (std::string(info.name).starts_with(extent_prefix(id_))) erase_if_there(client_.region(address, info.id));
  head_region_.erase();
}

const Region& RegionFile::region_of(size_t index) {
  Extent& extent = extents_[index];
  if (!extent.region) {
    const std::string address = head_region_.info().address;  // The file may have moved since it was opened.
    try {
      extent.region = client_.region(address, head_.extents[index]);
    } catch (const Error& error) {
      if (error.code() != GODWIT_ERR_NOT_FOUND) throw;
      throw Error(GODWIT_ERR_NOT_FOUND, "extent " + std::to_string(index) + " of " + file_named(name_) + ", region " +
                                            to_string(head_.extents[index]) + ", is not at " + address +
                                            ", where its head is: it was erased, or stayed behind in a migration");
    }
  }
  return *extent.region;
}

void RegionFile::make_extent(const ExtentRange& range, const void* data) {
  const RegionInfo head = head_region_.info();
  const Target target = client_.target(head.address, head.target);
  const std::string name = extent_name(id_, range.index);
  const auto make = [&] {
    return data == nullptr ? target.create(range.size_bytes, name) : target.create(data, range.size_bytes, name);
  };
  Extent& extent = extents_[range.index];
  try {
    extent.region = make();
  } catch (const Error& error) {
    if (error.code() != GODWIT_ERR_EXISTS) throw;
    // The head does not name it: who made it for this file died before it could write the head.
    erase_if_there(client_.region(head.address, name));
    extent.region = make();
  }
  extent.dirty_begin = 0;
  extent.dirty_end = data == nullptr ? 0 : range.size_bytes;
  head_.extents[range.index] = extent.region->id();
  names_are_dirty_ = true;
}

void RegionFile::write_head(uint64_t file_bytes) {
  Head next = head_;
  next.generation += 1;
  next.file_bytes = file_bytes;
  const auto slot = encode(next);
  const uint64_t offset = slot_offset(next.generation);
  head_region_.write(offset, slot.data(), slot.size());
  head_region_.persist(offset, slot.size());
  head_.generation = next.generation;
  head_says_bytes_ = file_bytes;
  names_are_dirty_ = false;
}

void RegionFile::read(uint64_t address_bytes, void* data, uint64_t length_bytes) {
  auto* out = static_cast<std::byte*>(data);
  const uint64_t there = address_bytes >= head_.file_bytes ? 0 : std::min(length_bytes, head_.file_bytes - address_bytes);
  uint64_t done = 0;
  while (done < there) {
    const ExtentRange range = extent_holding(address_bytes + done);
    const uint64_t offset = address_bytes + done - range.begin_bytes;
    const uint64_t length = std::min(there - done, range.size_bytes - offset);
    if (is_zero(head_.extents[range.index]))
      std::fill_n(out + done, length, std::byte{});
    else
      region_of(range.index).read(offset, out + done, length);
    done += length;
  }
  std::fill_n(out + done, length_bytes - done, std::byte{});
}

void RegionFile::write_part(const ExtentRange& range, uint64_t offset_bytes, const std::byte* data, uint64_t length_bytes) {
  if (is_zero(head_.extents[range.index])) {
    const bool is_whole = length_bytes == range.size_bytes;
    make_extent(range, is_whole ? data : nullptr);
    if (is_whole) return;
  }
  Extent& extent = extents_[range.index];
  const bool was_clean = extent.dirty_begin == extent.dirty_end;
  // Before the write: one that fails may have written some.
  extent.dirty_begin = was_clean ? offset_bytes : std::min(extent.dirty_begin, offset_bytes);
  extent.dirty_end = was_clean ? offset_bytes + length_bytes : std::max(extent.dirty_end, offset_bytes + length_bytes);
  region_of(range.index).write(offset_bytes, data, length_bytes);
}

void RegionFile::write(uint64_t address_bytes, const void* data, uint64_t length_bytes) {
  if (length_bytes == 0) return;
  if (address_bytes > kFileBytesMax || length_bytes > kFileBytesMax - address_bytes)
    throw Error(GODWIT_ERR_LIMIT, file_named(name_) + " cannot have more than " + std::to_string(kFileBytesMax) + " bytes");
  clear_until(address_bytes);
  stale_end_bytes_ = std::max(stale_end_bytes_, address_bytes + length_bytes);  // Of a write that fails some may be there.
  // Head first, and rounded up, so that it is not written each time that the file grows a little.
  const uint64_t announced = std::min(announced_bytes_, kFileBytesMax);
  if (announced > head_says_bytes_) write_head(extent_holding(announced - 1).end_bytes());
  const auto* in = static_cast<const std::byte*>(data);
  for (uint64_t done = 0; done < length_bytes;) {
    const ExtentRange range = extent_holding(address_bytes + done);
    const uint64_t offset = address_bytes + done - range.begin_bytes;
    const uint64_t length = std::min(length_bytes - done, range.size_bytes - offset);
    write_part(range, offset, in + done, length);
    done += length;
  }
  head_.file_bytes = std::max(head_.file_bytes, address_bytes + length_bytes);
  if (names_are_dirty_ || head_.file_bytes > head_says_bytes_) write_head(std::max(head_.file_bytes, head_says_bytes_));
}

void RegionFile::clear_until(uint64_t size_bytes) {
  const uint64_t end = std::min(size_bytes, stale_end_bytes_);
  const std::vector<std::byte> zeros(end > head_.file_bytes ? std::min(end - head_.file_bytes, kFirstExtentBytes) : 0);
  for (uint64_t at = head_.file_bytes; at < end;) {
    const ExtentRange range = extent_holding(at);
    const uint64_t length = std::min({uint64_t{zeros.size()}, end - at, range.end_bytes() - at});
    if (!is_zero(head_.extents[range.index])) write_part(range, at - range.begin_bytes, zeros.data(), length);
    at += length;
  }
}

void RegionFile::truncate(uint64_t size_bytes) {
  if (size_bytes == head_.file_bytes) return;
  if (size_bytes > kFileBytesMax)
    throw Error(GODWIT_ERR_LIMIT, file_named(name_) + " cannot have more than " + std::to_string(kFileBytesMax) + " bytes");
  clear_until(size_bytes);
  const size_t kept = size_bytes == 0 ? 0 : extent_holding(size_bytes - 1).index + 1;
  for (size_t i = kept; i < kExtentsMax; ++i) {
    if (is_zero(head_.extents[i])) continue;
    cut_off_.push_back(client_.region(head_region_.info().address, head_.extents[i]));
    head_.extents[i] = RegionId{};
    extents_[i] = Extent{};
    names_are_dirty_ = true;
  }
  const uint64_t kept_end = kept == 0 ? 0 : extent_at(kept - 1).end_bytes();
  stale_end_bytes_ = std::min(std::max(stale_end_bytes_, head_.file_bytes), kept_end);
  head_.file_bytes = size_bytes;
}

void RegionFile::flush() {
  // Bytes before the head: what a head names is there.
  for (size_t i = 0; i < kExtentsMax; ++i) {
    Extent& extent = extents_[i];
    if (extent.dirty_begin == extent.dirty_end) continue;
    region_of(i).persist(extent.dirty_begin, extent.dirty_end - extent.dirty_begin);
    extent.dirty_begin = extent.dirty_end = 0;
  }
  if (names_are_dirty_ || head_says_bytes_ != head_.file_bytes) write_head(head_.file_bytes);
  while (!cut_off_.empty()) {
    erase_if_there(cut_off_.back());
    cut_off_.pop_back();
  }
}

void RegionFile::migrate(const std::string& destination, const std::string& target, const godwit_migrate_options& options) {
  if (options.copy != 0) throw Error(GODWIT_ERR_INVALID, "an HDF5 file is moved, not copied: export it to copy it");
  if (options.name != nullptr) throw Error(GODWIT_ERR_INVALID, "an HDF5 file keeps its name when it moves");
  std::set<RegionId, IdLess> arrived;
  for (const RegionInfo& info : client_.target(destination, target).regions()) arrived.insert(info.id);

  const auto move = [&](const std::string& from, const std::vector<RegionId>& ids) {
    const int error = godwit_migrate(client_.c_handle(), from.c_str(), ids.data(), ids.size(), destination.c_str(),
                                     target.c_str(), &options, nullptr, nullptr);
    if (error != GODWIT_OK) throw Error(error, "moving " + file_named(name_) + ": " + godwit_last_error());
  };
  std::map<std::string, std::vector<RegionId>> extents_by_node;  // More than one after a migration that some did not survive.
  for (size_t i = 0; i < kExtentsMax; ++i)
    if (!is_zero(head_.extents[i]) && !arrived.contains(head_.extents[i]))
      extents_by_node[region_of(i).info().address].push_back(head_.extents[i]);
  for (const auto& [from, ids] : extents_by_node) move(from, ids);
  // The head last: where it is, all extents are found, either there or by following them from there.
  if (!arrived.contains(id_)) move(head_region_.info().address, {id_});

  head_region_ = client_.region(destination, id_);
  for (Extent& extent : extents_) extent = Extent{};
}

void RegionFile::for_each_part(const std::function<void(const ExtentRange& range, uint64_t length_bytes)>& each) const {
  for (size_t i = 0; i < kExtentsMax; ++i) {
    const ExtentRange range = extent_at(i);
    if (range.begin_bytes >= head_.file_bytes) break;
    if (!is_zero(head_.extents[i])) each(range, std::min(range.size_bytes, head_.file_bytes - range.begin_bytes));
  }
}

}  // namespace godwit::hdf5
