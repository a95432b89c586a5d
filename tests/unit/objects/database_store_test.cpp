#include "objects/database/database_store.hpp"

#include "unit/objects/database_fixture.hpp"

namespace godwit::objects {
namespace {

namespace fs = std::filesystem;

const Deadline kSoon = Deadline::after(milliseconds(60'000));

class Store : public testing::TestWithParam<BackendKind> {
 protected:
  void SetUp() override { restart(); }

  void restart(const std::vector<DatabaseSettings>& configured = {}) {
    const auto loaded = try_restart(configured);
    ASSERT_TRUE(loaded) << loaded.error().text;
  }
  Result<> try_restart(const std::vector<DatabaseSettings>& configured) {
    store_.reset();
    journal_.reset();
    fs::create_directories(path("state"));
    auto journal = journal::Journal::open(path("state"));
    if (!journal) return std::move(journal).error();
    journal_ = std::move(*journal);
    store_ = std::make_unique<DatabaseStore>(path("root"), *journal_);
    return store_->load(configured);
  }
  std::string path(const std::string& name) const { return directory_.path() + "/" + name; }
  BackendKind kind() const { return GetParam(); }
  bool lasts() const { return is_lasting(kind()); }

  DatabasePtr create(const std::string& name) {
    auto made = store_->create(name, kind(), "");
    EXPECT_TRUE(made) << made.error().text;
    return made ? *made : nullptr;
  }
  static void put(Database& database, const std::string& key, const std::string& value) {
    const protocol::Record record{key, value};
    const auto done = database.contents()->pairs.put({&record, 1});
    EXPECT_TRUE(done) << done.error().text;
  }
  static uint64_t count(Database& database) { return *database.contents()->pairs.count({}); }
  // What lies in the root.
  size_t directories() const {
    return fs::exists(path("root"))
               ? static_cast<size_t>(std::distance(fs::directory_iterator(path("root")), fs::directory_iterator()))
               : 0;
  }

  const test::TemporaryDirectory directory_;
  std::unique_ptr<journal::Journal> journal_;
  std::unique_ptr<DatabaseStore> store_;
};

TEST_P(Store, ADatabaseIsFoundByIdAndNameAndAfterARestart) {
  auto made = create("things");
  const Id id = made->identity.id;
  put(*made, "key", "value");
  EXPECT_EQ(store_->find(id).database, made);
  EXPECT_EQ(store_->find("things").database, made);
  EXPECT_EQ(store_->list({}, 10).size(), 1u);
  EXPECT_EQ(store_->create("things", kind(), "").error().code, Errc::kExists);
  made.reset();
  restart();
  const auto again = store_->find("things").database;
  if (!lasts()) {
    EXPECT_EQ(again, nullptr);
    return;
  }
  ASSERT_NE(again, nullptr);
  EXPECT_EQ(again->identity.id, id);
  EXPECT_EQ(count(*again), 1u);
}

TEST_P(Store, NamesAndOptionsAreChecked) {
  for (const std::string& name : {std::string(), std::string(129, 'x'), std::string("a\nb"), std::string(32, 'a')})
    EXPECT_EQ(store_->create(name, kind(), "").error().code, Errc::kInvalid) << name;
  EXPECT_EQ(store_->create("x", kind(), "{\"what\":1}").error().code, Errc::kInvalid);
  EXPECT_EQ(store_->create("x", kind(), std::string(5000, ' ')).error().code, Errc::kInvalid);
  EXPECT_EQ(directories(), 0u);
}

TEST_P(Store, ErasingRemovesItsDirectoryAloneAndFreesTheName) {
  auto made = create("things");
  const auto other = create("others");
  if (lasts()) std::ofstream(path("root") + "/bystander") << "text";
  const size_t before = directories();
  ASSERT_TRUE(store_->erase(made, kSoon));
  EXPECT_EQ(directories(), before - (lasts() ? 1 : 0));
  EXPECT_EQ(store_->find("things").database, nullptr);
  EXPECT_EQ(made->enter(Use::kRead).error().code, Errc::kNotFound);
  EXPECT_EQ(made->contents().error().code, Errc::kNotFound);
  EXPECT_EQ(count(*other), 0u);
  create("things");
  restart();
  EXPECT_EQ(store_->list({}, 10).size(), lasts() ? 2u : 0u);
}

TEST_P(Store, ADirectoryThatWasReplacedByALinkIsNotFollowed) {
  if (!lasts()) GTEST_SKIP() << "has no directory";
  auto made = create("things");
  fs::rename(made->directory, path("elsewhere"));
  fs::create_directory_symlink(path("elsewhere"), made->directory);
  EXPECT_FALSE(store_->erase(made, kSoon));
  EXPECT_FALSE(fs::is_empty(path("elsewhere")));
}

TEST_P(Store, WhatACrashLeftUnfinishedIsRemovedAtTheNextStart) {
  if (!lasts()) GTEST_SKIP() << "leaves nothing";
  const Id id = random_id();
  ASSERT_TRUE(store_->expect(random_id(), {id, 3, "coming", kind(), ""}, {}));
  EXPECT_EQ(directories(), 1u);
  restart();
  EXPECT_EQ(directories(), 0u);
  EXPECT_TRUE(journal_->databases()->empty());
}

TEST_P(Store, AJobStopsWritersAndKeepsErasersAway) {
  const auto made = create("things");
  const Id job = random_id();
  ASSERT_TRUE(made->pin(job));
  EXPECT_EQ(store_->erase(made, kSoon).error().code, Errc::kBusy);
  ASSERT_TRUE(made->quiesce(kSoon));
  EXPECT_EQ(made->enter(Use::kWrite).error().code, Errc::kBusy);
  EXPECT_TRUE(made->enter(Use::kRead));
  made->resume();
  EXPECT_TRUE(made->enter(Use::kWrite));
}

// The seam of migration, both of its sides in one process.
TEST_P(Store, AMoveCarriesTheDatabaseAndTheSourceTellsWhereItWent) {
  const auto source = create("things");
  put(*source, "key", "value");
  const Id job = random_id(), id = source->identity.id;
  const test::TemporaryDirectory there;
  auto journal = journal::Journal::open(there.path());
  ASSERT_TRUE(journal);
  DatabaseStore destination(there.path() + "/root", **journal);
  ASSERT_TRUE(destination.load({}));

  ASSERT_TRUE(source->pin(job));
  auto coming = destination.expect(job, {id, 2, "things", kind(), ""}, {});
  ASSERT_TRUE(coming) << coming.error().text;
  EXPECT_EQ(destination.expect(random_id(), {id, 2, "other", kind(), ""}, {}).error().code, Errc::kExists);
  EXPECT_EQ((*coming)->enter(Use::kRead).error().code, Errc::kBusy);
  ASSERT_TRUE(source->quiesce(kSoon));
  ASSERT_TRUE(source->contents()->backend.checkpoint(path("checkpoint")));
  std::string arrived = path("checkpoint");
  if (lasts()) {
    for (const auto& entry : fs::directory_iterator(arrived))
      fs::copy(entry.path(), fs::path((*coming)->directory) / entry.path().filename());
    arrived = (*coming)->directory;
  }
  ASSERT_TRUE((*coming)->open_from(Opening::kExisting, arrived));
  ASSERT_TRUE(source->stop(kSoon));
  ASSERT_TRUE(journal_->put_database(DatabaseStore::moved_record_of(*source, "tcp://there:1")));
  ASSERT_TRUE((*journal)->put_database(DatabaseStore::record_of(**coming)));
  destination.adopt(*coming);
  store_->finish_move(source, job, {"tcp://there:1", {}, id});

  EXPECT_EQ(count(*destination.find("things").database), 1u);
  EXPECT_EQ(destination.find(id).database->identity.epoch, 2u);
  EXPECT_EQ(directories(), 0u);
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(store_->find("things").database, nullptr);
    EXPECT_EQ(store_->find("things").moved.address, "tcp://there:1");
    EXPECT_EQ(store_->find(id).moved.id, id);
    EXPECT_EQ(source->enter(Use::kRead).error().code, Errc::kBusy);
    restart();
  }
  create("things");  // The name is free for another one.
  EXPECT_NE(store_->find("things").database, nullptr);
  EXPECT_EQ(store_->find(id).moved.address, "tcp://there:1");
}

TEST_P(Store, AMoveThatFailsLeavesTheSourceServingAndTheDestinationEmpty) {
  const auto source = create("things");
  put(*source, "key", "value");
  const Id job = random_id();
  ASSERT_TRUE(source->pin(job));
  ASSERT_TRUE(source->stop(kSoon));
  auto coming = store_->expect(job, {source->identity.id, 2, "things", kind(), ""}, path("new root"));
  ASSERT_TRUE(coming) << coming.error().text;
  store_->drop(*coming);
  ASSERT_TRUE(store_->take_back(source));
  EXPECT_EQ(store_->find("things").database, source);
  EXPECT_TRUE(source->enter(Use::kWrite));
  EXPECT_EQ(count(*source), 1u);
  if (lasts()) {
    EXPECT_TRUE(fs::is_empty(path("new root")));
  }
}

TEST_P(Store, AMoveInDoubtAtARestartIsKeptAndCanComeBack) {
  if (!lasts()) GTEST_SKIP() << "ends with the daemon";
  auto source = create("things");
  put(*source, "key", "value");
  const Id job = random_id(), id = source->identity.id;
  ASSERT_TRUE(journal_->put_database(DatabaseStore::moved_record_of(*source, "tcp://there:1")));
  source.reset();
  restart();
  auto kept = store_->keep_handed_over(id, 1, job);
  ASSERT_TRUE(kept) << kept.error().text;
  EXPECT_TRUE((*kept)->is_pinned_by(job));
  EXPECT_EQ((*kept)->enter(Use::kRead).error().code, Errc::kBusy);
  ASSERT_TRUE(journal_->put_database(DatabaseStore::record_of(**kept)));
  ASSERT_TRUE(store_->take_back(*kept));
  EXPECT_EQ(count(*store_->find(id).database), 1u);
  EXPECT_EQ(store_->find("things").database, *kept);
}

TEST_P(Store, AConfiguredDatabaseKeepsItsIdAndIsNeverRemoved) {
  const std::vector<DatabaseSettings> settings{{"fixed", kind(), lasts() ? path("fixed") : "", ""}};
  restart(settings);
  auto fixed = store_->find("fixed").database;
  ASSERT_NE(fixed, nullptr);
  const Id id = fixed->identity.id;
  put(*fixed, "key", "value");
  const auto erased = store_->erase(fixed, kSoon);
  EXPECT_EQ(erased ? Errc{} : erased.error().code, lasts() ? Errc::kUnsupported : Errc{});
  fixed.reset();
  restart(settings);
  ASSERT_NE(store_->find("fixed").database, nullptr);
  if (lasts()) {
    EXPECT_EQ(store_->find("fixed").database->identity.id, id);
    EXPECT_EQ(count(*store_->find("fixed").database), 1u);
  }
  restart();  // Taken out of the configuration.
  EXPECT_EQ(store_->find("fixed").database, nullptr);
  if (lasts()) {
    EXPECT_TRUE(fs::exists(path("fixed")));
  }
}

TEST_P(Store, AConfiguredDatabaseThatMovedAwayIsNotMadeAnew) {
  const std::vector<DatabaseSettings> settings{{"fixed", kind(), lasts() ? path("fixed") : "", ""}};
  restart(settings);
  auto fixed = store_->find("fixed").database;
  const Id job = random_id(), id = fixed->identity.id;
  ASSERT_TRUE(fixed->pin(job));
  ASSERT_TRUE(fixed->stop(kSoon));
  ASSERT_TRUE(journal_->put_database(DatabaseStore::moved_record_of(*fixed, "tcp://there:1")));
  store_->finish_move(fixed, job, {"tcp://there:1", {}, id});
  fixed.reset();
  restart(settings);
  EXPECT_EQ(store_->find("fixed").database, nullptr);
  EXPECT_EQ(store_->find("fixed").moved.address, "tcp://there:1");
}

TEST_P(Store, ADamagedOneAnswersWithItsErrorAndTheOthersServe) {
  if (!lasts()) GTEST_SKIP() << "has no files";
  const std::vector<DatabaseSettings> settings{{"bad", kind(), path("bad"), ""}, {"good", kind(), path("good"), ""}};
  restart(settings);
  store_.reset();
  for (const auto& entry : fs::directory_iterator(path("bad"))) {
    const std::string name = entry.path().filename();
    if (name == "CURRENT" || name == "data.mdb") fs::resize_file(entry.path(), 1);
  }
  const auto before = files_in(path("bad"));
  restart(settings);
  const auto bad = store_->find("bad").database;
  ASSERT_NE(bad, nullptr);
  EXPECT_EQ(bad->contents().error().code, Errc::kCorrupt) << bad->contents().error().text;
  EXPECT_TRUE(files_in(path("bad")) == before);
  EXPECT_TRUE(store_->find("good").database->contents());
}

TEST_P(Store, OneThatIsGoneFromItsPathIsNotReplacedByAnEmptyOne) {
  if (!lasts()) GTEST_SKIP() << "has no files";
  const std::vector<DatabaseSettings> settings{{"fixed", kind(), path("fixed"), ""}};
  restart(settings);
  store_.reset();
  fs::remove_all(path("fixed"));
  restart(settings);
  EXPECT_EQ(store_->find("fixed").database->contents().error().code, Errc::kNotFound);
  EXPECT_FALSE(fs::exists(path("fixed")));
}

INSTANTIATE_TEST_SUITE_P(Backends, Store, all_backends(), name_of);

TEST(DatabaseStore, WithoutARootOnlyMapsAreMade) {
  const test::TemporaryDirectory directory;
  auto journal = journal::Journal::open(directory.path());
  ASSERT_TRUE(journal);
  DatabaseStore store("", **journal);
  ASSERT_TRUE(store.load({}));
  EXPECT_TRUE(store.create("m", BackendKind::kMap, ""));
  EXPECT_EQ(store.create("r", BackendKind::kRocksDb, "").error().code, Errc::kUnsupported);
}

TEST(DatabaseStore, AConfigurationThatContradictsTheCatalogueIsRefused) {
  const test::TemporaryDirectory directory;
  for (const BackendKind kind : {BackendKind::kLmdb, BackendKind::kLevelDb}) {
    auto journal = journal::Journal::open(directory.path());
    ASSERT_TRUE(journal);
    DatabaseStore store("", **journal);
    const auto loaded = store.load({{"d", kind, directory.path() + "/d", ""}});
    EXPECT_EQ(loaded ? Errc{} : loaded.error().code, kind == BackendKind::kLmdb ? Errc{} : Errc::kConfig);
  }
}

}  // namespace
}  // namespace godwit::objects
