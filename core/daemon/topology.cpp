#include "daemon/topology.hpp"

#include <fmt/format.h>
#include <hwloc.h>

#include <cstdlib>

#include "base/log.hpp"

namespace godwit::daemon {
namespace {

struct FreeBitmap {
  void operator()(hwloc_bitmap_s* set) const { hwloc_bitmap_free(set); }
};
using Bitmap = std::unique_ptr<hwloc_bitmap_s, FreeBitmap>;

std::string list_of(hwloc_const_bitmap_t set) {
  char* text = nullptr;
  hwloc_bitmap_list_asprintf(&text, set);
  std::string out = text == nullptr ? "" : text;
  std::free(text);
  return out;
}

// The processors near the interface; all that we may use where it has no place of its own (loopback, virtual).
Bitmap near_interface(hwloc_topology_t topology, const std::string& interface) {
  Bitmap set(hwloc_bitmap_dup(hwloc_topology_get_allowed_cpuset(topology)));
  for (hwloc_obj_t device = nullptr; (device = hwloc_get_next_osdev(topology, device)) != nullptr;) {
    if (device->name == nullptr || interface != device->name) continue;
    const hwloc_obj_t parent = hwloc_get_non_io_ancestor_obj(topology, device);
    Bitmap close(hwloc_bitmap_alloc());
    hwloc_bitmap_and(close.get(), set.get(), parent->cpuset);
    if (!hwloc_bitmap_iszero(close.get())) return close;
  }
  return set;
}

}  // namespace

Pinning pinning_from(const std::string& text) {
  return text == "none" ? Pinning::kNone : text == "core" ? Pinning::kCore : Pinning::kNuma;
}

void Topology::Deleter::operator()(hwloc_topology* topology) const { hwloc_topology_destroy(topology); }
Topology::~Topology() = default;

Result<std::unique_ptr<Topology>> Topology::load(Pinning pinning, const std::string& network_interface) {
  hwloc_topology_t raw = nullptr;
  if (hwloc_topology_init(&raw) != 0) return Error{Errc::kInternal, "hwloc cannot start"};
  std::unique_ptr<Topology> made(new Topology(pinning));
  made->topology_.reset(raw);
  hwloc_topology_set_io_types_filter(raw, HWLOC_TYPE_FILTER_KEEP_IMPORTANT);
  if (hwloc_topology_load(raw) != 0) return Error{Errc::kInternal, "hwloc cannot read this machine's topology"};
  made->interface_ = network_interface;
  made->cpus_ = list_of(near_interface(raw, network_interface).get());
  return made;
}

void Topology::pin_thread() {
  if (pinning_ == Pinning::kNone) return;
  Bitmap set(hwloc_bitmap_alloc());
  hwloc_bitmap_list_sscanf(set.get(), cpus_.c_str());
  const std::lock_guard lock(mutex_);
  if (pinning_ == Pinning::kCore) {
    const int count = hwloc_bitmap_weight(set.get());
    int cpu = hwloc_bitmap_first(set.get());
    for (unsigned skip = count > 0 ? next_core_++ % static_cast<unsigned>(count) : 0; skip > 0; --skip)
      cpu = hwloc_bitmap_next(set.get(), cpu);
    if (cpu >= 0) hwloc_bitmap_only(set.get(), static_cast<unsigned>(cpu));
  }
  if (hwloc_set_cpubind(topology_.get(), set.get(), HWLOC_CPUBIND_THREAD) != 0 && !warned_) {
    warned_ = true;
    log::warn("cannot bind threads to processors {}: the system does not allow it", list_of(set.get()));
  }
}

nlohmann::json Topology::describe() const {
  nlohmann::json nodes = nlohmann::json::array();
  for (hwloc_obj_t node = nullptr; (node = hwloc_get_next_obj_by_type(topology_.get(), HWLOC_OBJ_NUMANODE, node)) != nullptr;)
    nodes.push_back(
        {{"node", node->os_index}, {"processors", list_of(node->cpuset)}, {"memory_bytes", node->attr->numanode.local_memory}});
  static constexpr const char* kNames[] = {"none", "numa", "core"};
  return {{"processors", list_of(hwloc_topology_get_allowed_cpuset(topology_.get()))},
          {"numa_nodes", nodes},
          {"pinning", kNames[static_cast<int>(pinning_)]},
          {"interface", interface_},
          {"threads_on", pinning_ == Pinning::kNone ? "anywhere" : cpus_}};
}

}  // namespace godwit::daemon
