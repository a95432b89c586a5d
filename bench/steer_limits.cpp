// How near do jobs come to their limits, and to their node's, in each second?
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>
#include <stdexcept>
#include <thread>

#include "bench/steer.hpp"
#include "bench/steered_jobs.hpp"
#include "bench/text.hpp"

namespace godwit::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

// That a region lasts at its limit, at the least: one while the job begins, at twice the rate in one case, and two to measure.
constexpr uint64_t kSecondsMin = 5;
constexpr uint64_t kSecondsBefore = 3;  // That are not measured.

enum class Case { kJob, kHalved, kAfterNone, kNode };

const char* name_of(Case which) {
  switch (which) {  // No default: -Wswitch catches a new one.
    case Case::kJob: return "limit of a job";
    case Case::kHalved: return "limit halved";
    case Case::kAfterNone: return "limit after none";
    case Case::kNode: return "limit of a node, 2 jobs";
  }
  return "";
}

// For all jobs of the case together. No more than it needs, unless some of it goes before there is a limit.
uint64_t region_bytes(Case which, const Settings& settings, uint64_t rate) {
  const uint64_t most = *std::max_element(settings.sizes_bytes.begin(), settings.sizes_bytes.end());
  const uint64_t enough = std::max(most, rate * kSecondsMin);
  return which == Case::kAfterNone ? enough : std::min(rate * (settings.repeat + kSecondsBefore), enough);
}

// The source's, for as long as it lasts; then what it was.
class NodeLimit {
 public:
  NodeLimit(Nodes& nodes, uint64_t bandwidth) : nodes_(nodes) {
    require_ok(godwit_node_get_limit(nodes.c_client(), nodes.source().c_str(), &before_));
    require_ok(godwit_node_limit(nodes.c_client(), nodes.source().c_str(), bandwidth));
  }
  ~NodeLimit() { godwit_node_limit(nodes_.c_client(), nodes_.source().c_str(), before_); }
  NodeLimit(const NodeLimit&) = delete;
  NodeLimit& operator=(const NodeLimit&) = delete;

 private:
  static void require_ok(int error) {
    if (error != GODWIT_OK) throw Error(error, godwit_last_error());
  }

  Nodes& nodes_;
  uint64_t before_ = 0;
};

struct Seen {
  SteadyTime when;
  uint64_t bytes;
};

Seen look(const SteeredJobs& jobs) {
  const auto before = steady_clock::now();
  const uint64_t bytes = jobs.bytes_done();
  return {before + (steady_clock::now() - before) / 2, bytes};
}

// One measurement each: the bytes of a second's window over those of the limit. Some time passes between two of them: windows
// must not keep step with the blocks.
void watch(const SteeredJobs& jobs, uint64_t rate, size_t windows_max, std::vector<double>& shares) {
  std::minstd_rand random(static_cast<uint32_t>(shares.size() + 1));
  while (shares.size() < windows_max) {
    std::this_thread::sleep_for(milliseconds(random() % 100));
    const Seen from = look(jobs);
    std::this_thread::sleep_until(from.when + seconds(1));
    const Seen to = look(jobs);
    if (jobs.has_one_sent_all()) return;  // Not a whole one.
    shares.push_back(static_cast<double>(to.bytes - from.bytes) /
                     (static_cast<double>(rate) * seconds_between(from.when, to.when)));
  }
}

// The jobs in full swing, with their limit as it is to be measured; false: they were faster than we.
bool bring_to(Case which, uint64_t rate, const SteeredJobs& jobs) {
  if (which == Case::kAfterNone) {
    if (!jobs.pause_first()) return false;
    jobs.first().limit(rate);
    jobs.first().resume();
  }
  jobs.await_more_than(0);
  std::this_thread::sleep_for(seconds(1));
  if (which == Case::kHalved) jobs.first().limit(rate);
  return true;
}

std::vector<double> shares_of(Case which, const Settings& settings, Nodes& nodes, const std::string& kind, uint64_t rate) {
  constexpr int kTriesMax = 20;
  const bool is_shared = which == Case::kNode;
  const Target to = nodes.target(nodes.destination(), kind);
  std::vector<std::unique_ptr<SteeredRegion>> regions;
  const uint64_t bytes = region_bytes(which, settings, rate) / (is_shared ? 2 : 1);
  for (int i = 0; i < (is_shared ? 2 : 1); ++i)
    regions.push_back(std::make_unique<SteeredRegion>(nodes.target(nodes.source(), kind), bytes));
  std::vector<RegionId> ids;
  for (const auto& region : regions) ids.push_back(region->id());
  const NodeLimit limit(nodes, is_shared ? rate : 0);
  const uint64_t begins_with = which == Case::kJob ? rate : which == Case::kHalved ? 2 * rate : 0;
  std::vector<double> shares;
  for (int fruitless = 0; shares.size() < settings.repeat;) {
    const size_t before = shares.size();
    const SteeredJobs jobs(nodes, ids, to, begins_with, settings);
    if (bring_to(which, rate, jobs)) watch(jobs, rate, settings.repeat, shares);
    if (shares.size() == before && ++fruitless == kTriesMax)
      throw std::runtime_error(
          fmt::format("steer: {} are sent before a second is over: give larger --sizes", text_from_size(bytes)));
  }
  return shares;
}

void measure_case(Case which, const Settings& settings, Nodes& nodes, const std::string& kind, uint64_t rate, Report& report) {
  Record record;
  record.name = name_of(which);
  record.provider = settings.provider;
  record.from = record.to = kind;
  record.bytes = rate;  // What a second should bring; a sample is how long that took, at the rate of its window.
  record.count = 1;
  std::vector<double> deviations, amounts;
  for (const double share : shares_of(which, settings, nodes, kind, rate)) {
    record.seconds.push_back(1 / std::max(share, 1e-6));
    deviations.push_back((share - 1) * 100);
    amounts.push_back(std::abs(deviations.back()));
  }
  record.parameters = {{"bandwidth", rate}};
  record.details = {{"deviation_percent", deviations}};
  const std::string line = fmt::format(
      "{}, {} at {}/s: {:.1f} % off in the median second, {:.1f} % in the worst", kind, record.name, text_from_size(rate),
      median(amounts),
      *std::max_element(deviations.begin(), deviations.end(), [](double a, double b) { return std::abs(a) < std::abs(b); }));
  report.add(std::move(record));
  report.say(line);
}

}  // namespace

uint64_t bytes_for_limits(const Settings& settings) {
  uint64_t most = 0;
  for (const uint64_t rate : settings.rates) {
    if (rate == 0) throw std::runtime_error("steer: --rates 0 is no limit");
    most = std::max(most, region_bytes(Case::kAfterNone, settings, rate));
  }
  return most;
}

void measure_limits(const Settings& settings, Nodes& nodes, const std::string& kind, Report& report) {
  for (const uint64_t rate : settings.rates)
    for (const Case which : {Case::kJob, Case::kHalved, Case::kAfterNone, Case::kNode})
      measure_case(which, settings, nodes, kind, rate, report);
}

}  // namespace godwit::bench
