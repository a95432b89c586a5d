// Jobs in doubt of many peers: each is ended when its own peer answers.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "resuming.hpp"
#include "support/waiting.hpp"

namespace {

using namespace godwit::test;
using std::chrono::seconds;

constexpr int kSilentJobs = 50;
constexpr uint64_t kRegionBytes = kMiB;

std::string start_job(const Daemon& from, const Daemon& to, const std::string& target, const std::string& name) {
  const godwit::Client client;
  const auto bytes = random_chars(kRegionBytes);
  const auto region = client.target(from.address(), target).create(bytes.data(), bytes.size(), name);
  godwit::MigrateOptions wish;
  wish.block_bytes = kBlockBytes;
  wish.bandwidth = 2048;  // It does not end meanwhile.
  return client.start_migration(from.address(), {region.id()}, client.target(to.address(), target), wish).id();
}

// One after the other they would be asked for longer than this test waits: each waits for its connection in vain.
TEST(Resolver, APeerThatIsSilentDoesNotHoldUpTheJobsOfOthers) {
  Daemon silent(resuming("60000", ", \"jobs_max\": " + std::to_string(kSilentJobs)));
  Daemon other(resuming());
  Daemon destination(resuming());
  for (int i = 0; i < kSilentJobs; ++i) start_job(silent, destination, "fast", "region" + std::to_string(i));
  const std::string job = start_job(other, destination, "keep", "other");
  ASSERT_TRUE(comes_true([&] { return used_bytes(destination.address(), "fast") == kSilentJobs * kRegionBytes; }));
  ASSERT_TRUE(comes_true([&] { return used_bytes(destination.address(), "keep") == kRegionBytes; }));
  destination.freeze();
  ASSERT_TRUE(comes_true([&] { return std::string(info_of(other.address(), job).progress.phase) == "paused"; }));
  godwit::Client().migration(other.address(), job).rollback();  // Who asks is told.
  silent.freeze();
  destination.thaw();
  EXPECT_TRUE(comes_true([&] { return used_bytes(destination.address(), "keep") == 0; }, seconds(10))) << destination.log();
  EXPECT_EQ(used_bytes(destination.address(), "fast"), kSilentJobs * kRegionBytes) << "their source may come back";
  silent.thaw();
}

}  // namespace
