// Cutovers as scripts: what is delivered, what is lost, who crashes, and how it must end.
#include <algorithm>

#include "cutover_scenario.hpp"

namespace godwit::model::sim {
namespace {

TEST_F(CutoverScenario, MoveEndsAtTheDestination) {
  begin(kLasting, kLasting);
  expect_end_at(kB);
}

TEST_F(CutoverScenario, CopyServesAtBothEnds) {
  begin(kLasting, kLasting, false);
  expect_end_at(kA);
  EXPECT_TRUE(world_.accepts_writes(kB, copy()));
}

TEST_F(CutoverScenario, CopyLetsWritersGoOnBeforeItIsPrepared) {
  begin(kLasting, kLasting, false);
  EXPECT_EQ(source(), SourceState::kPreparing);
  EXPECT_TRUE(world_.write(kA, object_));
  expect_end_at(kA);
}

TEST_F(CutoverScenario, MoveStopsWritersUntilItIsDecided) {
  begin(kLasting, kLasting);
  EXPECT_FALSE(world_.write(kA, object_));
  world_.fail_source(kA, job_);
  world_.act_all();
  EXPECT_TRUE(world_.write(kA, object_));
  expect_end_at(kA);
}

TEST_F(CutoverScenario, DestinationLostWhilePreparingLeavesSourceServing) {
  begin(kLasting, kLasting);
  world_.drop_all(Kind::kPrepare);
  world_.crash(kB);
  world_.fail_source(kA, job_);
  world_.act_all();
  EXPECT_TRUE(world_.accepts_writes(kA, object_));
  expect_end_at(kA);
}

TEST_F(CutoverScenario, PreparedDestinationThatHearsNothingAsksAndAborts) {
  begin(kLasting, kLasting);
  prepare();
  world_.drop_all(Kind::kPrepared);
  world_.fail_source(kA, job_);
  world_.act_all();
  world_.drop_all(Kind::kAbort);
  EXPECT_EQ(destination(), DestinationState::kPrepared);
  world_.lose_source(kB, job_);
  ASSERT_TRUE(world_.deliver(Kind::kAsk));
  ASSERT_TRUE(world_.deliver(Kind::kDecision));
  EXPECT_FALSE(world_.node(kB).destinations.contains(job_));
  expect_end_at(kA);
}

TEST_F(CutoverScenario, SourceCrashBeforeHandOverAborts) {
  begin(kLasting, kLasting);
  prepare();
  world_.crash(kA);
  world_.restart(kA);
  world_.act_all();
  EXPECT_TRUE(world_.accepts_writes(kA, object_));
  expect_end_at(kA);
}

TEST_F(CutoverScenario, SourceCrashAfterHandOverStillCommits) {
  begin(kLasting, kLasting);
  hand_over();
  world_.drop_all(Kind::kCommit);
  world_.crash(kA);
  world_.restart(kA);
  EXPECT_FALSE(world_.accepts_writes(kA, object_));
  expect_end_at(kB);
}

TEST_F(CutoverScenario, InDoubtDestinationWaitsForItsSource) {
  begin(kLasting, kLasting);
  hand_over();
  world_.drop_all(Kind::kCommit);
  world_.crash(kA);
  world_.crash(kB);
  world_.restart(kB);
  world_.tick_destination(kB, job_);
  ASSERT_TRUE(world_.deliver(Kind::kAsk));
  EXPECT_EQ(destination(), DestinationState::kPrepared);
  EXPECT_FALSE(world_.accepts_writes(kA, object_) || world_.accepts_writes(kB, object_));
  expect_end_at(kB);
}

TEST_F(CutoverScenario, DestinationThatAsksWhileTheJobRunsIsToldNothing) {
  begin(kLasting, kLasting);
  prepare();
  world_.drop_all(Kind::kPrepared);
  world_.lose_source(kB, job_);
  ASSERT_TRUE(world_.deliver(Kind::kAsk));
  EXPECT_EQ(world_.network().back().decision, Decision::kPending);
  ASSERT_TRUE(world_.deliver(Kind::kDecision));
  EXPECT_EQ(destination(), DestinationState::kPrepared);
  expect_end_at(kB);
}

TEST_F(CutoverScenario, NothingIsToldBeforeTheHandOverIsDurable) {
  begin(kLasting, kLasting);
  prepare();
  world_.lose_source(kB, job_);
  world_.act(kB);
  ASSERT_EQ(world_.network()[0].kind, Kind::kPrepared);
  world_.deliver(size_t{0});  // The machine says handed over; the journal does not yet.
  ASSERT_EQ(world_.network()[0].kind, Kind::kAsk);
  world_.deliver(size_t{0});
  EXPECT_EQ(world_.network().back().decision, Decision::kPending);
  world_.crash(kA);
  expect_end_at(kA);
}

TEST_F(CutoverScenario, HandOverWhoseJournalFailsIsToldToNobodyUntilTheRestart) {
  for (const bool is_written : {false, true}) {
    world_ = CutoverWorld(Flaw::kNone, true);
    begin(kLasting, kLasting);
    prepare();
    world_.fail_disk(kA, is_written);
    ASSERT_TRUE(world_.deliver(Kind::kPrepared));
    EXPECT_TRUE(world_.network().empty()) << trace();
    EXPECT_FALSE(world_.accepts_writes(kA, object_));
    world_.tick_destination(kB, job_);
    ASSERT_TRUE(world_.deliver(Kind::kAsk));
    EXPECT_EQ(world_.network().back().decision, Decision::kPending);
    world_.crash(kA);
    expect_end_at(is_written ? kB : kA);
  }
}

TEST_F(CutoverScenario, DestinationThatLostItsCopyGivesTheObjectBack) {
  begin(kLasting, kVolatile);
  hand_over();
  world_.crash(kB);
  expect_end_at(kA);
}

TEST_F(CutoverScenario, RestartedSourceReclaimsWhatTheDestinationLost) {
  begin(kLasting, kVolatile);
  hand_over();
  world_.crash(kA);
  world_.crash(kB);
  expect_end_at(kA);
}

TEST_F(CutoverScenario, SourceCrashInTheMiddleOfAReclaimServesAgain) {
  begin(kLasting, kVolatile);
  hand_over();
  world_.crash(kB);
  world_.restart(kB);
  world_.act_all();
  world_.drop_all(Kind::kCommit);
  world_.tick_source(kA, job_, false);
  world_.act(kA);
  world_.deliver(size_t{0});
  ASSERT_EQ(world_.network()[0].kind, Kind::kUnknown);
  world_.deliver(size_t{0});
  world_.act(kA);  // The reclaim is durable; the record is not forgotten.
  ASSERT_TRUE(world_.node(kA).disk.outbound.contains(job_));
  world_.crash(kA);
  expect_end_at(kA);
}

TEST_F(CutoverScenario, VolatileSourceThatCrashedLetsThePreparedCopyLive) {
  begin(kVolatile, kLasting);
  prepare();
  world_.crash(kA);
  EXPECT_FALSE(world_.is_excused(object_));
  expect_end_at(kB);
}

TEST_F(CutoverScenario, VolatileSourceThatCrashedTwiceStillAdopts) {
  begin(kVolatile, kLasting);
  prepare();
  world_.crash(kA);
  world_.restart(kA);
  world_.crash(kA);
  expect_end_at(kB);
}

TEST_F(CutoverScenario, VolatileSourceThatCrashedBeforeThePromiseLosesItsBytesOnly) {
  begin(kVolatile, kLasting);
  world_.drop_all(Kind::kPrepare);
  world_.crash(kA);
  EXPECT_TRUE(world_.is_excused(object_));
  EXPECT_TRUE(world_.settle()) << trace();
  EXPECT_EQ(world_.check_end(), "");
  EXPECT_FALSE(world_.accepts_writes(kA, object_) || world_.accepts_writes(kB, object_));
}

// An abort is journalled before writers go on: the copy at the destination is older than their writes.
TEST_F(CutoverScenario, CancelledCopyIsNotAdoptedAfterLaterWrites) {
  begin(kVolatile, kLasting);
  prepare();
  world_.drop_all(Kind::kPrepared);
  world_.fail_source(kA, job_);
  world_.act_all();
  world_.drop_all(Kind::kAbort);
  ASSERT_TRUE(world_.write(kA, object_));
  world_.crash(kA);
  EXPECT_TRUE(world_.settle()) << trace();
  EXPECT_EQ(world_.check_end(), "") << trace();
  EXPECT_FALSE(world_.accepts_writes(kB, object_)) << "an old version came back\n" << trace();
}

TEST_F(CutoverScenario, CommitThatComesTwiceIsAnsweredTwiceAndServedOnce) {
  begin(kLasting, kLasting);
  hand_over();
  world_.duplicate(0);
  ASSERT_TRUE(world_.deliver(Kind::kCommit));
  ASSERT_TRUE(world_.write(kB, object_));
  ASSERT_TRUE(world_.deliver(Kind::kCommit));
  EXPECT_EQ(std::ranges::count(world_.network(), Kind::kCommitted, &Message::kind), 2);
  expect_end_at(kB);
}

TEST_F(CutoverScenario, OwnerAnswersCommittedAlsoAfterARestart) {
  begin(kLasting, kLasting);
  hand_over();
  ASSERT_TRUE(world_.deliver(Kind::kCommit));
  world_.drop_all(Kind::kCommitted);
  world_.crash(kB);
  world_.restart(kB);
  world_.tick_source(kA, job_, false);
  ASSERT_TRUE(world_.deliver(Kind::kCommit));
  EXPECT_TRUE(world_.deliver(Kind::kCommitted));
  expect_end_at(kB);
}

TEST_F(CutoverScenario, OwnerThatLostItsVolatileCopyIsNotRolledBack) {
  begin(kLasting, kVolatile);
  hand_over();
  ASSERT_TRUE(world_.deliver(Kind::kCommit));
  world_.drop_all(Kind::kCommitted);
  ASSERT_TRUE(world_.write(kB, object_));
  world_.crash(kB);
  EXPECT_TRUE(world_.is_excused(object_));
  EXPECT_TRUE(world_.settle());
  EXPECT_EQ(world_.check_end(), "") << trace();
  EXPECT_FALSE(world_.accepts_writes(kA, object_)) << "an old version came back\n" << trace();
}

TEST_F(CutoverScenario, LateCommitOfAReleasedJobChangesNothing) {
  begin(kLasting, kLasting);
  hand_over();
  world_.duplicate(0);  // Stays in the network for long.
  ASSERT_TRUE(world_.deliver(Kind::kCommit));
  ASSERT_TRUE(world_.deliver(Kind::kCommitted));
  ASSERT_TRUE(world_.deliver(Kind::kRelease));
  ASSERT_TRUE(world_.deliver(Kind::kReleased));
  ASSERT_FALSE(world_.node(kB).disk.inbound.contains(job_));
  ASSERT_TRUE(world_.deliver(Kind::kCommit));
  ASSERT_TRUE(world_.deliver(Kind::kUnknown));
  EXPECT_TRUE(world_.accepts_writes(kB, object_));
  expect_end_at(kB);
}

TEST_F(CutoverScenario, LostReleaseIsSentAgainUntilItIsAnswered) {
  begin(kLasting, kLasting);
  hand_over();
  ASSERT_TRUE(world_.deliver(Kind::kCommit));
  ASSERT_TRUE(world_.deliver(Kind::kCommitted));
  for (int i = 0; i < 3; ++i) {
    world_.drop_all(Kind::kRelease);
    world_.tick_source(kA, job_, false);
    world_.act_all();
    EXPECT_TRUE(world_.node(kB).disk.inbound.contains(job_));
  }
  expect_end_at(kB);
}

TEST_F(CutoverScenario, SourceCrashAfterDoneFreesAndReleasesAgain) {
  begin(kLasting, kLasting);
  hand_over();
  ASSERT_TRUE(world_.deliver(Kind::kCommit));
  world_.deliver(size_t{0});
  world_.act(kA);  // Done is durable; nothing is freed, nobody released.
  ASSERT_TRUE(world_.node(kA).disk.outbound.at(job_).done);
  world_.crash(kA);
  expect_end_at(kB);
}

TEST_F(CutoverScenario, ObjectThatCameBackIsNotTouchedByItsFirstJob) {
  begin(kLasting, kLasting);
  hand_over();
  ASSERT_TRUE(world_.deliver(Kind::kCommit));
  world_.drop_all(Kind::kCommitted);  // The first job is not over at A.
  const JobId back = *world_.start(kB, object_, true, kLasting);
  world_.transfer(back);
  while (world_.deliver(Kind::kPrepare) || world_.deliver(Kind::kPrepared) || world_.deliver(Kind::kCommit)) continue;
  ASSERT_TRUE(world_.write(kA, object_)) << trace();
  expect_end_at(kA);
}

TEST_F(CutoverScenario, RestartedOldOwnerDoesNotServeWhatMovedOn) {
  begin(kLasting, kLasting);
  hand_over();
  ASSERT_TRUE(world_.deliver(Kind::kCommit));
  world_.drop_all(Kind::kCommitted);  // B keeps its record as the owner.
  const JobId back = *world_.start(kB, object_, true, kLasting);
  world_.transfer(back);
  while (world_.deliver(Kind::kPrepare) || world_.deliver(Kind::kPrepared)) continue;
  world_.drop_all(Kind::kCommit);
  world_.crash(kB);
  world_.restart(kB);
  EXPECT_FALSE(world_.accepts_writes(kB, object_));
  expect_end_at(kA);
}

// Found by the simulator: the copy's source took back an object that had moved away since.
TEST_F(CutoverScenario, LostCopyTakesNothingBackWhenItsObjectHasMovedOn) {
  begin(kLasting, kVolatile, false);
  hand_over();
  world_.drop_all(Kind::kCommit);
  world_.crash(kB);
  world_.restart(kB);
  world_.crash(kA);
  world_.restart(kA);
  world_.act_all();
  const JobId move = *world_.start(kA, object_, true, kLasting);
  world_.transfer(move);
  while (world_.deliver(Kind::kPrepare) || world_.deliver(Kind::kPrepared) || world_.deliver(Kind::kCommit)) continue;
  ASSERT_TRUE(world_.accepts_writes(kB, object_)) << trace();
  expect_end_at(kB);
}

TEST_F(CutoverScenario, DestinationThatForgotBeforePrepareEndsTheJob) {
  begin(kLasting, kLasting);
  world_.lose_source(kB, job_);
  world_.act_all();
  ASSERT_TRUE(world_.deliver(Kind::kPrepare));
  ASSERT_TRUE(world_.deliver(Kind::kUnknown));
  EXPECT_TRUE(world_.accepts_writes(kA, object_));
  expect_end_at(kA);
}

TEST_F(CutoverScenario, RefusedPrepareLeavesSourceServing) {
  begin(kLasting, kLasting);
  world_.deliver(0, true);
  world_.act_all();
  ASSERT_TRUE(world_.deliver(Kind::kRefused));
  EXPECT_TRUE(world_.accepts_writes(kA, object_));
  expect_end_at(kA);
}

TEST_F(CutoverScenario, CancelAfterTheHandOverIsTooLate) {
  begin(kLasting, kLasting);
  hand_over();
  world_.fail_source(kA, job_);
  EXPECT_EQ(source(), SourceState::kHandedOver);
  expect_end_at(kB);
}

TEST_F(CutoverScenario, VolatileOnBothSidesAndBothCrashEndsWithNobody) {
  begin(kVolatile, kVolatile);
  hand_over();
  world_.crash(kA);
  world_.crash(kB);
  EXPECT_TRUE(world_.settle()) << trace();
  EXPECT_EQ(world_.check_end(), "");
  EXPECT_TRUE(world_.is_excused(object_));
}

}  // namespace
}  // namespace godwit::model::sim
