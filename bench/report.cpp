#include "bench/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "bench/text.hpp"
#include "common/tool_report.hpp"

namespace godwit::bench {
namespace {

constexpr double kGib = 1 << 30;

std::string time_text(double seconds) {
  if (seconds < 1e-3) return fmt::format("{:.1f} us", seconds * 1e6);
  if (seconds < 1) return fmt::format("{:.2f} ms", seconds * 1e3);
  return fmt::format("{:.3f} s", seconds);
}

nlohmann::json to_json(const Record& record, const std::string& question) {
  nlohmann::json out{{"question", question},       {"what", record.name},      {"provider", record.provider},
                     {"from", record.from},        {"to", record.to},          {"unit", "s"},
                     {"size_bytes", record.bytes}, {"count", record.count},    {"parameters", record.parameters},
                     {"samples", record.seconds},  {"compared_with", nullptr}, {"details", record.details}};
  if (!record.raw_seconds.empty())
    out["compared_with"] = {{"what", record.raw_name}, {"bytes", record.raw_bytes}, {"samples", record.raw_seconds}};
  return out;
}

// What decides how it is measured, with the values that were not given.
nlohmann::json to_json(const Settings& settings) {
  return {{"host", settings.host},
          {"kinds", settings.kinds},
          {"sizes_bytes", settings.sizes_bytes},
          {"repeat", settings.repeat},
          {"raw_depth", settings.depth},
          {"raw_block_bytes", settings.raw_block_bytes},
          {"block_bytes", settings.block_bytes},
          {"streams", settings.streams},
          {"count", settings.count},
          {"total_bytes", settings.total_bytes},
          {"keys", settings.keys},
          {"rates", settings.rates},
          {"cold", settings.cold},
          {"sweep", settings.sweep},
          {"from", settings.from},
          {"to", settings.to}};
}

}  // namespace

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

double Record::gib_per_second(double in_seconds) const {
  return static_cast<double>(bytes) * static_cast<double>(count) / kGib / in_seconds;
}

double Record::gib_per_second() const { return gib_per_second(median(seconds)); }

double Record::raw_gib_per_second() const {
  return raw_seconds.empty() ? 0 : static_cast<double>(raw_bytes) / kGib / median(raw_seconds);
}

double Record::ratio() const {
  std::vector<double> ratios;
  for (size_t i = 0; i < std::min(seconds.size(), raw_seconds.size()); ++i)
    ratios.push_back(gib_per_second(seconds[i]) / (static_cast<double>(raw_bytes) / kGib / raw_seconds[i]));
  return median(ratios);
}

void Report::say(const std::string& line) {
  fmt::print("{}\n", line);
  std::fflush(stdout);
  lines_.push_back(line);
}

void Report::add(Record record) {
  if (records_.empty())
    fmt::print("\n{:<24} {:<8} {:<14} {:>8} {:>7} {:>11} {:>25} {:>9} {:>9} {:>9} {:>6}\n", "case", "provider", "from -> to",
               "size", "count", "median", "spread (min .. max)", "per s", "GiB/s", "raw GiB/s", "ratio");
  const auto [least, most] = std::minmax_element(record.seconds.begin(), record.seconds.end());
  const bool compared = !record.raw_seconds.empty();
  const double middle = median(record.seconds);
  fmt::print("{:<24} {:<8} {:<14} {:>8} {:>7} {:>11} {:>25} {:>9.0f} {:>9.3f} {:>9} {:>6}\n", record.name, record.provider,
             record.from + " -> " + record.to, text_from_size(record.bytes), record.count, time_text(middle),
             time_text(*least) + " .. " + time_text(*most), static_cast<double>(record.count) / middle, record.gib_per_second(),
             compared ? fmt::format("{:.3f}", record.raw_gib_per_second()) : "-",
             compared ? fmt::format("{:.2f}", record.ratio()) : "-");
  std::fflush(stdout);
  records_.push_back(std::move(record));
}

void Report::finish() const {
  if (settings_.report_file.empty()) return;
  nlohmann::json out = head_;
  out["provider"] = settings_.provider;
  out["settings"] = to_json(settings_);
  out["notes"] = lines_;
  out["measurements"] = nlohmann::json::array();
  for (const Record& record : records_) out["measurements"].push_back(to_json(record, question_));
  tools::write_report(out, settings_.report_file);
}

}  // namespace godwit::bench
