// Jobs that are interrupted and go on, as scripts.
#include "cutover_scenario.hpp"

namespace godwit::model::sim {
namespace {

TEST_F(InterruptedCutover, SourceCrashGoesOnWithTheBlocksThatAreThere) {
  offer(kLasting, kLasting);
  pass();
  restart(kA);
  EXPECT_EQ(source(), SourceState::kSyncing);
  EXPECT_EQ(destination(), DestinationState::kReceiving);
  EXPECT_TRUE(world_.write(kA, object_, 0b0001)) << "writers go on meanwhile";
  expect_end_at(kB);
  EXPECT_EQ(job().attempts, 2U);
  EXPECT_EQ(job().blocks_read, kBlocks + 1);
}

TEST_F(InterruptedCutover, DestinationCrashGoesOnFromItsCheckpoint) {
  offer(kLasting, kLasting);
  pass();
  world_.checkpoint(kB, job_);
  restart(kB);
  EXPECT_EQ(destination(), DestinationState::kReceiving);
  expect_end_at(kB);
  EXPECT_EQ(job().attempts, 2U);
  EXPECT_EQ(job().blocks_read, kBlocks);
}

TEST_F(InterruptedCutover, DestinationCrashWithoutACheckpointBeginsFromNothing) {
  offer(kLasting, kLasting);
  pass();
  restart(kB);
  EXPECT_FALSE(world_.node(kB).destinations.contains(job_));
  expect_end_at(kB);
  EXPECT_EQ(job().blocks_read, 2 * kBlocks);
}

TEST_F(InterruptedCutover, DestinationThatLostAVolatileCheckpointBeginsFromNothing) {
  offer(kLasting, kVolatile);
  pass();
  world_.checkpoint(kB, job_);
  restart(kB);
  EXPECT_FALSE(world_.node(kB).disk.inbound.contains(job_));
  expect_end_at(kB);
  EXPECT_EQ(job().blocks_read, 2 * kBlocks);
}

TEST_F(InterruptedCutover, BothCrashAndOnlyWhatChangedIsSentAgain) {
  offer(kLasting, kLasting);
  pass();
  world_.checkpoint(kB, job_);
  world_.crash(kA);
  world_.crash(kB);
  world_.restart(kB);
  world_.restart(kA);
  world_.act_all();
  ASSERT_TRUE(world_.write(kA, object_, 0b0110));
  expect_end_at(kB);
  EXPECT_EQ(job().attempts, 2U);
  EXPECT_EQ(job().blocks_read, kBlocks + 2);
}

// The checkpoint's digest is right again for the source, and wrong for what the space has by then.
TEST_F(InterruptedCutover, BlockWrittenSinceTheCheckpointIsReadThoughItsDigestIsTheSame) {
  offer(kLasting, kLasting);
  pass();
  world_.checkpoint(kB, job_);
  ASSERT_TRUE(world_.write(kA, object_, 0b0001));
  pass();
  restart(kB);
  ASSERT_TRUE(world_.write(kA, object_, 0b0001, true));
  expect_end_at(kB);
  EXPECT_EQ(job().blocks_read, kBlocks + 2);
}

TEST_F(InterruptedCutover, BlockTornByACrashIsReadAgain) {
  offer(kLasting, kLasting);
  pass();
  world_.checkpoint(kB, job_);
  const auto content = [&] { return world_.node(kB).spaces.back().content; };
  const Content before = content();
  ASSERT_TRUE(world_.write(kA, object_, 0b0001));
  world_.tick_source(kA, job_, false);
  world_.deliver(size_t{0});
  restart(kB);
  ASSERT_NE(content(), before);
  ASSERT_TRUE(world_.write(kA, object_, 0b0001, true));  // As the checkpoint has it.
  expect_end_at(kB);
  EXPECT_EQ(job().blocks_read, kBlocks + 1);
}

TEST_F(InterruptedCutover, PreparedDestinationReceivesAgainWhenItIsOfferedAgain) {
  offer(kLasting, kLasting);
  world_.transfer(job_);
  prepare();
  world_.drop_all(Kind::kPrepared);
  interrupt();
  ASSERT_TRUE(world_.write(kA, object_, 0b1000));
  offer_again();
  EXPECT_EQ(inbound().kind, DestinationRecord::kPrepared);
  ASSERT_TRUE(world_.deliver(Kind::kOffer));
  EXPECT_EQ(destination(), DestinationState::kReceiving);
  EXPECT_EQ(inbound().kind, DestinationRecord::kReceiving);
  EXPECT_EQ(inbound().attempt, 2U);
  expect_end_at(kB);
  EXPECT_EQ(job().blocks_read, kBlocks + 1);
}

TEST_F(InterruptedCutover, DestinationSaysNothingUntilItsPromiseIsTakenBackDurably) {
  offer(kLasting, kLasting);
  world_.transfer(job_);
  prepare();
  world_.drop_all(Kind::kPrepared);
  interrupt();
  offer_again();
  world_.deliver(size_t{0});
  EXPECT_EQ(destination(), DestinationState::kReceiving);
  EXPECT_EQ(inbound().kind, DestinationRecord::kPrepared);
  EXPECT_TRUE(world_.network().empty()) << trace();
  restart(kB);
  EXPECT_EQ(destination(), DestinationState::kPrepared) << "the promise still stands";
  expect_end_at(kB);
}

TEST_F(InterruptedCutover, SourceCrashAfterThePromiseSyncsAgain) {
  offer(kLasting, kLasting);
  world_.transfer(job_);
  prepare();
  restart(kA);
  EXPECT_EQ(source(), SourceState::kSyncing);
  ASSERT_TRUE(world_.write(kA, object_));
  ASSERT_TRUE(world_.deliver(Kind::kPrepared));
  EXPECT_EQ(source(), SourceState::kSyncing) << "the promise was to the daemon that is gone";
  expect_end_at(kB);
}

TEST_F(InterruptedCutover, PromiseOfAnOlderAttemptDoesNotCount) {
  offer(kLasting, kLasting);
  world_.transfer(job_);
  prepare();  // The answer stays in the network.
  interrupt();
  ASSERT_TRUE(world_.write(kA, object_));
  offer_again();
  answer_offer();
  world_.transfer(job_);
  ASSERT_EQ(source(), SourceState::kPreparing);
  ASSERT_TRUE(world_.deliver(Kind::kPrepared));
  EXPECT_EQ(source(), SourceState::kPreparing) << trace();
  expect_end_at(kB);
}

// Before the hand-over the destination did not know the job; since then it has promised.
TEST_F(InterruptedCutover, UnknownOfAnOlderAttemptTakesNothingBack) {
  offer(kLasting, kLasting);
  world_.transfer(job_);
  restart(kB);
  ASSERT_TRUE(world_.deliver(Kind::kPrepare));
  ASSERT_EQ(world_.network().back().kind, Kind::kUnknown);
  interrupt();
  offer_again();
  answer_offer();
  world_.transfer(job_);
  hand_over();
  ASSERT_TRUE(world_.deliver(Kind::kUnknown));
  EXPECT_EQ(source(), SourceState::kHandedOver) << trace();
  expect_end_at(kB);
}

// Found by the simulator: it went on instead, and a late commit could have met what was prepared next.
TEST_F(InterruptedCutover, SourceCrashInTheMiddleOfAReclaimEndsTheJob) {
  offer(kLasting, kVolatile);
  world_.transfer(job_);
  hand_over();
  world_.duplicate(0);  // `commit` stays in the network.
  restart(kB);
  ASSERT_TRUE(world_.deliver(Kind::kCommit));
  world_.deliver(1);
  ASSERT_EQ(world_.network().size(), 1U);
  world_.act(kA);  // The reclaim is durable; the record is not forgotten.
  ASSERT_FALSE(world_.node(kA).disk.outbound.at(job_).handed_over);
  restart(kA);
  EXPECT_FALSE(world_.node(kA).sources.contains(job_)) << trace();
  EXPECT_TRUE(world_.deliver(Kind::kCommit));
  expect_end_at(kA);
}

TEST_F(InterruptedCutover, LatePrepareOfAnOlderAttemptPromisesNothing) {
  offer(kLasting, kLasting);
  world_.transfer(job_);  // `prepare` stays in the network.
  interrupt();
  offer_again();
  answer_offer();
  ASSERT_TRUE(world_.deliver(Kind::kPrepare));
  EXPECT_EQ(destination(), DestinationState::kReceiving);
  EXPECT_TRUE(world_.network().empty()) << trace();
  expect_end_at(kB);
}

TEST_F(InterruptedCutover, AttemptsGrowOverRestartsOfTheSource) {
  offer(kLasting, kLasting);
  for (uint32_t attempt = 2; attempt < 5; ++attempt) {
    restart(kA);
    offer_again();
    EXPECT_EQ(world_.node(kA).disk.outbound.at(job_).attempt, attempt);
    EXPECT_EQ(world_.network().back().attempt, attempt);
  }
  expect_end_at(kB);
}

TEST_F(InterruptedCutover, VolatileSourceHasNoRecordUntilItsOfferIsAnswered) {
  offer(kVolatile, kLasting);
  world_.transfer(job_);
  prepare();
  world_.drop_all(Kind::kPrepared);
  interrupt();
  EXPECT_FALSE(has_record());
  ASSERT_TRUE(world_.write(kA, object_));
  offer_again();
  ASSERT_TRUE(world_.deliver(Kind::kOffer));
  EXPECT_FALSE(has_record());
  ASSERT_TRUE(world_.deliver(Kind::kOffered));
  EXPECT_TRUE(has_record());
  expect_end_at(kB);
}

TEST_F(InterruptedCutover, VolatileSourceThatCrashedBetweenAttemptsIsNotReplacedByAnOlderCopy) {
  offer(kVolatile, kLasting);
  world_.transfer(job_);
  prepare();
  world_.drop_all(Kind::kPrepared);
  interrupt();
  ASSERT_TRUE(world_.write(kA, object_));
  offer_again();
  world_.crash(kA);
  EXPECT_TRUE(world_.settle()) << trace();
  EXPECT_EQ(world_.check_end(), "") << trace();
  EXPECT_FALSE(world_.accepts_writes(kB, object_)) << "an old version came back\n" << trace();
}

TEST_F(InterruptedCutover, VolatileSourceAdoptsWhatALaterAttemptHasPrepared) {
  offer(kVolatile, kLasting);
  interrupt();
  ASSERT_TRUE(world_.write(kA, object_));
  offer_again();
  answer_offer();
  world_.transfer(job_);
  prepare();
  world_.crash(kA);
  EXPECT_FALSE(world_.is_excused(object_));
  expect_end_at(kB);
}

TEST_F(InterruptedCutover, PausedJobStaysPausedOverRestartsOfBothEnds) {
  offer(kLasting, kLasting);
  pass();
  world_.checkpoint(kB, job_);
  world_.pause(kA, job_);
  world_.crash(kB);
  world_.crash(kA);
  world_.restart(kA);
  world_.restart(kB);
  for (int i = 0; i < 3; ++i) offer_again();
  EXPECT_TRUE(world_.network().empty()) << trace();
  EXPECT_TRUE(world_.write(kA, object_, 0b0001));
  world_.unpause(kA, job_);
  offer_again();
  answer_offer();
  expect_end_at(kB);
  EXPECT_EQ(job().blocks_read, kBlocks + 1);
}

}  // namespace
}  // namespace godwit::model::sim
