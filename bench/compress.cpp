// What does compression gain or cost, by what is moved?
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "bench/nodes.hpp"
#include "bench/questions.hpp"
#include "bench/text.hpp"

namespace godwit::bench {
namespace {

struct Way {
  const char* name;
  int compression;
};
constexpr Way kWays[] = {{"none", GODWIT_COMPRESSION_NONE}, {"lz4", GODWIT_COMPRESSION_LZ4}, {"zstd", GODWIT_COMPRESSION_ZSTD}};

// Temperatures as heat3d computes them, after some steps, in a box of 256 x 256 x what fills the region.
std::vector<char> heat(uint64_t count) {
  constexpr size_t kRow = 256, kPlane = kRow * kRow;
  constexpr int kSteps = 16;
  std::vector<double> now(count / sizeof(double) + 1);
  for (size_t i = 0; i < now.size(); ++i) now[i] = static_cast<double>((i * 2654435761u) % 100003u) / 1000.0;
  std::vector<double> next = now;
  for (int step = 0; step < kSteps; ++step) {
    for (size_t i = kPlane; i + kPlane < now.size(); ++i)
      next[i] = now[i] + 0.125 * (now[i - 1] + now[i + 1] + now[i - kRow] + now[i + kRow] + now[i - kPlane] + now[i + kPlane] -
                                  6.0 * now[i]);
    std::swap(now, next);
  }
  std::vector<char> bytes(count);
  std::memcpy(bytes.data(), now.data(), count);
  return bytes;
}

struct Moved {
  double seconds;
  uint64_t bytes_sent;
};

// A region that goes to and fro, from the call to the job's end.
Moved move(Nodes& nodes, RegionId region, Target& there, Target& elsewhere, const MigrateOptions& options) {
  Moved moved{};
  std::string report;
  moved.seconds = seconds_of([&] {
    const Migration job = nodes.client().start_migration(there.address(), {region}, elsewhere, options);
    job.wait();
    report = job.report();
  });
  moved.bytes_sent = nlohmann::json::parse(report).at("bytes_sent").get<uint64_t>();
  std::swap(there, elsewhere);
  return moved;
}

void measure_data(const Settings& settings, Nodes& nodes, const std::string& name, const std::vector<char>& data,
                  Report& report) {
  Target there = nodes.target(nodes.source(), "dram"), elsewhere = nodes.target(nodes.destination(), "dram");
  const RegionId region = there.create(data.data(), data.size()).id();
  MigrateOptions options;
  options.block_bytes = settings.block_bytes;
  options.streams = settings.streams;
  const MigrateOptions back = options;
  Record records[std::size(kWays)];
  double processor[std::size(kWays)] = {};
  uint64_t sent[std::size(kWays)] = {};
  for (const bool warm_up : {true, false})
    for (uint32_t repeat = 0; repeat < (warm_up ? 1 : settings.repeat); ++repeat)
      for (size_t way = 0; way < std::size(kWays); ++way) {
        options.compression = kWays[way].compression;
        const double before = nodes.processor_seconds();
        const Moved moved = move(nodes, region, there, elsewhere, options);
        const double used = nodes.processor_seconds() - before;
        move(nodes, region, there, elsewhere, back);
        sent[way] = moved.bytes_sent;
        if (warm_up) continue;
        processor[way] += used;
        records[way].seconds.push_back(moved.seconds);
      }
  for (size_t way = 0; way < std::size(kWays); ++way) {
    Record& record = records[way];
    record.name = fmt::format("{}, {}", name, kWays[way].name);
    record.provider = settings.provider;
    record.from = record.to = "dram";
    record.bytes = data.size();
    record.count = 1;
    std::vector<double> times;
    for (size_t i = 0; i < record.seconds.size(); ++i) times.push_back(records[0].seconds[i] / record.seconds[i]);
    record.details = {
        {"bytes_sent", sent[way]},
        {"speed_to_none", median(times)},
        {"processor_seconds_per_gib", processor[way] / settings.repeat / (static_cast<double>(data.size()) / 0x1p30)}};
  }
  for (Record& record : records) {
    const std::string note =
        fmt::format("    {} travel ({:.1f} %), {:.2f} times as fast as without, daemons {:.2f} core seconds/GiB",
                    text_from_size(record.details["bytes_sent"].get<uint64_t>()),
                    100 * record.details["bytes_sent"].get<double>() / static_cast<double>(data.size()),
                    record.details["speed_to_none"].get<double>(), record.details["processor_seconds_per_gib"].get<double>());
    report.add(std::move(record));
    fmt::print("{}\n", note);
  }
  nodes.client().region(there.address(), region).erase();
}

}  // namespace

void measure_compress(const Settings& settings, Report& report) {
  Nodes nodes(settings, *std::ranges::max_element(settings.sizes_bytes), report);
  report.say(
      fmt::format("compress: a region moved with digests checked, one call, uncompressed back between measurements; "
                  "interleaved, median of {}",
                  settings.repeat));
  for (const uint64_t size : settings.sizes_bytes) {
    measure_data(settings, nodes, "heat", heat(size), report);
    measure_data(settings, nodes, "random", random_bytes(size), report);
    measure_data(settings, nodes, "zeros", std::vector<char>(size), report);
  }
}

}  // namespace godwit::bench
