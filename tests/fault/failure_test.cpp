// What goes wrong while blocks move: the call says so, nothing is lost, no space stays behind, and the next try works.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "godwit/godwit.hpp"
#include "support/daemon.hpp"

namespace {

using godwit::test::Daemon;
using godwit::test::DaemonOptions;

constexpr uint64_t kRegionBytes = (6 << 20) + 12'345;  // Several blocks, the last one short.

std::vector<char> pattern() {
  std::vector<char> bytes(kRegionBytes);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 31 + i / 4096);
  return bytes;
}

// When a second try arrives.
enum class Recovers { kAtOnce, kAfterRestart, kNever };

// Two daemons over one provider, each with a target of every kind.
class Failure : public testing::TestWithParam<std::string> {
 protected:
  DaemonOptions options(const std::string& fail = "") const {
    static std::atomic<int> number{0};
    DaemonOptions made;
    made.targets = {{"dram", "dram"}, {"pmem", "pmem"}, {"file", "file"}};
    if (GetParam() == "shm") made.listen = "shm://godwit-test-" + std::to_string(getpid()) + "-" + std::to_string(number++);
    made.more = "\"resolve_interval_ms\": 50";
    if (!fail.empty()) made.environment = {"GODWIT_FAIL=" + fail};
    return made;
  }

  // Migrates a region from `from` to `to`; the destination fails as told. Expects `error`, the region as it was at its source,
  // and that a second try moves it once the destination has recovered.
  void fails_with(int error, const std::string& fail, const std::string& from, const std::string& to, Recovers recovers) {
    const Daemon source(options());
    Daemon destination(options(fail));
    const godwit::Client client;
    const godwit::Target there = client.target(destination.address(), to);
    const std::vector<char> bytes = pattern();
    const godwit::Region region = client.target(source.address(), from).create(bytes.data(), bytes.size(), "field");
    int found = GODWIT_OK;
    try {
      region.migrate(there);
    } catch (const godwit::Error& failure) {
      found = failure.code();
    }
    EXPECT_EQ(found, error) << source.log() << destination.log();
    expect_bytes(region, source.address(), bytes);
    const auto patience_ends = std::chrono::steady_clock::now() + std::chrono::seconds(10);  // It hears a moment later.
    while (there.info().used_bytes != 0 && std::chrono::steady_clock::now() < patience_ends)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    EXPECT_EQ(there.info().used_bytes, 0u) << destination.log();
    EXPECT_EQ(there.info().regions, 0u);
    if (recovers == Recovers::kNever) return;
    if (recovers == Recovers::kAfterRestart) {
      // Over shm nothing tells a client that a daemon was killed and started again: it waits for its operation's timeout.
      if (GetParam() == "shm") return;
      destination.kill();
      destination.set_environment({});
      destination.start();
    }
    region.migrate(there);
    expect_bytes(region, destination.address(), bytes);
    EXPECT_EQ(client.target(source.address(), from).info().used_bytes, 0u);
  }

  static void expect_bytes(const godwit::Region& region, const std::string& address, const std::vector<char>& bytes) {
    std::vector<char> back(bytes.size());
    region.read(0, back.data(), back.size());
    EXPECT_TRUE(back == bytes);
    EXPECT_EQ(std::string(region.info().address), address);
  }
};

INSTANTIATE_TEST_SUITE_P(Providers, Failure, testing::Values("tcp", "shm"), [](const auto& test) { return test.param; });

TEST_P(Failure, ADestinationThatFillsUpInTheMiddle) {
  fails_with(GODWIT_ERR_NO_SPACE, "pmem.transfer=ENOSPC@5", "dram", "file", Recovers::kAtOnce);
}

TEST_P(Failure, ADestinationWhoseDiskFailsInTheMiddle) {
  fails_with(GODWIT_ERR_IO, "pmem.transfer=EIO@5", "pmem", "file", Recovers::kAtOnce);
}

// What the device holds after a failed flush is unknown: the target takes no more until it is opened again.
TEST_P(Failure, ADestinationThatCannotMakeItDurable) {
  fails_with(GODWIT_ERR_PMEM, "pmem.persist=EIO@1", "dram", "pmem", Recovers::kAfterRestart);
}

TEST_P(Failure, ADestinationThatCannotWriteItsJournal) {
  fails_with(GODWIT_ERR_NO_SPACE, "journal.commit=ENOSPC@1", "dram", "dram", Recovers::kAfterRestart);
}

TEST_P(Failure, BlocksThatAlwaysArriveDamaged) {
  fails_with(GODWIT_ERR_DIGEST, "sink.digest=EIO", "dram", "dram", Recovers::kNever);
}

TEST_P(Failure, ABlockThatArrivesDamagedOnceGoesAgain) {
  for (const char* kind : {"dram", "pmem", "file"}) {
    const Daemon source(options());
    const Daemon destination(options("sink.digest=EIO@2"));
    const godwit::Client client;
    const std::vector<char> bytes = pattern();
    const godwit::Region region = client.target(source.address(), kind).create(bytes.data(), bytes.size());
    const auto migration = client.start_migration(source.address(), {region.id()}, client.target(destination.address(), kind));
    migration.wait();
    EXPECT_NE(migration.report().find("\"digests_failed\":1"), std::string::npos) << migration.report();
    expect_bytes(region, destination.address(), bytes);
  }
}

TEST_P(Failure, ACompressedBlockThatArrivesDamagedOnceGoesAgain) {
  for (const char* kind : {"dram", "file"})
    for (const int compression : {GODWIT_COMPRESSION_LZ4, GODWIT_COMPRESSION_ZSTD}) {
      const Daemon source(options());
      const Daemon destination(options("sink.digest=EIO@2"));
      const godwit::Client client;
      const std::vector<char> bytes = pattern();
      const godwit::Region region = client.target(source.address(), kind).create(bytes.data(), bytes.size());
      godwit::MigrateOptions how;
      how.compression = compression;
      const auto migration =
          client.start_migration(source.address(), {region.id()}, client.target(destination.address(), kind), how);
      migration.wait();
      const std::string report = migration.report();
      EXPECT_NE(report.find("\"digests_failed\":1"), std::string::npos) << report;
      EXPECT_EQ(report.find("\"blocks_compressed\":0"), std::string::npos) << report;
      expect_bytes(region, destination.address(), bytes);
    }
}

// Every kind of target to every kind, and the bytes are the same.
TEST_P(Failure, NothingFailsOtherwise) {
  const Daemon source(options());
  const Daemon destination(options());
  const godwit::Client client;
  const std::vector<char> bytes = pattern();
  for (const char* from : {"dram", "pmem", "file"})
    for (const char* to : {"dram", "pmem", "file"}) {
      const godwit::Region region = client.target(source.address(), from).create(bytes.data(), bytes.size());
      region.migrate(client.target(destination.address(), to));
      expect_bytes(region, destination.address(), bytes);
      region.erase();
    }
}

}  // namespace
