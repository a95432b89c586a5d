// What may happen to a job, and to its object, between two attempts, as scripts.
#include "cutover_scenario.hpp"

namespace godwit::model::sim {
namespace {

TEST_F(InterruptedCutover, DestinationThatAsksKeepsWhatItHasWhileTheJobGoesOn) {
  offer(kLasting, kLasting);
  pass();
  world_.interrupt_destination(kB, job_);
  world_.tick_destination(kB, job_);
  ASSERT_TRUE(world_.deliver(Kind::kAsk));
  EXPECT_EQ(world_.network().back().decision, Decision::kPending);
  ASSERT_TRUE(world_.deliver(Kind::kDecision));
  EXPECT_EQ(destination(), DestinationState::kReceiving);
  expect_end_at(kB);
  EXPECT_EQ(job().blocks_read, kBlocks);
}

TEST_F(InterruptedCutover, CancelBetweenAttemptsLeavesSourceServingAndDestinationFree) {
  offer(kLasting, kLasting);
  pass();
  world_.checkpoint(kB, job_);
  interrupt();
  world_.fail_source(kA, job_);
  world_.act_all();
  world_.drop_all(Kind::kAbort);
  restart(kB);
  EXPECT_EQ(destination(), DestinationState::kReceiving);
  world_.tick_destination(kB, job_);
  ASSERT_TRUE(world_.deliver(Kind::kAsk));
  ASSERT_TRUE(world_.deliver(Kind::kDecision));
  EXPECT_FALSE(world_.node(kB).disk.inbound.contains(job_));
  EXPECT_TRUE(world_.node(kB).spaces.back().gone);
  expect_end_at(kA);
  EXPECT_TRUE(job().rolled_back);
}

// Found by the simulator: the answer that came after the cancel brought the record back, and nothing ever removed it.
TEST_F(InterruptedCutover, OfferAnsweredAfterACancelWritesNoRecord) {
  offer(kVolatile, kLasting);
  interrupt();
  offer_again();
  ASSERT_TRUE(world_.deliver(Kind::kOffer));
  world_.fail_source(kA, job_);
  world_.act_all();
  world_.drop_all(Kind::kAbort);
  ASSERT_TRUE(world_.deliver(Kind::kOffered));
  EXPECT_FALSE(has_record()) << trace();
  expect_end_at(kA);
}

TEST_F(InterruptedCutover, DestinationThatWaitedTooLongIsBegunWithAgain) {
  offer(kLasting, kLasting);
  pass();
  world_.checkpoint(kB, job_);
  interrupt();
  world_.lose_source(kB, job_);
  world_.act_all();
  EXPECT_FALSE(world_.node(kB).destinations.contains(job_));
  EXPECT_TRUE(world_.node(kB).disk.inbound.empty());
  expect_end_at(kB);
  EXPECT_EQ(job().blocks_read, 2 * kBlocks);
}

TEST_F(InterruptedCutover, JobEndsWhenAnotherHasItsObjectAndDisturbsNothing) {
  offer(kLasting, kLasting);
  pass();
  interrupt();
  world_.lose_source(kB, job_);
  world_.act_all();
  const JobId other = *world_.start(kA, object_, true, kLasting);
  world_.transfer(other);
  ASSERT_FALSE(world_.accepts_writes(kA, object_)) << "quiesced";
  offer_again();  // Not to be had.
  EXPECT_EQ(source(), SourceState::kAborting);
  EXPECT_FALSE(world_.accepts_writes(kA, object_)) << "the other job's writers went on\n" << trace();
  expect_end_at(kB);
  EXPECT_TRUE(world_.jobs().at(other).owned);
  EXPECT_FALSE(job().owned);
}

TEST_F(InterruptedCutover, RestartedSourceDoesNotAdoptWhatAnotherJobMovedAway) {
  offer(kLasting, kLasting);
  pass();
  interrupt();
  world_.lose_source(kB, job_);
  world_.act_all();
  const JobId other = *world_.start(kA, object_, true, kLasting);
  world_.transfer(other);
  while (world_.deliver(Kind::kPrepare) || world_.deliver(Kind::kPrepared) || world_.deliver(Kind::kCommit) ||
         world_.deliver(Kind::kCommitted))
    continue;
  ASSERT_TRUE(world_.node(kA).spaces[0].gone) << "the job's record names space that is free by now";
  restart(kA);
  EXPECT_EQ(source(), SourceState::kSyncing) << "handed over, it would be for ever";
  expect_end_at(kB);
}

TEST_F(InterruptedCutover, ObjectThatWasErasedBetweenAttemptsStaysErased) {
  offer(kLasting, kLasting);
  world_.transfer(job_);
  prepare();
  world_.drop_all(Kind::kPrepared);
  interrupt();
  world_.erase(kA, object_);
  restart(kA);
  offer_again();
  EXPECT_EQ(source(), SourceState::kAborting);
  EXPECT_TRUE(world_.settle()) << trace();
  EXPECT_EQ(world_.check_end(), "") << trace();
  EXPECT_TRUE(world_.objects().empty());
  EXPECT_FALSE(world_.accepts_writes(kA, object_) || world_.accepts_writes(kB, object_));
}

TEST_F(InterruptedCutover, JobEndsWhenItsObjectWasAwayAndCameBack) {
  offer(kLasting, kLasting);
  interrupt();
  world_.lose_source(kB, job_);
  world_.act_all();
  const auto move = [&](NodeIndex from) {
    world_.transfer(*world_.start(from, object_, true, kLasting));
    while (world_.deliver(Kind::kPrepare) || world_.deliver(Kind::kPrepared) || world_.deliver(Kind::kCommit) ||
           world_.deliver(Kind::kCommitted) || world_.deliver(Kind::kRelease) || world_.deliver(Kind::kReleased))
      continue;
  };
  move(kA);
  move(kB);
  ASSERT_TRUE(world_.accepts_writes(kA, object_)) << trace();
  offer_again();
  EXPECT_EQ(source(), SourceState::kAborting);
  EXPECT_TRUE(world_.accepts_writes(kA, object_)) << trace();
  expect_end_at(kA);
}

TEST_F(InterruptedCutover, CopyWhoseLastPassWasDoneIsOfferedAgainWithWhatWasWrittenSince) {
  offer(kLasting, kLasting, false);
  world_.transfer(job_);
  ASSERT_EQ(source(), SourceState::kPreparing);
  interrupt();
  EXPECT_EQ(source(), SourceState::kSyncing);
  ASSERT_TRUE(world_.write(kA, object_, 0b0010));
  expect_end_at(kA);
  EXPECT_TRUE(world_.accepts_writes(kB, copy()));
  EXPECT_EQ(world_.objects().at(copy()), world_.objects().at(object_));
}

TEST_F(InterruptedCutover, ConnectionThatBreaksAfterTheHandOverChangesNothing) {
  offer(kLasting, kLasting);
  world_.transfer(job_);
  hand_over();
  interrupt();
  EXPECT_EQ(source(), SourceState::kHandedOver);
  EXPECT_EQ(job().attempts, 1U);
  expect_end_at(kB);
}

TEST_F(InterruptedCutover, JobThatDoesNotResumeFailsWhenItsConnectionBreaks) {
  begin(kLasting, kLasting);
  world_.interrupt_source(kA, job_);
  world_.act_all();
  EXPECT_TRUE(world_.write(kA, object_));
  expect_end_at(kA);
}

}  // namespace
}  // namespace godwit::model::sim
