#include "godwit-mpibench/measure.hpp"

#include <algorithm>
#include <numeric>

#include "common/await.hpp"

namespace godwit::mpibench {
namespace {

constexpr uint64_t kOperationsMax = 4096;
constexpr uint64_t kRateBytes = 8;

// 1, 2, 4, ... and the most.
std::vector<int> pair_counts(int most) {
  std::vector<int> counts;
  for (int pairs = 1; pairs < most; pairs *= 2) counts.push_back(pairs);
  counts.push_back(most);
  return counts;
}

uint64_t operations_in(uint64_t total_bytes, uint64_t size_bytes) {
  return std::clamp<uint64_t>(total_bytes / size_bytes, 1, kOperationsMax);
}

Load load_of(const Way& way, Load load) {
  load.count = std::min(load.count, way.count_max());
  return load;
}

// Of rank 0's pair if each is timed; else of the slowest pair.
std::vector<double> sample(const Team& team, Way& way, const Load& load) {
  std::vector<double> seconds{0};
  team.start();
  if (team.is_first()) {
    seconds = way.run(load);
    way.restore(load);
  } else {
    way.serve(load);
  }
  team.finished();
  const double slowest = team.greatest(std::accumulate(seconds.begin(), seconds.end(), 0.0));
  return load.is_each && way.times_each() ? seconds : std::vector{slowest};
}

}  // namespace

std::vector<Case> plan_cases(const Options& options, int pairs_max) {
  std::vector<Case> cases;
  if (options.asks_for("latency"))
    for (const uint64_t size : options.latency_sizes_bytes)
      cases.push_back({"latency", {size, std::max<uint64_t>(1, options.operations / options.repeat), true}, 1, ""});
  if (options.asks_for("rate")) cases.push_back({"rate", {kRateBytes, options.operations, false}, 1, ""});
  if (options.asks_for("bandwidth"))
    for (const uint64_t size : options.sizes_bytes)
      cases.push_back({"bandwidth", {size, operations_in(options.total_bytes, size), false}, 1, ""});
  const uint64_t operations = operations_in(options.total_bytes, options.scaling_bytes);
  for (const char* scaling : {"weak", "strong"}) {
    if (!options.asks_for(scaling)) continue;
    for (const int pairs : pair_counts(pairs_max)) {
      const uint64_t share = scaling == std::string("weak") ? operations : operations / static_cast<uint64_t>(pairs);
      cases.push_back({"scaling", {options.scaling_bytes, std::max<uint64_t>(share, 1), false}, pairs, scaling});
    }
  }
  return cases;
}

uint64_t capacity_bytes(const std::vector<Case>& cases) {
  constexpr uint64_t kRegionBytesMin = 4096;
  uint64_t most = 0;
  for (const Case& one : cases) {
    // Of each pair a region to write, one to read, and those to migrate; all of them may be on one node.
    const uint64_t size = std::max(one.load.size_bytes, kRegionBytesMin);
    const uint64_t regions = 2 + (one.load.is_each ? 1 : one.load.count);
    most = std::max(most, regions * size * static_cast<uint64_t>(one.pairs));
  }
  return most + most / 8 + (64u << 20);
}

std::vector<Result> measure(const Case& which, const Ways& ways, uint32_t repeat) {
  std::vector<Result> results;
  const Team team(which.pairs);
  if (team.has_us()) {
    for (const auto& way : ways) {
      const Load load = load_of(*way, which.load);
      const bool is_single = load.is_each && way->times_each();
      results.push_back({which.question,
                         way->name(),
                         way->from(),
                         way->to(),
                         way->ceiling(),
                         which.scaling,
                         which.pairs,
                         load.size_bytes,
                         is_single ? 1 : load.count * static_cast<uint64_t>(which.pairs),
                         {}});
      way->prepare(team, load);
    }
    for (uint32_t i = 0; i <= repeat; ++i)
      for (size_t at = 0; at < ways.size(); ++at) {
        const std::vector<double> seconds = sample(team, *ways[at], load_of(*ways[at], which.load));
        auto& samples = results[at].samples;
        if (i > 0) samples.insert(samples.end(), seconds.begin(), seconds.end());  // The first warms up.
      }
    for (const auto& way : ways) way->finish(team);
  }
  tools::quiet_barrier();
  return results;
}

}  // namespace godwit::mpibench
