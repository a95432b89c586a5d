// CutoverScenario and InterruptedCutover: what scripts of cutovers share. Node A has the object, node B gets it.
#pragma once

#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <string>

#include "cutover_world.hpp"

namespace godwit::model::sim {

inline constexpr NodeIndex kA = 0, kB = 1;
inline constexpr bool kLasting = true, kVolatile = false;

class CutoverScenario : public testing::Test {
 protected:
  void begin(bool source_lasting, bool destination_lasting, bool is_move = true) {
    object_ = world_.create(kA, source_lasting);
    job_ = *world_.start(kA, object_, is_move, destination_lasting);
    world_.transfer(job_);
  }
  SourceState source() const { return world_.node(kA).sources.at(job_).machine.state; }
  DestinationState destination() const { return world_.node(kB).destinations.at(job_).machine.state; }
  ObjectId copy() const { return world_.jobs().at(job_).result; }
  // Until the destination has promised and the source has not heard it.
  void prepare() { ASSERT_TRUE(world_.deliver(Kind::kPrepare)); }
  // Until the source has decided and the destination has not heard it.
  void hand_over() {
    prepare();
    ASSERT_TRUE(world_.deliver(Kind::kPrepared));
    ASSERT_EQ(source(), SourceState::kHandedOver);
  }
  void expect_end_at(NodeIndex owner) {
    EXPECT_TRUE(world_.settle()) << trace();
    EXPECT_EQ(world_.check_end(), "") << trace();
    EXPECT_TRUE(world_.accepts_writes(owner, object_)) << trace();
    EXPECT_FALSE(world_.accepts_writes(1 - owner, object_)) << trace();
  }
  std::string trace() const { return fmt::format("  {}", fmt::join(world_.trace(), "\n  ")); }

  CutoverWorld world_{Flaw::kNone, true};
  ObjectId object_ = 0;
  JobId job_ = 0;
};

// A job that resumes.
class InterruptedCutover : public CutoverScenario {
 protected:
  // Offered and answered; no block is sent yet.
  void offer(bool source_lasting, bool destination_lasting, bool is_move = true) {
    object_ = world_.create(kA, source_lasting);
    job_ = *world_.start(kA, object_, is_move, destination_lasting, true);
    answer_offer();
  }
  void answer_offer() {
    ASSERT_TRUE(world_.deliver(Kind::kOffer));
    ASSERT_TRUE(world_.deliver(Kind::kOffered));
  }
  void pass() {
    world_.tick_source(kA, job_, false);
    ASSERT_TRUE(world_.deliver(Kind::kData));
    ASSERT_TRUE(world_.deliver(Kind::kDataDone));
  }
  void interrupt() {
    world_.interrupt_source(kA, job_);
    world_.act_all();
  }
  // The source's next attempt is in the network.
  void offer_again() {
    world_.tick_source(kA, job_, false);
    world_.act_all();
  }
  void restart(NodeIndex node) {
    world_.crash(node);
    world_.restart(node);
    world_.act_all();
  }
  const JobSpec& job() const { return world_.jobs().at(job_); }
  bool has_record() const { return world_.node(kA).disk.outbound.contains(job_); }
  const InboundRecord& inbound() const { return world_.node(kB).disk.inbound.at(job_); }
};

}  // namespace godwit::model::sim
