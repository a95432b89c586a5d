// Region: a run of bytes on one target, and who may touch it now.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "base/extent.hpp"
#include "base/id.hpp"
#include "objects/gate.hpp"
#include "pmem/target.hpp"

namespace godwit::objects {

using RegionState = GateState;

// Thread-safe.
class Region : public Gate {
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
      : Gate(subject_of("region", region_id, region_name), state),
        id(region_id),
        epoch(region_epoch),
        name(std::move(region_name)),
        target(its_target),
        extent(its_extent),
        size_bytes(its_size_bytes) {}
};

}  // namespace godwit::objects
