// Directories that are no database, or a damaged one: refused, and left as they are.
#include "unit/objects/database_fixture.hpp"

namespace godwit::objects {
namespace {

// A checkpoint to be damaged, which a map has too.
class Damaged : public EveryBackend {
 protected:
  void SetUp() override {
    EveryBackend::SetUp();
    put_numbered(0, 3000, std::string(100, 'v'));
    ASSERT_TRUE(backend_->checkpoint(path("copy")));
  }
  // The file that says what the others are.
  std::string main_file() const {
    for (const auto& [name, bytes] : files_in(path("copy"))) {
      switch (kind()) {
        case BackendKind::kMap:
        case BackendKind::kLmdb: return path("copy/" + name);
        case BackendKind::kRocksDb:
        case BackendKind::kLevelDb:
          if (name.starts_with("MANIFEST")) return path("copy/" + name);
      }
    }
    return {};
  }
  void expect_refused_untouched(Errc code = Errc::kCorrupt) {
    const auto before = files_in(path("copy"));
    const auto opened = open_backend(kind(), path("copy"), "", Opening::kExisting);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, code) << opened.error().text;
    EXPECT_TRUE(files_in(path("copy")) == before);
  }
};

TEST_P(Damaged, AFlippedByteInTheMainFile) {
  const std::string file = main_file();
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  const auto size = static_cast<std::streamoff>(std::filesystem::file_size(file));
  if (kind() == BackendKind::kLmdb) {  // Its checks cover its two head pages alone.
    for (const std::streamoff at : {16, 4096 + 16}) stream.seekp(at) << "damage";
  } else {
    stream.seekg(size / 2);
    const char byte = static_cast<char>(stream.get());
    stream.seekp(size / 2).put(static_cast<char>(byte ^ 0x40));
  }
  stream.close();
  expect_refused_untouched();
}

TEST_P(Damaged, TheMainFileCutShort) {
  const std::string file = main_file();
  std::filesystem::resize_file(file, std::filesystem::file_size(file) / 2);
  if (kind() == BackendKind::kRocksDb || kind() == BackendKind::kLevelDb) {
    // A manifest's torn end is what a crash leaves; cut to its first bytes it is none.
    std::filesystem::resize_file(file, 3);
  }
  expect_refused_untouched();
}

TEST_P(Damaged, TheMainFileEmpty) {
  std::filesystem::resize_file(main_file(), 0);
  expect_refused_untouched();
}

TEST_P(Damaged, TheMainFileMissing) {
  std::filesystem::remove(main_file());
  // Of two kinds it is the only file: nothing says that there was a database.
  const bool was_all = kind() == BackendKind::kMap || kind() == BackendKind::kLmdb;
  expect_refused_untouched(was_all ? Errc::kNotFound : Errc::kCorrupt);
}

TEST_P(Damaged, ATableMissing) {
  if (kind() != BackendKind::kRocksDb && kind() != BackendKind::kLevelDb) GTEST_SKIP() << "has one file";
  if (kind() == BackendKind::kLevelDb) {  // Its checkpoint has a log alone; make a table of it.
    { ASSERT_TRUE(open_backend(kind(), path("copy"), "", Opening::kExisting)); }
  }
  bool removed = false;
  for (const auto& [name, bytes] : files_in(path("copy")))
    if (!removed && backend_->is_immutable(name)) removed = std::filesystem::remove(path("copy/" + name));
  ASSERT_TRUE(removed);
  expect_refused_untouched();
}

TEST_P(Damaged, AnythingElseInTheDirectoryIsNoDatabase) {
  if (!is_lasting(kind())) GTEST_SKIP() << "has no directory";
  std::filesystem::create_directory(path("mine"));
  std::ofstream(path("mine") + "/thesis.tex") << "text";
  for (const Opening opening : {Opening::kExisting, Opening::kExistingOrNew, Opening::kNew}) {
    const auto opened = open_backend(kind(), path("mine"), "", opening);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, opening == Opening::kNew ? Errc::kExists : Errc::kCorrupt);
  }
  EXPECT_EQ(files_in(path("mine")), (std::map<std::string, std::string>{{"thesis.tex", "text"}}));
}

TEST_P(Damaged, NothingIsMadeWhereADatabaseShouldBe) {
  if (!is_lasting(kind())) GTEST_SKIP() << "has no directory";
  const auto opened = open_backend(kind(), path("nowhere"), "", Opening::kExisting);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Errc::kNotFound);
  EXPECT_FALSE(std::filesystem::exists(path("nowhere")));
  const auto made = open_backend(kind(), path("nowhere"), "{\"create_if_missing\":false}", Opening::kExistingOrNew);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Errc::kNotFound);
}

// Yokan removed the directory of a RocksDB whose path was relative.
TEST_P(Damaged, ARelativePathIsRefusedAndTouchesNothing) {
  if (!is_lasting(kind())) GTEST_SKIP() << "has no directory";
  for (const Opening opening : {Opening::kExisting, Opening::kNew, Opening::kExistingOrNew}) {
    const auto opened = open_backend(kind(), "some/relative/path", "", opening);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Errc::kInvalid);
  }
  EXPECT_FALSE(std::filesystem::exists("some"));
}

INSTANTIATE_TEST_SUITE_P(Backends, Damaged, all_backends(), name_of);

}  // namespace
}  // namespace godwit::objects
