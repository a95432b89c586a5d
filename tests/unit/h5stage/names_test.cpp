#include "godwit-h5stage/names.hpp"

#include "expect_failure.hpp"

namespace godwit::h5stage {
namespace {

TEST(Names, OfAFileAreWithoutDirectoriesAndEnding) {
  EXPECT_EQ(stage_name_of("/scratch/run7.h5"), "run7");
  EXPECT_EQ(stage_name_of("run7.hdf5"), "run7");
  EXPECT_EQ(stage_name_of("climate.nc"), "climate");
  EXPECT_EQ(stage_name_of("./run.7"), "run.7");
  EXPECT_EQ(stage_name_of(".h5"), ".h5");
}

// The head is JSON, which is UTF-8.
TEST(Names, OfOtherCharactersAreRefused) {
  check_stage_name("r\xc3\xa9sultat");
  expect_failure(GODWIT_ERR_INVALID, "UTF-8", [] { check_stage_name("r\xe9sultat"); });
}

TEST(Names, OfRegionsTellTheirStage) {
  EXPECT_EQ(head_name("run7"), "run7.h5stage");
  EXPECT_EQ(part_name("run7", 12), "run7.h5stage.000012");
  EXPECT_TRUE(stage_of_region(head_name("run7"))->is_head);
  EXPECT_TRUE(stage_of_region(next_head_name("run7"))->is_next_head);
  EXPECT_FALSE(stage_of_region(next_head_name("run7"))->is_head);
  EXPECT_EQ(stage_of_region(next_head_name("run7"))->stage, "run7");
  EXPECT_EQ(stage_of_region(part_name("run7", 1'234'567))->part, 1'234'567U);
  for (const size_t part : {size_t{0}, size_t{999'999}, size_t{1'234'567}}) {
    const auto of = stage_of_region(part_name("a.b", part));
    ASSERT_TRUE(of) << part;
    EXPECT_EQ(of->stage, "a.b");
    EXPECT_FALSE(of->is_head);
  }
}

TEST(Names, OfOtherRegionsTellNone) {
  for (const char* name : {"", "run7", ".h5stage", "run7.h5stages", "run7.h5stage.", "run7.h5stage.12", "run7.h5stage.12345",
                           "run7.h5stage.00001x", "run7.h5stage000012"})
    EXPECT_FALSE(stage_of_region(name)) << name;
}

TEST(Names, ThatCannotBeAreRefused) {
  EXPECT_NO_THROW(check_stage_name(std::string(100, 'x')));
  EXPECT_NO_THROW(check_stage_name("\xc3\xa4 run"));
  expect_failure(GODWIT_ERR_INVALID, "is empty", [] { check_stage_name(""); });
  expect_failure(GODWIT_ERR_INVALID, "more than 100", [] { check_stage_name(std::string(101, 'x')); });
  expect_failure(GODWIT_ERR_INVALID, "control", [] { check_stage_name("a\nb"); });
  expect_failure(GODWIT_ERR_INVALID, "control", [] { check_stage_name("a\x7f"); });
  expect_failure(GODWIT_ERR_INVALID, "'.h5stage' in it", [] { check_stage_name("a.h5stage.000001"); });
}

}  // namespace
}  // namespace godwit::h5stage
