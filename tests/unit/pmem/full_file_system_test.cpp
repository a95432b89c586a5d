// A file system that fills up: errors, never SIGBUS.
#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "pool_fixture.hpp"

namespace godwit::pmem {
namespace {

// A tmpfs of 1 MiB, of its own; needs the right to mount.
class TinyFileSystem {
 public:
  TinyFileSystem() : errno_(mount("godwit", directory_.path().c_str(), "tmpfs", 0, "size=1m") == 0 ? 0 : errno) {}
  TinyFileSystem(const TinyFileSystem&) = delete;
  TinyFileSystem& operator=(const TinyFileSystem&) = delete;
  ~TinyFileSystem() {
    if (errno_ == 0) umount2(directory_.path().c_str(), MNT_DETACH);
  }
  int error() const { return errno_; }
  std::string file(const std::string& name) const { return directory_.file(name); }

 private:
  TempDirectory directory_;
  const int errno_;
};

class FullFileSystemTest : public testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    if (file_system_.error() != 0)
      GTEST_SKIP() << "SKIPPED: a full file system was not tested: mounting a tmpfs: " << std::strerror(file_system_.error());
  }
  TargetSettings settings(uint64_t capacity_bytes) const {
    return {.name = "t0", .kind = GetParam(), .path = file_system_.file("pool"), .capacity_bytes = capacity_bytes};
  }

  TinyFileSystem file_system_;
};

TEST_P(FullFileSystemTest, ReservationsEndWithNoSpaceAndAllThatWereGivenAreWritable) {
  auto target = open_target(settings(16_MiB));  // Sparse: more than the file system holds.
  ASSERT_TRUE(target) << target.error().text;
  std::vector<Extent> held;
  const auto bytes = random_bytes(100'000, 1);
  for (;;) {
    const auto extent = (*target)->reserve(bytes.size());
    if (!extent) {
      EXPECT_EQ(extent.error().code, Errc::kNoSpace) << extent.error().text;
      break;
    }
    held.push_back(*extent);
    ASSERT_LT(held.size(), 11U) << "more than fits";
  }
  EXPECT_GE(held.size(), 8U);
  EXPECT_EQ((*target)->usage().used_bytes, held.size() * 102'400) << "the failed one was given back";

  // Another file takes what is left: the promise holds.
  const int other = open(file_system_.file("other").c_str(), O_RDWR | O_CREAT, 0600);
  while (write(other, bytes.data(), 4096) > 0) {
  }
  close(other);
  std::vector<std::byte> back(bytes.size());
  for (const Extent& extent : held) {
    ASSERT_TRUE((*target)->write(extent.offset_bytes, bytes));
    ASSERT_TRUE((*target)->persist(extent));
    ASSERT_TRUE((*target)->read(extent.offset_bytes, back));
    ASSERT_EQ(back, bytes);
  }
  (*target)->release(held.back());
  EXPECT_TRUE((*target)->reserve(50'000)) << "released space is free again in the file system";
}

TEST_P(FullFileSystemTest, APoolThatCannotEvenHaveItsHeaderLeavesNothing) {
  const int other = open(file_system_.file("other").c_str(), O_RDWR | O_CREAT, 0600);
  const std::vector<char> bytes(4096, 'x');
  while (write(other, bytes.data(), bytes.size()) > 0) {
  }
  close(other);
  EXPECT_CODE(open_target(settings(64_KiB)), Errc::kNoSpace);
  EXPECT_FALSE(std::filesystem::exists(file_system_.file("pool")));
  EXPECT_FALSE(std::filesystem::exists(file_system_.file("pool.creating")));
}

TEST_P(FullFileSystemTest, AClaimOfAHoleThatCannotBeFilledIsAnErrorForPmem) {
  { ASSERT_TRUE(open_target(settings(16_MiB))); }
  auto target = open_target(settings(16_MiB));
  ASSERT_TRUE(target);
  if (GetParam() == Kind::kPmem) {
    EXPECT_CODE((*target)->claim({0, 8_MiB}), Errc::kNoSpace);
    EXPECT_EQ((*target)->usage().used_bytes, 0U);
  } else {
    ASSERT_DONE((*target)->claim({0, 8_MiB}));  // Writing to it is an error then, not a signal.
    EXPECT_CODE((*target)->write(0, random_bytes(8_MiB, 1)), Errc::kNoSpace);
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, FullFileSystemTest, testing::Values(Kind::kPmem, Kind::kFile),
                         [](const auto& test) { return test.param == Kind::kPmem ? "Pmem" : "File"; });

TEST(FullFileSystemQueue, AWriteByAQueueToAFullFileSystemIsNoSpace) {
  TinyFileSystem file_system;
  if (file_system.error() != 0) GTEST_SKIP() << "SKIPPED: mounting a tmpfs: " << std::strerror(file_system.error());
  auto target = open_target({.name = "t0", .kind = Kind::kFile, .path = file_system.file("pool"), .capacity_bytes = 16_MiB});
  ASSERT_TRUE(target);
  ASSERT_DONE((*target)->claim({0, 8_MiB}));
  auto queue = (*target)->open_queue(4);
  ASSERT_TRUE(queue);
  auto bytes = random_bytes(8_MiB, 1);
  ASSERT_DONE((*queue)->submit({Io::Direction::kWrite, 0, bytes, 1}));
  const auto done = (*queue)->wait(1);
  ASSERT_TRUE(done && done->size() == 1);
  EXPECT_CODE(done->front().outcome, Errc::kNoSpace);
}

}  // namespace
}  // namespace godwit::pmem
