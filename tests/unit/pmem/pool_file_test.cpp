// Pools that are torn, foreign, locked, or half made.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "pmem/pool_header.hpp"
#include "pool_fixture.hpp"

namespace godwit::pmem {
namespace {

constexpr uint64_t kCapacity = 64_KiB;

class PoolFileTest : public TargetTest, public testing::WithParamInterface<Kind> {
 protected:
  std::string pool() const { return directory_.file("pool"); }
  TargetSettings wanted(uint64_t capacity_bytes = kCapacity) const { return settings(GetParam(), capacity_bytes); }
  void make_pool() { ASSERT_TRUE(open(wanted())); }
  // Refused as corrupt, with the path and `text` in the message, and not a byte of it changed.
  void expect_corrupt(const TargetSettings& as, const std::string& text) {
    const auto before = slurp(pool());
    const auto target = open_target(as);
    ASSERT_FALSE(target);
    EXPECT_EQ(target.error().code, Errc::kCorrupt) << target.error().text;
    EXPECT_NE(target.error().text.find(pool()), std::string::npos) << target.error().text;
    EXPECT_NE(target.error().text.find(text), std::string::npos) << target.error().text;
    EXPECT_EQ(slurp(pool()), before);
  }
};

TEST_P(PoolFileTest, ANewPoolIsSparsePrivateAndOfExactlyHeaderAndCapacity) {
  const auto target = open(settings(GetParam(), 1_GiB));
  struct stat status {};
  ASSERT_EQ(stat(pool().c_str(), &status), 0);
  EXPECT_EQ(static_cast<uint64_t>(status.st_size), 4096 + 1_GiB);
  EXPECT_LE(status.st_blocks * 512, 1 << 20);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  EXPECT_EQ(directory_.file_count(), 1U) << "no temporary name left";
}

TEST_P(PoolFileTest, ReservedSpaceIsAllocatedAndReleasedSpaceIsNot) {
  const auto target = open(settings(GetParam(), 64_MiB));
  const auto blocks = [&] {
    struct stat status {};
    EXPECT_EQ(stat(pool().c_str(), &status), 0);
    return static_cast<uint64_t>(status.st_blocks) * 512;
  };
  const auto extent = target->reserve(16_MiB);
  ASSERT_TRUE(extent);
  EXPECT_GE(blocks(), 16_MiB);
  target->release(*extent);
  EXPECT_LT(blocks(), 1_MiB);
}

TEST_P(PoolFileTest, TruncatedPoolsAreCorrupt) {
  make_pool();
  for (const uint64_t bytes : {4096 + kCapacity - 1, uint64_t{4096}, uint64_t{4095}, uint64_t{1}, uint64_t{0}}) {
    std::filesystem::resize_file(pool(), bytes);
    expect_corrupt(wanted(), "bytes long");
  }
}

TEST_P(PoolFileTest, APoolThatGrewIsCorrupt) {
  make_pool();
  std::filesystem::resize_file(pool(), 4096 + kCapacity + 1);
  expect_corrupt(wanted(), "and its header says 69632");
}

TEST_P(PoolFileTest, AFlippedBitInAnyHeaderByteIsCorrupt) {
  make_pool();
  const int fd = ::open(pool().c_str(), O_RDWR);
  ASSERT_GE(fd, 0);
  for (off_t at = 0; at < 4096; ++at) {
    char good = 0;
    ASSERT_EQ(pread(fd, &good, 1, at), 1);
    const char bad = static_cast<char>(good ^ (1 << (at % 8)));
    ASSERT_EQ(pwrite(fd, &bad, 1, at), 1);
    const auto target = open_target(wanted());
    ASSERT_FALSE(target) << "byte " << at;
    ASSERT_EQ(target.error().code, Errc::kCorrupt) << "byte " << at;
    ASSERT_EQ(pwrite(fd, &good, 1, at), 1);
  }
  ::close(fd);
  EXPECT_TRUE(open_target(wanted())) << "whole again";
}

TEST_P(PoolFileTest, AnotherKindIsCorrupt) {
  make_pool();
  expect_corrupt(settings(GetParam() == Kind::kPmem ? Kind::kFile : Kind::kPmem, kCapacity), "is a pool of kind");
}

TEST_P(PoolFileTest, AnotherCapacityIsCorrupt) {
  make_pool();
  expect_corrupt(wanted(kCapacity * 2), "has a capacity of 65536 bytes, and the configuration says 131072");
  expect_corrupt(wanted(kCapacity / 2), "has a capacity of 65536 bytes");
  EXPECT_TRUE(open_target(wanted(0))) << "0 takes what there is";
}

TEST_P(PoolFileTest, AForeignFileIsCorrupt) {
  spew(pool(), std::vector<char>(4096 + kCapacity, 'x'));
  expect_corrupt(wanted(), "is not a Godwit pool");
  spew(pool(), std::vector<char>(4096 + kCapacity, '\0'));
  expect_corrupt(wanted(), "is not a Godwit pool");
}

TEST_P(PoolFileTest, ANewerVersionIsNamed) {
  make_pool();
  auto bytes = slurp(pool());
  bytes[8] = 2;
  spew(pool(), bytes);
  expect_corrupt(wanted(), "version 2");
}

TEST_P(PoolFileTest, DirectoriesFifosAndMissingFoldersAreNotPools) {
  std::filesystem::create_directory(pool());
  EXPECT_CODE(open_target(wanted()), Errc::kConfig);
  std::filesystem::remove(pool());
  ASSERT_EQ(mkfifo(pool().c_str(), 0600), 0);
  EXPECT_CODE(open_target(wanted()), Errc::kConfig);
  TargetSettings elsewhere = wanted();
  elsewhere.path = directory_.file("missing/pool");
  EXPECT_CODE(open_target(elsewhere), Errc::kIo);
  elsewhere.path = "/dev/null";
  EXPECT_CODE(open_target(elsewhere), Errc::kConfig);
}

TEST_P(PoolFileTest, ASecondOpenerIsTurnedAway) {
  auto target = open(wanted());
  EXPECT_CODE(open_target(wanted()), Errc::kBusy);
  target.reset();
  EXPECT_TRUE(open_target(wanted()));
}

TEST_P(PoolFileTest, AnotherProcessIsTurnedAwayUntilTheFirstDies) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    const auto target = open_target(wanted());
    const char answer = target ? 'y' : 'n';
    if (write(ready[1], &answer, 1) != 1) _exit(1);
    pause();
    _exit(0);
  }
  char answer = 0;
  ASSERT_EQ(read(ready[0], &answer, 1), 1);
  EXPECT_EQ(answer, 'y');
  EXPECT_CODE(open_target(wanted()), Errc::kBusy);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_TRUE(open_target(wanted()));
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST_P(PoolFileTest, WhatACrashedCreationLeftIsReplaced) {
  spew(pool() + ".creating", std::vector<char>(1 << 20, 'x'));
  const auto target = open(wanted());
  ASSERT_TRUE(target);
  EXPECT_EQ(directory_.file_count(), 1U);
  EXPECT_EQ(std::filesystem::file_size(pool()), 4096 + kCapacity);
  const auto extent = target->reserve(kCapacity);
  std::vector<std::byte> bytes(kCapacity);
  ASSERT_DONE(target->read(extent->offset_bytes, bytes));
  EXPECT_EQ(std::count(bytes.begin(), bytes.end(), std::byte{0}), static_cast<long>(kCapacity)) << "nothing shines through";
}

TEST_P(PoolFileTest, ACreationUnderWayElsewhereIsBusy) {
  const std::string name = pool() + ".creating";
  const int fd = ::open(name.c_str(), O_RDWR | O_CREAT, 0600);
  ASSERT_EQ(flock(fd, LOCK_EX), 0);
  EXPECT_CODE(open_target(wanted()), Errc::kBusy);
  EXPECT_TRUE(std::filesystem::exists(name)) << "not ours to remove";
  ::close(fd);
  EXPECT_TRUE(open_target(wanted()));
}

TEST_P(PoolFileTest, ManyProcessesCreatingMakeOnePool) {
  constexpr int kProcesses = 8;
  std::vector<pid_t> children;
  for (int i = 0; i < kProcesses; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      for (int attempt = 0; attempt < 2000; ++attempt) {
        const auto target = open_target(wanted());
        if (target) _exit(0);
        if (target.error().code != Errc::kBusy) _exit(1);
        usleep(1000);
      }
      _exit(2);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(directory_.file_count(), 1U);
}

TEST_P(PoolFileTest, ACreationThatFailsLeavesNothing) {
#if defined(GODWIT_FAIL_POINTS)
  set_fail_point("pmem.create", EIO);
  EXPECT_CODE(open_target(wanted()), Errc::kIo);
  set_fail_point("pmem.create", ENOSPC);
  EXPECT_CODE(open_target(wanted()), Errc::kNoSpace);
  clear_fail_points();
  EXPECT_EQ(directory_.file_count(), 0U);
#else
  GTEST_SKIP() << "built without fail points";
#endif
}

TEST_P(PoolFileTest, AFailedAllocationGivesTheSpaceBack) {
#if defined(GODWIT_FAIL_POINTS)
  const auto target = open(wanted());
  set_fail_point("pmem.fallocate", ENOSPC);
  EXPECT_CODE(target->reserve(4096), Errc::kNoSpace);
  EXPECT_EQ(target->usage().used_bytes, 0U);
  set_fail_point("pmem.fallocate", EIO);
  EXPECT_CODE(target->reserve(4096), Errc::kIo);
  clear_fail_points();
  EXPECT_TRUE(target->reserve(kCapacity));
#else
  GTEST_SKIP() << "built without fail points";
#endif
}

TEST_P(PoolFileTest, WithoutFallocateZerosAreWrittenButNeverOverClaims) {
#if defined(GODWIT_FAIL_POINTS)
  const auto bytes = random_bytes(8192, 9);
  {
    const auto target = open(wanted());
    set_fail_point("pmem.fallocate", EOPNOTSUPP);
    const auto extent = target->reserve(8192);
    ASSERT_TRUE(extent);
    struct stat status {};
    ASSERT_EQ(stat(pool().c_str(), &status), 0);
    EXPECT_GE(status.st_blocks * 512, 8192);
    ASSERT_DONE(target->write(extent->offset_bytes, bytes));
    ASSERT_TRUE(target->persist(*extent));
  }
  const auto target = open(wanted());
  ASSERT_DONE(target->claim({0, 8192}));
  std::vector<std::byte> back(8192);
  ASSERT_DONE(target->read(0, back));
  EXPECT_EQ(back, bytes);
  clear_fail_points();
#else
  GTEST_SKIP() << "built without fail points";
#endif
}

INSTANTIATE_TEST_SUITE_P(Kinds, PoolFileTest, testing::Values(Kind::kPmem, Kind::kFile),
                         [](const auto& test) { return test.param == Kind::kPmem ? "Pmem" : "File"; });

}  // namespace
}  // namespace godwit::pmem
