// Region: a run of bytes on one target, and who may touch it now.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <utility>

#include "base/deadline.hpp"
#include "base/extent.hpp"
#include "base/id.hpp"
#include "base/result.hpp"
#include "pmem/target.hpp"

namespace godwit::objects {

enum class RegionState : uint8_t {
  kIncoming,  // Being received: serves nobody yet.
  kServing,
  kQuiesced,    // Readers only: a job reads it.
  kHandedOver,  // Nobody: the decision is made, the new owner has not confirmed.
  kGone,        // Erased, moved away, or never arrived.
};

enum class Use : uint8_t { kRead, kWrite };

class Region;

// While it lives, the region's bytes stay where they are and the use it was given for stays allowed.
class Access {
 public:
  Access(Access&& other) noexcept : region_(std::exchange(other.region_, nullptr)), use_(other.use_) {}
  Access& operator=(Access&&) = delete;
  ~Access();

 private:
  friend class Region;
  Access(Region* region, Use use) : region_(region), use_(use) {}
  Region* region_;
  Use use_;
};

// Thread-safe.
class Region {
 public:
  // Constant after construction.
  const Id id;
  const uint64_t epoch;
  const std::string name;  // Empty: none.
  pmem::Target& target;
  const Extent extent;  // On the target.
  const uint64_t size_bytes;

  Region(const Id& region_id, uint64_t region_epoch, std::string region_name, pmem::Target& its_target, Extent its_extent,
         uint64_t its_size_bytes, RegionState state)
      : id(region_id),
        epoch(region_epoch),
        name(std::move(region_name)),
        target(its_target),
        extent(its_extent),
        size_bytes(its_size_bytes),
        state_(state) {}

  // "region 0123..ef ('field')", for errors.
  std::string describe() const;
  RegionState state() const;

  // Errors: kBusy, a job has stopped this use for now; kNotFound, it is gone. Does not block.
  Result<Access> enter(Use use);

  // One job at a time works on a region. Errors: kBusy, another one does; kNotFound, it is gone or not here yet.
  Result<> pin(const Id& job);
  bool is_pinned_by(const Id& job) const;
  // Stops new writers, and waits until those under way have left. Errors: kTimeout, then writers go on.
  Result<> quiesce(Deadline deadline);
  // Stops readers too, and waits. Errors: kTimeout, then readers go on.
  Result<> stop(Deadline deadline);
  // Serves everybody again, unpinned: the job failed, was a copy, or the region has arrived.
  void resume();
  // Serves nobody ever again; waits until everybody has left, so that the space can be released. Errors: kBusy, pinned by
  // a job other than `job`; kTimeout.
  Result<> retire(const Id& job, Deadline deadline);

 private:
  friend class Access;
  void leave(Use use);

  mutable std::mutex mutex_;  // Guards all below.
  std::condition_variable left_;
  RegionState state_;
  Id job_;  // Zero: none.
  uint32_t readers_ = 0;
  uint32_t writers_ = 0;
};

}  // namespace godwit::objects
