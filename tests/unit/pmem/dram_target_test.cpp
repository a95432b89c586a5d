#include "pmem/dram_target.hpp"

#include <sys/mman.h>

#include <chrono>
#include <set>
#include <thread>

#include "base/deadline.hpp"
#include "pmem/machine_memory.hpp"
#include "pool_fixture.hpp"

namespace godwit::pmem {
namespace {

class DramTargetTest : public TargetTest {
 protected:
  // Whether the granularity's text gets to `text` within a minute: a machine under load is slow to give memory.
  static bool reaches(const Target& target, const std::string& text) {
    const Deadline deadline = Deadline::after(std::chrono::seconds(60));
    while (target.granularity().find(text) == std::string::npos) {
      if (deadline.passed()) return false;
      std::this_thread::sleep_for(milliseconds(1));
    }
    return true;
  }
  // How many of its pages are in memory.
  static size_t resident_pages(std::span<std::byte> memory) {
    std::vector<unsigned char> pages(memory.size() / 4096);
    EXPECT_EQ(mincore(memory.data(), memory.size(), pages.data()), 0);
    return static_cast<size_t>(std::count_if(pages.begin(), pages.end(), [](unsigned char page) { return (page & 1) != 0; }));
  }
};

TEST_F(DramTargetTest, OpeningAHugePoolTakesNoTime) {
  TargetSettings wanted = settings(Kind::kDram, 1024_GiB);
  const auto start = Clock::now();
  const auto target = open(wanted);
  ASSERT_TRUE(target);
  EXPECT_LT(Clock::now() - start, std::chrono::seconds(2));
  EXPECT_EQ(target->usage().largest_free_bytes, 1024_GiB);
}

TEST_F(DramTargetTest, MoreThanTheMachineHasIsRefusedAtReservation) {
  const uint64_t available = available_memory_bytes();
  if (available > uint64_t{1} << 60) GTEST_SKIP() << "SKIPPED: this machine does not say what it has";
  const auto target = open(Kind::kDram, available + 64_GiB);
  ASSERT_TRUE(target);
  EXPECT_CODE(target->reserve(available + 32_GiB), Errc::kMemory);
  EXPECT_EQ(target->usage().used_bytes, 0U);
  EXPECT_TRUE(target->reserve(1_MiB));
}

TEST_F(DramTargetTest, AnAddressSpaceThatDoesNotExistIsAnError) {
  EXPECT_CODE(open_target(settings(Kind::kDram, uint64_t{1} << 61)), Errc::kMemory);
}

TEST_F(DramTargetTest, ReleasedPagesGoBackToTheMachine) {
  const auto target = open(Kind::kDram, 4_MiB);
  if (target->granularity().find("set aside") != std::string::npos)
    GTEST_SKIP() << "SKIPPED: huge pages are set aside for good";
  const auto extent = target->reserve(2_MiB);
  ASSERT_DONE(target->write(extent->offset_bytes, random_bytes(2_MiB, 1)));
  const auto memory = target->memory(*extent);
  EXPECT_EQ(resident_pages(memory), 512U);
  target->release(*extent);
  EXPECT_EQ(resident_pages(memory), 0U);
}

TEST_F(DramTargetTest, PrefaultTouchesEverythingAndKeepsItAfterRelease) {
  TargetSettings wanted = settings(Kind::kDram, 12_MiB);
  wanted.prefault = true;
  const auto target = open(wanted);
  ASSERT_TRUE(reaches(*target, "prefaulted")) << target->granularity();
  const auto extent = target->reserve(12_MiB);
  const auto memory = target->memory(*extent);
  EXPECT_EQ(resident_pages(memory), 3072U);
  target->release(*extent);
  EXPECT_EQ(resident_pages(memory), 3072U);
}

TEST_F(DramTargetTest, WritesDuringPrefaultAreKept) {
  TargetSettings wanted = settings(Kind::kDram, 32_MiB);
  wanted.prefault = true;
#if defined(GODWIT_FAIL_POINTS)
  set_fail_point("pmem.populate", EINVAL);  // An old kernel: pages are touched one by one.
#endif
  const auto target = open(wanted);
  const auto extent = target->reserve(32_MiB);
  const auto bytes = random_bytes(1_MiB, 1);
  for (uint64_t at = 0; at < 32_MiB; at += 1_MiB) ASSERT_DONE(target->write(at, bytes));
  ASSERT_TRUE(reaches(*target, "prefaulted")) << target->granularity();
  std::vector<std::byte> back(1_MiB);
  for (uint64_t at = 0; at < 32_MiB; at += 1_MiB) {
    ASSERT_DONE(target->read(at, back));
    ASSERT_TRUE(back == bytes) << "at " << at;
  }
}

TEST_F(DramTargetTest, EndingDuringPrefaultStopsIt) {
  TargetSettings wanted = settings(Kind::kDram, 1024_GiB);
  wanted.prefault = true;
  const auto start = Clock::now();
  open(wanted).reset();
  EXPECT_LT(Clock::now() - start, std::chrono::seconds(30));
}

#if defined(GODWIT_FAIL_POINTS)
TEST_F(DramTargetTest, AFailedPopulateIsNoCrashAndThePoolWorks) {
  TargetSettings wanted = settings(Kind::kDram, 64_MiB);
  wanted.prefault = true;
  for (const int number : {ENOMEM, EFAULT, EIO}) {
    set_fail_point("pmem.populate", number);
    const auto target = open(wanted);
    ASSERT_TRUE(reaches(*target, "prefault incomplete"));
    const auto extent = target->reserve(64_MiB);
    ASSERT_TRUE(extent);
    EXPECT_TRUE(target->write(extent->offset_bytes, random_bytes(1_MiB, 1)));
  }
}
#endif

TEST_F(DramTargetTest, TenThousandSmallRegionsEachHaveTheirOwnPage) {
  const auto target = open(Kind::kDram, 64_MiB);
  std::set<uint64_t> offsets;
  for (int i = 0; i < 10'000; ++i) offsets.insert(target->reserve(4096)->offset_bytes);
  EXPECT_EQ(offsets.size(), 10'000U);
  EXPECT_EQ(target->usage().used_bytes, 10'000U * 4096);
  for (const uint64_t offset : offsets) target->release({offset, 4096});
  EXPECT_EQ(target->usage().largest_free_bytes, 64_MiB);
}

}  // namespace
}  // namespace godwit::pmem
