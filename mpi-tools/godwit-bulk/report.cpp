#include "godwit-bulk/report.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "common/tool_report.hpp"
#include "common/units.hpp"
#include "godwit-bulk/progress.hpp"
#include "godwit-bulk/run_lines.hpp"

namespace godwit::bulk {
namespace {

using nlohmann::json;

constexpr size_t kFailuresShown = 20;
constexpr size_t kLinksShown = 64;
constexpr uint64_t kTimedBytesMin = 1 << 20;  // The time of a smaller call is not that of its bytes.

struct Sum {
  uint64_t calls = 0, objects = 0, bytes = 0;
  void add(const Batch& batch) {
    ++calls;
    objects += batch.items;
    bytes += batch.bytes;
  }
  std::string text() const { return fmt::format("{} objects, {}, {} calls", objects, size_text(bytes), calls); }
};

// Nodes of a source or destination in a table.
void print_nodes(const char* title, const std::vector<std::string>& addresses, const std::vector<NodeTally>& tallies) {
  fmt::print("{:<36} {:>9} {:>7} {:>12}\n", title, "objects", "failed", "bytes");
  for (size_t i = 0; i < tallies.size(); ++i) {
    const NodeTally& row = tallies[i];
    if (i >= kLinksShown && row.failed == 0) continue;
    fmt::print("{:<36} {:>9} {:>7} {:>12}\n", addresses[i], row.objects, row.failed, size_text(row.bytes));
  }
}

json nodes_json(const std::vector<std::string>& addresses, const std::vector<NodeTally>& tallies) {
  json nodes = json::array();
  for (size_t i = 0; i < tallies.size(); ++i)
    nodes.push_back({{"address", addresses[i]},
                     {"objects", tallies[i].objects},
                     {"failed", tallies[i].failed},
                     {"bytes", tallies[i].bytes}});
  return nodes;
}

json ranks_json(const Tally& tally) {
  json ranks = json::array();
  for (size_t rank = 0; rank < tally.ranks.size(); ++rank) {
    const RankTally& row = tally.ranks[rank];
    ranks.push_back({{"rank", rank},
                     {"calls", row.calls},
                     {"taken_over", row.taken_over},
                     {"objects", row.objects},
                     {"failed", row.failed},
                     {"bytes", row.bytes},
                     {"seconds", row.busy_seconds}});
  }
  return ranks;
}

json calls_json(const Account& account) {
  json calls = json::array();
  for (const CallRecord& call : account.calls)
    calls.push_back({{"rank", call.rank},
                     {"source", account.nodes.from[call.source]},
                     {"destination", account.nodes.to[call.destination]},
                     {"begin_s", call.begin_seconds},
                     {"end_s", call.end_seconds},
                     {"bytes", call.bytes},
                     {"objects", call.objects},
                     {"error", call.error ? json(godwit_error_name(call.error)) : json(nullptr)}});
  return calls;
}

json links_json(const Account& account) {
  json links = json::array();
  for (const LinkTally& link : account.tally.links)
    links.push_back({{"source", account.nodes.from[link.source]},
                     {"destination", account.nodes.to[link.destination]},
                     {"calls", link.calls},
                     {"objects", link.objects},
                     {"bytes", link.bytes}});
  return links;
}

json failures_json(const Account& account) {
  const auto address = [](const std::vector<std::string>& addresses, int index) {
    return index < 0 ? json(nullptr) : json(addresses[static_cast<size_t>(index)]);
  };
  json failures = json::array();
  for (const Failure& failure : account.tally.failures)
    failures.push_back({{"kind", text_of(failure.kind)},
                        {"name", failure.name},
                        {"id", failure.id.empty() ? json(nullptr) : json(failure.id)},
                        {"source", address(account.nodes.from, failure.source)},
                        {"destination", address(account.nodes.to, failure.destination)},
                        {"error", godwit_error_name(failure.error)},
                        {"text", failure.text}});
  return failures;
}

json settings_json(const Options& options, size_t ranks) {
  return {{"ranks", ranks},
          {"in_flight", options.in_flight},
          {"per_node", options.per_node},
          {"batch", options.batch},
          {"retries", options.retries},
          {"stall_seconds", options.stall_seconds},
          {"bandwidth", options.bandwidth},
          {"verify", options.verify},
          {"compression", compression_name(options.compression)},
          {"priority", priority_name(options.priority)},
          {"update", options.update},
          {"includes", options.includes},
          {"excludes", options.excludes},
          {"xattrs", options.xattrs},
          {"skip_special", options.skip_special},
          {"force", options.force}};
}

json measurement(const Options& options, const char* what, uint64_t size_bytes, const std::vector<double>& samples) {
  return {{"question", "bulk"},
          {"what", what},
          {"unit", "s"},
          {"size_bytes", size_bytes},
          {"count", 1},
          {"parameters", {{"copy", options.copy}}},
          {"samples", samples},
          {"compared_with", nullptr},
          {"details", json::object()}};
}

// With which settings, and to how many nodes, is what two runs differ in: it is no part of what is compared.
json measurements_json(const Account& account) {
  json measurements = json::array();
  if (account.tally.objects == 0) return measurements;
  json whole = measurement(account.options, "whole run", account.tally.bytes, {account.seconds});
  whole["details"] = {{"gib_per_s", static_cast<double>(account.tally.bytes) / tools::kGib / account.seconds},
                      {"objects_per_s", static_cast<double>(account.tally.objects) / account.seconds}};
  measurements.push_back(std::move(whole));
  std::vector<double> samples;
  for (const CallRecord& call : account.calls)
    if (call.error == GODWIT_OK && call.bytes >= kTimedBytesMin)
      samples.push_back((call.end_seconds - call.begin_seconds) * tools::kGib / static_cast<double>(call.bytes));
  if (!samples.empty())
    measurements.push_back(measurement(account.options, "GiB at the rate of each call", uint64_t{1} << 30, samples));
  return measurements;
}

}  // namespace

int exit_code(const Tally& tally) {
  if (tally.failed == 0) return 0;
  return godwit_error_exit_code(tally.objects + tally.earlier ? GODWIT_ERR_PARTIAL : tally.first_error);
}

void print_plan(const Options& options, const Nodes& nodes, const Items& items, const std::vector<Batch>& batches,
                uint32_t ranks, const Tally& begun) {
  fmt::print("plan: nothing is moved\n{} objects, {} would be {} by {} calls of {} ranks\n", items.size(),
             size_text(items.bytes()), options.copy ? "copied" : "moved", batches.size(), ranks);
  if (begun.earlier) fmt::print("{} objects arrived before\n", begun.earlier);
  std::vector<Sum> sources(nodes.from.size()), destinations(nodes.to.size());
  std::map<std::pair<uint16_t, uint16_t>, Sum> links;
  for (const Batch& batch : batches) {
    sources[batch.source].add(batch);
    destinations[batch.destination].add(batch);
    links[{batch.source, batch.destination}].add(batch);
  }
  for (size_t i = 0; i < sources.size(); ++i) fmt::print("  from {}: {}\n", nodes.from[i], sources[i].text());
  for (size_t i = 0; i < destinations.size(); ++i) fmt::print("  to {}: {}\n", nodes.to[i], destinations[i].text());
  size_t shown = 0;
  for (const auto& [key, sum] : links)
    if (++shown <= kLinksShown) fmt::print("  {} -> {}: {}\n", nodes.from[key.first], nodes.to[key.second], sum.text());
  if (links.size() > kLinksShown) fmt::print("  and {} more links\n", links.size() - kLinksShown);
  for (const Failure& failure : begun.failures) fmt::print(stderr, "godwit-bulk: {}: {}\n", failure.name, failure.text);
}

void print_tally(const Options& options, const Nodes& nodes, const Tally& tally, double seconds) {
  if (!options.quiet) {
    fmt::print("{:<12} {:>7} {:>11} {:>9} {:>7} {:>12} {:>10}\n", "rank", "calls", "taken over", "objects", "failed", "bytes",
               "seconds");
    for (size_t rank = 0; rank < tally.ranks.size(); ++rank) {
      const RankTally& row = tally.ranks[rank];
      fmt::print("{:<12} {:>7} {:>11} {:>9} {:>7} {:>12} {:>10.2f}\n", rank, row.calls, row.taken_over, row.objects, row.failed,
                 size_text(row.bytes), row.busy_seconds);
    }
    if (tally.sources.size() > 1) print_nodes("source", nodes.from, tally.sources);
    print_nodes("destination", nodes.to, tally.destinations);
    if (tally.retried) fmt::print("{} objects went to another destination after one had failed\n", tally.retried);
    if (tally.earlier) fmt::print("{} objects had arrived before\n", tally.earlier);
    fmt::print("{} of {} objects {}, {} in {:.2f} s: {:.3f} GiB/s, {:.0f} objects/s; {} failed\n", tally.objects,
               tally.objects_total, options.copy ? "copied" : "moved", size_text(tally.bytes), seconds,
               static_cast<double>(tally.bytes) / tools::kGib / seconds, static_cast<double>(tally.objects) / seconds,
               tally.failed);
    std::fflush(stdout);
  }
  for (const std::string& address : tally.given_up)
    fmt::print(stderr, "godwit-bulk: {} did not answer {} times in a row, and was given up\n", address, kUnreachableMax);
  const size_t shown = std::min(tally.failures.size(), kFailuresShown);
  for (size_t i = 0; i < shown; ++i) {
    const Failure& failure = tally.failures[i];
    fmt::print(stderr, "godwit-bulk: {}: {} ({}); {}\n", failure.name, failure.text, godwit_error_name(failure.error),
               godwit_error_remedy(failure.error));
  }
  if (tally.failed > shown)
    fmt::print(stderr, "godwit-bulk: and {} more{}\n", tally.failed - shown,
               options.report_file.empty() ? " (--report FILE lists them all in FILE.items)" : "");
}

bool write_report(json report, const Account& account) {
  const auto& [options, nodes, tally, calls, calls_total, seconds, table_bytes] = account;
  report.update(json{{"provider", nodes.from.front().substr(0, nodes.from.front().find("://"))},
                     {"from", nodes.from},
                     {"to", nodes.to},
                     {"target", options.target.empty() ? json(nullptr) : json(options.target)},
                     {"copy", options.copy},
                     {"bandwidth", options.bandwidth},
                     {"objects", tally.objects},
                     {"objects_total", tally.objects_total},
                     {"objects_earlier", tally.earlier},
                     {"failed", tally.failed},
                     {"retried", tally.retried},
                     {"bytes", tally.bytes},
                     {"bytes_total", tally.bytes_total},
                     {"seconds", seconds},
                     {"gib_per_s", static_cast<double>(tally.bytes) / tools::kGib / seconds},
                     {"table_bytes", table_bytes},
                     {"ranks", ranks_json(tally)},
                     {"sources", nodes_json(nodes.from, tally.sources)},
                     {"destinations", nodes_json(nodes.to, tally.destinations)},
                     {"given_up", tally.given_up},
                     {"links", links_json(account)},
                     {"calls", calls_json(account)},
                     {"calls_left_out", calls_total - calls.size()},
                     {"failures", failures_json(account)},
                     {"failures_left_out", tally.failed - tally.failures.size()},
                     {"items", lines_path(options.report_file)},
                     {"settings", settings_json(options, tally.ranks.size())},
                     {"measurements", measurements_json(account)},
                     {"exit_code", exit_code(tally)}});
  try {
    tools::write_report(report, options.report_file);
    return true;
  } catch (const std::runtime_error& error) {
    fmt::print(stderr, "godwit-bulk: {}\n", error.what());
    return false;
  }
}

}  // namespace godwit::bulk
