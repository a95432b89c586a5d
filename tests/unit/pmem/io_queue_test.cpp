#include <fcntl.h>
#include <unistd.h>

#include <map>
#include <random>
#include <set>

#include "pool_fixture.hpp"

namespace godwit::pmem {
namespace {

class IoQueueTest : public EachTargetTest {};

// Waits for `count` completions, all of them successes, and returns their tokens.
std::multiset<uint64_t> collect(IoQueue& queue, size_t count) {
  std::multiset<uint64_t> tokens;
  while (tokens.size() < count) {
    auto done = queue.wait(1);
    if (!done || done->empty()) {
      ADD_FAILURE() << "wait(1) brought nothing";
      return tokens;
    }
    for (const IoDone& one : *done) {
      EXPECT_TRUE(one.outcome) << one.outcome.error().text;
      tokens.insert(one.token);
    }
  }
  return tokens;
}

TEST_P(IoQueueTest, WhatItWritesItReads) {
  const auto target = open_variant(1_MiB);
  auto queue = target->open_queue(8);
  ASSERT_TRUE(queue) << queue.error().text;
  auto bytes = random_bytes(200'001, 1);
  std::vector<std::byte> back(bytes.size());
  const auto extent = target->reserve(bytes.size());
  ASSERT_DONE((*queue)->submit({Io::Direction::kWrite, extent->offset_bytes, bytes, 11}));
  EXPECT_EQ(collect(**queue, 1), (std::multiset<uint64_t>{11}));
  ASSERT_DONE((*queue)->submit({Io::Direction::kRead, extent->offset_bytes, back, 12}));
  EXPECT_EQ(collect(**queue, 1), (std::multiset<uint64_t>{12}));
  EXPECT_EQ(back, bytes);
}

TEST_P(IoQueueTest, TheDepthIsALimitUntilCompletionsAreCollected) {
  const auto target = open_variant(1_MiB);
  auto queue = target->open_queue(3);
  ASSERT_TRUE(queue);
  std::vector<std::byte> bytes(4096);
  for (uint64_t token = 0; token < 3; ++token)
    ASSERT_DONE((*queue)->submit({Io::Direction::kWrite, token * 4096, bytes, token}));
  EXPECT_CODE((*queue)->submit({Io::Direction::kWrite, 0, bytes, 9}), Errc::kBusy);
  EXPECT_EQ(collect(**queue, 3), (std::multiset<uint64_t>{0, 1, 2}));
  EXPECT_TRUE((*queue)->submit({Io::Direction::kWrite, 0, bytes, 9}));
  EXPECT_EQ(collect(**queue, 1), (std::multiset<uint64_t>{9}));
}

TEST_P(IoQueueTest, WaitingForMoreThanIsOutstandingReturnsWhatThereIs) {
  const auto target = open_variant(1_MiB);
  auto queue = target->open_queue(4);
  ASSERT_TRUE(queue);
  EXPECT_TRUE((*queue)->wait(0)->empty());
  EXPECT_TRUE((*queue)->wait(5)->empty());
  std::vector<std::byte> bytes(4096);
  ASSERT_DONE((*queue)->submit({Io::Direction::kRead, 0, bytes, 1}));
  EXPECT_EQ((*queue)->wait(100)->size(), 1U);
}

TEST_P(IoQueueTest, AQueueOfNoDepthIsRefused) {
  const auto target = open_variant(1_MiB);
  EXPECT_CODE(target->open_queue(0), Errc::kInvalid);
}

TEST_P(IoQueueTest, OperationsOutsideFailAndEmptyOnesSucceed) {
  const auto target = open_variant(64_KiB);
  auto queue = target->open_queue(4);
  ASSERT_TRUE(queue);
  std::vector<std::byte> bytes(4096);
  ASSERT_DONE((*queue)->submit({Io::Direction::kWrite, 0, {}, 5}));
  EXPECT_EQ(collect(**queue, 1), (std::multiset<uint64_t>{5}));
  // At submission or at completion: never a success.
  for (const uint64_t offset : {64_KiB - 1, UINT64_MAX - 100}) {
    const auto submitted = (*queue)->submit({Io::Direction::kWrite, offset, bytes, 6});
    if (!submitted) {
      EXPECT_EQ(submitted.error().code, Errc::kRange);
      continue;
    }
    const auto done = (*queue)->wait(1);
    ASSERT_TRUE(done && done->size() == 1);
    EXPECT_CODE(done->front().outcome, Errc::kRange);
  }
}

TEST_P(IoQueueTest, ManyOutstandingOfAllSizesEachReachTheirPlace) {
  constexpr uint64_t kCapacity = 2_MiB;
  constexpr uint32_t kDepth = 64;
  const auto target = open_variant(kCapacity);
  const auto extent = target->reserve(kCapacity);
  auto queue = target->open_queue(kDepth);
  ASSERT_TRUE(extent && queue);
  auto expected = random_bytes(kCapacity, 3);
  std::vector<std::byte> back(kCapacity);
  for (const auto direction : {Io::Direction::kWrite, Io::Direction::kRead}) {
    std::mt19937_64 random(7);
    auto& memory = direction == Io::Direction::kWrite ? expected : back;
    std::set<uint64_t> outstanding;
    for (uint64_t at = 0; at < kCapacity || !outstanding.empty();) {
      if (at < kCapacity && outstanding.size() < kDepth) {
        const uint64_t length = std::min(kCapacity - at, 1 + random() % 20'000);
        ASSERT_DONE((*queue)->submit({direction, at, std::span(memory).subspan(at, length), at}));
        outstanding.insert(at);
        at += length;
        continue;
      }
      const auto done = (*queue)->wait(static_cast<uint32_t>(1 + random() % outstanding.size()));
      ASSERT_TRUE(done);
      for (const IoDone& one : *done) {
        ASSERT_TRUE(one.outcome) << one.outcome.error().text;
        ASSERT_EQ(outstanding.erase(one.token), 1U) << "each once";
      }
    }
  }
  EXPECT_TRUE(back == expected);
}

TEST_P(IoQueueTest, EndingAQueueWaitsForWhatIsInFlight) {
  const auto target = open_variant(2_MiB);
  const auto extent = target->reserve(2_MiB);
  auto bytes = random_bytes(2_MiB, 4);
  {
    auto queue = target->open_queue(16);
    for (uint64_t token = 0; token < 16; ++token)
      ASSERT_DONE((*queue)->submit(
          {Io::Direction::kWrite, token * 128_KiB, std::span(bytes).subspan(token * 128_KiB, 128_KiB), token}));
  }
  std::vector<std::byte> back(2_MiB);
  ASSERT_DONE(target->read(extent->offset_bytes, back));
  EXPECT_TRUE(back == bytes);
}

INSTANTIATE_TEST_SUITE_P(Kinds, IoQueueTest,
                         testing::Values(Variant::kDram, Variant::kPmem, Variant::kPmemCacheLine, Variant::kFile,
                                         Variant::kFileWithoutUring),
                         [](const auto& test) { return variant_name(test.param); });

class UringQueueTest : public TargetTest {
 protected:
  void SetUp() override {
    target_ = open(Kind::kFile, 1_MiB);
    ASSERT_TRUE(target_);
    if (target_->granularity().find("refused") != std::string::npos) GTEST_SKIP() << "SKIPPED: " << target_->granularity();
  }
  // The outcome of one write.
  Result<> write_once(std::span<std::byte> bytes) {
    auto queue = target_->open_queue(2);
    if (!queue) return queue.error();
    if (auto submitted = (*queue)->submit({Io::Direction::kWrite, 0, bytes, 1}); !submitted) return submitted;
    auto done = (*queue)->wait(1);
    if (!done) return done.error();
    return done->size() == 1 ? std::move(done->front().outcome) : Error{Errc::kInternal, "not one completion"};
  }

  std::unique_ptr<Target> target_;
};

TEST_F(UringQueueTest, ADepthBeyondTheKernelsIsALimit) { EXPECT_CODE(target_->open_queue(32'769), Errc::kLimit); }

TEST_F(UringQueueTest, AFileCutUnderUsIsAnErrorNotASuccess) {
  std::filesystem::resize_file(directory_.file("pool"), 8192);
  auto queue = target_->open_queue(2);
  std::vector<std::byte> bytes(8192);
  ASSERT_DONE((*queue)->submit({Io::Direction::kRead, 0, bytes, 1}));
  const auto done = (*queue)->wait(1);
  ASSERT_TRUE(done && done->size() == 1);
  EXPECT_CODE(done->front().outcome, Errc::kIo);
}

// A descriptor with O_NONBLOCK made io_uring answer EAGAIN for all that was not in the page cache.
TEST_F(UringQueueTest, AReopenedPoolIsReadThoughItIsNotInThePageCache) {
  auto bytes = random_bytes(1_MiB, 1);
  ASSERT_TRUE(target_->reserve(1_MiB));
  ASSERT_DONE(target_->write(0, bytes));
  ASSERT_TRUE(target_->persist({0, 1_MiB}));
  target_.reset();
  const int fd = ::open(directory_.file("pool").c_str(), O_RDONLY);
  EXPECT_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
  ::close(fd);
  target_ = open(Kind::kFile, 1_MiB);
  auto queue = target_->open_queue(16);
  std::vector<std::byte> back(1_MiB);
  for (uint64_t at = 0; at < 1_MiB; at += 64_KiB)
    ASSERT_DONE((*queue)->submit({Io::Direction::kRead, at, std::span(back).subspan(at, 64_KiB), at}));
  EXPECT_EQ(collect(**queue, 16).size(), 16U);
  EXPECT_TRUE(back == bytes);
}

#if defined(GODWIT_FAIL_POINTS)
TEST_F(UringQueueTest, ShortTransfersAreContinued) {
  set_fail_point("pmem.short_transfer", EIO);
  auto bytes = random_bytes(100'001, 1);
  ASSERT_DONE(write_once(bytes));
  std::vector<std::byte> back(bytes.size());
  auto queue = target_->open_queue(2);
  ASSERT_DONE((*queue)->submit({Io::Direction::kRead, 0, back, 1}));
  const auto done = (*queue)->wait(1);
  ASSERT_TRUE(done && done->size() == 1 && done->front().outcome);
  EXPECT_EQ(back, bytes);
}

TEST_F(UringQueueTest, InterruptedTransfersAreRepeated) {
  auto bytes = random_bytes(10'000, 1);
  for (const int number : {EINTR, EAGAIN}) {
    set_fail_point("pmem.transfer", number, 1);
    EXPECT_TRUE(write_once(bytes));
  }
  set_fail_point("pmem.transfer", EAGAIN);
  EXPECT_CODE(write_once(bytes), Errc::kIo);  // Not for ever.
}

TEST_F(UringQueueTest, FailedTransfersSayWhy) {
  auto bytes = random_bytes(10'000, 1);
  set_fail_point("pmem.transfer", ENOSPC);
  EXPECT_CODE(write_once(bytes), Errc::kNoSpace);
  set_fail_point("pmem.transfer", EIO);
  const auto outcome = write_once(bytes);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, Errc::kIo);
  EXPECT_NE(outcome.error().text.find(directory_.file("pool")), std::string::npos) << outcome.error().text;
}
#endif

}  // namespace
}  // namespace godwit::pmem
