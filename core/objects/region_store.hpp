// RegionStore: the regions of this node by id and by name, and where those went that were here.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/deadline.hpp"
#include "base/id.hpp"
#include "base/result.hpp"
#include "journal/journal.hpp"
#include "objects/region.hpp"
#include "pmem/target.hpp"

namespace godwit::objects {

using RegionPtr = std::shared_ptr<Region>;

// A region that is not served here any more.
struct Moved {
  std::string address;
  std::string target;
  Id id = {};  // It keeps it; whoever asked by name needs it there.
};
// What a request for a region finds.
struct Lookup {
  RegionPtr region;  // Null: not here.
  Moved moved;       // Then: where it went; empty: unknown here.
};

// What a new region holds, before anybody can see it.
using Fill = std::function<Result<>(Region&)>;

// Thread-safe. Owns the targets and the regions' space; keeps the journal's catalogue in step for lasting targets.
class RegionStore {
 public:
  RegionStore(std::vector<std::unique_ptr<pmem::Target>> targets, journal::Journal& journal);

  // At start, before anything is served: the catalogue's regions, and where moved ones went.
  // Errors: kCorrupt, the catalogue and a pool do not fit each other (the text names both).
  Result<> load();

  // Errors: kNotFound.
  Result<pmem::Target*> target(const std::string& name) const;
  std::span<const std::unique_ptr<pmem::Target>> targets() const { return targets_; }
  uint64_t regions_on(const pmem::Target& target) const;

  // A new region, visible once `fill` has succeeded and, on a lasting target, its bytes and record are durable.
  // Blocks for the fill, and for the disk on lasting targets. Errors: kNoSpace; kExists, the name; kInvalid, the name;
  // those of `fill`, kIo, kPmem: then nothing is left.
  Result<RegionPtr> create(pmem::Target& target, std::string name, uint64_t size_bytes, const Fill& fill);
  Lookup find(const Id& id) const;
  Lookup find(const std::string& name) const;
  // Up to `limit` regions with ids above `after`, in their order; only those of `target` unless it is empty.
  std::vector<RegionPtr> list(const std::string& target, const Id& after, uint32_t limit) const;
  // Errors: kBusy, a job works on it; kTimeout; kIo.
  Result<> erase(const RegionPtr& region, Deadline deadline);

  // ---- a move's source

  // After the hand-over is journalled and the new owner has confirmed: requests are told where it went, the space is free.
  // `region` serves nobody and is pinned by `job`.
  void finish_move(const RegionPtr& region, const Id& job, const Moved& moved);

  // After a restart: the region of a job that has handed it over. It serves nobody; its space is kept. Errors: kCorrupt.
  Result<RegionPtr> keep_handed_over(const journal::JobObject& object, const Id& job);
  // It serves here (again): the job failed, or was a copy.
  void take_back(const RegionPtr& region);

  // ---- a destination

  // Space and name for a region to come. Errors: kNoSpace; kExists, the name or a region of that id (unless it is pinned
  // by the same job: a move within this node); kInvalid.
  Result<RegionPtr> expect(pmem::Target& target, const Id& job, const Id& id, uint64_t epoch, std::string name,
                           uint64_t size_bytes);
  // The same space again after a restart, from the journal. Errors: kCorrupt.
  Result<RegionPtr> expect_again(pmem::Target& target, const journal::JobObject& object, uint64_t epoch);
  // It arrived: served from now on. The journal has it.
  void adopt(const RegionPtr& region);
  // It did not: name and space are free.
  void drop(const RegionPtr& region);
  // The catalogue's record of it; empty target name: none is needed (dram).
  static std::optional<journal::RegionRecord> record_of(const Region& region);

 private:
  // Errors: kInvalid, kExists. `same`: a region that may have the name already.
  Result<> take_name_locked(const std::string& name, const Id& id);
  void free_name_locked(const Region& region);

  const std::vector<std::unique_ptr<pmem::Target>> targets_;
  journal::Journal& journal_;

  mutable std::mutex mutex_;  // Guards all below.
  std::map<Id, RegionPtr> regions_;
  std::map<Id, RegionPtr> incoming_;
  std::unordered_map<std::string, Id> names_;  // Of regions and of those to come.
  std::unordered_map<Id, Moved> moved_;
  std::unordered_map<std::string, Id> moved_names_;
};

// 0 to 128 bytes of UTF-8, no control characters, not 32 hexadecimal digits (that is an id). Errors: kInvalid; the text says
// what kind of object has that name.
Result<> check_name(const std::string& name, std::string_view kind = "region");

}  // namespace godwit::objects
