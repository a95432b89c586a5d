// Jobs that compress: what arrives is what was there, and the report tells what travelled.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <godwit/godwit.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/bytes.hpp"
#include "support/daemon.hpp"

namespace {

using godwit::test::Daemon;
using godwit::test::DaemonOptions;
using godwit::test::random_chars;
using godwit::test::TemporaryDirectory;
using nlohmann::json;
namespace fs = std::filesystem;

constexpr uint64_t kMiB = 1 << 20;
constexpr uint64_t kBlockBytes = 256 * 1024;
constexpr int kBoth[] = {GODWIT_COMPRESSION_LZ4, GODWIT_COMPRESSION_ZSTD};
using Bytes = std::vector<char>;

Bytes field(uint64_t count) {
  std::vector<double> numbers(count / sizeof(double) + 1);
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = 300 + 10 * std::sin(static_cast<double>(i) * 1e-4);
  Bytes bytes(count);
  std::memcpy(bytes.data(), numbers.data(), count);
  return bytes;
}

const char* name_of(int compression) { return compression == GODWIT_COMPRESSION_LZ4 ? "lz4" : "zstd"; }

class Compressed : public testing::Test {
 protected:
  static DaemonOptions options() {
    DaemonOptions all;
    all.targets = {{"fast", "dram", "96MiB"}, {"keep", "pmem"}, {"disk", "file"}};
    return all;
  }

  // Moves a region of these bytes from one daemon to the other; returns the job's report, if they arrived as they were.
  json move(const Bytes& bytes, int compression, const char* from = "fast", const char* to = "fast", uint64_t bandwidth = 0) {
    godwit::MigrateOptions how;
    how.block_bytes = kBlockBytes;
    how.compression = compression;
    how.bandwidth = bandwidth;
    godwit::Region region = client_.target(here_.address(), from).create(bytes.data(), bytes.size());
    const godwit::Migration job =
        client_.start_migration(here_.address(), {region.id()}, client_.target(there_.address(), to), how);
    job.wait(60'000);
    Bytes arrived(bytes.size());
    region.read(0, arrived.data(), arrived.size());
    EXPECT_EQ(arrived, bytes);
    region.erase();
    const json report = json::parse(job.report());
    EXPECT_EQ(report["digests_failed"], 0);
    EXPECT_EQ(report["bytes"], bytes.size());
    return report;
  }

  const Daemon here_{options()}, there_{options()};
  godwit::Client client_;
};

// Direct at both ends, and through the rings of buffers at either.
TEST_F(Compressed, NumbersArriveAsTheyWereAndFewerBytesTravel) {
  const Bytes bytes = field(6 * kMiB + 4321);
  for (const int compression : kBoth)
    for (const char* from : {"fast", "disk"})
      for (const char* to : {"fast", "keep", "disk"}) {
        const json report = move(bytes, compression, from, to);
        EXPECT_EQ(report["compression"], name_of(compression));
        EXPECT_EQ(report["blocks_compressed"], report["blocks"]) << from << " to " << to;
        EXPECT_GT(report["bytes_sent"], 0);
        EXPECT_LT(report["bytes_sent"], bytes.size() * 9 / 10) << from << " to " << to;
      }
}

TEST_F(Compressed, BytesThatGainNothingTravelAsTheyAre) {
  const Bytes bytes = random_chars(6 * kMiB + 4321);
  for (const int compression : kBoth)
    for (const char* from : {"fast", "disk"}) {
      const json report = move(bytes, compression, from, from);
      EXPECT_EQ(report["blocks_compressed"], 0);
      EXPECT_EQ(report["bytes_sent"], bytes.size());
    }
}

TEST_F(Compressed, BlocksOfBothKindsInOneRegion) {
  Bytes bytes = random_chars(4 * kMiB);
  const Bytes numbers = field(16 * kMiB);
  bytes.insert(bytes.end(), numbers.begin(), numbers.end());
  for (const int compression : kBoth) {
    const json report = move(bytes, compression);
    EXPECT_GT(report["blocks_compressed"], 0);
    EXPECT_LE(report["blocks_compressed"], 64);
    EXPECT_LT(report["bytes_sent"], bytes.size());
  }
}

TEST_F(Compressed, WithoutCompressionAsManyBytesTravelAsThereAre) {
  const Bytes bytes = field(2 * kMiB);
  const json report = move(bytes, GODWIT_COMPRESSION_NONE);
  EXPECT_EQ(report["compression"], "none");
  EXPECT_EQ(report["blocks_compressed"], 0);
  EXPECT_EQ(report["bytes_sent"], bytes.size());
}

// Regions too short to be compressed, several to a block, and one that is empty.
TEST_F(Compressed, SmallRegionsArriveTogether) {
  godwit::MigrateOptions how;
  how.compression = GODWIT_COMPRESSION_ZSTD;
  std::vector<godwit::Region> regions;
  std::vector<godwit::RegionId> ids;
  const Bytes bytes = field(5000);
  const std::vector<uint64_t> sizes{0, 1, 7, 255, 256, 5000};
  for (const uint64_t size : sizes) {
    regions.push_back(client_.target(here_.address(), "fast").create(bytes.data(), size));
    ids.push_back(regions.back().id());
  }
  client_.migrate(here_.address(), ids, client_.target(there_.address(), "keep"), how);
  size_t next = 0;
  for (const uint64_t size : sizes) {
    Bytes arrived(size);
    regions[next++].read(0, arrived.data(), size);
    EXPECT_EQ(arrived, Bytes(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(size)));
  }
}

// 64 MiB of zeros would take 17 minutes if they counted with their length, and not with what travels.
TEST_F(Compressed, TheLimitIsOnWhatTravels) {
  const json report = move(Bytes(64 * kMiB), GODWIT_COMPRESSION_ZSTD, "fast", "fast", 64 * 1024);
  EXPECT_LT(report["bytes_sent"], kMiB);
}

TEST_F(Compressed, TheNodesLimitIsOnWhatTravelsToo) {
  DaemonOptions limited = options();
  limited.more = R"("bandwidth": "64KiB/s")";
  const Daemon slow(limited);
  const Bytes bytes(64 * kMiB);
  const godwit::Region region = client_.target(slow.address(), "fast").create(bytes.data(), bytes.size());
  godwit::MigrateOptions how;
  how.compression = GODWIT_COMPRESSION_LZ4;
  how.block_bytes = kBlockBytes;
  client_.start_migration(slow.address(), {region.id()}, client_.target(there_.address(), "fast"), how).wait(60'000);
  EXPECT_EQ(region.info().address, there_.address());
}

TEST(CompressedFiles, ATreeArrivesAsItWas) {
  const TemporaryDirectory directory;
  const std::string here = directory.path() + "/here", there = directory.path() + "/there";
  fs::create_directories(here + "/tree/sub");
  fs::create_directory(there);
  const auto write = [](const std::string& path, const Bytes& bytes) {
    std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  };
  write(here + "/tree/numbers", field(3 * kMiB + 5));
  write(here + "/tree/sub/random", random_chars(kMiB + 5));
  for (int i = 0; i < 100; ++i) write(here + "/tree/sub/small" + std::to_string(i), field(1000));
  const auto roots = [](const std::string& path) {
    return DaemonOptions{.targets = {}, .more = "\"file_roots\": [{\"path\": \"" + path + "\"}]"};
  };
  const Daemon source(roots(here)), destination(roots(there));
  const godwit::Client client;
  for (const int compression : kBoth) {
    godwit_fileset_options options = GODWIT_FILESET_OPTIONS_INIT;
    options.compression = compression;
    options.verify = 1;
    const std::string tree = here + "/tree";
    const char* paths[] = {tree.c_str()};
    godwit_migration* job = nullptr;
    ASSERT_EQ(godwit_fileset_migrate_start(client.c_handle(), source.address().c_str(), paths, 1, destination.address().c_str(),
                                           there.c_str(), &options, &job),
              GODWIT_OK);
    EXPECT_EQ(godwit_migration_wait(job, 60'000), GODWIT_OK) << godwit_last_error();
    char* text = nullptr;
    ASSERT_EQ(godwit_migration_report(job, &text), GODWIT_OK);
    const json report = json::parse(text);
    godwit_free(text);
    godwit_migration_close(job);
    EXPECT_GT(report["blocks_compressed"], 0);
    EXPECT_LT(report["bytes_sent"], report["bytes"].get<uint64_t>() * 9 / 10);
    const std::string compare = "diff -r " + here + "/tree " + there + "/tree";
    EXPECT_EQ(std::system(compare.c_str()), 0);
    fs::remove_all(there + "/tree");
  }
}

}  // namespace
