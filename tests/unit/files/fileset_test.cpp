#include "model/fileset.hpp"

#include <gtest/gtest.h>

#include <functional>

#include "protocol/fileset_codec.hpp"

namespace godwit::model {
namespace {

// A small tree with one of each kind.
Fileset sample() {
  Fileset files;
  const auto add = [&](FileKind kind, uint32_t parent, const std::string& name) -> FileEntry& {
    FileEntry entry;
    entry.kind = kind;
    entry.parent = parent;
    entry.name = name;
    entry.mode = 0640;
    entry.modified = {1'700'000'000, 123'456'789};
    files.entries.push_back(entry);
    return files.entries.back();
  };
  add(FileKind::kDirectory, kNoFile, "top");
  add(FileKind::kDirectory, 0, "a");
  FileEntry& whole = add(FileKind::kRegular, 0, "b\n\xff");
  whole.size_bytes = 10;
  whole.data = {{0, 10}};
  whole.xattrs = {{{"user.colour", std::string("b\0lue", 5)}}};
  FileEntry& sparse = add(FileKind::kRegular, 0, "c");
  sparse.size_bytes = 1000;
  sparse.data = {{10, 20}, {500, 1}};
  add(FileKind::kSymlink, 0, "d").link = "../nowhere";
  add(FileKind::kHardLink, 0, "e").same_as = 2;
  add(FileKind::kRegular, 1, "empty").xattrs.emplace();  // It has none, and nobody knows of "c".
  return files;
}

TEST(Fileset, TravelsAsItIs) {
  const auto bytes = protocol::encode(sample());
  ASSERT_TRUE(bytes);
  const auto back = protocol::decode_fileset(*bytes);
  ASSERT_TRUE(back) << back.error().text;
  EXPECT_EQ(*back, sample());
  EXPECT_EQ(path_of(*back, 6), "top/a/empty");
}

TEST(Fileset, ATruncatedOrDamagedListIsRefusedOrAnother) {
  const auto bytes = *protocol::encode(sample());
  for (size_t length = 0; length < bytes.size(); ++length) {
    const auto files = protocol::decode_fileset(std::span(bytes).first(length));
    EXPECT_TRUE(!files || *files == sample()) << length;  // Of padding at the end nothing depends.
  }
  for (size_t at = 0; at < bytes.size() * 8; ++at) {
    auto damaged = bytes;
    damaged[at / 8] ^= std::byte(1 << at % 8);
    const auto files = protocol::decode_fileset(damaged);
    EXPECT_TRUE(!files || check(*files));  // Whatever it says now, it keeps to the rules.
  }
}

TEST(Fileset, EveryRuleIsChecked) {
  const std::vector<std::pair<const char*, std::function<void(Fileset&)>>> lies{
      {"no entries", [](Fileset& f) { f.entries.clear(); }},
      {"the top has a parent", [](Fileset& f) { f.entries[0].parent = 0; }},
      {"a parent that comes later", [](Fileset& f) { f.entries[1].parent = 6; }},
      {"a parent that is a file", [](Fileset& f) { f.entries[6].parent = 2; }},
      {"a parent that is a symbolic link", [](Fileset& f) { f.entries[6].parent = 4; }},
      {"a parent that is a hard link", [](Fileset& f) { f.entries[6].parent = 5; }},
      {"a parent of its own", [](Fileset& f) { f.entries[1].parent = 1; }},
      {"no name", [](Fileset& f) { f.entries[6].name.clear(); }},
      {"dot", [](Fileset& f) { f.entries[6].name = "."; }},
      {"dots", [](Fileset& f) { f.entries[6].name = ".."; }},
      {"a path", [](Fileset& f) { f.entries[6].name = "../x"; }},
      {"names that do not ascend", [](Fileset& f) { std::swap(f.entries[2].name, f.entries[3].name); }},
      {"a top of dots", [](Fileset& f) { f.entries[0].name = ".."; }},
      {"absolute", [](Fileset& f) { f.entries[6].name = "/etc"; }},
      {"NUL", [](Fileset& f) { f.entries[6].name = std::string("a\0b", 3); }},
      {"long", [](Fileset& f) { f.entries[6].name = std::string(256, 'x'); }},
      {"twice the same name", [](Fileset& f) { f.entries[3].name = f.entries[2].name; }},
      {"a file type in the mode", [](Fileset& f) { f.entries[6].mode = 0100644; }},
      {"nanoseconds", [](Fileset& f) { f.entries[6].modified.nanoseconds = 1'000'000'000; }},
      {"a size above 2^63", [](Fileset& f) { f.entries[6].size_bytes = uint64_t{1} << 63; }},
      {"data past the end",
       [](Fileset& f) {
         f.entries[3].data[1] = {999, 2};
       }},
      {"data that wrap",
       [](Fileset& f) {
         f.entries[3].data[1] = {UINT64_MAX - 1, 4};
       }},
      {"data that overlap",
       [](Fileset& f) {
         f.entries[3].data[1] = {29, 5};
       }},
      {"data of no length", [](Fileset& f) { f.entries[3].data[1].length_bytes = 0; }},
      {"a directory with data", [](Fileset& f) { f.entries[1].size_bytes = 1; }},
      {"a link without text", [](Fileset& f) { f.entries[4].link.clear(); }},
      {"a file with a link's text", [](Fileset& f) { f.entries[6].link = "x"; }},
      {"a hard link to itself", [](Fileset& f) { f.entries[5].same_as = 5; }},
      {"a hard link to a directory", [](Fileset& f) { f.entries[5].same_as = 1; }},
      {"a hard link to nothing", [](Fileset& f) { f.entries[5].same_as = kNoFile; }},
      {"somebody else's attribute", [](Fileset& f) { f.entries[2].xattrs->at(0).name = "security.capability"; }},
      {"more than 2^60 bytes in all",
       [](Fileset& f) {
         f.entries[2].size_bytes = f.entries[3].size_bytes = uint64_t{1} << 60;
         f.entries[2].data = f.entries[3].data = {{0, uint64_t{1} << 60}};
       }},
  };
  ASSERT_TRUE(check(sample()));
  for (const auto& [what, tell] : lies) {
    Fileset files = sample();
    tell(files);
    const auto checked = check(files);
    ASSERT_FALSE(checked) << what;
    EXPECT_EQ(checked.error().code, Errc::kProtocol) << what;
    const auto bytes = protocol::encode(files);
    EXPECT_TRUE(!bytes || !protocol::decode_fileset(*bytes)) << what;
  }
}

}  // namespace
}  // namespace godwit::model
