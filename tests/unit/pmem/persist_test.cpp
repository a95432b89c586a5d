// A persist that failed is never forgotten.
#include "pool_fixture.hpp"

namespace godwit::pmem {
namespace {

#if defined(GODWIT_FAIL_POINTS)

class PersistTest : public EachTargetTest {};

TEST_P(PersistTest, AfterOneFailureEveryPersistFailsUntilReopened) {
  const Errc expected = kind_of(GetParam()) == Kind::kPmem ? Errc::kPmem : Errc::kIo;
  auto target = open_variant(1_MiB);
  const auto extent = target->reserve(8192);
  ASSERT_TRUE(target->persist(*extent));
  set_fail_point("pmem.persist", EIO, 1);
  EXPECT_CODE(target->persist(*extent), expected);
  EXPECT_CODE(target->persist(*extent), expected);
  const auto other = target->reserve(4096);
  EXPECT_CODE(target->persist(*other), expected);
  const auto third = target->persist(*extent);
  EXPECT_NE(third.error().text.find(directory_.file("pool")), std::string::npos) << third.error().text;
  target.reset();
  target = open_variant(1_MiB);
  ASSERT_DONE(target->claim(*extent));
  EXPECT_TRUE(target->persist(*extent));
}

TEST_P(PersistTest, AFullDeviceAtPersistIsAFailedPersist) {
  const auto target = open_variant(1_MiB);
  set_fail_point("pmem.persist", ENOSPC, 1);
  const auto outcome = target->persist({0, 4096});
  ASSERT_FALSE(outcome);
  EXPECT_NE(outcome.error().code, Errc::kNoSpace) << "space would be looked for, where data are lost";
}

INSTANTIATE_TEST_SUITE_P(Kinds, PersistTest,
                         testing::Values(Variant::kPmem, Variant::kPmemCacheLine, Variant::kFile, Variant::kFileWithoutUring),
                         [](const auto& test) { return variant_name(test.param); });

#endif

TEST_F(TargetTest, PersistOfMemorySucceeds) {
  const auto target = open(Kind::kDram, 1_MiB);
  EXPECT_TRUE(target->persist({0, 1_MiB}));
}

}  // namespace
}  // namespace godwit::pmem
