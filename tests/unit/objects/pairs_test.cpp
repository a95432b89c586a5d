#include "objects/database/pairs.hpp"

#include "objects/database/documents.hpp"
#include "unit/objects/database_fixture.hpp"

namespace godwit::objects {
namespace {

class PairsOfEveryBackend : public EveryBackend {
 protected:
  void SetUp() override {
    EveryBackend::SetUp();
    pairs_.emplace(*backend_);
  }
  void store(const std::vector<std::pair<std::string, std::string>>& wanted) {
    std::vector<protocol::Record> records;
    for (const auto& [key, value] : wanted) records.push_back({key, value});
    const auto put = pairs_->put(records);
    ASSERT_TRUE(put) << put.error().text;
  }
  struct Page {
    std::vector<std::string> keys;
    bool more;
    uint64_t needed_bytes;
  };
  Page list(const Listing& listing, uint64_t room_bytes = 1'000'000) {
    Results results(room_bytes);
    const auto more = pairs_->list(listing, results);
    EXPECT_TRUE(more);
    const uint64_t needed = results.needed_bytes();
    const std::string bytes = results.take();
    Page page{{}, *more, needed};
    const auto records = protocol::decode_batch(bytes, protocol::Keys::kNeeded);
    for (const protocol::Record& record : *records) page.keys.emplace_back(record.key);
    return page;
  }
  using Keys = std::vector<std::string>;

  std::optional<Pairs> pairs_;
};

TEST_P(PairsOfEveryBackend, ListsByPrefixAndAfterAKey) {
  store({{"a", "1"}, {"b", "2"}, {"ba", "3"}, {"bb", "4"}, {"bc", "5"}, {"c", "6"}});
  EXPECT_EQ(list({}).keys, (Keys{"a", "b", "ba", "bb", "bc", "c"}));
  EXPECT_EQ(list({.prefix = "b"}).keys, (Keys{"b", "ba", "bb", "bc"}));
  EXPECT_EQ(list({.prefix = "b", .from = "ba"}).keys, (Keys{"bb", "bc"}));  // Exclusive.
  EXPECT_EQ(list({.prefix = "b", .from = "a"}).keys, (Keys{"b", "ba", "bb", "bc"}));
  EXPECT_EQ(list({.prefix = "b", .from = "bd"}).keys, (Keys{}));
  EXPECT_EQ(list({.from = "b!"}).keys, (Keys{"ba", "bb", "bc", "c"}));  // Not there itself.
  EXPECT_EQ(list({.prefix = "x"}).keys, (Keys{}));
}

TEST_P(PairsOfEveryBackend, ListsInPages) {
  store({{"a", "1"}, {"b", "2"}, {"c", "3"}});
  const Page first = list({.limit = 2});
  EXPECT_EQ(first.keys, (Keys{"a", "b"}));
  EXPECT_TRUE(first.more);
  const Page second = list({.from = "b", .limit = 2});
  EXPECT_EQ(second.keys, (Keys{"c"}));
  EXPECT_FALSE(second.more);
  EXPECT_FALSE(list({.limit = 3}).more);
  const Page by_bytes = list({.show = Show::kKeysAndValues}, 2 * protocol::record_bytes("a", "1") + 1);
  EXPECT_EQ(by_bytes.keys, (Keys{"a", "b"}));
  EXPECT_TRUE(by_bytes.more);
}

TEST_P(PairsOfEveryBackend, AFirstRecordWithoutRoomIsMeasured) {
  store({{"key", std::string(1000, 'v')}});
  const Page page = list({.show = Show::kKeysAndValues}, 100);
  EXPECT_TRUE(page.keys.empty());
  EXPECT_EQ(page.needed_bytes, protocol::record_bytes("key", std::string(1000, 'v')));
}

TEST_P(PairsOfEveryBackend, KeysThatBeginWithZeroKeepTheirOrderAndPrefixes) {
  const Keys keys{"\0"s, "\0\0"s, "\0\0c"s, "\0\1"s, "\0a"s, "\1"s, "a"};
  std::vector<std::pair<std::string, std::string>> wanted;
  for (const std::string& key : keys) wanted.emplace_back(key, "value of " + key);
  store(wanted);
  EXPECT_EQ(list({}).keys, keys);
  EXPECT_EQ(list({.prefix = "\0"sv}).keys, (Keys{"\0"s, "\0\0"s, "\0\0c"s, "\0\1"s, "\0a"s}));
  EXPECT_EQ(list({.prefix = "\0\0"sv}).keys, (Keys{"\0\0"s, "\0\0c"s}));
  EXPECT_EQ(list({.from = "\0\0c"sv}).keys, (Keys{"\0\1"s, "\0a"s, "\1"s, "a"}));
  Results results(1000);
  const protocol::Record key{"\0\0c"sv, {}};
  ASSERT_TRUE(pairs_->get({&key, 1}, results));
  const std::string bytes = results.take();
  EXPECT_EQ(decode_batch(bytes, protocol::Keys::kMayBeEmpty)->front().value, "value of \0\0c"sv);
  ASSERT_TRUE(pairs_->erase({&key, 1}));
  EXPECT_EQ(*pairs_->count("\0\0"sv), 1u);
  EXPECT_EQ(*pairs_->count({}), 6u);
}

TEST_P(PairsOfEveryBackend, AnswersForKeysThatAreNotThere) {
  store({{"here", "value"}, {"empty", ""}});
  const std::vector<protocol::Record> keys{{"here", {}}, {"gone", {}}, {"empty", {}}};
  Results values(1000), lengths(1000);
  ASSERT_TRUE(pairs_->get(keys, values));
  ASSERT_TRUE(pairs_->lengths(keys, lengths));
  const std::string bytes = values.take();
  const auto records = protocol::decode_batch(bytes, protocol::Keys::kMayBeEmpty);
  EXPECT_EQ((*records)[0].value, "value");
  EXPECT_TRUE((*records)[1].is_absent);
  EXPECT_FALSE((*records)[2].is_absent);
  EXPECT_EQ(*protocol::decode_numbers(lengths.take()), (std::vector<uint64_t>{5, protocol::kAbsent, 0}));
}

TEST_P(PairsOfEveryBackend, ValuesWithoutRoomAreMeasuredToTheLast) {
  store({{"a", std::string(500, 'a')}, {"b", std::string(700, 'b')}});
  const std::vector<protocol::Record> keys{{"a", {}}, {"gone", {}}, {"b", {}}};
  Results all(10'000), few(600);
  ASSERT_TRUE(pairs_->get(keys, all));
  ASSERT_TRUE(pairs_->get(keys, few));
  EXPECT_EQ(few.needed_bytes(), all.needed_bytes());
  EXPECT_TRUE(few.take().empty());
  EXPECT_EQ(all.take().size(), few.needed_bytes());
}

TEST_P(PairsOfEveryBackend, AKeyTooLongForTheBackendStoresNothingOfItsBatch) {
  const std::string long_key(std::min(backend_->key_bytes_max(), protocol::kKeyBytesMax - 1) + 1, 'k');
  const std::vector<protocol::Record> records{{"short", "v"}, {long_key, "v"}};
  const auto put = pairs_->put(records);
  if (kind() != BackendKind::kLmdb) {
    EXPECT_TRUE(put);
    return;
  }
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().code, Errc::kLimit);
  EXPECT_EQ(*pairs_->count({}), 0u);
  // A zero byte in front costs one.
  const std::string escaped(backend_->key_bytes_max(), '\0');
  const protocol::Record record{escaped, "v"};
  EXPECT_EQ(pairs_->put({&record, 1}).error().code, Errc::kLimit);
}

INSTANTIATE_TEST_SUITE_P(Backends, PairsOfEveryBackend, all_backends(), name_of);

}  // namespace
}  // namespace godwit::objects
