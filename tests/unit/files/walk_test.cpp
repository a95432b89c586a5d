#include "objects/files/walk.hpp"

#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "directory_fixture.hpp"

namespace godwit::objects {
namespace {

class WalkTest : public DirectoryTest {
 protected:
  Result<Walked> walk_tree(const WalkOptions& options = {}) {
    return walk(fd_.get(), "tree", options, root(), std::atomic<bool>{false});
  }
  std::vector<std::string> paths(const Walked& walked) {
    std::vector<std::string> paths;
    for (uint32_t i = 0; i < walked.files.entries.size(); ++i) paths.push_back(path_of(walked.files, i));
    return paths;
  }
};

TEST_F(WalkTest, ParentsComeFirstAndNamesAscend) {
  for (const char* name : {"b/2", "b/1", "a/x/y", "c"}) write(root() / "tree" / name, name);
  const auto walked = walk_tree();
  ASSERT_TRUE(walked) << walked.error().text;
  EXPECT_EQ(paths(*walked),
            (std::vector<std::string>{"tree", "tree/a", "tree/b", "tree/c", "tree/a/x", "tree/b/1", "tree/b/2", "tree/a/x/y"}));
  EXPECT_TRUE(check(walked->files));
}

TEST_F(WalkTest, HolesAndSecondNamesAreFound) {
  write(root() / "tree/x", "x");
  std::filesystem::create_hard_link(root() / "tree/x", root() / "tree/y");
  const UniqueFd sparse(open((root() / "tree/z").c_str(), O_WRONLY | O_CREAT, 0644));
  ASSERT_EQ(ftruncate(sparse.get(), 1 << 20), 0);
  ASSERT_EQ(pwrite(sparse.get(), "middle", 6, 1 << 19), 6);
  const auto walked = walk_tree();
  ASSERT_TRUE(walked);
  EXPECT_EQ(walked->files.entries[2].kind, model::FileKind::kHardLink);
  EXPECT_EQ(walked->files.entries[2].same_as, 1U);
  const model::FileEntry& z = walked->files.entries[3];
  EXPECT_EQ(z.size_bytes, 1U << 20);
  EXPECT_LT(z.data_bytes(), 1U << 19);
  EXPECT_GE(z.data_bytes(), 6U);
}

TEST_F(WalkTest, TheFirstRuleThatMatchesDecides) {
  for (const char* name : {"a.tmp", "b/keep.tmp", "b/c.tmp", "b/d", "e/f"}) write(root() / "tree" / name, name);
  WalkOptions options;
  options.rules = {{true, "keep.tmp"}, {false, "*.tmp"}, {false, "/e"}};
  const auto walked = walk_tree(options);
  ASSERT_TRUE(walked);
  EXPECT_EQ(paths(*walked), (std::vector<std::string>{"tree", "tree/b", "tree/b/d", "tree/b/keep.tmp"}));
  EXPECT_EQ(walked->left_out, 3U);
}

TEST_F(WalkTest, EveryChangeIsSeenAgain) {
  write(root() / "tree/a", "a");
  write(root() / "tree/sub/b", "b");
  const auto walked = walk_tree();
  ASSERT_TRUE(walked);
  ASSERT_TRUE(recheck(fd_.get(), *walked, "tree", root()));
  const auto changed = [&] {
    const auto same = recheck(fd_.get(), *walked, "tree", root());
    return !same && same.error().code == Errc::kChanged;
  };
  write(root() / "tree/a", "A");  // The same size, and at once.
  EXPECT_TRUE(changed());
  const auto again = walk_tree();
  write(root() / "tree/sub/new", "");
  EXPECT_FALSE(recheck(fd_.get(), *again, "tree", root()));
}

// While it walks: what a user has made must not fill the daemon's memory first.
TEST_F(WalkTest, ATreeWhoseListIsTooLongIsLeftAtOnce) {
  write(root() / "tree/a", "a");
  std::filesystem::create_symlink("b", root() / "tree/link");
  const auto small = walk_tree();
  ASSERT_TRUE(small);
  uint64_t bytes = 0;
  for (const model::FileEntry& entry : small->files.entries) {
    bytes += protocol::listing_bytes(entry);
    EXPECT_LT(entry.link.capacity(), 64U);
  }
  EXPECT_EQ(small->listing_bytes, bytes);
  WalkOptions options;
  options.xattrs = true;
  options.listing_bytes_max = bytes;
  EXPECT_TRUE(walk_tree(options));
  const auto refused = [&] {
    const auto walked = walk_tree(options);
    return !walked && walked.error().code == Errc::kLimit;
  };
  --options.listing_bytes_max;
  EXPECT_TRUE(refused());
  options.listing_bytes_max = bytes + 2000;
  const std::string value(300, 'v');
  if (setxattr((root() / "tree/a").c_str(), "user.a", value.data(), value.size(), 0) != 0) GTEST_SKIP() << "no attributes here";
  const auto with = walk_tree(options);
  ASSERT_TRUE(with) << with.error().text;
  ASSERT_EQ(with->files.entries[1].xattrs->size(), 1U);
  EXPECT_EQ(with->files.entries[1].xattrs->at(0).value, value);
  EXPECT_LT(with->files.entries[1].xattrs->at(0).value.capacity(), 1000U);
  options.listing_bytes_max = bytes + 300;
  EXPECT_TRUE(refused());
}

TEST_F(WalkTest, SpecialFilesAreAnErrorOrLeftOut) {
  write(root() / "tree/x", "x");
  ASSERT_EQ(mkfifo((root() / "tree/fifo").c_str(), 0644), 0);
  const auto refused = walk_tree();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kUnsupported);
  WalkOptions options;
  options.skip_special = true;
  const auto walked = walk_tree(options);
  ASSERT_TRUE(walked);
  EXPECT_EQ(walked->left_out, 1U);
}

}  // namespace
}  // namespace godwit::objects
