// Runs what the C translation units do, with the daemons they need.
#include <gtest/gtest.h>

#include <memory>

#include "c_calls.h"
#include "support/daemon.hpp"

namespace {

using godwit::test::Daemon;

TEST(CApi, ErrorsHaveTexts) { EXPECT_EQ(c_errors_have_texts(), 0); }
TEST(CApi, IdsAreParsedAndFormatted) { EXPECT_EQ(c_ids_are_parsed_and_formatted(), 0); }
TEST(CApi, ClientOptionsAreChecked) { EXPECT_EQ(c_client_options_are_checked(), 0); }
TEST(CApi, NullClientsAndOutputsAreRefused) { EXPECT_EQ(c_null_client_and_outputs_are_refused(), 0); }
TEST(CApi, DeadAddressFailsAndIsNamed) { EXPECT_EQ(c_dead_address_fails("tcp://127.0.0.1:1"), 0); }

// One pair of daemons for all: each test leaves them as it found them.
class CApiWithDaemons : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    here_ = std::make_unique<Daemon>();
    there_ = std::make_unique<Daemon>();
  }
  static void TearDownTestSuite() {
    here_.reset();
    there_.reset();
  }
  static const char* here() { return here_->address().c_str(); }
  static const char* there() { return there_->address().c_str(); }

 private:
  static inline std::unique_ptr<Daemon> here_;
  static inline std::unique_ptr<Daemon> there_;
};
TEST_F(CApiWithDaemons, NodeIsDescribed) { EXPECT_EQ(c_node_is_described(here()), 0); }
TEST_F(CApiWithDaemons, TargetArgumentsAreChecked) { EXPECT_EQ(c_target_arguments_are_checked(here()), 0); }
TEST_F(CApiWithDaemons, RegionArgumentsAreChecked) { EXPECT_EQ(c_region_arguments_are_checked(here()), 0); }
TEST_F(CApiWithDaemons, RegionsLive) { EXPECT_EQ(c_regions_live(here()), 0); }
TEST_F(CApiWithDaemons, RegionsAreToldOneByOne) { EXPECT_EQ(c_regions_are_told_one_by_one(here()), 0); }
TEST_F(CApiWithDaemons, RegionsHaveNames) { EXPECT_EQ(c_regions_have_names(here()), 0); }
TEST_F(CApiWithDaemons, RangesAreChecked) { EXPECT_EQ(c_ranges_are_checked(here()), 0); }
TEST_F(CApiWithDaemons, LargeDataTravels) { EXPECT_EQ(c_large_data_travels(here()), 0); }
TEST_F(CApiWithDaemons, MigrationArgumentsAreChecked) { EXPECT_EQ(c_migration_arguments_are_checked(here(), there()), 0); }
TEST_F(CApiWithDaemons, RegionIsMoved) { EXPECT_EQ(c_region_is_moved(here(), there()), 0); }
TEST_F(CApiWithDaemons, RegionsAreCopied) { EXPECT_EQ(c_regions_are_copied(here(), there()), 0); }
TEST_F(CApiWithDaemons, MigrationIsWatched) { EXPECT_EQ(c_migration_is_watched(here(), there()), 0); }
TEST_F(CApiWithDaemons, MigrationIsPartial) { EXPECT_EQ(c_migration_is_partial(here(), there()), 0); }
TEST_F(CApiWithDaemons, RegionIsMovedToAnotherTargetOfItsNode) { EXPECT_EQ(c_region_is_moved(here(), here()), 0); }

}  // namespace
