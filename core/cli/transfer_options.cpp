#include "transfer_options.hpp"

#include <array>
#include <cmath>
#include <map>

namespace godwit::cli {
namespace {

// By their numbers in godwit.h.
constexpr std::array kPriorityNames{"normal", "low", "high", "emergency"};
static_assert(GODWIT_PRIORITY_NORMAL == 0 && GODWIT_PRIORITY_LOW == 1 && GODWIT_PRIORITY_HIGH == 2 &&
              GODWIT_PRIORITY_EMERGENCY == 3);

}  // namespace

std::string_view priority_name(int priority) {
  const auto number = static_cast<size_t>(priority);
  return number < kPriorityNames.size() ? kPriorityNames[number] : "unknown";
}

uint64_t rate_from(const std::string& text) {
  uint64_t rate = 0;
  if (text != "none") check(godwit_rate_parse(text.c_str(), &rate));
  return rate;
}

void add_transfer_options(CLI::App* app, TransferOptions& options, const std::string& block_name) {
  static const std::map<std::string, int> kCompressions{
      {"none", GODWIT_COMPRESSION_NONE}, {"lz4", GODWIT_COMPRESSION_LZ4}, {"zstd", GODWIT_COMPRESSION_ZSTD}};
  add_size_option(app, block_name, options.block_bytes, "4KiB to 64MiB; default: as the source is configured");
  app->add_option("--streams", options.streams, "Connections side by side; default: as the source is configured")
      ->type_name("N");
  app->add_option_function<std::string>(
         "--bwlimit",
         [&options](const std::string& text) {
           if (text != "none" && godwit_rate_parse(text.c_str(), &options.bandwidth) != GODWIT_OK)
             throw CLI::ValidationError("--bwlimit", godwit_last_error());
         },
         "Send at most so much a second: 50mbps, 100MB/s, 2GiB/s; default: no limit")
      ->type_name("RATE");
  app->add_option("--compress", options.compression, "lz4 (fast) or zstd (smaller); what gains too little travels as it is")
      ->transform(CLI::CheckedTransformer(kCompressions))
      ->type_name("HOW");
  static const std::map<std::string, int> kPriorities = [] {
    std::map<std::string, int> all;
    for (size_t i = 0; i < kPriorityNames.size(); ++i) all.emplace(kPriorityNames[i], static_cast<int>(i));
    return all;
  }();
  app->add_option("--priority", options.priority,
                  "low, normal, high, or emergency: at once, and beyond the node's limit of bandwidth; default: normal")
      ->transform(CLI::CheckedTransformer(kPriorities))
      ->type_name("HOW");
  app->add_option("--time-window", options.time_window,
                  "Only send in these hours, local time of the source: 22:00-06:00; the job is paused outside of them")
      ->type_name("HOURS");
  app->add_flag("--verify", options.verify, "Read back from the destination's target what was stored, before the cutover");
  app->add_flag("--approval", options.approval, "When all has arrived, wait for `godwit job approve` before the cutover");
  static const std::map<std::string, double> kTimes{{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}};
  app->add_option_function<double>(
         "--max-downtime",
         [&options](double milliseconds) {
           constexpr double kMost = 1e15;
           if (!(milliseconds > 0 && milliseconds <= kMost))
             throw CLI::ValidationError("--max-downtime", "must be more than nothing, as 500ms, 1.5s or 5m");
           options.max_downtime_ms = static_cast<uint64_t>(std::ceil(milliseconds));
         },
         "Writers that are stopped for longer end the job, and go on at the source: 500ms, 30s, 5m; default: no limit")
      ->transform(CLI::AsNumberWithUnit(kTimes, CLI::AsNumberWithUnit::UNIT_REQUIRED))
      ->type_name("TIME");
}

}  // namespace godwit::cli
