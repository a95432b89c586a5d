#include "pmem/machine_memory.hpp"

#include "pool_fixture.hpp"

namespace godwit::pmem {
namespace {

class MachineMemoryTest : public testing::Test {
 protected:
  void put(const std::string& name, const std::string& text) {
    const std::filesystem::path path = directory_.file(name);
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  uint64_t available() const { return available_memory_bytes(directory_.path()); }

  TempDirectory directory_;
};

TEST_F(MachineMemoryTest, WhereNothingSaysThereIsNoLimit) { EXPECT_EQ(available(), UINT64_MAX); }

TEST_F(MachineMemoryTest, ThisMachineSays) { EXPECT_LT(available_memory_bytes(), uint64_t{1} << 60); }

TEST_F(MachineMemoryTest, MemAvailableCounts) {
  put("proc/meminfo", "MemTotal:       1000 kB\nMemFree:  10 kB\nMemAvailable:    500 kB\n");
  EXPECT_EQ(available(), 500U * 1024);
}

TEST_F(MachineMemoryTest, AParentGroupsLimitCountsWithItsCacheAsFree) {
  put("proc/meminfo", "MemAvailable: 100000 kB\n");
  put("proc/self/cgroup", "0::/job/step\n");
  put("sys/fs/cgroup/job/step/memory.max", "max\n");
  put("sys/fs/cgroup/job/step/memory.current", "5\n");
  put("sys/fs/cgroup/job/memory.max", "1000000\n");
  put("sys/fs/cgroup/job/memory.current", "900000\n");
  put("sys/fs/cgroup/job/memory.stat", "anon 1\nfile 2\ninactive_file 300000\nactive_file 100000\n");
  EXPECT_EQ(available(), 500'000U);
}

TEST_F(MachineMemoryTest, AGroupOfVersionOneCounts) {
  put("proc/self/cgroup", "5:cpu,memory:/slurm/job\n1:name=systemd:/\n");
  put("sys/fs/cgroup/memory/slurm/job/memory.limit_in_bytes", "1000\n");
  put("sys/fs/cgroup/memory/slurm/job/memory.usage_in_bytes", "1200\n");
  put("sys/fs/cgroup/memory/slurm/job/memory.stat", "total_inactive_file 300\n");
  EXPECT_EQ(available(), 100U);
}

TEST_F(MachineMemoryTest, AFullGroupHasNothingLeft) {
  put("proc/self/cgroup", "0::/\n");
  put("sys/fs/cgroup/memory.max", "1000\n");
  put("sys/fs/cgroup/memory.current", "1200\n");
  EXPECT_EQ(available(), 0U);
}

static_assert(missing_memory_bytes(100, 0, 0) == 100);
static_assert(missing_memory_bytes(100, 60, 0) == 40, "what prefault has brought is not asked for again");
static_assert(missing_memory_bytes(100, 60, 50) == 90, "unless other regions use it");
static_assert(missing_memory_bytes(100, 60, 70) == 100);
static_assert(missing_memory_bytes(100, 200, 50) == 0);

}  // namespace
}  // namespace godwit::pmem
