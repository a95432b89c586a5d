// Files that are not as the journal left them are refused, never made anew.
#include <gtest/gtest.h>
#include <sqlite3.h>

#include "journal/schema.hpp"
#include "journal_fixture.hpp"

namespace godwit::journal {
namespace {

class JournalDamage : public JournalFixture {
 protected:
  void SetUp() override {
    JournalFixture::SetUp();
    InboundJob receiving = inbound_of(3, 200, 20);
    receiving.state = InboundState::kReceiving;
    ASSERT_TRUE(journal_->checkpoint_inbound(
        receiving, {65536, {{0, std::vector<Digest>(100, Digest{3, 4})}}, {std::vector<std::byte>(300, std::byte{9})}}));
    for (uint64_t i = 1; i < 10; ++i) ASSERT_TRUE(journal_->put_request({Id{1, i}, i, std::string(200, 'r')}));
    for (uint64_t i = 0; i < 40; ++i) ASSERT_TRUE(journal_->add_region(region_of(i)));
    ASSERT_TRUE(journal_->start_outbound(outbound_of(1, 0, 20)));
    ASSERT_TRUE(journal_->hand_over(Id{1, 1}, moved_list(0, 20)));
    ASSERT_TRUE(journal_->prepare_inbound(inbound_of(2, 100, 20)));
    ASSERT_TRUE(journal_->prepare_inbound(inbound_of(3, 200, 1)));
    std::vector<FilesetRecord> filesets;
    for (uint64_t i = 0; i < 150; ++i) filesets.push_back({Id{5, i}, Id{1, 3}, "/to/tree " + std::to_string(i), 1000, 7});
    ASSERT_TRUE(journal_->own_inbound(Id{1, 3}, {}, {}, filesets));
    for (uint64_t i = 0; i < 5; ++i) ASSERT_TRUE(journal_->put_database(database_of(i)));
    for (uint64_t i = 0; i < 5; ++i) ASSERT_TRUE(journal_->put_plan(plan_of(i, i)));
    content_ = describe(*journal_);
    journal_.reset();  // All of it is in the one file.
    bytes_ = read_file(file());
    ASSERT_FALSE(std::filesystem::exists(file("-wal")));
  }
  void restore(const std::string& bytes) {
    write_all(file(), bytes);
    std::filesystem::remove(file("-wal"));
    std::filesystem::remove(file("-journal"));
  }
  void expect_refused(const std::string& why) {
    auto opened = Journal::open(dir_);
    ASSERT_FALSE(opened) << why;
    EXPECT_EQ(opened.error().code, Errc::kCorrupt) << why << ": " << opened.error().text;
    EXPECT_NE(opened.error().text.find(file()), std::string::npos) << opened.error().text;
  }
  void change(const std::string& sql) {
    sqlite3* raw = nullptr;
    ASSERT_EQ(sqlite3_open(file().c_str(), &raw), SQLITE_OK);
    ASSERT_EQ(define_row_digest(raw), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(raw, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(raw);
    sqlite3_close(raw);
  }

  std::string content_;
  std::string bytes_;
};

TEST_F(JournalDamage, FlippedBitIsFoundOrHarmless) {
  constexpr size_t kStrideBytes = 61;
  size_t found = 0, tried = 0;
  for (size_t at = 0; at < bytes_.size(); at += at < 200 ? 1 : kStrideBytes) {
    std::string damaged = bytes_;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << (at % 8)));
    restore(damaged);
    ++tried;
    auto opened = Journal::open(dir_);
    if (opened) {
      EXPECT_EQ(describe(**opened), content_) << "byte " << at << " of " << bytes_.size() << " changed what the journal says";
      continue;
    }
    ++found;
    EXPECT_TRUE(opened.error().code == Errc::kCorrupt || opened.error().code == Errc::kIo) << opened.error().text;
  }
  EXPECT_GT(found, tried / 4);
}

TEST_F(JournalDamage, FlippedBitInARecordIsFound) {
  const std::string address = "10.0.0.2";
  size_t found = 0;
  for (size_t at = bytes_.find(address); at != std::string::npos; at = bytes_.find(address, at + 1)) {
    std::string damaged = bytes_;
    damaged[at + 7] = '3';
    restore(damaged);
    expect_refused("another address at byte " + std::to_string(at));
    ++found;
  }
  EXPECT_GE(found, 20U);
}

TEST_F(JournalDamage, ChangedStateIsFound) {
  change("UPDATE outbound SET state=0");  // As if it had never been handed over.
  expect_refused("the state");
}

TEST_F(JournalDamage, MissingObjectIsFound) {
  change("DELETE FROM object WHERE position=3");
  expect_refused("an object");
}

TEST_F(JournalDamage, ObjectsWithoutTheirJobAreFound) {
  change("DELETE FROM outbound");
  expect_refused("the job");
}

TEST_F(JournalDamage, MissingTableIsFound) {
  change("DROP TABLE moved");
  expect_refused("the table");
}

TEST_F(JournalDamage, TriggerIsFound) {
  change("CREATE TRIGGER t AFTER INSERT ON region BEGIN DELETE FROM object; END");
  expect_refused("a trigger");
}

TEST_F(JournalDamage, ColumnTooManyIsFound) {
  change("ALTER TABLE moved ADD COLUMN more");
  expect_refused("a column");
}

// Of another writer, who knows how digests are made: they are right.
TEST_F(JournalDamage, RowsBeyondTheLimitsAreFoundThoughSigned) {
  const std::string digest = ",digest=row_digest(id,epoch,name,target,pool,";
  for (const char* values : {"0,-1,0", "-4096,8192,1", "4096,4611686018427387904,1", "0,4096,4097"}) {
    const std::string text = values;
    const size_t first = text.find(','), second = text.find(',', first + 1);
    change("UPDATE region SET offset=" + text.substr(0, first) + ",length=" + text.substr(first + 1, second - first - 1) +
           ",size=" + text.substr(second + 1) + digest + text + ")");
    expect_refused(text);
    restore(bytes_);
  }
  change("UPDATE outbound SET state=3,digest=row_digest(job,3,is_move,source_survives,address,target,node,objects)");
  expect_refused("a state that nobody knows");
  restore(bytes_);
  change("UPDATE plan SET state=5,digest=row_digest(id,created,5,document,findings,progress)");
  expect_refused("a plan of a state that nobody knows");
}

TEST_F(JournalDamage, TruncatedFileIsRefusedAtEveryLength) {
  for (size_t length = 0; length < bytes_.size(); length += length < 2 ? 1 : length < 1024 ? 101 : 4096 - 97) {
    restore(bytes_.substr(0, length));
    expect_refused("cut to " + std::to_string(length));
    EXPECT_EQ(read_file(file()).size(), length) << "it was made anew";
  }
}

TEST_F(JournalDamage, SomethingElseIsRefused) {
  restore(std::string(100'000, 'x'));
  expect_refused("not a database");
}

TEST_F(JournalDamage, MissingFileBesideItsLogIsRefused) {
  std::filesystem::remove(file());
  write_all(file("-wal"), std::string(4152, 'w'));
  expect_refused("the file is missing");
}

TEST_F(JournalDamage, NewerSchemaIsRefusedAndLeftAlone) {
  change("PRAGMA user_version=99");
  auto opened = Journal::open(dir_);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Errc::kCorrupt);
  EXPECT_NE(opened.error().text.find("newer release"), std::string::npos) << opened.error().text;
  change("PRAGMA user_version=" + std::to_string(kSchemaVersion));
  reopen();
  EXPECT_EQ(describe(*journal_), content_);
}

TEST_F(JournalDamage, SchemaThatWasNeverReleasedIsRefused) {
  change("PRAGMA user_version=5");
  expect_refused("schema 5");
}

TEST_F(JournalDamage, RestoredFileOpensAgain) {
  restore(bytes_.substr(0, 4096));
  expect_refused("cut");
  restore(bytes_);
  reopen();
  EXPECT_EQ(describe(*journal_), content_);
}

TEST_F(JournalDamage, FirstStartThatWasCutShortBeginsAgain) {
  std::filesystem::remove(file());
  write_all(file(".new"), bytes_.substr(0, 5000));
  reopen();
  EXPECT_TRUE(journal_->regions()->empty());
  EXPECT_FALSE(std::filesystem::exists(file(".new")));
}

TEST(JournalDirectory, ThatIsNotThereIsAnError) {
  auto opened = Journal::open("/nonexistent/godwit");
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Errc::kNotFound) << opened.error().text;
}

}  // namespace
}  // namespace godwit::journal
