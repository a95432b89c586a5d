// The migration tasks that users of a blob store write, one test each: backend migration, load balancing, archival, bulk,
// online, policies, verification before cleanup, error handling, chunks with progress. Kept close to what they would write.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <godwit/godwit.hpp>
#include <iostream>
#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/daemon.hpp"

namespace {

using godwit::test::Daemon;
using godwit::test::DaemonOptions;
using godwit::test::TargetSpec;

using Bytes = std::vector<char>;

Bytes some_bytes(size_t size, unsigned seed) {
  Bytes bytes(size);
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>((i * 2654435761u + seed) >> 9);
  return bytes;
}

Bytes content(const godwit::Region& region) {
  Bytes bytes(region.size());
  region.read(0, bytes.data(), bytes.size());
  return bytes;
}

// Two nodes, as the examples have them: addr1 with fast memory, addr2 with memory and persistent memory.
class SeedExamples : public testing::Test {
 protected:
  const Daemon node1_;
  const Daemon node2_;
  const std::string addr1_ = node1_.address();
  const std::string addr2_ = node2_.address();
  godwit::Client client_;
  const Bytes data_ = some_bytes(300'000, 1);
};

TEST_F(SeedExamples, MigrationBasics) {
  // Source target (memory), destination target (persistent memory).
  const godwit::Target source = client_.target(addr1_, "fast");
  const godwit::Target dest = client_.target(addr2_, "keep");

  const godwit::Region source_region = source.create(data_.size());
  source.write(source_region, 0, data_.data(), data_.size());

  // A copy: the data exists in both.
  godwit::MigrateOptions options;
  options.copy = true;
  const godwit::Region dest_region = source.migrate(source_region, dest, options);
  EXPECT_EQ(content(source_region), data_);
  EXPECT_EQ(content(dest_region), data_);

  // Destroying the source region is optional.
  source.erase(source_region);
  EXPECT_EQ(content(dest_region), data_);
}

TEST_F(SeedExamples, BackendMigration) {
  const godwit::Target memory_target = client_.target(addr1_, "fast");
  const godwit::Target pmem_target = client_.target(addr1_, "keep");
  const godwit::Region mem_region = memory_target.create(data_.size());
  memory_target.write(mem_region, 0, data_.data(), data_.size());

  // A move cleans up the memory by itself.
  const godwit::Region persistent_region = memory_target.migrate(mem_region, pmem_target);
  EXPECT_EQ(content(persistent_region), data_);
  EXPECT_STREQ(persistent_region.info().target, "keep");
  EXPECT_EQ(memory_target.info().used_bytes, 0u);
}

TEST_F(SeedExamples, LoadBalancing) {
  std::vector<godwit::Target> targets;
  targets.push_back(client_.target(addr1_, "fast"));
  targets.push_back(client_.target(addr2_, "fast"));
  targets.push_back(client_.target(addr2_, "keep"));
  std::map<std::string, godwit::Region> region_map;
  for (unsigned i = 0; i < 9; ++i) {
    const Bytes bytes = some_bytes(10'000, i);
    const std::string name = "part " + std::to_string(i);
    region_map.emplace(name, targets[0].create(bytes.data(), bytes.size(), name));
  }

  // Initially all data is on the first.
  unsigned number = 0;
  for (auto& [region_name, region] : region_map) {
    const size_t dest_idx = number++ % targets.size();
    if (dest_idx != 0) region = targets[0].migrate(region, targets[dest_idx]);
  }

  for (const godwit::Target& target : targets) EXPECT_EQ(target.info().regions, 3u);
  for (unsigned i = 0; i < 9; ++i) EXPECT_EQ(content(region_map.at("part " + std::to_string(i))), some_bytes(10'000, i));
}

TEST_F(SeedExamples, Archival) {
  const godwit::Target fast = client_.target(addr1_, "fast");
  const godwit::Target slow = client_.target(addr2_, "keep");
  const auto is_old = [](const godwit::RegionInfo& info) { return std::strncmp(info.name, "2019-", 5) == 0; };
  for (const char* name : {"2019-spring", "2019-autumn", "2026-spring"}) fast.create(data_.data(), data_.size(), name);

  std::map<std::string, std::string> catalog;
  for (const godwit::RegionInfo& info : fast.regions()) {
    catalog[info.name] = addr1_;
    if (!is_old(info)) continue;
    const godwit::Region archived = fast.migrate(info.id, slow);
    catalog[info.name] = archived.info().address;
  }

  EXPECT_EQ(catalog,
            (std::map<std::string, std::string>{{"2019-spring", addr2_}, {"2019-autumn", addr2_}, {"2026-spring", addr1_}}));
  EXPECT_EQ(content(client_.region(addr2_, "2019-autumn")), data_);
}

TEST_F(SeedExamples, MonitoringMigration) {
  const godwit::Target source = client_.target(addr1_, "fast");
  const godwit::Target dest = client_.target(addr2_, "fast");
  const godwit::Region source_region = source.create(32u << 20);

  const auto start = std::chrono::steady_clock::now();
  const godwit::Region dest_region = source.migrate(source_region, dest);
  const std::chrono::duration<double> duration = std::chrono::steady_clock::now() - start;

  const uint64_t region_size = dest_region.size();
  const double throughput = static_cast<double>(region_size) / (1024.0 * 1024.0) / duration.count();
  EXPECT_EQ(region_size, 32u << 20);
  EXPECT_GT(throughput, 0);
}

TEST_F(SeedExamples, BulkSequential) {
  const godwit::Target source = client_.target(addr1_, "fast");
  const godwit::Target dest = client_.target(addr2_, "keep");
  std::vector<godwit::Region> source_regions;
  std::vector<godwit::Region> dest_regions;
  for (unsigned i = 0; i < 8; ++i) source_regions.push_back(source.create(some_bytes(5'000, i).data(), 5'000));

  for (const godwit::Region& region : source_regions) dest_regions.push_back(source.migrate(region, dest));

  for (unsigned i = 0; i < 8; ++i) EXPECT_EQ(content(dest_regions[i]), some_bytes(5'000, i));
}

TEST_F(SeedExamples, BulkParallel) {
  const godwit::Target source = client_.target(addr1_, "fast");
  const godwit::Target dest = client_.target(addr2_, "keep");
  std::vector<godwit::Region> source_regions;
  for (unsigned i = 0; i < 8; ++i) source_regions.push_back(source.create(some_bytes(5'000, i).data(), 5'000));

  std::vector<std::string> failures(source_regions.size());
  std::vector<std::thread> threads;
  for (size_t i = 0; i < source_regions.size(); i++) {
    threads.emplace_back([&, i]() {
      try {
        source.migrate(source_regions[i], dest);
      } catch (const godwit::Error& error) {
        failures[i] = error.what();
      }
    });
  }
  for (auto& t : threads) t.join();

  for (const std::string& failure : failures) EXPECT_EQ(failure, "");
  EXPECT_EQ(dest.info().regions, 8u);
  for (unsigned i = 0; i < 8; ++i) EXPECT_EQ(content(source_regions[i]), some_bytes(5'000, i));  // Old handles follow.
}

TEST_F(SeedExamples, BulkInOneCall) {
  const godwit::Target source = client_.target(addr1_, "fast");
  const godwit::Target dest = client_.target(addr2_, "keep");
  std::vector<godwit::RegionId> source_regions;
  for (unsigned i = 0; i < 500; ++i) source_regions.push_back(source.create(some_bytes(4'096, i).data(), 4'096).id());

  const auto results = client_.migrate(addr1_, source_regions, dest);

  ASSERT_EQ(results.size(), source_regions.size());
  for (const godwit::MigrateResult& result : results) EXPECT_EQ(result.error, GODWIT_OK);
  EXPECT_EQ(content(client_.region(addr2_, source_regions[77])), some_bytes(4'096, 77));
}

TEST_F(SeedExamples, OnlineMigrationWithReplayedWrites) {
  struct Write {
    uint64_t offset;
    Bytes data;
  };
  const godwit::Target source = client_.target(addr1_, "fast");
  const godwit::Target dest = client_.target(addr2_, "fast");
  const godwit::Region source_region = source.create(data_.data(), data_.size());

  // Phase 1: migrate a copy, asynchronously. Phase 2: record new writes meanwhile.
  godwit::MigrateOptions options;
  options.copy = true;
  const godwit::Migration migration = client_.start_migration(addr1_, {source_region.id()}, dest, options);
  const std::vector<Write> writes_during_migration{{10, some_bytes(100, 5)}, {200'000, some_bytes(70'000, 6)}};
  migration.wait();
  const godwit::Region dest_region = client_.region(addr2_, migration.results().front().destination_id);

  // Phase 3: replay the writes. Phase 4: switch. Phase 5: clean up.
  for (const auto& write : writes_during_migration) dest.write(dest_region, write.offset, write.data.data(), write.data.size());
  const godwit::Region& current_region = dest_region;
  source.erase(source_region);

  Bytes expected = data_;
  for (const auto& write : writes_during_migration)
    std::copy(write.data.begin(), write.data.end(), expected.begin() + static_cast<std::ptrdiff_t>(write.offset));
  EXPECT_EQ(content(current_region), expected);
}

struct RegionAccessInfo {
  godwit::RegionId id;
  size_t access_count;
  std::chrono::steady_clock::time_point last_access;
};

size_t apply_tiering_policy(const std::vector<RegionAccessInfo>& regions, const godwit::Target& hot_tier,
                            const godwit::Target& cold_tier) {
  const auto now = std::chrono::steady_clock::now();
  size_t moved = 0;
  for (const auto& info : regions) {
    const auto age = std::chrono::duration_cast<std::chrono::hours>(now - info.last_access).count();
    // Move to the cold tier if not accessed in 24 hours. The region keeps its id.
    if (age <= 24 || info.access_count >= 10) continue;
    hot_tier.migrate(info.id, cold_tier);
    ++moved;
  }
  return moved;
}

TEST_F(SeedExamples, TieredStoragePolicy) {
  const godwit::Target hot_tier = client_.target(addr1_, "fast");
  const godwit::Target cold_tier = client_.target(addr1_, "keep");
  const auto now = std::chrono::steady_clock::now();
  std::vector<RegionAccessInfo> regions;
  for (unsigned i = 0; i < 6; ++i)
    regions.push_back({hot_tier.create(data_.data(), data_.size()).id(), i < 3 ? 5u : 50u, now - std::chrono::hours(i * 20)});

  EXPECT_EQ(apply_tiering_policy(regions, hot_tier, cold_tier), 1u);

  EXPECT_STREQ(client_.region(addr1_, regions[2].id).info().target, "keep");
  EXPECT_EQ(hot_tier.info().regions, 5u);
}

void balance_targets(const std::vector<godwit::Target>& targets, uint64_t threshold) {
  const auto usage = [](const godwit::Target& target) { return target.info().used_bytes; };
  const auto by_usage = [&](const auto& a, const auto& b) { return usage(a) < usage(b); };
  for (;;) {
    const auto [least, most] = std::minmax_element(targets.begin(), targets.end(), by_usage);
    const uint64_t difference = usage(*most) - usage(*least);
    if (difference <= threshold) return;
    // The largest region that does not turn the tables.
    std::vector<godwit::RegionInfo> regions = most->regions();
    std::erase_if(regions, [&](const auto& info) { return info.size_bytes == 0 || info.size_bytes * 2 > difference; });
    if (regions.empty()) return;
    const auto largest = std::max_element(regions.begin(), regions.end(),
                                          [](const auto& a, const auto& b) { return a.size_bytes < b.size_bytes; });
    most->migrate(largest->id, *least);
  }
}

TEST_F(SeedExamples, CapacityBasedMigration) {
  std::vector<godwit::Target> targets;
  targets.push_back(client_.target(addr1_, "fast"));
  targets.push_back(client_.target(addr2_, "fast"));
  std::vector<godwit::Region> regions;
  for (unsigned i = 0; i < 10; ++i) regions.push_back(targets[0].create(some_bytes(1u << 20, i).data(), 1u << 20));

  balance_targets(targets, 2u << 20);

  EXPECT_EQ(targets[0].info().regions, 6u);
  EXPECT_EQ(targets[1].info().regions, 4u);
  for (unsigned i = 0; i < 10; ++i) EXPECT_EQ(content(regions[i]), some_bytes(1u << 20, i));
}

TEST_F(SeedExamples, ErrorHandlingKeepsTheSource) {
  const Daemon small(DaemonOptions{{TargetSpec{"fast", "dram", "1MiB"}}});
  const godwit::Target source = client_.target(addr1_, "fast");
  const godwit::Target dest = client_.target(small.address(), "fast");
  const Bytes large = some_bytes(4u << 20, 2);
  const godwit::Region source_region = source.create(large.data(), large.size());
  bool failed = false;
  try {
    const godwit::Region dest_region = source.migrate(source_region, dest);
    ADD_FAILURE() << "4 MiB fit into 1 MiB";
  } catch (const godwit::Error& ex) {
    failed = true;
    EXPECT_EQ(ex.code(), GODWIT_ERR_NO_SPACE) << ex.what();
    EXPECT_NE(std::string(ex.what()).find(small.address()), std::string::npos) << ex.what();
  }
  EXPECT_TRUE(failed);

  // The source region is still intact, and serves: we can retry elsewhere.
  EXPECT_EQ(content(source_region), large);
  source_region.write(0, "again", 5);
  const godwit::Target roomy = client_.target(addr2_, "fast");
  EXPECT_EQ(source.size(source_region), roomy.size(source.migrate(source_region, roomy)));
}

bool verify_migration(const godwit::Target& source, const godwit::Region& source_region, const godwit::Target& dest,
                      const godwit::Region& dest_region) {
  return source.size(source_region) == dest.size(dest_region) && content(source_region) == content(dest_region);
}

TEST_F(SeedExamples, VerifyBeforeCleanup) {
  const godwit::Target source = client_.target(addr1_, "fast");
  const godwit::Target dest = client_.target(addr2_, "keep");
  const godwit::Region source_region = source.create(data_.data(), data_.size());
  godwit::MigrateOptions options;
  options.copy = true;
  options.name = "verified";
  const godwit::Region dest_region = source.migrate(source_region, dest, options);

  ASSERT_TRUE(verify_migration(source, source_region, dest, dest_region));
  source.erase(source_region);  // Safe to clean up.

  EXPECT_EQ(content(client_.region(addr2_, "verified")), data_);
}

TEST_F(SeedExamples, ChunkedWithProgress) {
  const godwit::Target source = client_.target(addr1_, "fast");
  const godwit::Target dest = client_.target(addr2_, "fast");
  const Bytes large = some_bytes((20u << 20) + 5, 3);
  const godwit::Region source_region = source.create(large.data(), large.size());

  const uint64_t chunk_size = 8u << 20;
  const uint64_t region_size = source.size(source_region);
  const godwit::Region dest_region = dest.create(region_size);
  std::vector<double> progress;
  for (uint64_t offset = 0; offset < region_size; offset += chunk_size) {
    const uint64_t chunk = std::min(chunk_size, region_size - offset);
    Bytes buffer(chunk);
    source.read(source_region, offset, buffer.data(), chunk);
    dest.write(dest_region, offset, buffer.data(), chunk);
    progress.push_back(100.0 * static_cast<double>(offset + chunk) / static_cast<double>(region_size));
  }

  EXPECT_EQ(progress.size(), 3u);
  EXPECT_EQ(progress.back(), 100.0);
  EXPECT_EQ(content(dest_region), large);
}

TEST_F(SeedExamples, ProgressWithoutChunks) {
  const godwit::Target source = client_.target(addr1_, "fast");
  const godwit::Target dest = client_.target(addr2_, "fast");
  const godwit::Region source_region = source.create(data_.data(), data_.size());
  double percent = 0;
  godwit::MigrateOptions options;
  options.progress = [&](const godwit::Progress& progress) {
    percent = 100.0 * static_cast<double>(progress.bytes_done) / static_cast<double>(progress.bytes_total);
    return true;
  };
  source.migrate(source_region, dest, options);
  EXPECT_EQ(percent, 100.0);
}

}  // namespace
