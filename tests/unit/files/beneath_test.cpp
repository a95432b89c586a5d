#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <ctime>
#include <thread>

#include "directory_fixture.hpp"
#include "objects/files/file_roots.hpp"
#include "objects/files/private_directory.hpp"
#include "objects/files/tree_writer.hpp"

namespace godwit::objects {
namespace {

class BeneathTest : public DirectoryTest {
 protected:
  Result<UniqueFd> read(const std::string& path, Links links) { return open_beneath(fd_.get(), path, O_RDONLY, links, path); }
  Errc code(const std::string& path, Links links) {
    auto fd = read(path, links);
    return fd ? Errc{} : fd.error().code;
  }
};

TEST_F(BeneathTest, NoWayLeadsOutside) {
  write(path_ / "secret", "secret");
  write(root() / "inside/x", "x");
  std::filesystem::create_symlink("../secret", root() / "up");
  std::filesystem::create_symlink(path_ / "secret", root() / "absolute");
  std::filesystem::create_directory_symlink("..", root() / "inside/back");
  std::filesystem::create_symlink("/proc/self/root/etc/passwd", root() / "magic");
  for (const Links links : {Links::kInside, Links::kNone}) {
    EXPECT_EQ(code("../secret", links), Errc::kDenied);
    EXPECT_EQ(code("inside/../../secret", links), Errc::kDenied);
    EXPECT_EQ(code("/etc/passwd", links), Errc::kDenied);
    EXPECT_EQ(code("up", links), Errc::kDenied);
    EXPECT_EQ(code("absolute", links), Errc::kDenied);
    EXPECT_EQ(code("inside/back/../secret", links), Errc::kDenied);
    EXPECT_EQ(code("magic", links), Errc::kDenied);
    EXPECT_EQ(code("missing", links), Errc::kNotFound);
    EXPECT_EQ(code("inside/x", links), Errc{});
  }
}

TEST_F(BeneathTest, LinksInsideAreWaysOnlyWhereAllowed) {
  write(root() / "real/x", "x");
  std::filesystem::create_directory_symlink("real", root() / "way");
  EXPECT_EQ(code("way/x", Links::kInside), Errc{});
  EXPECT_EQ(code("way/x", Links::kNone), Errc::kDenied);
}

TEST_F(BeneathTest, WaysLongerThanTheKernelTakesAreGoneInSteps) {
  const std::string name(200, 'd');
  std::string way;
  UniqueFd at(dup(fd_.get()));
  for (int level = 0; level < 60; ++level) {  // 12,000 bytes; PATH_MAX is 4,096.
    ASSERT_EQ(mkdirat(at.get(), name.c_str(), 0755), 0);
    at = UniqueFd(openat(at.get(), name.c_str(), O_RDONLY | O_DIRECTORY));
    way += name + "/";
  }
  UniqueFd file(openat(at.get(), "x", O_WRONLY | O_CREAT, 0644));
  EXPECT_EQ(code(way + "x", Links::kNone), Errc{});
  EXPECT_EQ(code(way + "y", Links::kNone), Errc::kNotFound);
  EXPECT_TRUE(remove_tree(fd_.get(), name));
  EXPECT_TRUE(std::filesystem::is_empty(root()));
}

// Somebody exchanges a directory for a link to the outside, over and over, while we open and remove below it.
TEST_F(BeneathTest, ARaceWithALinkIsNeverWon) {
  write(path_ / "outside/x", "outside");
  write(root() / "a/x", "inside");
  std::filesystem::create_directory_symlink(path_ / "outside", root() / "b");
  std::atomic<bool> stop{false};
  std::thread swapper([&] {
    while (!stop) (void)renameat2(fd_.get(), "a", fd_.get(), "b", RENAME_EXCHANGE);
  });
  int inside = 0;
  for (int i = 0; i < 20'000; ++i) {
    auto fd = read("a/x", i % 2 == 0 ? Links::kInside : Links::kNone);
    if (!fd) continue;
    char text[8] = {};
    ASSERT_GT(::read(fd->get(), text, sizeof text - 1), 0);
    ASSERT_STREQ(text, "inside");
    ++inside;
  }
  stop = true;
  swapper.join();
  EXPECT_GT(inside, 0);
  EXPECT_TRUE(remove_tree(fd_.get(), "a"));
  EXPECT_TRUE(remove_tree(fd_.get(), "b"));
  EXPECT_TRUE(std::filesystem::exists(path_ / "outside/x"));
}

// Of this thread: what else the machine does does not count.
double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// With time and memory that grow as the depth does, and few descriptors.
// In memory: a disk may wait milliseconds for each directory that goes.
class DeepTreeTest : public DirectoryTest {
 protected:
  DeepTreeTest() : DirectoryTest("/dev/shm") {}
};

TEST_F(DeepTreeTest, IsRemoved) {
  UniqueFd at(dup(fd_.get()));
  for (int level = 0; level < 20'000; ++level) {
    ASSERT_EQ(mkdirat(at.get(), "d", 0755), 0);
    at = UniqueFd(openat(at.get(), "d", O_RDONLY | O_DIRECTORY));
    if (level % 1000 == 0) UniqueFd(openat(at.get(), "file", O_WRONLY | O_CREAT, 0644));
  }
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit few = before;
  few.rlim_cur = static_cast<rlim_t>(at.get()) + 8;
  at = UniqueFd();  // Who holds the last one makes the kernel go through all that is above it each time.
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  const double start = processor_seconds();
  const auto gone = remove_tree(fd_.get(), "d");
  const double took = processor_seconds() - start;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_TRUE(gone) << gone.error().text;
  EXPECT_TRUE(std::filesystem::is_empty(root()));
  EXPECT_LT(took, 10);  // A step costs the same at any depth; otherwise this would take minutes.
}

// Somebody takes the directory that is just emptied elsewhere, where the one above has files of the same names.
TEST_F(BeneathTest, WhatIsAboveAMovedDirectoryStays) {
  constexpr int kNames = 16;
  for (int name = 0; name < kNames; ++name) write(root() / "outside" / std::to_string(name), "outside");
  const auto kept = [&] {
    int count = 0;
    for (int name = 0; name < kNames; ++name)
      count += std::filesystem::exists(root() / "outside" / std::to_string(name)) ? 1 : 0;
    return count;
  };
  std::atomic<bool> stop{false};
  std::thread mover([&] {
    // As soon as one of its files has gone, it is under way.
    while (!stop)
      if (faccessat(fd_.get(), "tree/a/z/1", F_OK, 0) != 0 || faccessat(fd_.get(), "tree/a/z/50", F_OK, 0) != 0)
        (void)renameat(fd_.get(), "tree/a/z", fd_.get(), "outside/z");
  });
  for (int i = 0; i < 200 && kept() == kNames; ++i) {
    for (int name = 0; name < 64; ++name) write(root() / "aside/z" / std::to_string(name), "x");
    for (int name = 0; name < kNames; ++name) write(root() / "aside" / std::to_string(name), "inside");
    std::filesystem::create_directory(root() / "tree");
    std::filesystem::rename(root() / "aside", root() / "tree/a");
    (void)remove_tree(fd_.get(), "tree");
    std::filesystem::remove_all(root() / "tree");
    std::filesystem::remove_all(root() / "outside/z");
  }
  stop = true;
  mover.join();
  EXPECT_EQ(kept(), kNames);
}

TEST_F(BeneathTest, ATreeIsRemovedWithoutFollowingAnything) {
  write(path_ / "outside/x", "stays");
  write(root() / "tree/sub/x", "x");
  std::filesystem::create_directory_symlink(path_ / "outside", root() / "tree/link");
  std::filesystem::permissions(root() / "tree/sub", std::filesystem::perms::owner_read);
  EXPECT_TRUE(remove_tree(fd_.get(), "tree"));
  EXPECT_TRUE(remove_tree(fd_.get(), "tree"));  // Not there any more.
  EXPECT_FALSE(std::filesystem::exists(root() / "tree"));
  EXPECT_TRUE(std::filesystem::exists(path_ / "outside/x"));
}

// An open(2) of a FIFO waits for its other end; one of a leased file for its holder, as long as /proc/sys/fs/lease-break-time.
TEST_F(BeneathTest, NothingIsWaitedForInTheNameOfAFile) {
  write(root() / "x", "x");
  ASSERT_EQ(mkfifo((root() / "fifo").c_str(), 0600), 0);
  std::filesystem::create_directory(root() / "directory");
  for (const char* name : {"fifo", "directory"}) {
    const auto fd = open_regular(fd_.get(), name, O_RDONLY, name);
    ASSERT_FALSE(fd);
    EXPECT_EQ(fd.error().code, Errc::kChanged) << name;
  }
  const auto file = open_regular(fd_.get(), "x", O_RDWR, "x");
  ASSERT_TRUE(file) << file.error().text;
  EXPECT_EQ(fcntl(file->get(), F_GETFL) & O_NONBLOCK, 0);
  write(root() / "leased", "leased");
  const UniqueFd holder(open((root() / "leased").c_str(), O_RDONLY));
  const auto before = signal(SIGIO, SIG_IGN);
  if (fcntl(holder.get(), F_SETLEASE, F_RDLCK) != 0) GTEST_SKIP() << "no leases here";
  const auto refused = open_regular(fd_.get(), "leased", O_RDWR, "leased");
  signal(SIGIO, before);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kDenied);
  EXPECT_NE(refused.error().text.find("lease"), std::string::npos) << refused.error().text;
}

// What has arrived, and is written once more.
TEST_F(BeneathTest, AFifoInThePlaceOfAFileIsNotWritten) {
  model::Fileset files;
  files.entries.resize(1);
  files.entries[0].name = "x";
  ASSERT_EQ(mkfifo((root() / "x").c_str(), 0600), 0);
  const auto fd = TreeWriter(fd_.get(), files, "there").create_again(0);
  ASSERT_FALSE(fd);
  EXPECT_EQ(fd.error().code, Errc::kChanged);
}

// What was put in the place of a directory that was ours alone.
TEST_F(BeneathTest, OnlyAPrivateDirectoryIsTakenForOurs) {
  write(root() / "ours/x", "x");
  std::filesystem::create_directory_symlink("ours", root() / "link");
  ASSERT_EQ(chmod((root() / "ours").c_str(), 0710), 0);
  const auto code = [&](const char* name) {
    const auto fd = open_private(fd_.get(), name, root());
    return fd ? Errc{} : fd.error().code;
  };
  EXPECT_EQ(code("ours"), Errc::kDenied);
  EXPECT_FALSE(remove_private(fd_.get(), "ours", root()));
  EXPECT_TRUE(std::filesystem::exists(root() / "ours/x"));
  ASSERT_EQ(chmod((root() / "ours").c_str(), 0700), 0);
  EXPECT_EQ(code("ours"), Errc{});
  EXPECT_NE(code("link"), Errc{});
  EXPECT_EQ(code("missing"), Errc::kNotFound);
  if (geteuid() == 0) {
    ASSERT_EQ(chown((root() / "ours").c_str(), 12345, 12345), 0);
    EXPECT_EQ(code("ours"), Errc::kDenied);
    ASSERT_EQ(chown((root() / "ours").c_str(), 0, 0), 0);
  }
  const auto other = remove_tree(fd_.get(), "ours", fd_.get());
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Errc::kChanged);
  EXPECT_TRUE(std::filesystem::exists(root() / "ours/x"));
  EXPECT_TRUE(remove_private(fd_.get(), "ours", root()));
  EXPECT_FALSE(std::filesystem::exists(root() / "ours"));
}

// The mode that comes last goes to the directory that was made, and to no other that has its name now.
TEST_F(BeneathTest, TheModeOfATopIsNotGivenToAnother) {
  model::Fileset files;
  files.entries.resize(1);
  files.entries[0] = {model::FileKind::kDirectory, model::kNoFile, "top", 0555};
  std::filesystem::create_directory(root() / "other");
  std::filesystem::create_directory_symlink("other", root() / "top");
  struct stat status {};
  ASSERT_EQ(stat((root() / "other").c_str(), &status), 0);
  const auto inode = status.st_ino;
  const auto mode = status.st_mode;
  const TreeWriter writer(fd_.get(), files, root());
  const auto mode_now = [&] { return stat((root() / "other").c_str(), &status) == 0 ? status.st_mode : 0; };
  writer.show_mode(fd_.get(), inode, ~uint64_t{0});
  EXPECT_EQ(mode_now(), mode);
  std::filesystem::remove(root() / "top");
  std::filesystem::rename(root() / "other", root() / "top");
  std::filesystem::create_directory_symlink("top", root() / "other");
  writer.show_mode(fd_.get(), inode + 1, ~uint64_t{0});
  EXPECT_EQ(mode_now(), mode);
  writer.show_mode(fd_.get(), inode, ~uint64_t{0});
  EXPECT_EQ(mode_now() & 0777, 0555U);
}

TEST_F(BeneathTest, TheModeOfATopGivesAnotherGroupOnlyWhatEverybodyGets) {
  std::filesystem::create_directory(root() / "top");
  struct stat status {};
  ASSERT_EQ(stat((root() / "top").c_str(), &status), 0);
  model::Fileset files;
  files.entries.resize(1);
  files.entries[0] = {model::FileKind::kDirectory, model::kNoFile, "top", 0574};
  const auto shown_mode = [&](gid_t group) -> mode_t {
    files.entries[0].group = group;
    TreeWriter(fd_.get(), files, root()).show_mode(fd_.get(), status.st_ino, ~uint64_t{0});
    struct stat now {};
    return stat((root() / "top").c_str(), &now) == 0 ? now.st_mode & 07777 : 0;
  };
  EXPECT_EQ(shown_mode(status.st_gid), 0574U);
  EXPECT_EQ(shown_mode(status.st_gid + 1), 0544U);
}

TEST_F(BeneathTest, PathsAreMadeNormalOrRefused) {
  EXPECT_EQ(*normal_path("/a//./b/"), "/a/b");
  EXPECT_EQ(*normal_path("/"), "/");
  for (const char* path : {"", "a", "/a/../b", "/.."}) EXPECT_FALSE(normal_path(path)) << path;
  EXPECT_FALSE(normal_path(std::string("/a\0b", 4)));
}

TEST_F(BeneathTest, TheLongestRootDecides) {
  std::filesystem::create_directories(root() / "closed/open");
  const FileRoots roots({{root(), true, false}, {root() / "closed/open", true, true}});
  EXPECT_TRUE(roots.open(root() / "closed", RootUse::kRead, nullptr));
  EXPECT_FALSE(roots.open(root() / "closed", RootUse::kWrite, nullptr));
  EXPECT_TRUE(roots.open(root() / "closed/open", RootUse::kWrite, nullptr));
  const FileRoots narrowed({{root(), true, true}, {root() / "closed", true, false}, {root() / "closed/open", false, true}});
  EXPECT_TRUE(narrowed.open(root(), RootUse::kWrite, nullptr));
  EXPECT_FALSE(narrowed.open(root() / "closed", RootUse::kWrite, nullptr));
  EXPECT_TRUE(narrowed.open(root() / "closed", RootUse::kRead, nullptr));
  EXPECT_FALSE(narrowed.open(root() / "closed/open", RootUse::kRead, nullptr));
  const FileRoots twice({{root(), true, false}, {root() / "closed", false, false}, {root(), false, true}});
  EXPECT_TRUE(twice.open(root(), RootUse::kRead, nullptr));
  EXPECT_TRUE(twice.open(root(), RootUse::kWrite, nullptr));
  EXPECT_FALSE(twice.open(root() / "closed", RootUse::kWrite, nullptr));
  EXPECT_FALSE(roots.open(root().string() + "x", RootUse::kRead, nullptr));  // Not below it, though it begins with it.
  EXPECT_FALSE(roots.open(path_, RootUse::kRead, nullptr));
}

}  // namespace
}  // namespace godwit::objects
