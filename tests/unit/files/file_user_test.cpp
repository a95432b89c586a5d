#include "objects/files/file_user.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <fstream>
#include <functional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>

#include "directory_fixture.hpp"
#include "objects/files/file_volume.hpp"
#include "objects/files/source_files.hpp"
#include "objects/files/tree_writer.hpp"
#include "pmem/fd_queue.hpp"

namespace godwit::objects {
namespace {

constexpr uid_t kAda = 12345, kBob = 12346;
constexpr gid_t kCrew = 12400;

FileUser user(uid_t uid, std::vector<gid_t> groups = {}) { return {uid, uid, std::move(groups)}; }

// The lines of this thread's status that say what it may do.
std::string rights() {
  std::ifstream status("/proc/thread-self/status");
  std::string found;
  for (std::string line; std::getline(status, line);)
    for (const char* name : {"Uid:", "Gid:", "Groups:", "CapInh:", "CapPrm:", "CapEff:", "CapAmb:"})
      if (line.starts_with(name)) found += line + "\n";
  return found;
}

bool can_open(const std::string& path, int flags) {
  const UniqueFd fd(open(path.c_str(), flags | O_CLOEXEC));
  return static_cast<bool>(fd);
}

class FileUserTest : public DirectoryTest {
 protected:
  void SetUp() override {
    DirectoryTest::SetUp();
    if (!check_can_act()) GTEST_SKIP() << "only root can act as others";
    ASSERT_EQ(chmod(path_.c_str(), 0755), 0);
  }
  std::string file(const char* name, uid_t uid, gid_t gid, mode_t mode) {
    std::string path = path_ / name;
    std::ofstream(path) << name;
    EXPECT_EQ(chown(path.c_str(), uid, gid), 0);
    EXPECT_EQ(chmod(path.c_str(), mode), 0);
    return path;
  }
};

TEST_F(FileUserTest, HasItsOwnRightsAndItsGroupsAndNoOthers) {
  const std::string hers = file("hers", kAda, kAda, 0600), his = file("his", kBob, kBob, 0600);
  const std::string crews = file("crews", kBob, kCrew, 0640), roots = file("roots", 0, 0, 0600);
  const std::string both = file("both", kAda, kCrew, 0640);
  const FileUser ada = user(kAda, {kCrew}), bob = user(kBob, {kBob});
  {
    const ActAs as(&ada);
    EXPECT_TRUE(can_open(hers, O_RDWR));
    EXPECT_TRUE(can_open(crews, O_RDONLY));
    EXPECT_FALSE(can_open(crews, O_RDWR));
    EXPECT_FALSE(can_open(his, O_RDONLY));
    EXPECT_FALSE(can_open(roots, O_RDONLY));
    EXPECT_NE(chown(hers.c_str(), kBob, static_cast<gid_t>(-1)), 0);
    EXPECT_NE(chown(hers.c_str(), static_cast<uid_t>(-1), kBob), 0);
    EXPECT_EQ(chown(hers.c_str(), static_cast<uid_t>(-1), kCrew), 0);
    EXPECT_NE(chmod(his.c_str(), 0666), 0);
    EXPECT_NE(mknod((path_ / "device").c_str(), S_IFCHR | 0600, 0), 0);
    EXPECT_NE(rights().find("CapEff:\t0000000000000000"), std::string::npos) << rights();
    EXPECT_FALSE(acts_as_root());
  }
  const ActAs as(&bob);
  EXPECT_FALSE(can_open(hers, O_RDONLY));
  EXPECT_FALSE(can_open(both, O_RDONLY)) << "a group of the one before";
}

TEST_F(FileUserTest, WhatItMakesIsItsOwn) {
  const FileUser ada = user(kAda);
  ASSERT_EQ(chmod(path_.c_str(), 0777), 0);
  {
    const ActAs as(&ada);
    ASSERT_TRUE(can_open(path_ / "new", O_CREAT | O_WRONLY));
  }
  struct stat status {};
  ASSERT_EQ(stat((path_ / "new").c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, kAda);
  EXPECT_EQ(status.st_gid, kAda);
}

TEST_F(FileUserTest, RightsComeBackAlsoAfterAnException) {
  const FileUser ada = user(kAda, {kCrew});
  const std::string before = rights();
  ASSERT_NE(before.find("CapEff:"), std::string::npos);
  try {
    const ActAs as(&ada);
    EXPECT_NE(rights(), before);
    throw std::runtime_error("of what is done meanwhile");
  } catch (const std::runtime_error&) {
    EXPECT_EQ(rights(), before);
  }
  EXPECT_TRUE(acts_as_root());
}

TEST_F(FileUserTest, OneWithinAnotherIsTheOuterOnes) {
  const FileUser ada = user(kAda);
  const FileUser same = user(kAda);
  const std::string before = rights();
  const ActAs outer(&ada);
  const std::string within = rights();
  {
    const ActAs inner(&same), nobody(static_cast<const FileUser*>(nullptr));
    EXPECT_EQ(rights(), within);
  }
  EXPECT_EQ(rights(), within) << "the inner one has given back what is the outer one's";
  EXPECT_NE(within, before);
}

TEST(FileUserDeathTest, AsTwoAtOnceItEnds) {
  if (!check_can_act()) GTEST_SKIP() << "only root can act as others";
  const FileUser ada = user(kAda), bob = user(kBob);
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        std::signal(SIGABRT, SIG_DFL);  // It is asked for: no matter for a sanitizer's report.
        const ActAs outer(&ada);
        const ActAs inner(&bob);
      },
      "");
}

TEST_F(FileUserTest, ThreadsHaveEachTheirOwn) {
  const std::array<FileUser, 4> users{user(kAda, {kCrew}), user(kBob, {kBob}), user(kAda + 10), user(kBob + 10, {kCrew})};
  const std::string before = rights();
  file("roots", 0, 0, 0600);
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (const FileUser& one : users)
    threads.emplace_back([&wrong, &before, &one, this] {
      const std::string own = file(std::to_string(one.uid).c_str(), one.uid, one.uid, 0600);
      for (int round = 0; round < 300; ++round) {
        {
          const ActAs as(&one);
          if (acting_uid() != one.uid || rights().find("\t" + std::to_string(one.uid) + "\n") == std::string::npos) ++wrong;
          if (can_open(path_ / "roots", O_RDONLY) || !can_open(own, O_RDWR)) ++wrong;
        }
        if (rights() != before || !can_open(path_ / "roots", O_RDONLY)) ++wrong;
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(rights(), before);
}

// A ring's requests may be done by another thread, and are submitted while this one has the daemon's rights again.
TEST_F(FileUserTest, ARingKeepsTheRightsItWasGiven) {
  if (pmem::FdQueue::probe() != 0) GTEST_SKIP() << "no io_uring here";
  const FileUser ada = user(kAda);
  auto queue = pmem::FdQueue::open(4, pmem::FdQueue::Mode::kRing);
  ASSERT_TRUE(queue) << queue.error().text;
  {
    const ActAs as(&ada);
    const auto kept = (*queue)->keep_rights();
    ASSERT_TRUE(kept) << kept.error().text;
  }
  // A set-user-id file shows whose rights a write has: one without CAP_FSETID clears the bit.
  const std::string path = file("run", kAda, kAda, 0600);
  const UniqueFd fd(open(path.c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_TRUE(fd);
  ASSERT_EQ(fchmod(fd.get(), 04777), 0);
  std::array<std::byte, 16> bytes{};
  ASSERT_TRUE((*queue)->submit(fd.get(), {pmem::Io::Direction::kWrite, 0, bytes, 1}));
  const auto done = (*queue)->wait(1);
  ASSERT_TRUE(done);
  ASSERT_EQ(done->size(), 1U);
  EXPECT_TRUE(done->front().outcome);
  struct stat status {};
  ASSERT_EQ(fstat(fd.get(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0777U);
}

// What the walk has looked at may be closed when its turn comes.
TEST_F(FileUserTest, FilesOfATreeAreOpenedWithItsRights) {
  file("seen", 0, 0, 0644);
  const std::atomic<bool> never{false};
  const UniqueFd directory(open(path_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  auto walked = walk(directory.get(), "seen", {}, path_, never);
  ASSERT_TRUE(walked);
  const auto place = std::make_shared<RootedDirectory>(RootedDirectory{UniqueFd(dup(directory.get())), path_});
  SourceFiles files(place, std::move(*walked), Tolerance::kNewNames, std::make_shared<FileUser>(user(kAda)));
  EXPECT_TRUE(files.open(0, pmem::Io::Direction::kRead));
  ASSERT_EQ(chmod((path_ / "seen").c_str(), 0600), 0);
  const auto closed = files.open(0, pmem::Io::Direction::kRead);
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.error().code, Errc::kDenied);
}

// One file that is open already.
class OneFile final : public VolumeFiles {
 public:
  explicit OneFile(UniqueFd fd) : fd_(std::move(fd)) {}
  std::string describe(uint32_t) const override { return "the file"; }
  Result<UniqueFd> open(uint32_t, pmem::Io::Direction) override { return UniqueFd(dup(fd_.get())); }
  Result<> finished(uint32_t, int, pmem::Io::Direction) override { return Done{}; }

 private:
  const UniqueFd fd_;
};

TEST_F(FileUserTest, AVolumeWritesWithItsRights) {
  for (const auto mode : {pmem::FdQueue::Mode::kAtOnce, pmem::FdQueue::Mode::kRing}) {
    if (mode == pmem::FdQueue::Mode::kRing && pmem::FdQueue::probe() != 0) continue;
    for (const bool as_ada : {true, false}) {
      const std::string path = file("run", kAda, kAda, 0600);
      UniqueFd fd(open(path.c_str(), O_RDWR | O_CLOEXEC));
      ASSERT_TRUE(fd);
      ASSERT_EQ(fchmod(fd.get(), 04777), 0);
      const UniqueFd seen(dup(fd.get()));
      FileVolume volume(mode, pmem::Io::Direction::kWrite, as_ada ? std::make_shared<FileUser>(user(kAda)) : nullptr);
      model::Fileset files;
      files.entries.resize(1);
      files.entries[0].data = {{0, 16}};
      volume.add(std::make_shared<OneFile>(std::move(fd)), files, {});
      auto queue = volume.open_queue(1);
      ASSERT_TRUE(queue) << queue.error().text;
      std::array<std::byte, 16> bytes{};
      ASSERT_TRUE((*queue)->submit({pmem::Io::Direction::kWrite, 0, bytes, 1}));
      const auto done = (*queue)->wait(1);
      ASSERT_TRUE(done);
      ASSERT_EQ(done->size(), 1U);
      ASSERT_TRUE(done->front().outcome);
      struct stat status {};
      ASSERT_EQ(fstat(seen.get(), &status), 0);
      EXPECT_EQ(status.st_mode & S_ISUID, as_ada ? 0U : static_cast<unsigned>(S_ISUID));
    }
  }
}

TEST_F(FileUserTest, WhatWasForOneGroupIsNotForAnother) {
  const FileUser ada = user(kAda, {kCrew});
  for (const auto& [group, mode, wanted] : {std::tuple{kCrew, 0640U, 0640U},
                                            {gid_t{kBob}, 0640U, 0600U},
                                            {gid_t{kBob}, 0775U, 0755U},
                                            {gid_t{kBob}, 0644U, 0644U}}) {
    const std::string path = file("dressed", kAda, kAda, 0600);
    model::Fileset files;
    files.entries.resize(1);
    files.entries[0].name = "dressed";
    files.entries[0].group = group;
    files.entries[0].mode = mode;
    const UniqueFd fd(open(path.c_str(), O_RDWR | O_CLOEXEC));
    const UniqueFd place(open(path_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    {
      const ActAs as(&ada);
      ASSERT_TRUE(TreeWriter(place.get(), files, path_).dress(0, fd.get()));
    }
    struct stat status {};
    ASSERT_EQ(fstat(fd.get(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, wanted) << group;
  }
}

TEST_F(FileUserTest, OnlyWhoIsKnownHereIsFound) {
  const auto own = FileUser::find(geteuid(), 0);
  ASSERT_TRUE(own);
  EXPECT_EQ(*own, nullptr) << "the daemon's own user needs no other rights";
  const auto unknown = FileUser::find(1999999999, 0);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, Errc::kNotFound);
  const auto daemon = FileUser::find(1, 0);  // Debian's user "daemon", of the group 1 and no other.
  ASSERT_TRUE(daemon) << daemon.error().text;
  EXPECT_EQ((*daemon)->gid, 1U) << "the group that it says, and that this node does not have it in";
  EXPECT_EQ(std::ranges::count((*daemon)->groups, 0U), 0);
}

// A process of its own in a new user namespace, which has this one's root and nobody else. Its status: what `work` returns; 77:
// there are no user namespaces here.
int in_a_namespace_of_root(const std::function<int()>& work) {
  constexpr int kNone = 77;
  std::array<int, 2> made{}, mapped{};
  EXPECT_EQ(pipe2(made.data(), O_CLOEXEC), 0);
  EXPECT_EQ(pipe2(mapped.data(), O_CLOEXEC), 0);
  const pid_t child = fork();
  if (child == 0) {
    char byte = unshare(CLONE_NEWUSER) == 0 ? 'y' : 'n';
    if (write(made[1], &byte, 1) != 1 || read(mapped[0], &byte, 1) != 1 || byte != 'y') _exit(kNone);
    _exit(work());
  }
  char is_made = 'n';
  EXPECT_EQ(read(made[0], &is_made, 1), 1);
  for (const char* map : {"uid_map", "gid_map"}) {
    std::ofstream file("/proc/" + std::to_string(child) + "/" + map);
    if (!(file << "0 0 1\n" << std::flush)) is_made = 'n';
  }
  EXPECT_EQ(write(mapped[1], &is_made, 1), 1);
  for (const int fd : {made[0], made[1], mapped[0], mapped[1]}) close(fd);
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// Who acts as that one all the same ends the daemon.
TEST_F(FileUserTest, WhomNobodyCanBeHereIsRefused) {
  const int status = in_a_namespace_of_root([] {
    const auto known = FileUser::find(1, 1), unknown = FileUser::without_groups(1999999999);
    return (!known && known.error().code == Errc::kDenied ? 0 : 1) +
           (!unknown && unknown.error().code == Errc::kDenied ? 0 : 2);
  });
  if (status == 77) GTEST_SKIP() << "no user namespaces here";
  EXPECT_EQ(status, 0) << "1: one who is known; 2: one who is not";
}

TEST_F(FileUserTest, WhomNobodyKnowsHasWhatHeOwns) {
  constexpr uid_t kGone = 1999999999;
  const std::string own = file("own", kGone, kBob, 0600), group = file("group", kBob, kGone, 0660);
  const auto user = FileUser::without_groups(kGone);
  ASSERT_TRUE(user) << user.error().text;
  const ActAs as(*user);
  EXPECT_TRUE(can_open(own, O_RDWR));
  EXPECT_FALSE(can_open(group, O_RDONLY));
}

}  // namespace
}  // namespace godwit::objects
