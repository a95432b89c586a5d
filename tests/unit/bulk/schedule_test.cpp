#include "godwit-bulk/schedule.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "mebibyte.hpp"

namespace godwit::bulk {
namespace {

// Items of 1 MiB that each go in a call of their own, and a schedule of them.
class BulkSchedule : public ::testing::Test {
 protected:
  void begin(std::vector<uint32_t> items_of_source, std::vector<uint64_t> free_bytes, uint32_t per_node) {
    for (uint16_t source = 0; source < items_of_source.size(); ++source)
      for (uint32_t i = 0; i < items_of_source[source]; ++i) {
        Item item;
        item.id = godwit_region_id{source, i};
        item.size_bytes = kMiB;
        item.source = source;
        items_.add(item, "");
      }
    items_.sort();
    Placement placement(std::move(free_bytes), std::vector<uint16_t>(items_of_source.size(), kNoNode));
    PlanSettings settings;
    settings.batch_items_max = 1;
    auto batches = plan_batches(items_, placement, settings);
    schedule_.emplace(items_, std::move(placement), std::move(batches), static_cast<uint32_t>(items_of_source.size()),
                      per_node);
  }
  std::optional<Schedule::Next> next() {
    const auto given = schedule_->next();
    if (given) set_all(schedule_->batch(given->batch), State::kUnderWay);
    return given;
  }
  void set_all(const Batch& batch, State state) {
    for (uint32_t i = batch.begin; i < batch.end; ++i) items_[i].state = state;
  }
  void arrive(uint32_t index) {
    set_all(schedule_->batch(index), State::kArrived);
    Schedule::End end;
    end.bytes_arrived = schedule_->batch(index).bytes;
    EXPECT_TRUE(schedule_->ended(index, end).empty());
  }
  // Its destination does not take it; it is to go elsewhere.
  std::vector<Batch> refuse(uint32_t index, const Schedule::End& end) {
    set_all(schedule_->batch(index), State::kWaiting);
    auto homeless = schedule_->ended(index, end);
    for (const Batch& batch : homeless) set_all(batch, State::kFailed);
    return homeless;
  }

  Items items_;
  std::optional<Schedule> schedule_;
};

Schedule::End unreachable() {
  Schedule::End end;
  end.was_unreachable = true;
  return end;
}

TEST_F(BulkSchedule, NodesHaveAtMostSoManyCallsAsSourceAndAsDestination) {
  begin({20, 20}, {1000 * kMiB, 1000 * kMiB, 1000 * kMiB}, 3);
  std::map<uint16_t, int> sources, destinations;
  std::vector<uint32_t> under_way;
  while (const auto given = next()) {
    const Batch& batch = schedule_->batch(given->batch);
    ++sources[batch.source];
    ++destinations[batch.destination];
    under_way.push_back(given->batch);
  }
  EXPECT_EQ(sources, (std::map<uint16_t, int>{{0, 3}, {1, 3}}));
  for (const auto& [destination, calls] : destinations) EXPECT_LE(calls, 3) << destination;
  EXPECT_FALSE(schedule_->is_finished());
  arrive(under_way.front());
  EXPECT_TRUE(next());
  EXPECT_FALSE(next());
}

TEST_F(BulkSchedule, TheFirstCallsAreOfDifferentLinks) {
  begin({10, 10}, {1000 * kMiB, 1000 * kMiB}, 4);
  std::map<std::pair<uint16_t, uint16_t>, int> links;
  for (int i = 0; i < 4; ++i) {
    const Batch& batch = schedule_->batch(next()->batch);
    ++links[{batch.source, batch.destination}];
  }
  EXPECT_EQ(links.size(), 4u);
}

TEST_F(BulkSchedule, EverythingIsGivenOnceAndThenItIsFinished) {
  begin({7}, {1000 * kMiB, 1000 * kMiB}, 2);
  int calls = 0;
  while (const auto given = next()) {
    ++calls;
    arrive(given->batch);
  }
  EXPECT_EQ(calls, 7);
  EXPECT_TRUE(schedule_->is_finished());
}

TEST_F(BulkSchedule, AnIdleDestinationTakesOverFromOneThatLags) {
  begin({8, 8}, {1000 * kMiB, 1000 * kMiB}, 2);
  std::map<uint16_t, int> given_to;
  int taken_over = 0;
  while (const auto given = next()) {
    const uint16_t destination = schedule_->batch(given->batch).destination;
    ++given_to[destination];
    taken_over += given->taken_over;
    if (destination == 1) arrive(given->batch);
  }
  EXPECT_EQ(given_to[0], 2);
  EXPECT_EQ(given_to[1], 14);
  EXPECT_EQ(taken_over, 6);
}

TEST_F(BulkSchedule, WhatADestinationDidNotTakeGoesToAnotherOne) {
  begin({1}, {1000 * kMiB, 999 * kMiB, 998 * kMiB}, 2);
  std::vector<uint16_t> tried;
  for (int attempt = 0; attempt < 3; ++attempt) {
    const auto given = next();
    ASSERT_TRUE(given) << attempt;
    tried.push_back(schedule_->batch(given->batch).destination);
    const auto homeless = refuse(given->batch, {});
    EXPECT_EQ(homeless.size(), attempt == 2 ? 1u : 0u);
  }
  std::sort(tried.begin(), tried.end());
  EXPECT_EQ(tried, (std::vector<uint16_t>{0, 1, 2}));
  EXPECT_TRUE(schedule_->is_finished());
}

TEST_F(BulkSchedule, ADestinationThatIsNotReachedThreeTimesInARowTakesNoMore) {
  begin({30}, {1000 * kMiB, 1000 * kMiB}, 64);
  uint32_t failed = 0, arrived = 0;
  while (const auto given = next()) {
    if (schedule_->batch(given->batch).destination == 0) {
      ++failed;
      EXPECT_TRUE(refuse(given->batch, unreachable()).empty());
    } else {
      ++arrived;
      arrive(given->batch);
    }
  }
  EXPECT_EQ(failed, kUnreachableMax);
  EXPECT_EQ(arrived, 30u);
  EXPECT_TRUE(schedule_->is_closed(0));
  EXPECT_TRUE(schedule_->is_finished());
}

TEST_F(BulkSchedule, ASuccessBetweenFailuresKeepsADestination) {
  begin({30}, {1000 * kMiB}, 1);
  for (int i = 0; i < 8; ++i) {
    const auto given = next();
    ASSERT_TRUE(given);
    if (i % 3 == 2)
      arrive(given->batch);
    else
      EXPECT_EQ(refuse(given->batch, unreachable()).size(), 1u);
  }
  EXPECT_FALSE(schedule_->is_closed(0));
}

TEST_F(BulkSchedule, WhenNoDestinationIsLeftAllThatWaitsIsHandedBack) {
  begin({10}, {1000 * kMiB}, 1);
  size_t homeless = 0;
  while (const auto given = next()) homeless += refuse(given->batch, unreachable()).size();
  EXPECT_EQ(homeless, 10u);
  EXPECT_TRUE(schedule_->is_finished());
}

TEST_F(BulkSchedule, NothingAsLargeIsSentToADestinationThatHadNoRoomForIt) {
  begin({3}, {1000 * kMiB, 900 * kMiB, 800 * kMiB}, 1);
  const auto first = next();
  ASSERT_TRUE(first);
  const uint16_t full = schedule_->batch(first->batch).destination;
  Schedule::End end;
  end.too_large_bytes = kMiB;
  EXPECT_TRUE(refuse(first->batch, end).empty());
  uint32_t to_full = 0;
  while (const auto given = next()) {
    // What had been planned for it before is not moved away: its daemon says what fits.
    to_full += schedule_->batch(given->batch).destination == full && !schedule_->batch(given->batch).tried.empty();
    arrive(given->batch);
  }
  EXPECT_EQ(to_full, 0u);
}

}  // namespace
}  // namespace godwit::bulk
