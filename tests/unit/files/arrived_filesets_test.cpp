// Where jobs have put trees of files: what is found, and what is forgotten.
#include "objects/files/arrived_filesets.hpp"

#include <gtest/gtest.h>

namespace godwit::objects {
namespace {

constexpr Id kJob{1, 1};

journal::FilesetRecord tree(uint64_t number, const std::string& path, uint64_t arrival = 1) {
  return {Id{7, number}, kJob, path, 1000, arrival};
}

class ArrivedFilesetsTest : public testing::Test {
 protected:
  void add(const journal::FilesetRecord& record) { arrived_.add(std::span(&record, 1)); }
  void forget(const std::string& path) { arrived_.forget(std::span(&path, 1)); }
  bool is_at(const std::string& path) const { return arrived_.find(path).has_value(); }

  ArrivedFilesets arrived_;
};

TEST_F(ArrivedFilesetsTest, ATreeIsFoundByItsIdItsPathAndItsJob) {
  add(tree(1, "/to/a"));
  add(tree(2, "/to/b"));
  ASSERT_TRUE(is_at("/to/a"));
  EXPECT_EQ(arrived_.find("/to/a")->id, (Id{7, 1}));
  ASSERT_EQ(arrived_.find(Id{7, 2}).size(), 1U);
  EXPECT_EQ(arrived_.find(Id{7, 2})[0].path, "/to/b");
  EXPECT_EQ(arrived_.find(kJob).size(), 2U);
  EXPECT_FALSE(is_at("/to"));
  EXPECT_FALSE(is_at("/to/a/below"));
  EXPECT_TRUE(arrived_.find(Id{7, 3}).empty());
}

TEST_F(ArrivedFilesetsTest, TheNextOneAtAPathIsTheOnlyOneThere) {
  add(tree(1, "/to/a"));
  add(tree(2, "/to/a"));
  EXPECT_EQ(arrived_.find("/to/a")->id, (Id{7, 2}));
  EXPECT_TRUE(arrived_.find(Id{7, 1}).empty());
  EXPECT_EQ(arrived_.find(kJob).size(), 1U);
}

TEST_F(ArrivedFilesetsTest, WhatLeavesTakesWithItWhatIsBelow) {
  for (uint64_t i = 0; const char* path : {"/to/a", "/to/a/in/it", "/to/a.b", "/to/a0", "/to"}) add(tree(i++, path));
  forget("/to/a");
  EXPECT_FALSE(is_at("/to/a"));
  EXPECT_FALSE(is_at("/to/a/in/it"));
  EXPECT_EQ(arrived_.find(kJob).size(), 3U);
  EXPECT_EQ(arrived_.ids().size(), 3U);
  forget("/nowhere");
  EXPECT_EQ(arrived_.ids().size(), 3U);
}

TEST_F(ArrivedFilesetsTest, WhatComesNextIsTheNewest) {
  add(tree(1, "/to/a", 7));
  add(tree(2, "/to/b", 3));
  EXPECT_EQ(arrived_.next_arrival(), 8U);
  EXPECT_EQ(arrived_.next_arrival(), 9U);
}

TEST_F(ArrivedFilesetsTest, TheOldestGo) {
  for (uint64_t i = 0; i < journal::kFilesetsMax; ++i) add(tree(i, "/" + std::to_string(i), 100 - i % 100));
  add(tree(journal::kFilesetsMax, "/new", 200));
  EXPECT_EQ(arrived_.ids().size(), journal::kFilesetsMax);
  EXPECT_FALSE(is_at("/1099")) << "of those of the oldest time that of the first path";
  EXPECT_TRUE(is_at("/99"));
  EXPECT_TRUE(is_at("/new"));
}

}  // namespace
}  // namespace godwit::objects
