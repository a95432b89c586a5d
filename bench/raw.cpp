// How fast can libfabric itself go here?
#include <fmt/format.h>

#include <algorithm>

#include "bench/questions.hpp"
#include "bench/raw_process.hpp"
#include "bench/text.hpp"

namespace godwit::bench {
namespace {

// Enough operations to measure, not more memory than the largest size asked for.
uint64_t total_bytes(const Settings& settings, uint64_t size) {
  if (settings.total_bytes) return std::max(settings.total_bytes, size);
  return std::max<uint64_t>(size, std::min<uint64_t>(256u << 20, size * settings.count));
}

Record record_of(const Settings& settings, const RawRun& run, uint64_t object_bytes) {
  Record record;
  record.name = run.name();
  record.provider = settings.provider;
  record.from = record.to = "memory";
  record.bytes = run.operation_bytes;
  record.count = run.operations;
  record.parameters = {{"depth", run.depth}, {"span_bytes", run.span_bytes}, {"object_bytes", object_bytes}};
  return record;
}

// Interleaved: every case once, then every case again.
void measure(const Settings& settings, const std::vector<std::pair<std::string, RawRun>>& runs, uint64_t object_bytes,
             Report& report) {
  std::vector<Record> records;
  for (const auto& [suffix, run] : runs) {
    records.push_back(record_of(settings, run, object_bytes));
    records.back().name += suffix;
  }
  for (uint32_t repeat = 0; repeat < settings.repeat; ++repeat)
    for (size_t i = 0; i < runs.size(); ++i) records[i].seconds.push_back(run_raw(runs[i].second));
  for (Record& record : records) report.add(std::move(record));
}

}  // namespace

void measure_raw(const Settings& settings, Report& report) {
  report.say(fmt::format("raw: operations of at most {} over as much touched memory as moves, depth {}{}",
                         text_from_size(settings.raw_block_bytes), settings.depth,
                         settings.sweep ? "; 'hot': over the same few buffers again and again" : ""));
  for (const uint64_t size : settings.sizes_bytes) {
    std::vector<std::pair<std::string, RawRun>> runs;
    for (const bool is_read : {false, true})
      runs.emplace_back("", raw_like_product(settings.provider, settings.host, is_read, size, total_bytes(settings, size),
                                             settings.raw_block_bytes, settings.depth));
    if (settings.sweep) {
      for (const size_t i : {0u, 1u}) {
        runs.emplace_back(" hot", runs[i].second);
        runs.back().second.span_bytes = 0;
      }
      for (const uint32_t depth : {1u, 2u, 4u, 16u, 32u})
        for (const size_t i : {0u, 1u}) {
          runs.emplace_back(fmt::format(" depth {}", depth), runs[i].second);
          runs.back().second.depth = depth;
        }
    }
    measure(settings, runs, size, report);
  }
}

}  // namespace godwit::bench
