// Report: what was measured, as a table for people and as JSON for programs.
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
  nlohmann::json more = nlohmann::json::object();

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
  explicit Report(const Settings& settings) : settings_(settings) {}

  // Says how it is measured: a line of the output, and of the JSON's records.
  void say(const std::string& line);
  // Prints the record's line at once, and the table's head before the first.
  void add(Record record);
  // Writes the JSON file if one was asked for. Throws std::runtime_error, it cannot be written.
  void finish() const;

 private:
  const Settings& settings_;
  std::vector<std::string> lines_;
  std::vector<Record> records_;
};

}  // namespace godwit::bench
