#include "godwit-bulk/report.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace godwit::bulk {
namespace {

constexpr size_t kFailuresShown = 20;
constexpr double kGib = 1 << 30;

std::string size_text(uint64_t bytes) {
  const auto value = static_cast<double>(bytes);
  if (value >= kGib) return fmt::format("{:.2f} GiB", value / kGib);
  if (value >= 0x1p20) return fmt::format("{:.1f} MiB", value / 0x1p20);
  if (value >= 0x1p10) return fmt::format("{:.1f} KiB", value / 0x1p10);
  return fmt::format("{} B", bytes);
}

// mpirun gives its ranks a terminal of its own making, so its own output decides, where it can be seen.
bool on_terminal() {
  if (!isatty(STDOUT_FILENO)) return false;
  std::error_code error;
  const auto launcher = std::filesystem::read_symlink(fmt::format("/proc/{}/fd/1", getppid()), error);
  return error || launcher.string().starts_with("/dev/");
}

std::string progress_text(const Tally& tally, double seconds) {
  const uint64_t arrived = tally.bytes_arrived();
  const double rate = static_cast<double>(arrived) / seconds;
  const double left = static_cast<double>(tally.bytes_total - std::min(arrived, tally.bytes_total));
  return fmt::format("{} of {} regions, {} of {}, {}/s, {:.0f} s, ETA {}{}", tally.regions + tally.failed, tally.regions_total,
                     size_text(arrived), size_text(tally.bytes_total), size_text(static_cast<uint64_t>(rate)), seconds,
                     arrived ? fmt::format("{:.0f} s", left / rate) : "unknown",
                     tally.failed ? fmt::format(", {} FAILED", tally.failed) : "");
}

}  // namespace

Progress::Progress(bool is_quiet) : is_quiet_(is_quiet), is_terminal_(on_terminal()) {}

void Progress::show(const Dispatcher& dispatcher) {
  if (is_quiet_) return;
  const auto now = Clock::now();
  if (now - shown_ < (is_terminal_ ? std::chrono::milliseconds(200) : std::chrono::milliseconds(5000))) return;
  shown_ = now;
  const std::string text = progress_text(dispatcher.tally(), seconds());
  if (is_terminal_)
    fmt::print("\r{}\x1b[K", text);
  else
    fmt::print("{}\n", text);
  std::fflush(stdout);
}

void Progress::finish() {
  if (!is_quiet_ && is_terminal_) fmt::print("\r\x1b[K");
}

int exit_code(const Tally& tally) {
  if (tally.failures.empty()) return 0;
  return godwit_error_exit_code(tally.regions ? GODWIT_ERR_PARTIAL : tally.failures.front().error);
}

void print_plan(const Options& options, const std::vector<Item>& items, const std::vector<Batch>& batches, const Shares& shares,
                uint32_t ranks, const std::vector<Failure>& unknown) {
  fmt::print("dry run: nothing is moved\n{} regions would be {} by {} calls of {} ranks\n", items.size(),
             options.copy ? "copied" : "moved", batches.size(), ranks);
  for (uint32_t rank = 0; rank < ranks; ++rank) {
    uint64_t regions = 0, bytes = 0;
    for (const uint32_t batch : shares.of(rank)) {
      regions += batches[batch].items.size();
      bytes += batches[batch].bytes;
    }
    fmt::print("  rank {}: {} calls, {} regions, {}\n", rank, shares.of(rank).size(), regions, size_text(bytes));
  }
  for (uint32_t destination = 0; destination < options.to.size(); ++destination) {
    uint64_t regions = 0, bytes = 0;
    for (const Batch& batch : batches)
      if (batch.destination == destination) {
        regions += batch.items.size();
        bytes += batch.bytes;
      }
    fmt::print("  {} target {}: {} regions, {}\n", options.to[destination], options.target, regions, size_text(bytes));
  }
  for (const Failure& failure : unknown) fmt::print(stderr, "godwit-bulk: {}: {}\n", failure.name, failure.text);
}

void print_tally(const Options& options, const Tally& tally, double seconds) {
  if (!options.quiet) {
    fmt::print("{:<12} {:>7} {:>11} {:>9} {:>7} {:>12} {:>10}\n", "rank", "calls", "taken over", "regions", "failed", "bytes",
               "seconds");
    for (size_t rank = 0; rank < tally.ranks.size(); ++rank) {
      const RankTally& row = tally.ranks[rank];
      fmt::print("{:<12} {:>7} {:>11} {:>9} {:>7} {:>12} {:>10.2f}\n", rank, row.batches, row.taken_over, row.regions,
                 row.failed, size_text(row.bytes), row.busy_seconds);
    }
    fmt::print("{:<36} {:>9} {:>7} {:>12}\n", "destination", "regions", "failed", "bytes");
    for (size_t i = 0; i < tally.destinations.size(); ++i) {
      const DestinationTally& row = tally.destinations[i];
      fmt::print("{:<36} {:>9} {:>7} {:>12}\n", options.to[i], row.regions, row.failed, size_text(row.bytes));
    }
    fmt::print("{} of {} regions {}, {} in {:.2f} s: {:.3f} GiB/s, {:.0f} regions/s; {} failed\n", tally.regions,
               tally.regions_total, options.copy ? "copied" : "moved", size_text(tally.bytes), seconds,
               static_cast<double>(tally.bytes) / kGib / seconds, static_cast<double>(tally.regions) / seconds, tally.failed);
    std::fflush(stdout);
  }
  for (size_t i = 0; i < std::min(tally.failures.size(), kFailuresShown); ++i) {
    const Failure& failure = tally.failures[i];
    fmt::print(stderr, "godwit-bulk: {}: {} ({}); {}\n", failure.name, failure.text, godwit_error_name(failure.error),
               godwit_error_remedy(failure.error));
  }
  if (tally.failures.size() > kFailuresShown)
    fmt::print(stderr, "godwit-bulk: and {} more{}\n", tally.failures.size() - kFailuresShown,
               options.report_file.empty() ? " (--report FILE lists them all)" : "");
}

bool write_report(const Options& options, const Tally& tally, double seconds) {
  using nlohmann::json;
  json ranks = json::array(), destinations = json::array(), failures = json::array();
  for (size_t rank = 0; rank < tally.ranks.size(); ++rank) {
    const RankTally& row = tally.ranks[rank];
    ranks.push_back({{"rank", rank},
                     {"calls", row.batches},
                     {"taken_over", row.taken_over},
                     {"regions", row.regions},
                     {"failed", row.failed},
                     {"bytes", row.bytes},
                     {"seconds", row.busy_seconds}});
  }
  for (size_t i = 0; i < tally.destinations.size(); ++i) {
    const DestinationTally& row = tally.destinations[i];
    destinations.push_back(
        {{"address", options.to[i]}, {"regions", row.regions}, {"failed", row.failed}, {"bytes", row.bytes}});
  }
  for (const Failure& failure : tally.failures)
    failures.push_back(
        {{"region", failure.name},
         {"id", failure.id.empty() ? json(nullptr) : json(failure.id)},
         {"destination", failure.destination < 0 ? json(nullptr) : json(options.to[static_cast<size_t>(failure.destination)])},
         {"error", godwit_error_name(failure.error)},
         {"text", failure.text}});
  const json report{{"from", options.from},
                    {"target", options.target},
                    {"copy", options.copy},
                    {"regions", tally.regions},
                    {"regions_total", tally.regions_total},
                    {"failed", tally.failed},
                    {"bytes", tally.bytes},
                    {"seconds", seconds},
                    {"gib_per_s", static_cast<double>(tally.bytes) / kGib / seconds},
                    {"ranks", ranks},
                    {"destinations", destinations},
                    {"failures", failures},
                    {"exit_code", exit_code(tally)}};
  std::ofstream file(options.report_file);
  // Text that a peer sent may be any bytes.
  file << report.dump(2, ' ', false, json::error_handler_t::replace) << "\n" << std::flush;
  if (file) return true;
  fmt::print(stderr, "godwit-bulk: cannot write the report {}\n", options.report_file);
  return false;
}

}  // namespace godwit::bulk
