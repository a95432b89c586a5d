#include "objects/database/documents.hpp"

#include "objects/database/pairs.hpp"
#include "unit/objects/database_fixture.hpp"

namespace godwit::objects {
namespace {

class DocumentsOfEveryBackend : public EveryBackend {
 protected:
  void SetUp() override {
    EveryBackend::SetUp();
    renew();
  }
  void renew() {
    documents_ = std::make_unique<Documents>(*backend_);
    ASSERT_TRUE(documents_->recover());
  }
  uint64_t store(const std::string& collection, const std::string& document) {
    const protocol::Record record{{}, document};
    const auto id = documents_->store(collection, {&record, 1});
    EXPECT_TRUE(id);
    return id ? *id : 0;
  }
  // "-" for one that is not there.
  std::string load(const std::string& collection, uint64_t id) {
    Results results(1'000'000);
    const auto loaded = documents_->load(collection, {&id, 1}, results);
    EXPECT_TRUE(loaded);
    const std::string bytes = results.take();
    const auto records = protocol::decode_batch(bytes, protocol::Keys::kMayBeEmpty);
    return records->front().is_absent ? "-" : std::string(records->front().value);
  }
  std::vector<std::string> names() {
    Results results(1'000'000);
    EXPECT_TRUE(documents_->names({}, 0, results));
    const std::string bytes = results.take();
    std::vector<std::string> all;
    const auto records = protocol::decode_batch(bytes, protocol::Keys::kNeeded);
    for (const auto& record : *records) all.emplace_back(record.key);
    return all;
  }

  std::unique_ptr<Documents> documents_;
};

TEST_P(DocumentsOfEveryBackend, IdsCountFromZeroAndAreNeverUsedAgain) {
  ASSERT_TRUE(documents_->create("c"));
  EXPECT_EQ(documents_->stat("c")->next, 0u);
  EXPECT_EQ(store("c", "zero"), 0u);
  EXPECT_EQ(store("c", ""), 1u);
  const std::vector<uint64_t> ids{1, 1, 99};  // Twice, and one that is not there.
  ASSERT_TRUE(documents_->erase("c", ids));
  EXPECT_EQ(documents_->stat("c")->size, 1u);
  EXPECT_EQ(store("c", "two"), 2u);
  EXPECT_EQ(load("c", 0), "zero");
  EXPECT_EQ(load("c", 1), "-");
  EXPECT_EQ(load("c", 2), "two");
  if (!is_lasting(kind())) return;
  reopen();
  renew();
  EXPECT_EQ(load("c", 2), "two");
  EXPECT_EQ(store("c", "three"), 3u);
}

TEST_P(DocumentsOfEveryBackend, ABatchHasItsIdsInARow) {
  ASSERT_TRUE(documents_->create("c"));
  const std::vector<protocol::Record> records{{{}, "a"}, {{}, ""}, {{}, "c"}};
  EXPECT_EQ(*documents_->store("c", records), 0u);
  EXPECT_EQ(*documents_->store("c", records), 3u);
  EXPECT_EQ(documents_->stat("c")->size, 6u);
  Results results(1'000'000);
  const auto more = documents_->list("c", 2, 2, results);
  ASSERT_TRUE(more);
  EXPECT_TRUE(*more);
  const std::string bytes = results.take();
  const auto listed = protocol::decode_batch(bytes, protocol::Keys::kNeeded);
  ASSERT_EQ(listed->size(), 2u);
  EXPECT_EQ(*protocol::decode_numbers((*listed)[0].key), std::vector<uint64_t>{2});
  EXPECT_EQ((*listed)[0].value, "c");
  EXPECT_EQ((*listed)[1].value, "a");
}

TEST_P(DocumentsOfEveryBackend, AnUpdateIsAllOrNothing) {
  ASSERT_TRUE(documents_->create("c"));
  store("c", "a");
  store("c", "b");
  const std::vector<uint64_t> good{0, 1}, bad{0, 7};
  const std::vector<protocol::Record> records{{{}, "A"}, {{}, "B"}};
  const auto refused = documents_->update("c", bad, records);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kNotFound);
  EXPECT_EQ(load("c", 0), "a");
  ASSERT_TRUE(documents_->update("c", good, records));
  EXPECT_EQ(load("c", 1), "B");
}

TEST_P(DocumentsOfEveryBackend, NeitherKeysNorOtherCollectionsSeeThem) {
  Pairs pairs(*backend_);
  const protocol::Record key{"key", "value"}, zeros{"\0\0d"sv, "mine"sv};
  ASSERT_TRUE(pairs.put({&key, 1}));
  ASSERT_TRUE(pairs.put({&zeros, 1}));
  ASSERT_TRUE(documents_->create("a"));
  ASSERT_TRUE(documents_->create("ab"));
  store("a", "of a");
  store("ab", "of ab");
  EXPECT_EQ(*pairs.count({}), 2u);
  EXPECT_EQ(documents_->stat("a")->size, 1u);
  EXPECT_EQ(load("a", 0), "of a");
  EXPECT_EQ(names(), (std::vector<std::string>{"a", "ab"}));
  ASSERT_TRUE(documents_->drop("a"));
  EXPECT_EQ(names(), (std::vector<std::string>{"ab"}));
  EXPECT_EQ(load("ab", 0), "of ab");
  EXPECT_EQ(*pairs.count({}), 2u);
}

TEST_P(DocumentsOfEveryBackend, ADroppedCollectionLeavesNothingAndItsNameIsFree) {
  const size_t before = content(*backend_).size();
  ASSERT_TRUE(documents_->create("c"));
  const std::vector<protocol::Record> many(2500, protocol::Record{{}, "document"});
  ASSERT_TRUE(documents_->store("c", many));
  ASSERT_TRUE(documents_->drop("c"));
  EXPECT_EQ(documents_->drop("c").error().code, Errc::kNotFound);
  EXPECT_EQ(content(*backend_).size(), before + 1);  // The counter of collections.
  ASSERT_TRUE(documents_->create("c"));
  EXPECT_EQ(documents_->create("c").error().code, Errc::kExists);
  EXPECT_EQ(load("c", 0), "-");
  EXPECT_EQ(store("c", "new"), 0u);
}

TEST_P(DocumentsOfEveryBackend, ADropThatWasCutShortIsEndedAtTheNextStart) {
  ASSERT_TRUE(documents_->create("c"));
  store("c", "document");
  // As drop() begins: the collection's record goes, and a mark comes.
  const std::string meta = "\0\0cc"s, mark = "\0\0x\0\0\0\0\0\0\0\0"s;
  const Change changes[] = {{meta, std::nullopt}, {mark, ""}};
  ASSERT_TRUE(backend_->apply(changes));
  renew();
  EXPECT_EQ(content(*backend_).size(), 1u);
}

TEST_P(DocumentsOfEveryBackend, NamesAreChecked) {
  EXPECT_EQ(documents_->create("").error().code, Errc::kInvalid);
  EXPECT_EQ(documents_->create("a\nb").error().code, Errc::kInvalid);
  EXPECT_EQ(documents_->create(std::string(129, 'x')).error().code, Errc::kInvalid);
  EXPECT_EQ(documents_->stat("none").error().code, Errc::kNotFound);
}

INSTANTIATE_TEST_SUITE_P(Backends, DocumentsOfEveryBackend, all_backends(), name_of);

}  // namespace
}  // namespace godwit::objects
