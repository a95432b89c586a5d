// Copies of a database as files, while it is used, and opening from them.
#include <atomic>
#include <thread>

#include "base/fail_point.hpp"
#include "unit/objects/database_fixture.hpp"

namespace godwit::objects {
namespace {

class Checkpoint : public EveryBackend {};

TEST_P(Checkpoint, IsTheWholeDatabaseAndStandsAlone) {
  put_numbered(0, 2000, std::string(200, 'v'));
  put("\0\xff"sv, "");
  const auto before = content(*backend_);
  ASSERT_TRUE(backend_->checkpoint(path("copy")));
  put("later", "not in it");
  erase("key 1");
  auto copy = open_backend(kind(), path("copy"), "", Opening::kExisting);
  ASSERT_TRUE(copy) << copy.error().text;
  EXPECT_EQ(content(**copy), before);
  // Neither changes the other.
  const Change change{"only in the copy", "v"};
  ASSERT_TRUE((*copy)->apply({&change, 1}));
  std::string value;
  EXPECT_FALSE(*backend_->get("only in the copy", value));
  EXPECT_TRUE(*backend_->get("later", value));
}

TEST_P(Checkpoint, OfAnEmptyDatabaseIsEmpty) {
  ASSERT_TRUE(backend_->checkpoint(path("copy")));
  auto copy = open_backend(kind(), path("copy"), "", Opening::kExisting);
  ASSERT_TRUE(copy) << copy.error().text;
  EXPECT_TRUE(content(**copy).empty());
}

TEST_P(Checkpoint, IsConsistentWhileThreadsWriteAndItCompacts) {
  // The writer keeps two keys equal; small buffers make the libraries flush and compact all the time.
  backend_.reset();
  const std::string options =
      kind() == BackendKind::kRocksDb || kind() == BackendKind::kLevelDb ? "{\"write_buffer_size\":\"64KiB\"}" : "";
  auto opened = open_backend(kind(), home(), options, Opening::kExistingOrNew);
  ASSERT_TRUE(opened) << opened.error().text;
  backend_ = std::move(*opened);
  std::atomic<int> written{0};
  std::jthread writer([&](std::stop_token stop) {
    for (int i = 0; !stop.stop_requested(); ++i) {
      const std::string text = std::to_string(i), filler = "filler " + std::to_string(i % 500);
      const Change changes[] = {{"first", text},
                                {filler, std::string_view(text.empty() ? "" : "0123456789012345678901234567890123456789")},
                                {"second", text}};
      const auto applied = backend_->apply(changes);
      EXPECT_TRUE(applied) << applied.error().text;
      ++written;
    }
  });
  for (int round = 0; round < 10; ++round) {
    const int wanted = written + 20;
    while (written < wanted) std::this_thread::yield();
    const std::string directory = path("copy " + std::to_string(round));
    const int least = written - 1;
    const auto made = backend_->checkpoint(directory);
    ASSERT_TRUE(made) << made.error().text;
    auto copy = open_backend(kind(), directory, "", Opening::kExisting);
    ASSERT_TRUE(copy) << copy.error().text;
    std::string first, second;
    EXPECT_TRUE(*(*copy)->get("first", first));
    EXPECT_TRUE(*(*copy)->get("second", second));
    EXPECT_EQ(first, second);
    EXPECT_GE(std::stoi(first), least);  // What was acknowledged before is in it.
  }
}

TEST_P(Checkpoint, FilesCalledImmutableAreTheSameInALaterOne) {
  for (int round = 0; round < 2; ++round) {
    put_numbered(1000 * round, 3000, std::string(100, 'v'));
    ASSERT_TRUE(backend_->checkpoint(path("copy " + std::to_string(round))));
  }
  const auto earlier = files_in(path("copy 0")), later = files_in(path("copy 1"));
  int shared = 0;
  for (const auto& [name, bytes] : earlier) {
    const auto same = later.find(name);
    if (!backend_->is_immutable(name) || same == later.end() || same->second.size() != bytes.size()) continue;
    EXPECT_TRUE(same->second == bytes) << name;
    ++shared;
  }
  if (kind() == BackendKind::kRocksDb) {
    EXPECT_GT(shared, 0);
  }
}

TEST_P(Checkpoint, IntoADirectoryThatIsThereIsRefusedAndLeavesItAlone) {
  std::filesystem::create_directory(path("mine"));
  std::ofstream(path("mine") + "/file") << "text";
  const auto made = backend_->checkpoint(path("mine"));
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Errc::kExists);
  EXPECT_EQ(files_in(path("mine")).at("file"), "text");
}

TEST_P(Checkpoint, ThatCannotBeMadeLeavesNothingAndTheDatabaseServes) {
  put("key", "value");
  const auto made = backend_->checkpoint(path("no such directory") + "/copy");
  ASSERT_FALSE(made);
  EXPECT_FALSE(std::filesystem::exists(path("no such directory")));
  std::string value;
  EXPECT_TRUE(*backend_->get("key", value));
  put("key", "again");
}

INSTANTIATE_TEST_SUITE_P(Backends, Checkpoint, all_backends(), name_of);

TEST(MapDump, AWriteErrorIsTheCallersAndLeavesNothing) {
  const test::TemporaryDirectory root;
  auto backend = open_backend(BackendKind::kMap, "", "", Opening::kNew);
  ASSERT_TRUE(backend);
  const Change change{"key", "value"};
  ASSERT_TRUE((*backend)->apply({&change, 1}));
  set_fail_point("database.dump", ENOSPC);
  const auto made = (*backend)->checkpoint(root.path() + "/copy");
  clear_fail_points();
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Errc::kNoSpace);
  EXPECT_FALSE(std::filesystem::exists(root.path() + "/copy"));
}

TEST(MapDump, IsWrittenByteForByteAsDocumented) {
  const test::TemporaryDirectory root;
  auto backend = open_backend(BackendKind::kMap, "", "", Opening::kNew);
  ASSERT_TRUE(backend);
  const Change change{"ab", "xyz"};
  ASSERT_TRUE((*backend)->apply({&change, 1}));
  ASSERT_TRUE((*backend)->checkpoint(root.path() + "/copy"));
  const std::string dump = files_in(root.path() + "/copy").at("map.dump");
  const auto head = "GDWMAP1\n\1\0\0\0\0\0\0\0\2\0\0\0\3\0\0\0\0\0\0\0abxyz"sv;
  ASSERT_EQ(dump.size(), head.size() + 16);
  EXPECT_EQ(dump.substr(0, head.size()), head);
}

}  // namespace
}  // namespace godwit::objects
