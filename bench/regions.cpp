// How many small regions a second does one migration move, and how long does a single one take?
#include <fmt/format.h>

#include "bench/nodes.hpp"
#include "bench/questions.hpp"

namespace godwit::bench {
namespace {

constexpr uint64_t kRegionBytes = 4096;

void move_all(Nodes& nodes, const Target& from, const Target& to, const std::vector<RegionId>& ids) {
  for (const MigrateResult& result : nodes.client().migrate(from.address(), ids, to))
    if (result.error != GODWIT_OK) throw Error(result.error, "a region did not arrive");
}

void measure(const Settings& settings, Nodes& nodes, const std::string& kind, uint64_t count, Report& report) {
  const Target from = nodes.target(nodes.source(), kind), to = nodes.target(nodes.destination(), kind);
  const std::vector<char> data = random_bytes(kRegionBytes);
  std::vector<RegionId> ids;
  for (uint64_t i = 0; i < count; ++i) ids.push_back(from.create(data.data(), data.size()).id());
  Record record;
  record.name = count == 1 ? "one region" : "regions in one call";
  record.provider = settings.provider;
  record.from = record.to = kind;
  record.bytes = kRegionBytes;
  record.count = count;
  move_all(nodes, from, to, ids);
  move_all(nodes, to, from, ids);
  for (uint32_t repeat = 0; repeat < settings.repeat; ++repeat) {
    record.seconds.push_back(seconds_of([&] { move_all(nodes, from, to, ids); }));
    move_all(nodes, to, from, ids);
  }
  record.details = {{"regions_per_s", static_cast<double>(count) / median(record.seconds)}};
  report.add(std::move(record));
  for (const RegionId id : ids) nodes.client().region(from.address(), id).erase();
}

}  // namespace

void measure_regions(const Settings& settings, Report& report) {
  Nodes nodes(settings, settings.count * kRegionBytes, report);
  report.say(fmt::format("regions: {} regions of 4 KiB moved in one call; median of {}", settings.count, settings.repeat));
  for (const std::string& kind : settings.kinds) {
    measure(settings, nodes, kind, settings.count, report);
    measure(settings, nodes, kind, 1, report);
  }
}

}  // namespace godwit::bench
