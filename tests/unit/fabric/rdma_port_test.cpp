// RDMA ports: which is better, and that those of this machine are found.
#include "fabric/rdma_port.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <set>

namespace godwit::fabric {
namespace {

TEST(RdmaPorts, AnActiveOneIsBetterThenANearThenAFastOne) {
  const RdmaPort near_one{.active = true, .gigabits_per_second = 100, .numa_node = 1};
  const RdmaPort far{.active = true, .gigabits_per_second = 200, .numa_node = 0};
  const RdmaPort down{.active = false, .gigabits_per_second = 400, .numa_node = 1};
  EXPECT_TRUE(is_better(near_one, far, 1));
  EXPECT_FALSE(is_better(far, near_one, 1));
  EXPECT_TRUE(is_better(far, near_one, -1));  // Who does not know where it is takes the faster.
  EXPECT_TRUE(is_better(far, down, 1));
  EXPECT_FALSE(is_better(near_one, near_one, 1));
}

TEST(RdmaPorts, AreTheDevicesOfThisMachine) {
  std::error_code ignored;
  std::set<std::string> devices, found;
  for (const auto& device : std::filesystem::directory_iterator("/sys/class/infiniband", ignored))
    devices.insert(device.path().filename());
  for (const RdmaPort& port : rdma_ports()) {
    found.insert(port.device);
    EXPECT_TRUE(!port.active || port.gigabits_per_second > 0) << port.device;
  }
  EXPECT_EQ(found, devices);
}

}  // namespace
}  // namespace godwit::fabric
