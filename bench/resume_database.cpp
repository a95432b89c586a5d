// How much of a database does a job send again whose destination was killed half-way, beside what comes in one checkpoint
// interval?
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <thread>

#include "base/units.hpp"
#include "bench/nodes.hpp"
#include "bench/resume.hpp"

namespace godwit::bench {
namespace {

constexpr uint64_t kValueBytes = 4_KiB;
constexpr uint64_t kTables = 16;

void require_ok(int error) {
  if (error != GODWIT_OK) throw std::runtime_error(godwit_last_error());
}

struct CloseKilled {
  void operator()(godwit_database* database) const { godwit_database_close(database); }
  void operator()(godwit_migration* migration) const { godwit_migration_close(migration); }
};
using KilledDatabase = std::unique_ptr<godwit_database, CloseKilled>;

std::string key_of_pair(uint64_t i) { return fmt::format("{:016x}", i); }

// Of about so many bytes, in tables that a compaction has left as they will stay.
KilledDatabase make_database(const Client& client, const Daemons& daemons, uint64_t size, const std::vector<char>& bytes) {
  godwit_database* made = nullptr;
  const std::string options = fmt::format(R"({{"write_buffer_size": {}}})", std::max<uint64_t>(size / kTables, 64_KiB));
  require_ok(
      godwit_database_create(client.c_handle(), daemons.address(0).c_str(), "resumed", "rocksdb", options.c_str(), &made));
  KilledDatabase database(made);
  for (uint64_t i = 0; i < size / kValueBytes; ++i) {
    const std::string key = key_of_pair(i);
    const char* value = bytes.data() + i * kValueBytes;
    require_ok(godwit_database_put(database.get(), key.data(), key.size(), value, kValueBytes));
  }
  require_ok(godwit_database_persist(database.get()));
  godwit_database_info info{};
  require_ok(godwit_database_stat(database.get(), &info));
  const auto files = [&] {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(info.path))
      if (entry.path().extension() == ".sst") names.push_back(entry.path());
    std::ranges::sort(names);
    return names;
  };
  for (auto before = files();;) {
    std::this_thread::sleep_for(std::chrono::seconds(1));
    auto now = files();
    if (now == before) return database;
    before = std::move(now);
  }
}

void expect_all_pairs(godwit_database* database, const std::vector<char>& bytes) {
  std::vector<char> back(kValueBytes);
  for (uint64_t i = 0; i < bytes.size() / kValueBytes; ++i) {
    const std::string key = key_of_pair(i);
    uint64_t length = kValueBytes;
    require_ok(godwit_database_get(database, key.data(), key.size(), back.data(), &length));
    if (length != kValueBytes || !std::equal(back.begin(), back.end(), bytes.begin() + static_cast<ptrdiff_t>(i * kValueBytes)))
      throw std::runtime_error("resume: other pairs arrived");
  }
}

struct DatabaseOutcome {
  double seconds = 0;  // From the kill to the end.
  uint64_t arrived_bytes = 0, kept_bytes = 0;
};

DatabaseOutcome move_and_kill(Daemons& daemons, uint64_t size, const std::vector<char>& bytes) {
  DatabaseOutcome outcome;
  const Client client;
  const KilledDatabase database = make_database(client, daemons, size, bytes);
  godwit_database_migrate_options wish = GODWIT_DATABASE_MIGRATE_OPTIONS_INIT;
  wish.xfer_size = kResumeBlockBytes;
  wish.bandwidth = size / kResumeSeconds;
  godwit_migration* started = nullptr;
  require_ok(godwit_database_migrate_start(database.get(), daemons.address(1).c_str(), &wish, &started));
  const std::unique_ptr<godwit_migration, CloseKilled> opened(started);
  char job[33];
  require_ok(godwit_migration_get_id(opened.get(), job));
  for (int done = 0; done == 0 && outcome.arrived_bytes < size / 2;) {
    godwit_progress progress{};
    require_ok(godwit_migration_test(opened.get(), &done, &progress));
    outcome.arrived_bytes = progress.bytes_done;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  outcome.seconds = seconds_of([&] {
    daemons.kill_and_restart({1});
    const Migration migration = Client().migration(daemons.address(0), job);
    migration.limit(0);
    migration.wait();
    outcome.kept_bytes = nlohmann::json::parse(migration.report())["blocks_kept"].get<uint64_t>() * kResumeBlockBytes;
  });
  godwit_database* moved = nullptr;
  require_ok(godwit_database_open(client.c_handle(), daemons.address(1).c_str(), "resumed", &moved));
  const KilledDatabase there(moved);
  expect_all_pairs(there.get(), bytes);
  require_ok(godwit_database_destroy(moved));
  return outcome;
}

}  // namespace

void measure_resumed_database(const Settings& settings, Daemons& daemons, uint64_t size, Report& report) {
  const uint64_t interval = size / kResumeSeconds * kResumeCheckpointMs / 1000;
  const std::vector<char> bytes = random_bytes(size);
  Record record;
  record.name = "rocksdb, destination killed";
  record.provider = settings.provider;
  record.from = record.to = "database";
  record.bytes = size;
  record.count = 1;
  std::vector<double> again;
  for (uint32_t repeat = 0; repeat < settings.repeat; ++repeat) {
    const DatabaseOutcome outcome = move_and_kill(daemons, size, bytes);
    record.seconds.push_back(outcome.seconds);
    again.push_back(static_cast<double>(outcome.arrived_bytes - std::min(outcome.arrived_bytes, outcome.kept_bytes)));
  }
  record.parameters = {{"bytes_of_an_interval", interval}, {"block_bytes", kResumeBlockBytes}};
  record.details = {{"bytes_sent_again", again}};
  report.add(std::move(record));
  report.say(
      fmt::format("rocksdb, destination killed: {} of {} that had arrived were sent again (at most {}); {} arrive in an "
                  "interval",
                  format_size(static_cast<uint64_t>(median(again))), format_size(size / 2),
                  format_size(static_cast<uint64_t>(*std::max_element(again.begin(), again.end()))), format_size(interval)));
}

}  // namespace godwit::bench
