// godwit-mpibench: Godwit's put, get and migrate beside MPI_Put, MPI_Send and the raw fabric, between pairs of ranks.
//
// Rank 0 starts the daemons if none are given, and tells all ranks where they are; then every case is measured by the ranks
// that it needs, while the others sleep. Any rank that fails ends the run: the others could not go on without it.
#include <fmt/format.h>
#include <mpi.h>

#include <cstdio>
#include <cstdlib>
#include <godwit/godwit.hpp>

#include "common/await.hpp"
#include "common/daemons.hpp"
#include "common/machine.hpp"
#include "common/mpi_version.hpp"
#include "common/tool_report.hpp"
#include "godwit-mpibench/measure.hpp"
#include "godwit-mpibench/options.hpp"
#include "godwit-mpibench/raw_child.hpp"
#include "godwit-mpibench/results.hpp"

namespace {

using namespace godwit::mpibench;

constexpr int kUsage = 2, kFailed = 1;

[[noreturn]] void give_up(const std::string& what, int code) {
  fmt::print(stderr, "godwit-mpibench: {}\n", what);
  std::fflush(stdout);
  MPI_Abort(MPI_COMM_WORLD, code);
  std::abort();
}

bool are_on_one_host(int ranks) {
  MPI_Comm host;
  MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &host);
  int here = 0;
  MPI_Comm_size(host, &here);
  MPI_Comm_free(&host);
  int least = 0;
  MPI_Allreduce(&here, &least, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD);
  return least == ranks;
}

// What rank 0 has.
std::string told(std::string text) {
  auto length = static_cast<int>(text.size());
  godwit::tools::quiet_bcast(&length, 1, MPI_INT, 0);
  text.resize(static_cast<size_t>(length));
  godwit::tools::quiet_bcast(text.data(), length, MPI_BYTE, 0);
  return text;
}

nlohmann::json settings_of(const Options& options, int ranks) {
  return {{"ranks", ranks},
          {"daemons", options.daemons},
          {"kinds", options.kinds},
          {"repeat", options.repeat},
          {"operations", options.operations},
          {"total_bytes", options.total_bytes},
          {"scaling_bytes", options.scaling_bytes},
          {"sizes_bytes", options.sizes_bytes},
          {"latency_sizes_bytes", options.latency_sizes_bytes}};
}

uint64_t largest_of(const std::vector<Case>& cases) {
  uint64_t most = 1;
  for (const Case& one : cases) most = std::max(most, one.load.size_bytes);
  return most;
}

// Rank 0's lines, for people and for the report.
void say(nlohmann::json& report, const std::string& line) {
  fmt::print("{}\n", line);
  report["notes"].push_back(line);
}

nlohmann::json begin_report(const Options& options, const std::vector<std::string>& daemons, int ranks, int argc, char** argv) {
  nlohmann::json report = godwit::tools::begin_report("godwit-mpibench", argc, argv);
  report["provider"] = options.provider;
  report["libraries"] = {{"libfabric", libfabric_version()}, {"mpi", godwit::tools::mpi_version()}};
  report["settings"] = settings_of(options, ranks);
  report["measurements"] = nlohmann::json::array();
  say(report,
      fmt::format("machine: {}; Godwit {}; {}; libfabric {}; provider {}{}", godwit::tools::machine_line(report["machine"]),
                  godwit_version(), godwit::tools::mpi_version(), report["libraries"]["libfabric"].get<std::string>(),
                  options.provider, options.provider == "verbs" ? "" : " (not RDMA)"));
  say(report, fmt::format("daemons: {}{}", fmt::join(daemons, ", "),
                          options.daemons.empty() ? " (our own, default settings, dram touched beforehand)" : ""));
  say(report,
      fmt::format("{} ranks as {} pairs on {} processors; ranks without work sleep; every way once, then every way again; "
                  "median of {} samples, of latency of every operation",
                  ranks, ranks / 2, report["machine"]["cores"].get<unsigned>(), options.repeat));
  say(report,
      "godwit put and get: one call at a time; migrate: all regions of a sample in one call; MPI_Put: a flush at the end "
      "(latency: "
      "each); MPI_Send: one way, answered at the end (latency: half of there and back); raw: between two processes of one "
      "host, "
      "1 MiB blocks, 8 in flight (latency: 1)");
  return report;
}

// Daemons of our own; nothing where others are given.
std::unique_ptr<godwit::tools::Daemons> start_daemons(const Options& options, uint64_t capacity_bytes) {
  if (!options.daemons.empty()) return nullptr;
  godwit::tools::DaemonSettings settings;
  settings.provider = options.provider;
  settings.host = options.host;
  settings.capacity_bytes = capacity_bytes;
  settings.everywhere = true;
  return std::make_unique<godwit::tools::Daemons>(settings);
}

int run(int argc, char** argv) {
  int rank = 0, ranks = 1;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  const Parsed parsed = parse_options(argc, argv, rank == 0);
  if (!parsed.options) return parsed.exit_code;
  const Options& options = *parsed.options;
  const auto refuse = [rank](const char* why) {
    if (rank == 0) fmt::print(stderr, "godwit-mpibench: {}\n", why);
    return kUsage;
  };
  if (ranks < 2) return refuse("takes two ranks at least: mpirun -n 2 godwit-mpibench ...");
  if (options.daemons.empty() && !are_on_one_host(ranks))
    return refuse("the ranks are on several hosts: start daemons there, and name them with --daemon");

  const std::vector<Case> cases = plan_cases(options, ranks / 2);
  std::vector<std::string> daemons = options.daemons;
  std::unique_ptr<godwit::tools::Daemons> own;
  if (daemons.empty()) {
    if (rank == 0) own = start_daemons(options, capacity_bytes(cases));
    for (const int which : {0, 1}) daemons.push_back(told(own ? own->address(which) : ""));
  }
  nlohmann::json report;
  if (rank == 0) {
    report = begin_report(options, daemons, ranks, argc, argv);
    print_head();
  }
  Ways ways;
  add_godwit_ways(options, daemons, rank / 2, ways);
  add_mpi_ways(largest_of(cases), ways);
  add_raw_ways(options, ways);
  for (const Case& one : cases) {
    const std::vector<Result> results = measure(one, ways, options.repeat);
    if (rank != 0) continue;
    print_case(results);
    append_case(results, options.provider, report["measurements"]);
  }
  if (rank == 0 && !options.report_file.empty()) godwit::tools::write_report(report, options.report_file);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  godwit::tools::clean_up_on_signals();
  int provided = 0;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
  int code = kFailed;
  try {
    code = run(argc, argv);
  } catch (const godwit::Error& error) {
    give_up(fmt::format("{}\n  what to do: {}", error.what(), error.remedy()), godwit_error_exit_code(error.code()));
  } catch (const std::exception& error) {
    give_up(error.what(), kFailed);
  }
  godwit::tools::quiet_barrier();
  MPI_Finalize();
  return code;
}
