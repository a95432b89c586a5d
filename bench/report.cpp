#include "bench/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <stdexcept>

#include "bench/text.hpp"

namespace godwit::bench {
namespace {

constexpr double kGib = 1 << 30;

std::string time_text(double seconds) {
  if (seconds < 1e-3) return fmt::format("{:.1f} us", seconds * 1e6);
  if (seconds < 1) return fmt::format("{:.2f} ms", seconds * 1e3);
  return fmt::format("{:.3f} s", seconds);
}

nlohmann::json to_json(const Record& record, const std::vector<std::string>& lines) {
  nlohmann::json out{{"case", record.name},
                     {"provider", record.provider},
                     {"from", record.from},
                     {"to", record.to},
                     {"bytes", record.bytes},
                     {"count", record.count},
                     {"seconds", record.seconds},
                     {"gib_per_s", record.gib_per_second()},
                     {"per_s", static_cast<double>(record.count) / median(record.seconds)},
                     {"raw_gib_per_s", nullptr},
                     {"ratio", nullptr},
                     {"machine", lines}};
  if (!record.raw_seconds.empty()) {
    out["raw_gib_per_s"] = record.raw_gib_per_second();
    out["ratio"] = record.ratio();
    out["raw_seconds"] = record.raw_seconds;
    out["raw_case"] = record.raw_name;
  }
  out.update(record.more);
  return out;
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
  if (settings_.json_file.empty()) return;
  nlohmann::json out = nlohmann::json::array();
  for (const Record& record : records_) out.push_back(to_json(record, lines_));
  std::ofstream file(settings_.json_file);
  file << out.dump(2) << "\n" << std::flush;
  if (!file) throw std::runtime_error("cannot write " + settings_.json_file);
}

}  // namespace godwit::bench
