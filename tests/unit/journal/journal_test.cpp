#include "journal/journal.hpp"

#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <string>
#include <thread>

#include "base/fail_point.hpp"
#include "base/sanitizer.hpp"
#include "journal_fixture.hpp"

namespace godwit::journal {
namespace {

// Every step is looked at twice: as it was written, and as a restarted daemon reads it.
class JournalTest : public JournalFixture {
 protected:
  void expect_kept(const Result<>& done) {
    ASSERT_TRUE(done) << done.error().text;
    const std::string before = describe(*journal_);
    reopen();
    EXPECT_EQ(describe(*journal_), before);
  }
  size_t regions() { return journal_->regions()->size(); }
  size_t moved() { return journal_->moved()->size(); }
};

TEST_F(JournalTest, NodeKeepsItsIdentity) {
  const Id id = journal_->node_id();
  EXPECT_FALSE(id.is_zero());
  reopen();
  EXPECT_EQ(journal_->node_id(), id);
}

TEST_F(JournalTest, DatabasesComeBackAsTheyWereByIdAndEpoch) {
  expect_kept(journal_->put_database(database_of(1)));
  auto later = database_of(1);
  later.epoch = 2;
  later.options = "{\"map_size\":\"1GiB\"}";
  later.is_created = false;
  expect_kept(journal_->put_database(later));
  ASSERT_EQ(journal_->databases()->size(), 2u);
  EXPECT_EQ(journal_->databases()->back().options, later.options);
  later.state = DatabaseState::kForgotten;
  expect_kept(journal_->put_database(later));
  EXPECT_EQ(journal_->databases()->size(), 1u);
}

TEST_F(JournalTest, PlansComeBackOldestFirstAsTheyWereLastChanged) {
  expect_kept(journal_->put_plan(plan_of(1, 2000)));
  expect_kept(journal_->put_plan(plan_of(2, 1000)));
  expect_kept(journal_->change_plan(Id{9, 1}, 3, "more"));
  const auto plans = *journal_->plans();
  ASSERT_EQ(plans.size(), 2u);
  EXPECT_EQ(plans[0].id, (Id{9, 2}));
  EXPECT_EQ(plans[1].state, 3);
  EXPECT_EQ(plans[1].progress, "more");
  EXPECT_EQ(plans[1].document, plan_of(1, 0).document);
  expect_kept(journal_->forget_plan(Id{9, 1}));
  expect_kept(journal_->forget_plan(Id{9, 1}));
  EXPECT_EQ(journal_->plans()->size(), 1u);
  const auto unknown = journal_->change_plan(Id{9, 1}, 1, "");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, Errc::kNotFound);
}

TEST_F(JournalTest, DatabasesOfAJobChangeWithItsState) {
  ASSERT_TRUE(journal_->put_database(database_of(1)));
  ASSERT_TRUE(journal_->start_outbound(outbound_of(1, 1, 1)));
  const auto gone = database_of(1, DatabaseState::kMoved), here = database_of(1);
  expect_kept(journal_->hand_over(Id{1, 1}, {}, std::span(&gone, 1)));
  EXPECT_EQ(journal_->databases()->front().address, gone.address);
  // A second decision is refused, and changes nothing.
  EXPECT_FALSE(journal_->hand_over(Id{1, 1}, {}, std::span(&here, 1)));
  EXPECT_EQ(journal_->databases()->front().state, DatabaseState::kMoved);
  expect_kept(journal_->reclaim(Id{1, 1}, {}, std::span(&here, 1)));
  EXPECT_EQ(journal_->databases()->front().state, DatabaseState::kServing);
  ASSERT_TRUE(journal_->prepare_inbound(inbound_of(2, 5, 1)));
  const auto arrived = database_of(5);
  expect_kept(journal_->own_inbound(Id{1, 2}, {}, std::span(&arrived, 1)));
  EXPECT_EQ(journal_->databases()->size(), 2u);
}

TEST_F(JournalTest, RegionComesBackAsItWas) {
  RegionRecord region = region_of(1, 9);
  region.name = std::string("caf\xc3\xa9 \0 'quoted'", 16);
  region.extent = {uint64_t{1} << 61, uint64_t{1} << 61};  // The largest that a target has.
  region.size_bytes = uint64_t{1} << 61;
  expect_kept(journal_->add_region(region));
  const auto read = journal_->regions();
  ASSERT_EQ(read->size(), 1U);
  EXPECT_EQ(read->front().id, region.id);
  EXPECT_EQ(read->front().name, region.name);
  EXPECT_EQ(read->front().extent, region.extent);
  EXPECT_EQ(read->front().size_bytes, region.size_bytes);
  EXPECT_EQ(read->front().pool, region.pool);
  EXPECT_EQ(read->front().epoch, 9U);
  expect_kept(journal_->remove_region(region.id));
  EXPECT_EQ(regions(), 0U);
}

TEST_F(JournalTest, RegionWithoutANameIsKept) {
  RegionRecord region = region_of(1);
  region.name.clear();
  expect_kept(journal_->add_region(region));
  EXPECT_EQ(journal_->regions()->front().name, "");
}

TEST_F(JournalTest, RemovingWhatIsNotThereIsNoError) { expect_kept(journal_->remove_region(id_of(1))); }

TEST_F(JournalTest, MoveTakesTheRegionsOutOfTheCatalogueAtOnce) {
  for (uint64_t i = 0; i < 3; ++i) ASSERT_TRUE(journal_->add_region(region_of(i)));
  expect_kept(journal_->start_outbound(outbound_of(1, 0, 2)));
  EXPECT_EQ(regions(), 3U);
  EXPECT_EQ(journal_->outbound()->front().objects.size(), 2U);
  expect_kept(journal_->hand_over(Id{1, 1}, moved_list(0, 2)));
  EXPECT_EQ(regions(), 1U);
  EXPECT_EQ(moved(), 2U);
  EXPECT_EQ(journal_->outbound()->front().state, OutboundState::kHandedOver);
  // The extents stay known: the space is not free yet.
  EXPECT_EQ(journal_->outbound()->front().objects[1].extent, (Extent{4096, 4096}));
  expect_kept(journal_->finish_outbound(Id{1, 1}));
  EXPECT_EQ(journal_->outbound()->front().state, OutboundState::kDone);
  expect_kept(journal_->forget_outbound(Id{1, 1}));
  EXPECT_TRUE(journal_->outbound()->empty());
  EXPECT_EQ(moved(), 2U) << "where they went outlives the job";
}

TEST_F(JournalTest, ReclaimPutsTheRegionsBack) {
  ASSERT_TRUE(journal_->add_region(region_of(1)));
  const std::string before = describe(*journal_);
  ASSERT_TRUE(journal_->start_outbound(outbound_of(1, 1, 1)));
  ASSERT_TRUE(journal_->hand_over(Id{1, 1}, moved_list(1, 1)));
  expect_kept(journal_->reclaim(Id{1, 1}, regions_of(1, 1, 1)));
  EXPECT_EQ(journal_->outbound()->front().state, OutboundState::kStarted);
  expect_kept(journal_->forget_outbound(Id{1, 1}));
  EXPECT_EQ(describe(*journal_), before);
}

TEST_F(JournalTest, ReclaimOfVolatileObjectsForgetsWhereTheyWereToGo) {
  ASSERT_TRUE(journal_->start_outbound(outbound_of(1, 1, 1)));
  ASSERT_TRUE(journal_->hand_over(Id{1, 1}, moved_list(1, 1)));
  expect_kept(journal_->reclaim(Id{1, 1}, {}));
  EXPECT_EQ(moved(), 0U);
}

// The copy's object may have moved since: where it went is not the copy's to take back.
TEST_F(JournalTest, ReclaimOfACopyLeavesMovedObjectsMoved) {
  ASSERT_TRUE(journal_->add_region(region_of(1)));
  ASSERT_TRUE(journal_->start_outbound(outbound_of(1, 1, 1, false)));
  ASSERT_TRUE(journal_->hand_over(Id{1, 1}, {}));
  ASSERT_TRUE(journal_->start_outbound(outbound_of(2, 1, 1)));
  ASSERT_TRUE(journal_->hand_over(Id{1, 2}, moved_list(1, 1)));
  expect_kept(journal_->reclaim(Id{1, 1}, {}));
  EXPECT_EQ(moved(), 1U);
  EXPECT_EQ(regions(), 0U);
}

TEST_F(JournalTest, OwnedRegionsJoinTheCatalogueAndAreNoLongerMoved) {
  ASSERT_TRUE(journal_->start_outbound(outbound_of(1, 5, 2)));
  ASSERT_TRUE(journal_->hand_over(Id{1, 1}, moved_list(5, 2)));
  ASSERT_TRUE(journal_->finish_outbound(Id{1, 1}));
  ASSERT_TRUE(journal_->forget_outbound(Id{1, 1}));
  expect_kept(journal_->prepare_inbound(inbound_of(2, 5, 1)));
  EXPECT_EQ(regions(), 0U);
  EXPECT_EQ(moved(), 2U) << "nothing has come back yet";
  expect_kept(journal_->own_inbound(Id{1, 2}, regions_of(5, 1, 3)));
  EXPECT_EQ(journal_->regions()->front().epoch, 3U);
  EXPECT_EQ(moved(), 1U);
  EXPECT_EQ(journal_->inbound()->front().state, InboundState::kOwner);
  expect_kept(journal_->forget_inbound(Id{1, 2}));
  EXPECT_TRUE(journal_->inbound()->empty());
  EXPECT_EQ(regions(), 1U);
}

FilesetRecord fileset_of(uint64_t number, const std::string& path, uint64_t arrival) {
  return {id_of(number), Id{1, 2}, path, 1000, arrival};
}

std::vector<std::string> paths_of(Journal& journal) {
  std::vector<std::string> paths;
  const auto filesets = journal.filesets();
  for (const FilesetRecord& fileset : *filesets) paths.push_back(fileset.path);
  return paths;
}

TEST_F(JournalTest, FilesetsAreRememberedWithTheirJobsOwnershipAndAfterIt) {
  ASSERT_TRUE(journal_->prepare_inbound(inbound_of(2, 5, 1)));
  const std::vector<FilesetRecord> filesets{fileset_of(1, "/to/\xff", 7), fileset_of(2, "/to/b", 8)};
  EXPECT_FALSE(journal_->own_inbound(Id{1, 3}, {}, {}, filesets)) << "no such job";
  EXPECT_TRUE(journal_->filesets()->empty());
  ASSERT_TRUE(journal_->own_inbound(Id{1, 2}, {}, {}, filesets));
  ASSERT_TRUE(journal_->forget_inbound(Id{1, 2}));
  reopen();
  const auto found = journal_->filesets();
  ASSERT_EQ(found->size(), 2U);
  EXPECT_EQ(found->front().id, id_of(1));
  EXPECT_EQ(found->front().job, (Id{1, 2}));
  EXPECT_EQ(found->front().path, "/to/\xff");
  EXPECT_EQ(found->front().uid, 1000U);
  EXPECT_EQ(found->front().arrival, 7U);
}

TEST_F(JournalTest, AFilesetTakesThePlaceOfTheOneAtItsPath) {
  ASSERT_TRUE(journal_->prepare_inbound(inbound_of(2, 5, 1)));
  const std::vector<FilesetRecord> filesets{fileset_of(1, "/to/a", 7), fileset_of(2, "/to/b", 8), fileset_of(3, "/to/a", 9)};
  ASSERT_TRUE(journal_->own_inbound(Id{1, 2}, {}, {}, filesets));
  EXPECT_EQ(paths_of(*journal_), (std::vector<std::string>{"/to/b", "/to/a"}));
  EXPECT_EQ(journal_->filesets()->back().id, id_of(3));
}

TEST_F(JournalTest, FilesetsThatAJobTakesAwayAreForgottenWithTheDecision) {
  ASSERT_TRUE(journal_->prepare_inbound(inbound_of(2, 5, 1)));
  std::vector<FilesetRecord> filesets;
  for (const char* path : {"/to/a", "/to/a/in/it", "/to/a.b", "/to/a0", "/to"})
    filesets.push_back(fileset_of(filesets.size(), path, filesets.size()));
  ASSERT_TRUE(journal_->own_inbound(Id{1, 2}, {}, {}, filesets));
  const std::vector<std::string> gone{"/to/a"};
  EXPECT_FALSE(journal_->hand_over(Id{1, 1}, moved_list(5, 2), {}, gone)) << "no such job";
  EXPECT_EQ(paths_of(*journal_).size(), 5U);
  ASSERT_TRUE(journal_->start_outbound(outbound_of(1, 5, 2)));
  ASSERT_TRUE(journal_->hand_over(Id{1, 1}, moved_list(5, 2), {}, gone));
  EXPECT_EQ(paths_of(*journal_), (std::vector<std::string>{"/to/a.b", "/to/a0", "/to"}));
}

TEST_F(JournalTest, OnlySoManyFilesetsAreRememberedTheNewest) {
  ASSERT_TRUE(journal_->prepare_inbound(inbound_of(2, 5, 1)));
  ASSERT_TRUE(journal_->prepare_inbound(inbound_of(3, 6, 1)));
  std::vector<FilesetRecord> filesets;
  for (uint64_t i = 0; i < kFilesetsMax + 10; ++i) filesets.push_back(fileset_of(i, "/" + std::to_string(100'000 + i), 1));
  ASSERT_TRUE(journal_->own_inbound(Id{1, 2}, {}, {}, filesets));
  EXPECT_EQ(journal_->filesets()->size(), kFilesetsMax);
  EXPECT_EQ(journal_->filesets()->front().path, "/100010");
  const std::vector<FilesetRecord> one{fileset_of(kFilesetsMax + 10, "/new", 2)};
  ASSERT_TRUE(journal_->own_inbound(Id{1, 3}, {}, {}, one));
  EXPECT_EQ(journal_->filesets()->size(), kFilesetsMax);
  EXPECT_EQ(journal_->filesets()->front().path, "/100011");
  EXPECT_EQ(journal_->filesets()->back().path, "/new");
}

TEST_F(JournalTest, WhatHasArrivedIsKeptUntilTheJobIsOwned) {
  InboundJob job = inbound_of(1, 1, 2);
  job.state = InboundState::kReceiving;
  Checkpoint first{65536, {{0, std::vector<Digest>(kChunkBlocks, Digest{1, 2})}, {3, {{}, {7, 8}}}}};
  expect_kept(journal_->checkpoint_inbound(job, first));
  EXPECT_EQ(journal_->inbound()->front().state, InboundState::kReceiving);
  first.listings = {std::vector<std::byte>(70'000, std::byte{7}), {std::byte{1}, std::byte{0}}};
  expect_kept(journal_->checkpoint_inbound(job, first));
  EXPECT_EQ(journal_->checkpoint(Id{1, 1})->listings, first.listings);
  Checkpoint second{65536, {{3, {{5, 6}, {}, {9, 9}}}}};
  expect_kept(journal_->checkpoint_inbound(job, second));
  auto found = journal_->checkpoint(Id{1, 1});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->block_bytes, 65536U);
  ASSERT_EQ(found->chunks.size(), 2U);
  EXPECT_EQ(found->chunks[0].blocks, first.chunks[0].blocks);
  EXPECT_EQ(found->chunks[1].chunk, 3U);
  EXPECT_EQ(found->chunks[1].blocks, second.chunks[0].blocks);

  // Prepared, offered once more, prepared again: they stay.
  expect_kept(journal_->prepare_inbound(inbound_of(1, 1, 1)));
  EXPECT_EQ(journal_->inbound()->front().state, InboundState::kPrepared);
  EXPECT_EQ(journal_->inbound()->front().objects.size(), 1U);
  EXPECT_EQ(journal_->prepare_inbound(inbound_of(1, 1, 1)).error().code, Errc::kExists);
  expect_kept(journal_->checkpoint_inbound(job, {}));
  EXPECT_EQ(journal_->inbound()->front().state, InboundState::kReceiving);
  EXPECT_EQ(journal_->inbound()->front().objects.size(), 2U);
  expect_kept(journal_->prepare_inbound(inbound_of(1, 1, 2)));
  EXPECT_EQ(journal_->checkpoint(Id{1, 1})->chunks.size(), 2U);
  EXPECT_EQ(journal_->checkpoint(Id{1, 1})->listings, first.listings);

  expect_kept(journal_->own_inbound(Id{1, 1}, regions_of(1, 2, 2)));
  EXPECT_TRUE(journal_->checkpoint(Id{1, 1})->chunks.empty());
  EXPECT_TRUE(journal_->checkpoint(Id{1, 1})->listings.empty());
  EXPECT_EQ(journal_->checkpoint_inbound(job, first).error().code, Errc::kExists) << "an owner receives nothing";
  expect_kept(journal_->forget_inbound(Id{1, 1}));
  expect_kept(journal_->checkpoint_inbound(job, first));
  expect_kept(journal_->forget_inbound(Id{1, 1}));
  EXPECT_TRUE(journal_->checkpoint(Id{1, 1})->chunks.empty());
  EXPECT_TRUE(journal_->inbound()->empty());
}

TEST_F(JournalTest, AJobThatIsOfferedAgainIsMadeOfWhatItIsMadeOfThen) {
  EXPECT_EQ(journal_->start_outbound(outbound_of(1, 1, 3), true).error().code, Errc::kNotFound);
  ASSERT_TRUE(journal_->start_outbound(outbound_of(1, 1, 3)));
  EXPECT_EQ(journal_->start_outbound(outbound_of(1, 1, 3)).error().code, Errc::kExists);
  expect_kept(journal_->start_outbound(outbound_of(1, 7, 2), true));
  ASSERT_EQ(journal_->outbound()->size(), 1U);
  ASSERT_EQ(journal_->outbound()->front().objects.size(), 2U);
  EXPECT_EQ(journal_->outbound()->front().objects[0].id, id_of(7));
  ASSERT_TRUE(journal_->hand_over(Id{1, 1}, moved_list(7, 2)));
  EXPECT_EQ(journal_->start_outbound(outbound_of(1, 1, 3), true).error().code, Errc::kNotFound) << "it is decided";
}

TEST_F(JournalTest, RequestsAreKeptAsLongAsTheirJobs) {
  expect_kept(journal_->put_request({Id{1, 1}, 1, "first"}));
  expect_kept(journal_->put_request({Id{1, 2}, 1, "second"}));
  ASSERT_TRUE(journal_->start_outbound(outbound_of(1, 1, 1)));
  expect_kept(journal_->put_request({Id{1, 1}, 2, "first, once more"}));
  auto requests = journal_->requests();
  ASSERT_TRUE(requests);
  ASSERT_EQ(requests->size(), 2U);
  EXPECT_EQ(requests->front().attempt, 2U);
  EXPECT_EQ(requests->front().text, "first, once more");
  expect_kept(journal_->forget_outbound(Id{1, 1}));
  expect_kept(journal_->forget_outbound(Id{1, 2}));
  EXPECT_TRUE(journal_->requests()->empty());
}

TEST_F(JournalTest, JobWithinOneNodeIsBothWays) {
  ASSERT_TRUE(journal_->add_region(region_of(1)));
  expect_kept(journal_->start_outbound(outbound_of(1, 1, 1)));
  InboundJob inbound = inbound_of(1, 1, 1);
  inbound.objects[0].extent = {1 << 20, 4096};
  expect_kept(journal_->prepare_inbound(inbound));
  EXPECT_EQ(journal_->outbound()->front().objects[0].extent, (Extent{4096, 4096}));
  EXPECT_EQ(journal_->inbound()->front().objects[0].extent, (Extent{1 << 20, 4096}));
  expect_kept(journal_->hand_over(Id{1, 1}, moved_list(1, 1)));
  expect_kept(journal_->own_inbound(Id{1, 1}, regions_of(1, 1, 2)));
  expect_kept(journal_->finish_outbound(Id{1, 1}));
  expect_kept(journal_->forget_inbound(Id{1, 1}));
  expect_kept(journal_->forget_outbound(Id{1, 1}));
  EXPECT_EQ(regions(), 1U);
  EXPECT_EQ(moved(), 0U);
}

TEST_F(JournalTest, JobOfNoObjectsIsAJob) {
  expect_kept(journal_->start_outbound(outbound_of(1, 0, 0)));
  EXPECT_EQ(journal_->outbound()->size(), 1U);
}

TEST_F(JournalTest, ForgettingAJobThatIsNotThereIsNoError) {
  expect_kept(journal_->forget_outbound(Id{1, 1}));
  expect_kept(journal_->forget_inbound(Id{1, 1}));
}

TEST_F(JournalTest, StepOutOfOrderIsRefusedAndChangesNothing) {
  ASSERT_TRUE(journal_->add_region(region_of(1)));
  ASSERT_TRUE(journal_->start_outbound(outbound_of(1, 1, 1)));
  ASSERT_TRUE(journal_->prepare_inbound(inbound_of(2, 2, 1)));
  const std::string before = describe(*journal_);
  EXPECT_EQ(journal_->hand_over(Id{9, 9}, moved_list(1, 1)).error().code, Errc::kNotFound);
  EXPECT_EQ(journal_->reclaim(Id{1, 1}, regions_of(1, 1, 1)).error().code, Errc::kNotFound) << "it was not handed over";
  EXPECT_EQ(journal_->finish_outbound(Id{1, 1}).error().code, Errc::kNotFound);
  EXPECT_EQ(journal_->own_inbound(Id{9, 9}, regions_of(1, 1, 1)).error().code, Errc::kNotFound);
  EXPECT_EQ(journal_->start_outbound(outbound_of(1, 1, 1)).error().code, Errc::kExists);
  EXPECT_EQ(journal_->prepare_inbound(inbound_of(2, 2, 1)).error().code, Errc::kExists);
  EXPECT_EQ(describe(*journal_), before);
  ASSERT_TRUE(journal_->hand_over(Id{1, 1}, moved_list(1, 1))) << "an error is not a failure of the journal";
  EXPECT_EQ(journal_->hand_over(Id{1, 1}, moved_list(1, 1)).error().code, Errc::kNotFound) << "once only";
  ASSERT_TRUE(journal_->finish_outbound(Id{1, 1}));
  EXPECT_TRUE(journal_->finish_outbound(Id{1, 1})) << "a restart repeats it";
  EXPECT_EQ(journal_->reclaim(Id{1, 1}, {}).error().code, Errc::kNotFound) << "done is done";
}

// ---------------------------------------------------------------- failures

TEST_F(JournalTest, FailedCommitStopsAllWritesUntilReopened) {
  ASSERT_TRUE(journal_->add_region(region_of(1)));
  const std::string before = describe(*journal_);
  set_fail_point("journal.commit", ENOSPC, 1);
  EXPECT_EQ(journal_->add_region(region_of(2)).error().code, Errc::kNoSpace);
  clear_fail_points();
  EXPECT_EQ(journal_->add_region(region_of(3)).error().code, Errc::kIo);
  EXPECT_EQ(journal_->forget_inbound(Id{1, 1}).error().code, Errc::kIo);
  EXPECT_EQ(describe(*journal_), before) << "it can be read";
  reopen();
  EXPECT_EQ(describe(*journal_), before);
  EXPECT_TRUE(journal_->add_region(region_of(3)));
}

TEST_F(JournalTest, FailureBeforeTheTransactionCanBeTriedAgain) {
  set_fail_point("journal.begin", EIO, 1);
  EXPECT_EQ(journal_->add_region(region_of(2)).error().code, Errc::kIo);
  clear_fail_points();
  EXPECT_TRUE(journal_->add_region(region_of(2)));
}

// ---------------------------------------------------------------- size and threads

double cpu_ms() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

// They take some 50 ms of CPU a call at most; a search through all of them for each would take seconds.
TEST_F(JournalTest, TenThousandObjectsAreNotSearchedForEach) {
  constexpr uint64_t kMany = 10'000;
  constexpr int kRounds = 3;  // The best counts: other processes take the caches.
  const OutboundJob out = outbound_of(1, 0, kMany);
  const InboundJob in = inbound_of(2, kMany, kMany);
  const auto moved = moved_list(0, kMany);
  const auto back = regions_of(0, kMany, 1);
  const auto owned = regions_of(kMany, kMany, 2);
  std::map<std::string, double> best_ms;
  const auto measure = [&](const char* what, auto call) {
    const double before_ms = cpu_ms();
    auto done = call();
    const double used_ms = cpu_ms() - before_ms;
    ASSERT_TRUE(done) << what << ": " << done.error().text;
    const auto found = best_ms.emplace(what, used_ms).first;
    found->second = std::min(found->second, used_ms);
  };
  for (int round = 0; round < kRounds; ++round) {
    measure("start_outbound", [&] { return journal_->start_outbound(out); });
    measure("hand_over", [&] { return journal_->hand_over(Id{1, 1}, moved); });
    measure("reclaim", [&] { return journal_->reclaim(Id{1, 1}, back); });
    measure("hand_over with regions", [&] { return journal_->hand_over(Id{1, 1}, moved); });
    measure("finish_outbound", [&] { return journal_->finish_outbound(Id{1, 1}); });
    measure("outbound", [&] { return journal_->outbound(); });
    measure("forget_outbound", [&] { return journal_->forget_outbound(Id{1, 1}); });
    measure("prepare_inbound", [&] { return journal_->prepare_inbound(in); });
    measure("own_inbound", [&] { return journal_->own_inbound(Id{1, 2}, owned); });
    measure("inbound", [&] { return journal_->inbound(); });
    measure("forget_inbound", [&] { return journal_->forget_inbound(Id{1, 2}); });
    measure("regions", [&] { return journal_->regions(); });
    measure("open", [&]() -> Result<> {
      reopen();
      return Done{};
    });
  }
  for (const auto& [what, ms] : best_ms) {
    fmt::print("{}: {:.1f} ms of CPU\n", what, ms);
    EXPECT_LT(ms, kIsSanitized ? 6000 : 600) << what;
  }
  EXPECT_EQ(journal_->regions()->size(), kMany);
  EXPECT_EQ(journal_->moved()->size(), kMany);
}

TEST_F(JournalTest, ThreadsMayCallAtOnce) {
  constexpr uint64_t kThreads = 4, kEach = 20;
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      for (uint64_t i = 0; i < kEach; ++i) {
        const uint64_t job = t * kEach + i;
        EXPECT_TRUE(journal_->prepare_inbound(inbound_of(job, job, 1)));
        EXPECT_TRUE(journal_->own_inbound(Id{1, job}, regions_of(job, 1, 2)));
        EXPECT_TRUE(journal_->inbound());
        EXPECT_TRUE(journal_->forget_inbound(Id{1, job}));
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(regions(), kThreads * kEach);
  EXPECT_TRUE(journal_->inbound()->empty());
}

TEST_F(JournalFixture, DirectoriesOfJobsAreFoundAgain) {
  const StagingRecord in{Id{1, 1}, true, "/scratch/\xff\n"}, out{Id{1, 1}, false, "/scratch"};
  ASSERT_TRUE(journal_->note_staging(in));
  ASSERT_TRUE(journal_->note_staging(out));
  ASSERT_TRUE(journal_->note_staging(out));
  reopen();
  auto stagings = journal_->stagings();
  ASSERT_TRUE(stagings);
  ASSERT_EQ(stagings->size(), 2U);
  EXPECT_EQ((*stagings)[1].directory, in.directory);
  EXPECT_TRUE((*stagings)[1].incoming);
  ASSERT_TRUE(journal_->forget_staging(in));
  ASSERT_TRUE(journal_->forget_staging(in));
  reopen();
  stagings = journal_->stagings();
  ASSERT_TRUE(stagings);
  ASSERT_EQ(stagings->size(), 1U);
  EXPECT_EQ((*stagings)[0].directory, out.directory);
}

TEST_F(JournalFixture, TheKindOfAnObjectIsKept) {
  OutboundJob job = outbound_of(1, 1, 2);
  job.objects[1].kind = ObjectKind::kFileset;
  ASSERT_TRUE(journal_->start_outbound(job));
  reopen();
  const auto jobs = journal_->outbound();
  ASSERT_TRUE(jobs);
  EXPECT_EQ(jobs->at(0).objects[0].kind, ObjectKind::kRegion);
  EXPECT_EQ(jobs->at(0).objects[1].kind, ObjectKind::kFileset);
}

}  // namespace
}  // namespace godwit::journal
