#include <atomic>
#include <random>
#include <thread>

#include "unit/objects/database_fixture.hpp"

namespace godwit::objects {
namespace {

TEST_P(EveryBackend, AValueIsReadBackAndReplaced) {
  std::string value = "before";
  EXPECT_FALSE(*backend_->get("key", value));
  EXPECT_EQ(value, "before");
  EXPECT_FALSE(backend_->length("key")->has_value());
  put("key", "one");
  put("key", "another");
  EXPECT_TRUE(*backend_->get("key", value));
  EXPECT_EQ(value, "another");
  EXPECT_EQ(**backend_->length("key"), 7u);
  erase("key");
  erase("never there");
  EXPECT_FALSE(*backend_->get("key", value));
}

TEST_P(EveryBackend, KeysAndValuesAreAnyBytes) {
  std::string every_byte;
  for (int i = 0; i < 256; ++i) every_byte.push_back(static_cast<char>(i));
  put(every_byte, "all"sv);
  put("\0"sv, "zero"sv);
  put("\0\0"sv, "two"sv);
  put("empty", "");
  put("binary", every_byte);
  std::string value = "x";
  EXPECT_TRUE(*backend_->get("empty", value));
  EXPECT_EQ(value, "");
  EXPECT_EQ(**backend_->length("empty"), 0u);
  EXPECT_TRUE(*backend_->get("binary", value));
  EXPECT_EQ(value, every_byte);
  EXPECT_TRUE(*backend_->get("\0\0"sv, value));
  EXPECT_EQ(value, "two");
}

TEST_P(EveryBackend, ScansInTheOrderOfUnsignedBytes) {
  std::map<std::string, std::string> expected;
  std::mt19937 random(1);
  for (int i = 0; i < 120; ++i) {
    std::string key(1 + random() % 20, '\0');
    for (char& byte : key) byte = static_cast<char>(random() % 256);
    expected[key] = std::to_string(i);
    put(key, std::to_string(i));
  }
  EXPECT_EQ(content(*backend_), (std::vector<std::pair<std::string, std::string>>(expected.begin(), expected.end())));
  const std::string middle = std::next(expected.begin(), 60)->first;
  EXPECT_EQ(content(*backend_, middle),
            (std::vector<std::pair<std::string, std::string>>(expected.lower_bound(middle), expected.end())));
  // Between two keys, and after the last.
  EXPECT_EQ(content(*backend_, middle + '\0').front().first, std::next(expected.begin(), 61)->first);
  EXPECT_TRUE(content(*backend_, std::string(30, '\xff')).empty());
}

TEST_P(EveryBackend, AScanOfKeysShowsNoValuesAndEndsWhenTold) {
  for (const char* key : {"a", "b", "c"}) put(key, "value");
  std::string shown;
  ASSERT_TRUE(backend_->scan("a", Show::kKeys, [&](std::string_view key, std::string_view value) {
    shown += std::string(key) + "=" + std::string(value) + ";";
    return key != "b";
  }));
  EXPECT_EQ(shown, "a=;b=;");
}

TEST_P(EveryBackend, HoldsAValueOf64MiB) {
  std::string large(protocol::kValueBytesMax, '\0');
  for (size_t i = 0; i < large.size(); i += 4096) large[i] = static_cast<char>(i >> 12);
  put("large", large);
  std::string value;
  EXPECT_TRUE(*backend_->get("large", value));
  EXPECT_TRUE(value == large);
  EXPECT_EQ(**backend_->length("large"), large.size());
  EXPECT_GE(backend_->bytes(), large.size() / 2);
}

TEST_P(EveryBackend, ABatchIsSeenWholeOrNotAtAll) {
  std::atomic<bool> done{false};
  std::thread writer([&] {
    for (int i = 0; i < 60; ++i) {
      const std::string text = std::to_string(i);
      const Change both[] = {
          {"first", text}, {"second", text}, {"scratch", i % 2 ? std::optional<std::string_view>(text) : std::nullopt}};
      EXPECT_TRUE(backend_->apply(both));
    }
    done = true;
  });
  int looks = 0;
  while (!done || looks == 0) {
    std::map<std::string, std::string> seen;
    for (auto& [key, value] : content(*backend_)) seen[key] = value;
    EXPECT_EQ(seen["first"], seen["second"]);
    ++looks;
  }
  writer.join();
  EXPECT_GT(looks, 0);
}

TEST_P(EveryBackend, LaterChangesOfOneKeyInABatchWin) {
  const Change changes[] = {{"a", "1"}, {"b", "1"}, {"a", "2"}, {"b", std::nullopt}};
  ASSERT_TRUE(backend_->apply(changes));
  EXPECT_EQ(content(*backend_), (std::vector<std::pair<std::string, std::string>>{{"a", "2"}}));
  ASSERT_TRUE(backend_->apply({}));
}

TEST_P(EveryBackend, WhatLastsIsThereAfterReopening) {
  put_numbered(0, 1000, std::string(100, 'v'));
  erase("key 7");
  const auto before = content(*backend_);
  ASSERT_TRUE(backend_->persist());
  if (!is_lasting(kind())) return reopen(Opening::kNew);
  reopen();
  EXPECT_EQ(content(*backend_), before);
}

TEST_P(EveryBackend, ManyThreadsReadAndWrite) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i) {
        const std::string key = std::to_string(t) + "/" + std::to_string(i);
        put(key, key);
        std::string value;
        const auto got = backend_->get(key, value);
        EXPECT_TRUE(got && *got);
        EXPECT_EQ(value, key);
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(content(*backend_).size(), 80u);
}

TEST_P(EveryBackend, LimitsItsKeysAsItSays) {
  EXPECT_EQ(backend_->key_bytes_max() < protocol::kKeyBytesMax, kind() == BackendKind::kLmdb);
  const std::string longest(std::min(backend_->key_bytes_max(), protocol::kKeyBytesMax), 'k');
  put(longest, "v");
  EXPECT_TRUE(backend_->length(longest)->has_value());
}

TEST_P(EveryBackend, RefusesOptionsThatItDoesNotHave) {
  EXPECT_TRUE(check_options(kind(), ""));
  EXPECT_TRUE(check_options(kind(), "{}"));
  for (const char* wrong : {"{\"no_such_option\":1}", "[]", "no JSON", "{\"write_buffer_size\":-1}", "{\"map_size\":true}",
                            "{\"create_if_missing\":\"yes\"}", "{\"compression\":\"rar\"}"}) {
    const auto checked = check_options(kind(), wrong);
    ASSERT_FALSE(checked) << wrong;
    EXPECT_EQ(checked.error().code, Errc::kInvalid) << wrong;
    const auto opened = open_backend(kind(), is_lasting(kind()) ? path("other") : "", wrong, Opening::kNew);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Errc::kInvalid);
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, EveryBackend, all_backends(), name_of);

TEST(BackendOptions, ALogThatIsOffIsRefusedWithTheReason) {
  EXPECT_TRUE(check_options(BackendKind::kRocksDb, "{\"disable_wal\":false}"));
  const auto checked = check_options(BackendKind::kRocksDb, "{\"disable_wal\":true}");
  ASSERT_FALSE(checked);
  EXPECT_NE(checked.error().text.find("would be lost"), std::string::npos);
}

TEST(BackendOptions, SizesMayBeTexts) {
  EXPECT_TRUE(check_options(BackendKind::kRocksDb, "{\"write_buffer_size\":\"8MiB\",\"compression\":\"lz4\"}"));
  EXPECT_TRUE(check_options(BackendKind::kLmdb, "{\"map_size\":\"1GiB\"}"));
  EXPECT_FALSE(check_options(BackendKind::kLmdb, "{\"map_size\":\"1KiB\"}"));
}

TEST(LmdbBackend, AFullMapIsNoSpaceAndTheDatabaseGoesOn) {
  const test::TemporaryDirectory root;
  auto backend = open_backend(BackendKind::kLmdb, root.path() + "/db", "{\"map_size\":\"1MiB\"}", Opening::kNew);
  ASSERT_TRUE(backend) << backend.error().text;
  const std::string value(100'000, 'v');
  Result<> put = Done{};
  int stored = 0;
  for (; put && stored < 100; ++stored) {
    const std::string key = std::to_string(stored);
    const Change change{key, value};
    put = (*backend)->apply({&change, 1});
  }
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().code, Errc::kNoSpace);
  EXPECT_TRUE((*backend)->length("0")->has_value());
}

}  // namespace
}  // namespace godwit::objects
