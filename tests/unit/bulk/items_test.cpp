#include "godwit-bulk/items.hpp"

#include <gtest/gtest.h>

namespace godwit::bulk {
namespace {

void add(Items& items, Kind kind, uint64_t id, uint16_t source) {
  Item item;
  item.kind = kind;
  item.id = godwit_region_id{7, id};
  item.source = source;
  items.add(item, "name " + std::to_string(id));
}

TEST(BulkItems, WhatTwoNamesOfOneDaemonListIsThereOnce) {
  Items items;
  for (const uint16_t source : {uint16_t{1}, uint16_t{0}}) {
    add(items, Kind::kRegion, 1, source);
    add(items, Kind::kRegion, 2, source);
    add(items, Kind::kDatabase, 1, source);
  }
  add(items, Kind::kRegion, 3, 1);
  items.drop_repeated();
  items.sort();
  ASSERT_EQ(items.size(), 4u);
  for (uint32_t i = 0; i < 3; ++i) EXPECT_EQ(items[i].source, 0) << "the first that has it";
  EXPECT_EQ(items[2].kind, Kind::kDatabase) << "a region and a database are two, whatever their ids";
  EXPECT_EQ(items[3].source, 1);
  EXPECT_STREQ(items.name(items[3]), "name 3");
}

}  // namespace
}  // namespace godwit::bulk
