#include "fabric/rdma_port.hpp"

#include <infiniband/verbs.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <tuple>

namespace godwit::fabric {
namespace {

// Of one lane, by ibv_port_attr::active_speed, and how many lanes, by active_width (InfiniBand Architecture Specification,
// volume 1, PortInfo).
double gigabits_per_lane(uint8_t speed) {
  switch (speed) {
    case 1: return 2.5;
    case 2: return 5;
    case 4:
    case 8: return 10;
    case 16: return 14;
    case 32: return 25;
    case 64: return 50;
    case 128: return 100;
    default: return 0;
  }
}

int lanes(uint8_t width) {
  switch (width) {
    case 1: return 1;
    case 2: return 4;
    case 4: return 8;
    case 8: return 12;
    case 16: return 2;
    default: return 0;
  }
}

int numa_node_of(const ibv_device& device) {
  int node = -1;
  std::ifstream(std::string(device.ibdev_path) + "/device/numa_node") >> node;
  return node;
}

void add_ports(ibv_device* device, std::vector<RdmaPort>& ports) {
  const std::unique_ptr<ibv_context, decltype(&ibv_close_device)> context(ibv_open_device(device), &ibv_close_device);
  RdmaPort port;
  port.device = ibv_get_device_name(device);
  port.numa_node = numa_node_of(*device);
  ibv_device_attr_ex attributes{};
  if (!context || ibv_query_device_ex(context.get(), nullptr, &attributes) != 0) {
    port.state = "cannot be opened";  // By us; another user may have it, or the limits forbid.
    ports.push_back(std::move(port));
    return;
  }
  port.on_demand_paging = (attributes.odp_caps.general_caps & IBV_ODP_SUPPORT) != 0;
  for (uint8_t number = 1; number <= attributes.orig_attr.phys_port_cnt; ++number) {
    ibv_port_attr found{};
    if (ibv_query_port(context.get(), number, &found) != 0) continue;
    port.number = number;
    port.state = ibv_port_state_str(found.state);
    port.active = found.state == IBV_PORT_ACTIVE;
    port.link_layer = found.link_layer == IBV_LINK_LAYER_ETHERNET ? "Ethernet" : "InfiniBand";
    port.gigabits_per_second = gigabits_per_lane(found.active_speed) * lanes(found.active_width);
    ports.push_back(port);
  }
}

}  // namespace

std::vector<RdmaPort> rdma_ports() {
  std::vector<RdmaPort> ports;
  int count = 0;
  const std::unique_ptr<ibv_device*[], decltype(&ibv_free_device_list)> devices(ibv_get_device_list(&count),
                                                                                &ibv_free_device_list);
  for (int i = 0; devices && i < count; ++i) add_ports(devices[static_cast<size_t>(i)], ports);
  std::sort(ports.begin(), ports.end(),
            [](const RdmaPort& a, const RdmaPort& b) { return std::tie(a.device, a.number) < std::tie(b.device, b.number); });
  return ports;
}

bool is_better(const RdmaPort& a, const RdmaPort& b, int numa_node) {
  const auto merit = [numa_node](const RdmaPort& port) {
    return std::tuple(port.active, numa_node >= 0 && port.numa_node == numa_node, port.gigabits_per_second);
  };
  return merit(a) > merit(b);
}

}  // namespace godwit::fabric
