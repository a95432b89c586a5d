#include "godwit-bulk/dispatcher.hpp"

#include <gtest/gtest.h>

#include <set>

#include "mebibyte.hpp"

namespace godwit::bulk {
namespace {

// Regions from one source to three destinations, and two ranks, which these tests play.
class BulkDispatcher : public ::testing::Test {
 protected:
  void begin(uint32_t regions, uint32_t batch_items_max = 1, uint64_t size_bytes = kMiB) {
    for (uint32_t i = 0; i < regions; ++i) {
      Item item;
      item.id = godwit_region_id{1, i};
      item.size_bytes = size_bytes;
      items_.add(item, "r" + std::to_string(i));
    }
    items_.sort();
    Placement placement({100 * kMiB, 100 * kMiB, 100 * kMiB}, {kNoNode});
    PlanSettings settings;
    settings.batch_items_max = batch_items_max;
    auto batches = plan_batches(items_, placement, settings);
    Schedule schedule(items_, std::move(placement), std::move(batches), 1, 8);
    dispatcher_.emplace(Dispatcher::Run{options_, nodes_, items_, nullptr, 2}, std::move(schedule), Tally());
  }
  // What became of the order: the same of each of its items.
  void end(const Order& order, int error, bool has_job = true, bool is_open = false) {
    Outcome outcome{order.batch, error, has_job, is_open, {}, error ? "why" : ""};
    outcome.errors.assign(order.ids.size(), error);
    dispatcher_->ended(0, outcome);
  }
  Order next() {
    auto order = dispatcher_->next(0);
    EXPECT_TRUE(order);
    return order.value_or(Order{});
  }
  bool is_over() {
    const auto order = dispatcher_->next(0);
    return order && order->finished;
  }

  Options options_;
  Nodes nodes_{{"tcp://n1:1"}, {"tcp://n2:1", "tcp://n3:1", "tcp://n4:1"}};
  Items items_;
  std::optional<Dispatcher> dispatcher_;
};

TEST_F(BulkDispatcher, WhatADestinationDoesNotTakeGoesToOthersAsOftenAsMayBe) {
  options_.retries = 1;
  begin(1);
  std::set<std::string> destinations;
  for (int attempt = 0; attempt < 2; ++attempt) {
    const Order order = next();
    ASSERT_FALSE(order.finished);
    destinations.insert(order.destination);
    end(order, GODWIT_ERR_NO_SPACE);
  }
  EXPECT_EQ(destinations.size(), 2u);
  EXPECT_TRUE(is_over());
  const Tally tally = dispatcher_->tally();
  ASSERT_EQ(tally.failures.size(), 1u);
  EXPECT_EQ(tally.failures[0].error, GODWIT_ERR_NO_SPACE);
  EXPECT_EQ(tally.failures[0].name, "r0");
  EXPECT_EQ(items_[0].attempts, 2);
}

TEST_F(BulkDispatcher, WhatArrivesElsewhereIsNoFailure) {
  begin(1);
  end(next(), GODWIT_ERR_PEER_LOST);
  end(next(), GODWIT_OK);
  EXPECT_TRUE(is_over());
  const Tally tally = dispatcher_->tally();
  EXPECT_EQ(tally.objects, 1u);
  EXPECT_EQ(tally.failed, 0u);
  EXPECT_EQ(tally.retried, 1u);
  EXPECT_EQ(tally.bytes, kMiB);
}

TEST_F(BulkDispatcher, WhatIsTheObjectsFaultIsNotTriedAgain) {
  for (const int error : {GODWIT_ERR_EXISTS, GODWIT_ERR_NOT_FOUND, GODWIT_ERR_BUSY, GODWIT_ERR_MOVED, GODWIT_ERR_CANCELLED}) {
    EXPECT_FALSE(is_destinations_fault(error, Kind::kRegion)) << godwit_error_name(error);
    items_ = Items();
    begin(1);
    end(next(), error);
    EXPECT_TRUE(is_over()) << godwit_error_name(error);
    EXPECT_EQ(items_[0].state, State::kFailed);
  }
}

TEST_F(BulkDispatcher, WhatIsInDoubtIsNeverSentAgain) {
  for (const int error : {GODWIT_ERR_IN_DOUBT, GODWIT_ERR_PEER_LOST, GODWIT_ERR_UNREACHABLE, GODWIT_ERR_TIMEOUT}) {
    items_ = Items();
    begin(1);
    end(next(), error, true, true);
    EXPECT_TRUE(is_over()) << godwit_error_name(error);
    EXPECT_EQ(items_[0].state, State::kInDoubt) << godwit_error_name(error);
    EXPECT_EQ(dispatcher_->tally().failed, 1u);
  }
}

TEST_F(BulkDispatcher, WhatItsSourceDidNotBeginIsNotTheDestinationsFault) {
  begin(1);
  end(next(), GODWIT_ERR_UNREACHABLE, false);
  EXPECT_TRUE(is_over());
  EXPECT_EQ(items_[0].state, State::kFailed);
}

// Of a region at a time: what was lost at a destination goes to the other two.
TEST_F(BulkDispatcher, ADestinationThatIsLostOrStandsStillThreeTimesInARowIsGivenUp) {
  struct Case {
    int error;
    bool has_stalled, is_open, is_given_up;
  };
  for (const Case& one : {Case{GODWIT_ERR_PEER_LOST, false, false, true}, Case{GODWIT_ERR_TIMEOUT, true, false, true},
                          Case{GODWIT_ERR_TIMEOUT, false, false, false}, Case{GODWIT_ERR_IO, false, false, false},
                          // It is the source that did not answer.
                          Case{GODWIT_ERR_PEER_LOST, false, true, false}, Case{GODWIT_ERR_UNREACHABLE, false, true, false}}) {
    SCOPED_TRACE(std::string(godwit_error_name(one.error)) + (one.has_stalled ? ", stalled" : ""));
    items_ = Items();
    begin(12);
    for (uint32_t failed = 0; failed < kUnreachableMax;) {
      const Order order = next();
      ASSERT_FALSE(order.finished);
      const bool is_victim = order.destination == nodes_.to[1];
      Outcome outcome{order.batch, is_victim ? one.error : GODWIT_OK, true, is_victim && one.is_open, {}, ""};
      outcome.has_stalled = is_victim && one.has_stalled;
      outcome.errors.assign(order.ids.size(), outcome.error);
      dispatcher_->ended(0, outcome);
      failed += is_victim;
    }
    const auto expected = one.is_given_up ? std::vector{nodes_.to[1]} : std::vector<std::string>{};
    EXPECT_EQ(dispatcher_->tally().given_up, expected);
  }
}

TEST_F(BulkDispatcher, OnlyTheItemsThatFailedGoElsewhere) {
  begin(3, 16, 4096);
  const Order order = next();
  ASSERT_EQ(order.ids.size(), 3u);
  Outcome outcome{order.batch, GODWIT_ERR_PARTIAL, true, false, {GODWIT_OK, GODWIT_ERR_NO_SPACE, GODWIT_OK}, "some"};
  dispatcher_->ended(0, outcome);
  const Order again = next();
  ASSERT_EQ(again.ids.size(), 1u);
  EXPECT_EQ(text_of(again.ids[0]), text_of(order.ids[1]));
  EXPECT_NE(again.destination, order.destination);
  end(again, GODWIT_OK);
  EXPECT_EQ(dispatcher_->tally().objects, 3u);
}

TEST(BulkNodes, EveryMarkOfADirectoryBecomesTheSourcesName) {
  EXPECT_EQ(directory_of("/in/%n/of-%n", "tcp://n1:7411"), "/in/n1-7411/of-n1-7411");
  EXPECT_EQ(directory_of("%n", "tcp://[fe80::1%n]:7411"), "-fe80--1%n--7411") << "a name is not looked into";
  EXPECT_EQ(directory_of("/in", "tcp://n1:7411"), "/in");
}

TEST_F(BulkDispatcher, ARankWaitsWhileWhatIsUnderWayMayComeBack) {
  begin(1);
  const Order order = next();
  EXPECT_FALSE(dispatcher_->next(1)) << "neither work nor the end";
  end(order, GODWIT_ERR_NO_SPACE);
  EXPECT_TRUE(dispatcher_->next(1));
}

TEST_F(BulkDispatcher, TheRunIsFinishedWhenEveryRankKnows) {
  begin(0);
  EXPECT_FALSE(dispatcher_->is_finished());
  EXPECT_TRUE(dispatcher_->next(0)->finished);
  EXPECT_FALSE(dispatcher_->is_finished());
  EXPECT_TRUE(dispatcher_->next(1)->finished);
  EXPECT_TRUE(dispatcher_->is_finished());
}

TEST_F(BulkDispatcher, TheLimitIsSharedOutOverTheCallsUnderWay) {
  options_.bandwidth = 12000;
  begin(3);
  const Order first = next();
  EXPECT_EQ(first.bandwidth, 12000u);
  const Order second = next();
  EXPECT_EQ(second.bandwidth, 6000u);
  EXPECT_EQ(next().bandwidth, 4000u);
  EXPECT_EQ(dispatcher_->share(), 4000u);
  end(first, GODWIT_OK);
  EXPECT_EQ(dispatcher_->share(), 6000u);
}

TEST_F(BulkDispatcher, WithoutALimitThereIsNoShare) {
  begin(1);
  EXPECT_EQ(next().bandwidth, 0u);
  EXPECT_EQ(dispatcher_->share(), 0u);
}

TEST_F(BulkDispatcher, FailuresAndCallsAreKeptUpToABoundAndCounted) {
  const uint32_t many = kCallsKept + 5;
  options_.retries = 0;
  begin(many);
  for (uint32_t i = 0; i < many; ++i) end(next(), GODWIT_ERR_EXISTS);
  EXPECT_EQ(dispatcher_->tally().failures.size(), kFailuresKept);
  EXPECT_EQ(dispatcher_->tally().failed, many);
  EXPECT_EQ(dispatcher_->calls().size(), kCallsKept);
  EXPECT_EQ(dispatcher_->calls_total(), many);
}

}  // namespace
}  // namespace godwit::bulk
