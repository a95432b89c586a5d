// The contract of target.hpp, for each kind.
#include "pmem/target.hpp"

#include <algorithm>
#include <cstring>
#include <thread>

#include "pool_fixture.hpp"

namespace godwit::pmem {
namespace {

constexpr uint64_t kTargetBytes = 1_MiB;

TEST_P(EachTargetTest, StartsEmptyAndSaysWhatItIs) {
  const auto target = open_variant(kTargetBytes);
  ASSERT_TRUE(target);
  EXPECT_EQ(target->name(), "t0");
  EXPECT_EQ(target->kind(), kind_of(GetParam()));
  EXPECT_EQ(target->survives_restart(), survives());
  EXPECT_FALSE(target->pool_id().is_zero());
  EXPECT_FALSE(target->granularity().empty());
  const Usage usage = target->usage();
  EXPECT_EQ(usage.capacity_bytes, kTargetBytes);
  EXPECT_EQ(usage.used_bytes, 0U);
  EXPECT_EQ(usage.largest_free_bytes, kTargetBytes);
}

TEST_P(EachTargetTest, SpaceIsReservedReleasedAndReused) {
  const auto target = open_variant(kTargetBytes);
  const auto a = target->reserve(256_KiB);
  const auto b = target->reserve(256_KiB);
  ASSERT_TRUE(a && b);
  EXPECT_EQ(target->usage().used_bytes, 512_KiB);
  target->release(*a);
  EXPECT_EQ(target->usage().used_bytes, 256_KiB);
  EXPECT_EQ(target->usage().largest_free_bytes, 512_KiB);
  const auto again = target->reserve(256_KiB);
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, *a) << "best fit";
  target->release(*again);
  target->release(*b);
  EXPECT_EQ(target->usage().largest_free_bytes, kTargetBytes);
}

TEST_P(EachTargetTest, AllOfItCanBeReservedAndNotOneByteMore) {
  const auto target = open_variant(kTargetBytes);
  EXPECT_CODE(target->reserve(kTargetBytes + 1), Errc::kNoSpace);
  EXPECT_CODE(target->reserve(uint64_t{1} << 63), Errc::kNoSpace);
  EXPECT_CODE(target->reserve(UINT64_MAX), Errc::kNoSpace);
  const auto all = target->reserve(kTargetBytes);
  ASSERT_TRUE(all) << all.error().text;
  const auto more = target->reserve(1);
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().code, Errc::kNoSpace);
  EXPECT_NE(more.error().text.find("largest run 0 B"), std::string::npos) << more.error().text;
}

TEST_P(EachTargetTest, ZeroBytesAreAnEmptyExtentEverywhere) {
  const auto target = open_variant(kTargetBytes);
  const auto nothing = target->reserve(0);
  ASSERT_TRUE(nothing);
  EXPECT_EQ(nothing->length_bytes, 0U);
  EXPECT_EQ(target->usage().used_bytes, 0U);
  EXPECT_TRUE(target->write(0, {}));
  EXPECT_TRUE(target->read(kTargetBytes, {}));
  EXPECT_TRUE(target->zero(*nothing));
  EXPECT_TRUE(target->persist(*nothing));
  EXPECT_TRUE(target->memory(*nothing).empty());
  target->release(*nothing);
}

TEST_P(EachTargetTest, WhatWasWrittenIsRead) {
  const auto target = open_variant(kTargetBytes);
  const auto extent = target->reserve(300'001);
  const auto bytes = random_bytes(300'001, 1);
  ASSERT_DONE(target->write(extent->offset_bytes, bytes));
  std::vector<std::byte> back(bytes.size());
  ASSERT_DONE(target->read(extent->offset_bytes, back));
  EXPECT_EQ(back, bytes);
  const auto durable = target->persist(*extent);
  ASSERT_TRUE(durable) << durable.error().text;
  EXPECT_EQ(durable->extent(), *extent);
}

TEST_P(EachTargetTest, ZeroedBytesReadAsZerosAndTheOthersStay) {
  const auto target = open_variant(kTargetBytes);
  const auto extent = target->reserve(100'000);
  const auto bytes = random_bytes(100'000, 2);
  ASSERT_DONE(target->write(extent->offset_bytes, bytes));
  ASSERT_DONE(target->zero({extent->offset_bytes + 1000, 90'000}));
  std::vector<std::byte> back(bytes.size());
  ASSERT_DONE(target->read(extent->offset_bytes, back));
  auto expected = bytes;
  std::fill_n(expected.begin() + 1000, 90'000, std::byte{0});
  EXPECT_EQ(back, expected);
}

TEST_P(EachTargetTest, MemoryIsTheBytesThemselvesOrEmptyForFiles) {
  const auto target = open_variant(kTargetBytes);
  const auto extent = target->reserve(64_KiB);
  const auto memory = target->memory(*extent);
  if (kind_of(GetParam()) == Kind::kFile) {
    EXPECT_TRUE(memory.empty());
    return;
  }
  ASSERT_EQ(memory.size(), 64_KiB);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(memory.data()) % 4096, 0U) << "regions begin at a page";
  memory[65'535] = std::byte{7};
  std::byte back{};
  ASSERT_DONE(target->read(extent->offset_bytes + 65'535, {&back, 1}));
  EXPECT_EQ(back, std::byte{7});
}

TEST_P(EachTargetTest, AccessesOutsideAreRefused) {
  const auto target = open_variant(kTargetBytes);
  std::vector<std::byte> bytes(4096);
  EXPECT_CODE(target->write(kTargetBytes - 4095, bytes), Errc::kRange);
  EXPECT_CODE(target->read(kTargetBytes - 4095, bytes), Errc::kRange);
  EXPECT_CODE(target->write(UINT64_MAX - 4095, bytes), Errc::kRange);
  EXPECT_CODE(target->zero({1, kTargetBytes}), Errc::kRange);
  EXPECT_CODE(target->persist({UINT64_MAX, 2}), Errc::kRange);
  EXPECT_TRUE(target->memory({kTargetBytes, 1}).empty());
  EXPECT_TRUE(target->memory({4096, UINT64_MAX}).empty());
}

TEST_P(EachTargetTest, AClaimOutsideOrTwiceIsCorrupt) {
  const auto target = open_variant(kTargetBytes);
  ASSERT_DONE(target->claim({8192, 100}));
  EXPECT_CODE(target->claim({8192, 100}), Errc::kCorrupt);
  EXPECT_CODE(target->claim({4096, 8192}), Errc::kCorrupt);
  EXPECT_CODE(target->claim({kTargetBytes, 1}), Errc::kCorrupt);
  EXPECT_CODE(target->claim({4096, UINT64_MAX}), Errc::kCorrupt);
  EXPECT_CODE(target->claim({100, 1}), Errc::kCorrupt);
  EXPECT_EQ(target->usage().used_bytes, 4096U);
}

TEST_P(EachTargetTest, AReleaseOfWhatIsFreeHarmsNobody) {
  const auto target = open_variant(kTargetBytes);
  const auto a = target->reserve(4096);
  const auto b = target->reserve(4096);
  const auto bytes = random_bytes(4096, 3);
  ASSERT_DONE(target->write(b->offset_bytes, bytes));
  target->release(*a);
  target->release(*a);
  target->release({1, 1});
  target->release({kTargetBytes, 4096});
  EXPECT_EQ(target->usage().used_bytes, 4096U);
  std::vector<std::byte> back(4096);
  ASSERT_DONE(target->read(b->offset_bytes, back));
  EXPECT_EQ(back, bytes);
}

TEST_P(EachTargetTest, CapacityIsRoundedUpToPages) {
  const auto target = open_variant(10'000);
  EXPECT_EQ(target->usage().capacity_bytes, 12'288U);
  EXPECT_TRUE(target->reserve(10'000));
}

TEST_P(EachTargetTest, RegionsSurviveARestartOfWhatSurvives) {
  if (!survives()) return;
  const auto bytes = random_bytes(123'456, 4);
  Extent extent;
  Id id;
  {
    const auto target = open_variant(kTargetBytes);
    id = target->pool_id();
    const auto first = target->reserve(8192);
    extent = *target->reserve(bytes.size());
    ASSERT_DONE(target->write(extent.offset_bytes, bytes));
    ASSERT_TRUE(target->persist(extent));
    target->release(*first);
  }
  const auto target = open_variant(kTargetBytes);
  ASSERT_TRUE(target);
  EXPECT_EQ(target->pool_id(), id);
  ASSERT_DONE(target->claim(extent));
  std::vector<std::byte> back(bytes.size());
  ASSERT_DONE(target->read(extent.offset_bytes, back));
  EXPECT_EQ(back, bytes);
  // What is reserved now lies beside what was claimed.
  while (const auto other = target->reserve(4096)) ASSERT_DONE(target->write(other->offset_bytes, random_bytes(4096, 5)));
  ASSERT_DONE(target->read(extent.offset_bytes, back));
  EXPECT_EQ(back, bytes);
}

TEST_P(EachTargetTest, ThreadsShareItWithoutSharingBytes) {
  const auto target = open_variant(kTargetBytes);
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (uint64_t seed = 0; seed < 4; ++seed)
    threads.emplace_back([&, seed] {
      std::vector<std::byte> back;
      for (uint64_t round = 0; round < 30; ++round) {
        const auto bytes = random_bytes(1 + (seed * 7919 + round * 104'729) % 60'000, seed * 100 + round);
        const auto extent = target->reserve(bytes.size());
        back.resize(bytes.size());
        if (!extent || !target->write(extent->offset_bytes, bytes) || !target->persist(*extent) ||
            !target->read(extent->offset_bytes, back) || back != bytes)
          ++wrong;
        if (extent) target->release(*extent);
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(target->usage().largest_free_bytes, kTargetBytes);
}

INSTANTIATE_TEST_SUITE_P(Kinds, EachTargetTest,
                         testing::Values(Variant::kDram, Variant::kDramPrefault, Variant::kPmem, Variant::kPmemCacheLine,
                                         Variant::kFile, Variant::kFileWithoutUring),
                         [](const auto& test) { return variant_name(test.param); });

TEST_F(TargetTest, NamesOutsideTheAlphabetAreRefused) {
  TargetSettings wanted = settings(Kind::kDram, 4096);
  for (const std::string& name :
       {std::string(), std::string(65, 'a'), std::string("a b"), std::string("a/b"), std::string("é")}) {
    wanted.name = name;
    EXPECT_CODE(open_target(wanted), Errc::kConfig);
  }
  wanted.name = "Aa0._-";
  EXPECT_TRUE(open_target(wanted));
}

TEST_F(TargetTest, CapacityAndPathMustBeSet) {
  EXPECT_CODE(open_target(settings(Kind::kDram, 0)), Errc::kConfig);
  EXPECT_CODE(open_target(settings(Kind::kPmem, 0)), Errc::kConfig);
  EXPECT_CODE(open_target(settings(Kind::kFile, 0)), Errc::kConfig);
  EXPECT_CODE(open_target(settings(Kind::kFile, UINT64_MAX)), Errc::kConfig);
  TargetSettings wanted = settings(Kind::kFile, 4096);
  wanted.path.clear();
  EXPECT_CODE(open_target(wanted), Errc::kConfig);
  EXPECT_EQ(directory_.file_count(), 0U);
}

TEST_F(TargetTest, GranularityNamesTheFallbacks) {
  {
    const VariantScope scope(Variant::kPmemCacheLine);
    EXPECT_EQ(open(Kind::kPmem, 4096)->granularity(), "cache line (MAP_SYNC)");
  }
#if defined(GODWIT_FAIL_POINTS)
  const VariantScope scope(Variant::kFileWithoutUring);
  std::filesystem::remove(directory_.file("pool"));
  EXPECT_NE(open(Kind::kFile, 4096)->granularity().find("io_uring is refused: Operation not permitted"), std::string::npos);
#endif
}

}  // namespace
}  // namespace godwit::pmem
