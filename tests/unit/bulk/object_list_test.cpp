#include "godwit-bulk/object_list.hpp"

#include <gtest/gtest.h>

#include <sstream>

namespace godwit::bulk {
namespace {

std::vector<Listed> read(const std::string& text) {
  std::istringstream in(text);
  return read_object_list(in);
}

void expect_one(const std::string& line, Kind kind, const std::string& name) {
  const auto listed = read(line);
  ASSERT_EQ(listed.size(), 1u) << line;
  EXPECT_EQ(listed.front().kind, kind) << line;
  EXPECT_EQ(listed.front().name, name) << line;
}

TEST(ObjectList, ABareLineIsARegion) {
  expect_one("field", Kind::kRegion, "field");
  expect_one("  field of temperatures  # the first\r", Kind::kRegion, "field of temperatures");
}

TEST(ObjectList, AWordAndABlankSayTheKind) {
  expect_one("region field", Kind::kRegion, "field");
  expect_one("database  jobs", Kind::kDatabase, "jobs");
  expect_one("files /scratch/run 7", Kind::kFiles, "/scratch/run 7");
  expect_one("region region", Kind::kRegion, "region");
  expect_one("region files x", Kind::kRegion, "files x");
}

TEST(ObjectList, AWordAloneOrWithMoreLettersIsARegionsName) {
  expect_one("database", Kind::kRegion, "database");
  expect_one("files ", Kind::kRegion, "files");
  expect_one("filesystem", Kind::kRegion, "filesystem");
}

TEST(ObjectList, CommentsAndEmptyLinesAreNone) { EXPECT_TRUE(read("# all\n\n   \n\t# of them\n").empty()); }

}  // namespace
}  // namespace godwit::bulk
