// How much memory does a daemon use beyond the regions it holds, while a large region moves?
#include <fmt/format.h>

#include <algorithm>

#include "bench/nodes.hpp"
#include "bench/questions.hpp"
#include "bench/text.hpp"
#include "common/process.hpp"

namespace godwit::bench {
namespace {

// The most that the process has held, without the region.
uint64_t beyond(pid_t process, uint64_t region_bytes) {
  const uint64_t peak = tools::memory_bytes(process, "VmHWM");
  return peak > region_bytes ? peak - region_bytes : 0;
}

}  // namespace

void measure_memory(const Settings& settings, Report& report) {
  Settings cold = settings;
  cold.cold = true;  // So that only the region's own pages are touched.
  const uint64_t bytes = *std::max_element(settings.sizes_bytes.begin(), settings.sizes_bytes.end());
  Nodes nodes(cold, bytes, report);
  if (!nodes.daemons()) throw std::runtime_error("memory: needs daemons of its own; leave out --from and --to");
  const pid_t source = nodes.daemons()->process(0), destination = nodes.daemons()->process(1);
  const uint64_t idle = tools::memory_bytes(source, "VmRSS");
  const Target from = nodes.target(nodes.source(), "dram"), to = nodes.target(nodes.destination(), "dram");

  Record record;
  record.name = "memory";
  record.provider = settings.provider;
  record.from = record.to = "dram";
  record.bytes = bytes;
  record.count = 1;
  const std::vector<char> data = random_bytes(bytes);
  const Region region = from.create(data.data(), bytes);
  record.seconds.push_back(seconds_of([&] { region.migrate(to); }));
  record.details = {{"idle_rss_bytes", idle},
                    {"source_beyond_region_bytes", beyond(source, bytes)},
                    {"destination_beyond_region_bytes", beyond(destination, bytes)}};
  const std::string note =
      fmt::format("    peak memory beyond the region: source {:.1f} MiB, destination {:.1f} MiB (idle daemon {:.1f} MiB)",
                  static_cast<double>(beyond(source, bytes)) / 0x1p20, static_cast<double>(beyond(destination, bytes)) / 0x1p20,
                  static_cast<double>(idle) / 0x1p20);
  report.add(std::move(record));
  fmt::print("{}\n", note);
}

}  // namespace godwit::bench
