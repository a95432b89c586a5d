// What a user asked for, as the journal keeps it.
#include "engine/job_request.hpp"

#include <gtest/gtest.h>

#include <map>

namespace godwit::engine {
namespace {

model::Transfer transfer() {
  model::Transfer made;
  made.block_bytes = 1_MiB;
  made.streams = 3;
  made.bandwidth_bytes_per_second = 123'456'789'012;
  made.compression = model::Compression::kZstd;
  made.priority = model::Priority::kHigh;
  made.window.begin = 22 * 60;
  made.window.end = 6 * 60;
  made.verify = true;
  made.approval = true;
  made.max_downtime_ms = 1500;
  return made;
}

void expect_same(const model::Transfer& a, const model::Transfer& b) {
  EXPECT_EQ(a.block_bytes, b.block_bytes);
  EXPECT_EQ(a.streams, b.streams);
  EXPECT_EQ(a.bandwidth_bytes_per_second, b.bandwidth_bytes_per_second);
  EXPECT_EQ(a.compression, b.compression);
  EXPECT_EQ(a.priority, b.priority);
  EXPECT_EQ(a.window.begin, b.window.begin);
  EXPECT_EQ(a.window.end, b.window.end);
  EXPECT_EQ(a.verify, b.verify);
  EXPECT_EQ(a.approval, b.approval);
  EXPECT_EQ(a.max_downtime_ms, b.max_downtime_ms);
}

TEST(JobRequest, WhatAUserHasSaidIsKeptAndNotMadeUp) {
  const MigrateRequest asked{{{1, 2}}, "tcp://n2:7411", "keep", true, "", transfer()};
  const auto back = [&](bool paused, bool approved, bool cancelled) {
    return *parse_request(to_json({asked, "tcp://n1:7411", paused, approved, cancelled}));
  };
  for (const bool said : {false, true}) {
    EXPECT_EQ(back(said, !said, !said).paused, said);
    EXPECT_EQ(back(!said, said, !said).approved, said);
    EXPECT_EQ(back(!said, !said, said).cancelled, said);
  }
}

TEST(JobRequest, OfRegionsComesBackAsItWas) {
  const MigrateRequest asked{{{1, 2}, {~uint64_t{0}, 4}}, "tcp://n2:7411", "keep", true, "näme", transfer()};
  const auto back = parse_request(to_json({asked, "tcp://n1:7411", true, {}}));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->source_address, "tcp://n1:7411");
  EXPECT_TRUE(back->paused);
  const auto& found = std::get<MigrateRequest>(back->request);
  EXPECT_EQ(found.regions, asked.regions);
  EXPECT_EQ(found.destination_address, asked.destination_address);
  EXPECT_EQ(found.destination_target, asked.destination_target);
  EXPECT_TRUE(found.copy);
  EXPECT_EQ(found.name, asked.name);
  expect_same(found.transfer, asked.transfer);
}

// Linux allows every byte in a path but two.
TEST(JobRequest, OfFilesKeepsNamesThatAreNoUtf8) {
  MigrateFilesRequest asked;
  for (int byte = 1; byte < 256; ++byte) asked.paths.push_back(std::string("/a/") + static_cast<char>(byte) + "b");
  asked.destination_address = "tcp://n2:7411";
  asked.directory = "/\xff\xfe/dir";
  asked.options.move = true;
  asked.options.walk.xattrs = true;
  asked.options.walk.rules = {{true, "*.h5"}, {false, "\x80*"}};
  asked.update = true;
  asked.hold = true;
  asked.transfer = transfer();
  const auto back = parse_request(to_json({asked, "", false, {}}));
  ASSERT_TRUE(back);
  const auto& found = std::get<MigrateFilesRequest>(back->request);
  EXPECT_EQ(found.paths, asked.paths);
  EXPECT_EQ(found.directory, asked.directory);
  EXPECT_TRUE(found.options.move);
  EXPECT_FALSE(found.options.force);
  EXPECT_TRUE(found.options.walk.xattrs);
  EXPECT_FALSE(found.options.walk.skip_special);
  ASSERT_EQ(found.options.walk.rules.size(), 2U);
  EXPECT_TRUE(found.options.walk.rules[0].take);
  EXPECT_EQ(found.options.walk.rules[1].pattern, "\x80*");
  EXPECT_TRUE(found.update);
  EXPECT_TRUE(found.hold);
}

TEST(JobRequest, KeepsWhatWasRefusedAndWhy) {
  const MigrateRequest asked{{{1, 2}, {3, 4}, {5, 6}}, "tcp://n2:7411", "keep", false, "", transfer()};
  const std::vector<RefusedObject> refused{{0, Errc::kExists}, {2, Errc::kNoSpace}};
  const auto back = parse_request(to_json({asked, "tcp://n1:7411", false, false, false, refused}));
  ASSERT_TRUE(back) << back.error().text;
  EXPECT_EQ(back->refused, refused);
  EXPECT_EQ(object_count(back->request), 3U);
  for (const std::vector<RefusedObject>& wrong :
       {std::vector<RefusedObject>{{3, Errc::kExists}}, std::vector<RefusedObject>{{0, Errc{}}},
        std::vector<RefusedObject>{{1, Errc::kExists}, {1, Errc::kExists}}})
    EXPECT_FALSE(parse_request(to_json({asked, "tcp://n1:7411", false, false, false, wrong})));
}

TEST(JobRequest, OfADatabaseComesBackAsItWas) {
  const MigrateDatabaseRequest asked{{5, 6}, "shm://x", "/new", "{\"a\": 1}", transfer()};
  const auto back = parse_request(to_json({asked, "tcp://n1:1", false}));
  ASSERT_TRUE(back);
  const auto& found = std::get<MigrateDatabaseRequest>(back->request);
  EXPECT_EQ(found.database, asked.database);
  EXPECT_EQ(found.new_root, asked.new_root);
  EXPECT_EQ(found.extra_config, asked.extra_config);
  expect_same(found.transfer, asked.transfer);
}

TEST(JobRequest, WhatIsDamagedIsRefused) {
  const std::string whole =
      to_json({MigrateRequest{{{1, 2}}, "tcp://n2:7411", "keep", false, "", transfer()}, "tcp://n1:1", false});
  ASSERT_TRUE(parse_request(whole));
  for (size_t length = 0; length < whole.size(); ++length)
    EXPECT_EQ(parse_request(whole.substr(0, length)).error().code, Errc::kCorrupt);
  for (const char* text :
       {"[]", "null", "{}", "{\"kind\": 3}", "{\"kind\": \"regions\"}", "{\"kind\": \"files\", \"paths\": 1}"})
    EXPECT_EQ(parse_request(text).error().code, Errc::kCorrupt) << text;
  for (const auto& [from, to] : std::map<std::string, std::string>{
           {"\"streams\":3", "\"streams\":0"}, {"\"regions\",\"", "\"trees\",\""}, {to_string(Id{1, 2}), "field"}}) {
    std::string changed = whole;
    const size_t at = changed.find(from);
    ASSERT_NE(at, std::string::npos) << from << " in " << whole;
    EXPECT_EQ(parse_request(changed.replace(at, from.size(), to)).error().code, Errc::kCorrupt) << changed;
  }
}

}  // namespace
}  // namespace godwit::engine
