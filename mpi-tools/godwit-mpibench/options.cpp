#include "godwit-mpibench/options.hpp"

#include <godwit/godwit.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "common/usage.hpp"

namespace godwit::mpibench {
namespace {

constexpr uint64_t kBytesMax = uint64_t{1} << 30;  // One MPI call counts bytes in an int.

void declare(CLI::App& app, Options& options) {
  const auto sizes = [&app](const char* name, std::vector<uint64_t>& into, const char* help) {
    app.add_option(name, into, help)
        ->delimiter(',')
        ->transform(CLI::AsSizeValue(false))
        ->check(CLI::Range(uint64_t{1}, kBytesMax))
        ->capture_default_str();
  };
  const auto one_of = [&app](const char* name, std::vector<std::string>& into, const char* help,
                             const std::vector<std::string>& names) {
    app.add_option(name, into, help)->delimiter(',')->check(CLI::IsMember(names))->capture_default_str();
  };
  app.footer(
      "Example:\n  mpirun -n 4 godwit-mpibench --kinds dram --report mpibench.json\n"
      "  mpirun -n 16 --map-by node sh -c 'exec godwit-mpibench --daemon tcp://n1:7411,tcp://n2:7411 --host $(hostname -i)'\n"
      "\nPairs are ranks 0 and 1, 2 and 3, ...; the first of a pair operates on the second's memory. Without --daemon two\n"
      "daemons are started beside rank 0. The raw loop runs between two processes beside each first rank.");
  app.add_option("--daemon", options.daemons,
                 "addresses of running daemons; regions go round them, and migrations to the next one")
      ->delimiter(',');
  app.add_option("--provider", options.provider, "libfabric provider of the raw loop and of our own daemons")
      ->capture_default_str();
  app.add_option("--host", options.host, "local address of both")->capture_default_str();
  one_of("--kinds", options.kinds, "kinds of target", {"dram", "pmem", "file"});
  one_of("--only", options.only, "questions", {"latency", "rate", "bandwidth", "weak", "strong"});
  sizes("--sizes", options.sizes_bytes, "sizes of bandwidth");
  sizes("--latency-sizes", options.latency_sizes_bytes, "sizes of latency");
  app.add_option("--repeat", options.repeat, "samples of each case")->check(CLI::Range(1, 1000))->capture_default_str();
  app.add_option("--operations", options.operations, "small operations in a sample")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  app.add_option("--total", options.total_bytes,
                 "bytes in a sample of bandwidth; of weak scaling: of each pair; of strong: of all")
      ->transform(CLI::AsSizeValue(false))
      ->check(CLI::Range(uint64_t{1}, kBytesMax))
      ->capture_default_str();
  app.add_option("--scaling-size", options.scaling_bytes, "size of an operation of weak and strong scaling")
      ->transform(CLI::AsSizeValue(false))
      ->check(CLI::Range(uint64_t{1}, kBytesMax))
      ->capture_default_str();
  app.add_option("--report", options.report_file, "write what was measured to this file, as JSON: see godwit-report");
  app.set_version_flag("--version", std::string("godwit-mpibench ") + godwit_version());
}

}  // namespace

bool Options::asks_for(const std::string& question) const { return std::ranges::find(only, question) != only.end(); }

Parsed parse_options(int argc, char** argv, bool is_speaker) {
  CLI::App app{"godwit-mpibench: Godwit beside MPI and the raw fabric, between pairs of ranks"};
  Options options;
  for (uint64_t size = 4 << 10; size <= 64 << 20; size *= 4) options.sizes_bytes.push_back(size);
  options.latency_sizes_bytes = {8, 512, 4096};
  declare(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return Parsed{std::nullopt, tools::tell_usage(app, error, is_speaker)};
  }
  return Parsed{std::move(options), 0};
}

}  // namespace godwit::mpibench
