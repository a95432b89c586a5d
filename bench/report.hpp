// Report: what was measured, as a table for people and as a file for programs (docs/reference/report.md).
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/settings.hpp"

namespace godwit::bench {

struct Record {
  std::string name;  // "raw read", "migrate", "4 KiB create+write", ...
  std::string provider;
  std::string from, to;  // "memory", "client", or the kind of a target.
  uint64_t bytes = 0;    // Of one operation or region.
  uint64_t count = 0;    // Operations or regions in one measurement.
  std::vector<double> seconds;
  std::vector<double> raw_seconds;  // The ceiling, measured just before each of `seconds`; empty: not compared.
  uint64_t raw_bytes = 0;           // What the ceiling moved in that time.
  std::string raw_name;             // "raw read".
  nlohmann::json parameters = nlohmann::json::object();  // How it was asked for, beyond the above.
  nlohmann::json details = nlohmann::json::object();     // What else was found out: numbers, texts, lists of them.

  double gib_per_second(double in_seconds) const;
  double gib_per_second() const;
  double raw_gib_per_second() const;  // 0: not compared.
  double ratio() const;               // The median of the pairs' ratios; 0: not compared.
};

// 0 if there are none.
double median(std::vector<double> values);

// One thread.
class Report {
 public:
  // `head`: what the file says of the run itself.
  Report(const Settings& settings, std::string question, nlohmann::json head)
      : settings_(settings), question_(std::move(question)), head_(std::move(head)) {}

  // Says how it is measured: a line of the output, and a note of the file.
  void say(const std::string& line);
  // Prints the record's line at once, and the table's head before the first.
  void add(Record record);
  // Writes the file if one was asked for. Throws std::runtime_error, it cannot be written.
  void finish() const;

 private:
  const Settings& settings_;
  const std::string question_;
  const nlohmann::json head_;
  std::vector<std::string> lines_;
  std::vector<Record> records_;
};

}  // namespace godwit::bench
