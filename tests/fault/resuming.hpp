// What the tests of jobs that go on share.
#pragma once

#include <gtest/gtest.h>

#include <godwit/godwit.hpp>
#include <nlohmann/json.hpp>
#include <string>

#include "support/bytes.hpp"
#include "support/daemon.hpp"
#include "support/waiting.hpp"

namespace godwit::test {

constexpr uint64_t kMiB = 1 << 20;
constexpr uint64_t kBlockBytes = 256 << 10;

// Jobs wait so long for a peer, and note often what has arrived.
inline DaemonOptions resuming(const std::string& resume_timeout = "60000", const std::string& more = {}) {
  DaemonOptions made;
  made.targets = {{"fast", "dram", "64MiB"}, {"keep", "pmem", "64MiB"}, {"disk", "file", "64MiB"}};
  made.more =
      "\"resolve_interval_ms\": 100, \"connect_timeout_ms\": 2000, \"checkpoint_interval_ms\": 200, "
      "\"resume_timeout_ms\": " +
      resume_timeout + more;
  return made;
}

inline nlohmann::json report_of(const std::string& address, const std::string& job) {
  const Client client;
  return nlohmann::json::parse(client.migration(address, job).report());
}

inline godwit_job_info info_of(const std::string& address, const std::string& job) {
  const Client client;
  for (const godwit_job_info& info : client.jobs(address))
    if (info.id == job) return info;
  ADD_FAILURE() << "no job " << job << " at " << address;
  return {};
}

// A job's limit while something is done to it: it does not end before, however slow the machine is.
constexpr uint64_t kCrawl = 64 << 10;

// Lets a limited job crawl as soon as more than this has arrived. What had; 0: it never did.
inline uint64_t crawl_after(const std::string& address, const std::string& job, uint64_t bytes) {
  const Client client;
  const Migration migration = client.migration(address, job);  // Asked again and again over one connection.
  Progress progress{};
  if (!comes_true([&] { return migration.test(&progress) || progress.bytes_done > bytes; })) return 0;
  migration.limit(kCrawl);
  return progress.bytes_done > bytes ? progress.bytes_done : 0;
}

inline uint64_t used_bytes(const std::string& address, const std::string& target) {
  return Client().target(address, target).info().used_bytes;
}

}  // namespace godwit::test
