#include "pmem/sync_group.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

namespace godwit::pmem {
namespace {

TEST(SyncGroup, CallersThatComeDuringAFlushShareTheNext) {
  std::atomic<int> flushes = 0;
  SyncGroup group([&]() -> Result<> {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    ++flushes;
    return Done{};
  });
  std::vector<std::thread> threads;
  for (int i = 0; i < 16; ++i) threads.emplace_back([&] { EXPECT_TRUE(group.run()); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_GE(flushes, 1);
  EXPECT_LT(flushes, 16);
}

TEST(SyncGroup, AFlushThatReturnsBeganAfterTheCall) {
  // Each caller publishes a number, and the flush must have seen it.
  std::atomic<int> written = 0;
  std::atomic<int> flushed = 0;
  SyncGroup group([&]() -> Result<> {
    const int seen = written.load();
    std::this_thread::sleep_for(std::chrono::microseconds(50));
    flushed.store(seen);
    return Done{};
  });
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int round = 0; round < 100; ++round) {
        const int mine = ++written;
        if (!group.run() || flushed.load() < mine) ++wrong;
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(SyncGroup, OneFailureFailsAllWhoWaitAndAllWhoComeLater) {
  std::atomic<int> flushes = 0;
  SyncGroup group([&]() -> Result<> {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    if (++flushes == 1) return Error{Errc::kIo, "lost"};
    return Done{};
  });
  std::vector<std::thread> threads;
  std::atomic<int> failures = 0;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&] {
      if (!group.run()) ++failures;
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, 8);
  EXPECT_FALSE(group.run());
  EXPECT_EQ(flushes, 1);
}

}  // namespace
}  // namespace godwit::pmem
