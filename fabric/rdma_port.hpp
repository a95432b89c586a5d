// RdmaPort: what libibverbs knows of this machine's RDMA ports and libfabric does not tell.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace godwit::fabric {

struct RdmaPort {
  std::string device = {};      // "mlx5_0"; libfabric's domains have this name.
  uint8_t number = 0;           // Of the device's ports, from 1.
  std::string state = {};       // In libibverbs' words: "active", "down", "init", ...
  bool active = false;          // Whether it carries traffic.
  std::string link_layer = {};  // "InfiniBand", "Ethernet" (RoCE).
  double gigabits_per_second = 0;
  bool on_demand_paging = false;  // Whether memory can be registered without pinning it.
  int numa_node = -1;             // Negative: unknown, or none in particular.
};

// The ports of every device, by device and number; empty where there is none. Blocks for some milliseconds. Thread-safe.
std::vector<RdmaPort> rdma_ports();

// Whether connections of a thread on `numa_node` (negative: unknown) should rather leave by `a` than by `b`: by one that is
// active, then by the nearer, then by the faster.
bool is_better(const RdmaPort& a, const RdmaPort& b, int numa_node);

}  // namespace godwit::fabric
