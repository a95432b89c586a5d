// How close to raw libfabric does a migration come, end to end?
#include <fmt/format.h>

#include <algorithm>

#include "bench/nodes.hpp"
#include "bench/questions.hpp"
#include "bench/raw_process.hpp"
#include "bench/text.hpp"

namespace godwit::bench {
namespace {

struct Case {
  uint64_t region_bytes;
  uint64_t regions;
  std::string from, to;  // Kinds.
};

// Small regions go by the thousand in one call, a large one alone.
uint64_t regions_for(const Settings& settings, uint64_t region_bytes) {
  const uint64_t total = settings.total_bytes ? settings.total_bytes : uint64_t{256} << 20;
  return std::clamp<uint64_t>(total / std::max<uint64_t>(region_bytes, 1), 1, settings.count);
}

// Regions on the source's target, filled; erased at the end, wherever they are.
class Load {
 public:
  Load(Nodes& nodes, const Case& which)
      : nodes_(nodes),
        there_(nodes.target(nodes.source(), which.from)),
        elsewhere_(nodes.target(nodes.destination(), which.to)) {
    const std::vector<char> data = random_bytes(which.region_bytes);
    for (uint64_t i = 0; i < which.regions; ++i) regions_.push_back(there_.create(data.data(), data.size()).id());
  }
  ~Load() {
    for (const RegionId id : regions_) {
      try {
        nodes_.client().region(there_.address(), id).erase();
      } catch (const std::exception&) {  // The daemons end next, or keep what the user can see in their lists.
      }
    }
  }
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  // One job moves all of them to the other node; returns seconds, from the call to its return.
  double move(const MigrateOptions& options) {
    const double seconds = seconds_of([&] {
      for (const MigrateResult& result : nodes_.client().migrate(there_.address(), regions_, elsewhere_, options))
        if (result.error != GODWIT_OK) throw Error(result.error, "a region did not arrive");
    });
    std::swap(there_, elsewhere_);
    return seconds;
  }

 private:
  Nodes& nodes_;
  Target there_, elsewhere_;
  std::vector<RegionId> regions_;
};

void measure_case(const Settings& settings, Nodes& nodes, const Case& which, Report& report) {
  const uint64_t total = which.region_bytes * which.regions;
  RawRun raw[2];
  for (const bool is_read : {false, true})
    raw[is_read] = raw_like_product(settings.provider, settings.host, is_read, which.region_bytes, total,
                                    settings.raw_block_bytes, settings.depth);
  MigrateOptions options;
  options.block_bytes = settings.block_bytes;
  options.streams = settings.streams;

  Record record;
  record.name = "migrate";
  record.provider = settings.provider;
  record.from = which.from;
  record.to = which.to;
  record.bytes = which.region_bytes;
  record.count = which.regions;
  record.raw_bytes = raw[1].bytes();
  record.raw_name = raw[1].name();
  std::vector<double> write_seconds, best_ratios;
  double processor = 0;
  Load load(nodes, which);
  load.move(options);  // Opens what stays open, and touches the destination's pages.
  load.move(options);
  for (uint32_t repeat = 0; repeat < settings.repeat; ++repeat) {
    write_seconds.push_back(run_raw(raw[0]));
    record.raw_seconds.push_back(run_raw(raw[1]));
    const double before = nodes.processor_seconds();
    record.seconds.push_back(load.move(options));
    processor += nodes.processor_seconds() - before;
    load.move(options);  // Back, for the next time.
    const double best = std::min(write_seconds.back(), record.raw_seconds.back());
    best_ratios.push_back(best / record.seconds.back() * static_cast<double>(total) / static_cast<double>(raw[0].bytes()));
  }
  record.parameters = {{"depth", settings.depth},
                       {"raw_block_bytes", settings.raw_block_bytes},
                       {"block_bytes", settings.block_bytes},
                       {"streams", settings.streams},
                       {"prefault", !settings.cold}};
  record.details = {{"raw_write_seconds", write_seconds},
                    {"raw_write_gib_per_s", static_cast<double>(raw[0].bytes()) / 0x1p30 / median(write_seconds)},
                    {"ratio_to_faster_raw", median(best_ratios)},
                    {"processor_seconds_per_gib", processor / settings.repeat / (static_cast<double>(total) / 0x1p30)}};
  const std::string note =
      fmt::format("    raw write {:.3f} GiB/s, ratio to the faster of both {:.2f}, daemons {:.2f} core seconds/GiB",
                  record.details["raw_write_gib_per_s"].get<double>(), median(best_ratios),
                  record.details["processor_seconds_per_gib"].get<double>());
  report.add(std::move(record));
  fmt::print("{}\n", note);
}

}  // namespace

void measure_migrate(const Settings& settings, Report& report) {
  std::vector<Case> cases;
  uint64_t most = 0;
  for (const std::string& from : settings.kinds)
    for (const std::string& to : settings.kinds)
      for (const uint64_t size : settings.sizes_bytes) {
        cases.push_back(Case{size, regions_for(settings, size), from, to});
        most = std::max(most, size * cases.back().regions);
      }
  Nodes nodes(settings, most, report);
  report.say(
      fmt::format("migrate: a move with digests checked, one call, back between measurements; raw read beside it: blocks of at "
                  "most {}, depth {}, one connection, over as much touched memory; interleaved, median of {}",
                  text_from_size(settings.raw_block_bytes), settings.depth, settings.repeat));
  for (const Case& which : cases) measure_case(settings, nodes, which, report);
}

}  // namespace godwit::bench
