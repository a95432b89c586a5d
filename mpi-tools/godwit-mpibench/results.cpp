#include "godwit-mpibench/results.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "common/units.hpp"

namespace godwit::mpibench {
namespace {

double quantile(std::vector<double> values, double part) {
  std::sort(values.begin(), values.end());
  const double at = part * static_cast<double>(values.size() - 1);
  const auto below = static_cast<size_t>(at);
  const size_t above = std::min(below + 1, values.size() - 1);
  return values[below] + (values[above] - values[below]) * (at - static_cast<double>(below));
}

double bytes_of(const Result& result) { return static_cast<double>(result.size_bytes) * static_cast<double>(result.count); }
double bytes_per_second(const Result& result) { return bytes_of(result) / quantile(result.samples, 0.5); }

std::string time_text(double seconds) {
  if (seconds < 1e-3) return fmt::format("{:.2f} us", seconds * 1e6);
  if (seconds < 1) return fmt::format("{:.2f} ms", seconds * 1e3);
  return fmt::format("{:.3f} s", seconds);
}

std::string size_text(uint64_t bytes) {
  if (bytes >= 1 << 20 && bytes % (1 << 20) == 0) return fmt::format("{} MiB", bytes >> 20);
  if (bytes >= 1 << 10 && bytes % (1 << 10) == 0) return fmt::format("{} KiB", bytes >> 10);
  return fmt::format("{} B", bytes);
}

const Result* ceiling_of(const Result& result, const std::vector<Result>& results) {
  const auto found = std::ranges::find(results, result.ceiling, &Result::what);
  return found == results.end() ? nullptr : &*found;
}

}  // namespace

void print_head() {
  fmt::print("\n{:<10} {:<15} {:<17} {:>8} {:>5} {:>6} {:>11} {:>11} {:>25} {:>10} {:>9} {:>9}\n", "question", "what",
             "from -> to", "size", "pairs", "count", "median", "p99", "spread (min .. max)", "per s", "GiB/s", "ratio raw");
}

void print_case(const std::vector<Result>& results) {
  for (const Result& result : results) {
    const double median = quantile(result.samples, 0.5);
    const auto [least, most] = std::ranges::minmax_element(result.samples);
    const Result* ceiling = ceiling_of(result, results);
    fmt::print("{:<10} {:<15} {:<17} {:>8} {:>5} {:>6} {:>11} {:>11} {:>25} {:>10.0f} {:>9.3f} {:>9}\n",
               result.scaling.empty() ? result.question : result.scaling, result.what, result.from + " -> " + result.to,
               size_text(result.size_bytes), result.pairs, result.count, time_text(median),
               result.samples.size() < 20 ? "-" : time_text(quantile(result.samples, 0.99)),
               time_text(*least) + " .. " + time_text(*most), static_cast<double>(result.count) / median,
               bytes_per_second(result) / tools::kGib,
               ceiling ? fmt::format("{:.3f}", bytes_per_second(result) / bytes_per_second(*ceiling)) : "-");
  }
  std::fflush(stdout);
}

void append_case(const std::vector<Result>& results, const std::string& provider, nlohmann::json& measurements) {
  for (const Result& result : results) {
    nlohmann::json one{{"question", result.question},
                       {"what", result.what},
                       {"provider", result.what.starts_with("MPI_") ? "mpi" : provider},
                       {"from", result.from},
                       {"to", result.to},
                       {"unit", "s"},
                       {"size_bytes", result.size_bytes},
                       {"count", result.count},
                       {"parameters", {{"pairs", result.pairs}}},
                       {"samples", result.samples},
                       {"compared_with", nullptr},
                       {"details", nlohmann::json::object()}};
    if (!result.scaling.empty()) one["parameters"]["scaling"] = result.scaling;
    if (const Result* ceiling = ceiling_of(result, results))
      one["compared_with"] = {
          {"what", ceiling->what}, {"bytes", ceiling->size_bytes * ceiling->count}, {"samples", ceiling->samples}};
    measurements.push_back(std::move(one));
  }
}

}  // namespace godwit::mpibench
