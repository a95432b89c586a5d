#include "godwit-bulk/plan.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "mebibyte.hpp"

namespace godwit::bulk {
namespace {

void add(Items& items, uint16_t source, uint64_t bytes, size_t count = 1, Kind kind = Kind::kRegion) {
  for (size_t i = 0; i < count; ++i) {
    Item item;
    item.id = godwit_region_id{source, items.size()};
    item.size_bytes = bytes;
    item.source = source;
    item.kind = kind;
    items.add(item, "");
  }
}

Placement placement_of(std::vector<uint64_t> free_bytes, size_t sources = 1) {
  return Placement(std::move(free_bytes), std::vector<uint16_t>(sources, kNoNode));
}

// What the header promises, whatever the items.
void expect_sound(const Items& items, const std::vector<Batch>& batches, const PlanSettings& settings) {
  std::vector<int> covered(items.size());
  uint64_t last_weight = UINT64_MAX;
  for (const Batch& batch : batches) {
    ASSERT_LT(batch.begin, batch.end);
    ASSERT_LE(batch.end, items.size());
    uint64_t bytes = 0;
    for (uint32_t i = batch.begin; i < batch.end; ++i) {
      ++covered[i];
      bytes += items[i].size_bytes;
      EXPECT_EQ(items[i].source, batch.source);
      EXPECT_EQ(items[i].kind, batch.kind);
    }
    EXPECT_EQ(batch.bytes, bytes);
    EXPECT_EQ(batch.items, batch.end - batch.begin);
    EXPECT_LE(batch.items, batch.kind == Kind::kDatabase ? 1 : settings.batch_items_max);
    EXPECT_TRUE(batch.items == 1 || batch.bytes <= settings.batch_bytes_max);
    EXPECT_LE(batch.weight(), last_weight) << "the heaviest first";
    last_weight = batch.weight();
  }
  EXPECT_EQ(std::count(covered.begin(), covered.end(), 1), static_cast<std::ptrdiff_t>(items.size()));
}

TEST(BulkPlan, EveryItemIsInOneBatchOfItsSourceAndKind) {
  Items items;
  for (uint16_t source = 0; source < 3; ++source) {
    add(items, source, 4096, 100);
    add(items, source, 100 * kMiB, 2);
    add(items, source, 5000, 5, Kind::kDatabase);
    add(items, source, 0, 7, Kind::kFiles);
  }
  items.sort();
  PlanSettings settings;
  settings.ranks = 2;
  auto placement = placement_of({10000 * kMiB, 10000 * kMiB}, 3);
  expect_sound(items, plan_batches(items, placement, settings), settings);
}

TEST(BulkPlan, NothingNeedsNoCalls) {
  auto placement = placement_of({kMiB});
  EXPECT_TRUE(plan_batches(Items(), placement, PlanSettings{}).empty());
}

TEST(BulkPlan, DestinationsAndLinksShareAlike) {
  Items items;
  for (uint16_t source = 0; source < 3; ++source) add(items, source, kMiB, 400);
  items.sort();
  auto placement = placement_of({10000 * kMiB, 10000 * kMiB, 10000 * kMiB, 10000 * kMiB}, 3);
  std::map<uint16_t, uint64_t> destinations;
  std::map<std::pair<uint16_t, uint16_t>, uint64_t> links;
  uint64_t largest = 0;
  for (const Batch& batch : plan_batches(items, placement, PlanSettings{})) {
    destinations[batch.destination] += batch.bytes;
    links[{batch.source, batch.destination}] += batch.bytes;
    largest = std::max(largest, batch.bytes);
  }
  ASSERT_EQ(destinations.size(), 4u);
  ASSERT_EQ(links.size(), 12u);
  for (const auto& [destination, bytes] : destinations)
    EXPECT_NEAR(double(bytes), 300.0 * kMiB, double(largest)) << destination;
  for (const auto& [link, bytes] : links)
    EXPECT_NEAR(double(bytes), 100.0 * kMiB, double(largest)) << link.first << link.second;
}

TEST(BulkPlan, DestinationsAreFilledInProportionToTheirRoom) {
  Items items;
  add(items, 0, kMiB, 400);
  auto placement = placement_of({100 * kMiB, 700 * kMiB});
  uint64_t bytes[2] = {};
  for (const Batch& batch : plan_batches(items, placement, PlanSettings{})) bytes[batch.destination] += batch.bytes;
  EXPECT_LE(bytes[0], 100 * kMiB);
  EXPECT_GT(bytes[0], 10 * kMiB);
}

TEST(BulkPlan, ABatchThatOnlyFitsInPartsIsSplit) {
  Items items;
  add(items, 0, kMiB, 16);
  auto placement = placement_of(std::vector<uint64_t>(8, 2 * kMiB));
  std::map<uint16_t, uint64_t> bytes;
  PlanSettings settings;
  for (const Batch& batch : plan_batches(items, placement, settings)) bytes[batch.destination] += batch.bytes;
  EXPECT_EQ(bytes.size(), 8u);
  for (const auto& [destination, given] : bytes) EXPECT_EQ(given, 2 * kMiB) << destination;
}

TEST(BulkPlan, WhatFitsNowhereGoesWhereTheMostRoomIs) {
  Items items;
  add(items, 0, 10 * kMiB);
  auto placement = placement_of({kMiB, 3 * kMiB, 2 * kMiB});
  const auto batches = plan_batches(items, placement, PlanSettings{});
  ASSERT_EQ(batches.size(), 1u);
  EXPECT_EQ(batches.front().destination, 1);
}

TEST(BulkPlan, ANodeSendsNothingToItselfWhileThereIsAnother) {
  Items items;
  add(items, 0, kMiB, 10);
  Placement two({100 * kMiB, kMiB * 20}, {0});
  for (const Batch& batch : plan_batches(items, two, PlanSettings{})) EXPECT_EQ(batch.destination, 1);
  Placement only({100 * kMiB}, {0});
  for (const Batch& batch : plan_batches(items, only, PlanSettings{})) EXPECT_EQ(batch.destination, 0);
}

TEST(BulkPlan, DatabasesNeedNoRoomInATarget) {
  Items items;
  add(items, 0, 100 * kMiB, 4, Kind::kDatabase);
  auto placement = placement_of({0, 0});
  std::map<uint16_t, int> calls;
  for (const Batch& batch : plan_batches(items, placement, PlanSettings{})) ++calls[batch.destination];
  EXPECT_EQ(calls, (std::map<uint16_t, int>{{0, 2}, {1, 2}}));
}

// What docs/howto/bulk.md promises of rank 0.
TEST(BulkPlan, AMillionItemsTakeAtMostAHundredBytesEach) {
  constexpr uint32_t kMillion = 1000000;
  Items items;
  items.reserve(kMillion);
  for (uint32_t i = 0; i < kMillion; ++i) {
    Item item;
    item.id = godwit_region_id{i * uint64_t{0x9e3779b97f4a7c15}, i};
    item.size_bytes = 4096 + i % 7;
    item.source = static_cast<uint16_t>(i % 4);
    items.add(item, "timestep-" + std::to_string(i));
  }
  items.sort();
  PlanSettings settings;
  settings.ranks = 64;
  auto placement = placement_of(std::vector<uint64_t>(8, 100000 * kMiB), 4);
  const auto batches = plan_batches(items, placement, settings);
  expect_sound(items, batches, settings);
  const size_t batch_bytes = batches.capacity() * sizeof(Batch);
  EXPECT_LE(items.memory_bytes() + batch_bytes, size_t{100} * kMillion);
}

TEST(BulkItems, TheNameIsKeptAndTheIdStandsInForNone) {
  Items items;
  Item item;
  item.id = godwit_region_id{1, 2};
  items.add(item, "field");
  items.add(item, "");
  EXPECT_STREQ(items.name(items[0]), "field");
  EXPECT_EQ(items.label(items[0]), "field");
  EXPECT_STREQ(items.name(items[1]), "");
  EXPECT_EQ(items.label(items[1]), "00000000000000010000000000000002");
}

TEST(BulkItems, FilesHaveTheSameIdInEveryRunAndOthersHaveOthers) {
  const auto id = id_of_files("tcp://n1:7411", "/scratch/a");
  EXPECT_EQ(text_of(id), text_of(id_of_files("tcp://n1:7411", "/scratch/a")));
  EXPECT_NE(text_of(id), text_of(id_of_files("tcp://n2:7411", "/scratch/a")));
  EXPECT_NE(text_of(id), text_of(id_of_files("tcp://n1:7411", "/scratch/b")));
}

}  // namespace
}  // namespace godwit::bulk
