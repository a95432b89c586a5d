#include "pool_fixture.hpp"

namespace godwit::pmem {
namespace {

TEST_F(TargetTest, ProbingADirectoryOrAPoolToBeSaysThePlace) {
  EXPECT_EQ(probe_granularity("/dev/shm"), "page cache, page");
  EXPECT_EQ(probe_granularity(directory_.file("pool")), probe_granularity(directory_.path()));
  EXPECT_EQ(directory_.file_count(), 0U) << "nothing is left behind";
}

TEST_F(TargetTest, ProbingWhatIsNotThereSaysWhy) {
  EXPECT_NE(probe_granularity("/nonexistent/pool").find("No such file"), std::string::npos);
  EXPECT_EQ(probe_granularity("/dev/null").substr(0, 4), "none");
}

TEST_F(TargetTest, AForcedGranularityIsCalledForced) {
  const VariantScope scope(Variant::kPmemCacheLine);
  EXPECT_EQ(probe_granularity(directory_.path()), "fsdax, cache line (forced by PMEM2_FORCE_GRANULARITY)");
}

}  // namespace
}  // namespace godwit::pmem
