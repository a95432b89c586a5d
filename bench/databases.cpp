// How fast do databases move, beside their bare files, and for how long do their writers wait?
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "bench/nodes.hpp"
#include "bench/questions.hpp"
#include "bench/text.hpp"

namespace godwit::bench {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kKeyBytes = 16;

void check(int error) {
  if (error != GODWIT_OK) throw Error(error, godwit_last_error());
}

struct CloseDatabase {
  void operator()(godwit_database* database) const { godwit_database_close(database); }
};
using Handle = std::unique_ptr<godwit_database, CloseDatabase>;

Handle create(const Nodes& nodes, const char* backend) {
  godwit_database* made = nullptr;
  check(godwit_database_create(nodes.c_client(), nodes.source().c_str(), "bench", backend, nullptr, &made));
  return Handle(made);
}

// Puts the keys [first, first + count), in batches, in an order that is not theirs.
void fill(godwit_database* database, uint64_t first, uint64_t count, const std::vector<char>& value) {
  constexpr uint64_t kBatch = 1000;
  std::vector<std::string> keys(kBatch);
  std::vector<const void*> key_pointers(kBatch), values(kBatch, value.data());
  std::vector<size_t> key_sizes(kBatch, kKeyBytes), value_sizes(kBatch, value.size());
  for (uint64_t done = 0; done < count;) {
    const uint64_t batch = std::min(kBatch, count - done);
    for (uint64_t i = 0; i < batch; ++i) {
      keys[i] = fmt::format("{:016x}", (first + done + i) * 0x9E3779B97F4A7C15ULL);
      key_pointers[i] = keys[i].data();
    }
    check(godwit_database_put_multi(database, batch, key_pointers.data(), key_sizes.data(), values.data(), value_sizes.data()));
    done += batch;
  }
}

// Moves it to the other node; seconds, and what the job says of itself.
struct Moved {
  double seconds = 0;
  nlohmann::json report;
};
Moved move(godwit_database* database, const std::string& destination) {
  Moved moved;
  godwit_migration* migration = nullptr;
  moved.seconds = seconds_of([&] {
    check(godwit_database_migrate_start(database, destination.c_str(), nullptr, &migration));
    const int error = godwit_migration_wait(migration, 0);
    if (error != GODWIT_OK) godwit_migration_close(migration);
    check(error);
  });
  char* text = nullptr;
  check(godwit_migration_report(migration, &text));
  moved.report = nlohmann::json::parse(text);
  godwit_free(text);
  godwit_migration_close(migration);
  return moved;
}

// A copy of its files as a fileset, in seconds. They may change while they are copied: only how many and how long counts.
double copy_files(Nodes& nodes, const std::string& path, const std::string& base) {
  const fs::path copy = fs::path(base) / "copy", into = fs::path(base) / "into";
  fs::create_directories(copy);
  fs::create_directories(into);
  std::error_code vanished;
  for (const auto& entry : fs::directory_iterator(path)) fs::copy_file(entry.path(), copy / entry.path().filename(), vanished);
  const double seconds = seconds_of([&] { nodes.client().migrate_files(nodes.source(), {copy}, nodes.destination(), into); });
  fs::remove_all(base);
  return seconds;
}

void measure_backend(const Settings& settings, Nodes& nodes, const char* backend, Report& report) {
  const std::vector<char> value = random_bytes(100);
  const Handle database = create(nodes, backend);
  fill(database.get(), 0, settings.keys, value);
  check(godwit_database_persist(database.get()));
  Record record;
  record.name = fmt::format("move {}", backend);
  record.provider = settings.provider;
  record.from = record.to = "database";
  record.bytes = kKeyBytes + value.size();
  record.count = settings.keys;
  const bool has_files = std::string_view(backend) != "map";
  record.raw_name = "its files";
  for (uint32_t repeat = 0; repeat < settings.repeat + 1; ++repeat) {
    godwit_database_info info{};
    check(godwit_database_stat(database.get(), &info));
    const double files = has_files ? copy_files(nodes, info.path, nodes.daemons()->directory() + "/files") : 0;
    const double there = move(database.get(), nodes.destination()).seconds;
    move(database.get(), nodes.source());
    if (repeat == 0) continue;  // Warms up.
    record.seconds.push_back(there);
    if (has_files) record.raw_seconds.push_back(files);
  }
  record.raw_bytes = record.bytes * record.count;
  report.add(std::move(record));
  check(godwit_database_destroy(database.get()));
}

// Of a RocksDB of --total bytes, with a writer that never stops by itself.
void measure_write_stop(const Settings& settings, Nodes& nodes, Report& report) {
  const std::vector<char> value = random_bytes(1024);
  const uint64_t keys = settings.total_bytes / value.size();
  std::vector<double> stops, waits, totals;
  for (uint32_t repeat = 0; repeat < settings.repeat; ++repeat) {
    const Handle database = create(nodes, "rocksdb");
    fill(database.get(), 0, keys, value);
    std::atomic<bool> stop{false};
    std::atomic<double> longest{0};
    std::atomic<uint64_t> written{0};
    std::string failure;  // The writer's; read after it has ended.
    std::thread writer([&] {
      try {
        for (uint64_t i = keys; !stop; i += 10) {
          const double seconds = seconds_of([&] { fill(database.get(), i, 10, value); });
          written += 10;
          if (seconds > longest) longest = seconds;
        }
      } catch (const std::exception& error) {
        failure = error.what();
      }
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    longest = 0;
    Moved moved;
    try {
      moved = move(database.get(), nodes.destination());
    } catch (...) {
      stop = true;
      writer.join();
      throw;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    stop = true;
    writer.join();
    if (!failure.empty()) throw std::runtime_error("a write failed: " + failure);
    uint64_t count = 0;
    check(godwit_database_count(database.get(), nullptr, 0, &count));
    if (count != keys + written) throw std::runtime_error("a key that was acknowledged is missing");
    stops.push_back(moved.report.at("writers_stopped_seconds").get<double>());
    waits.push_back(longest);
    totals.push_back(moved.seconds);
    check(godwit_database_destroy(database.get()));
  }
  Record record;
  record.name = "move rocksdb, written to";
  record.provider = settings.provider;
  record.from = record.to = "database";
  record.bytes = value.size();
  record.count = keys;
  record.seconds = totals;
  record.details = {{"writers_stopped_seconds", stops}, {"longest_write_seconds", waits}};
  report.add(std::move(record));
  fmt::print("    writers stopped {:.0f} ms ({:.0f} .. {:.0f}), the longest write {:.0f} ms, {:.1f} % of the migration\n",
             median(stops) * 1e3, *std::ranges::min_element(stops) * 1e3, *std::ranges::max_element(stops) * 1e3,
             median(waits) * 1e3, 100 * median(stops) / median(totals));
}

}  // namespace

void measure_databases(const Settings& settings, Report& report) {
  Nodes nodes(settings, 64 << 20, report);
  if (nodes.daemons() == nullptr) throw std::runtime_error("db: takes two daemons of its own; --from and --to are not for it");
  report.say(
      fmt::format("db: a move with its documents and keys; beside it the same files as a fileset; databases below {}; median "
                  "of {}",
                  nodes.daemons()->directory(), settings.repeat));
  for (const char* backend : {"map", "rocksdb", "leveldb", "lmdb"}) measure_backend(settings, nodes, backend, report);
  if (settings.total_bytes > 0) measure_write_stop(settings, nodes, report);
}

}  // namespace godwit::bench
