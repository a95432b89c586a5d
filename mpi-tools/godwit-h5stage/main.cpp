// godwit-h5stage: HDF5 files into regions of Godwit's nodes and back, by any number of MPI ranks with parallel HDF5.
#include <fmt/format.h>
#include <hdf5.h>
#include <mpi.h>

#include <cstdio>
#include <map>
#include <sstream>

#include "common/await.hpp"
#include "common/lone_rank.hpp"
#include "common/mpi_version.hpp"
#include "common/node_list.hpp"
#include "common/refused.hpp"
#include "common/tool_report.hpp"
#include "godwit-h5stage/failure.hpp"
#include "godwit-h5stage/hid.hpp"
#include "godwit-h5stage/nodes.hpp"
#include "godwit-h5stage/options.hpp"
#include "godwit-h5stage/stage_in.hpp"
#include "godwit-h5stage/stage_out.hpp"
#include "godwit-h5stage/team.hpp"

namespace {

using namespace godwit::h5stage;
using nlohmann::json;

constexpr double kMib = 1 << 20;

std::string hdf5_version() {
  unsigned major = 0, minor = 0, release = 0;
  H5get_libversion(&major, &minor, &release);
  return fmt::format("{}.{}.{}", major, minor, release);
}

json report_of(const Options& options, const Result& result, size_t ranks, int argc, char** argv) {
  const bool is_in = options.verb == Verb::kIn;
  json report = godwit::tools::begin_report("godwit-h5stage", argc, argv);
  const std::string address = options.nodes.front();
  report["provider"] = address.substr(0, address.find(':'));
  report["libraries"] = godwit::tools::libraries_at(address);
  report["libraries"].update({{"mpi", godwit::tools::mpi_version()}, {"hdf5", hdf5_version()}});
  report["settings"] = {{"ranks", ranks}, {"nodes", options.nodes}, {"verify", options.verify}};
  if (is_in) report["settings"].update({{"buffer_bytes", options.buffer_bytes}, {"part_bytes", options.part_bytes}});
  report["stage"] = {{"name", result.stage},        {"file", result.file},
                     {"bytes", result.bytes},       {"skeleton_bytes", result.skeleton_bytes},
                     {"datasets", result.datasets}, {"regions", result.regions},
                     {"pieces", result.pieces}};
  report["measurements"] = json::array({{{"question", "h5stage"},
                                         {"what", is_in ? "in" : "out"},
                                         {"unit", "s"},
                                         {"size_bytes", result.bytes},
                                         {"count", 1},
                                         {"parameters", {{"ranks", ranks}}},
                                         {"samples", {result.seconds}},
                                         {"compared_with", nullptr},
                                         {"details", json::object()}}});
  return report;
}

void tell(const Options& options, const Result& result) {
  const double mib = static_cast<double>(result.bytes) / kMib;
  fmt::print("stage '{}': {} datasets with {:.1f} MiB {} {} regions {} {}, {:.2f} s, {:.0f} MiB/s\n", result.stage,
             result.datasets, mib, options.verb == Verb::kIn ? "in" : "from", result.regions,
             options.verb == Verb::kIn ? "from" : "in", result.file, result.seconds, mib / result.seconds);
}

int remove_stage(const Options& options) {
  const Nodes nodes(options.nodes);
  const std::vector<Held> held = nodes.held(options.stage);
  if (held.empty()) throw Failure(GODWIT_ERR_NOT_FOUND, fmt::format("there is no stage '{}' at these nodes", options.stage));
  erase_stage(nodes, held);
  fmt::print("stage '{}': {} regions erased\n", options.stage, held.size());
  return 0;
}

int list_stages(const Options& options) {
  struct Sum {
    size_t regions = 0;
    uint64_t bytes = 0;
    bool is_whole = false;
  };
  std::map<std::string, Sum> stages;
  for (const Held& one : Nodes(options.nodes).held()) {
    Sum& sum = stages[one.of.stage];
    ++sum.regions;
    sum.bytes += one.info.size_bytes;
    sum.is_whole = sum.is_whole || one.of.is_head || one.of.is_next_head;
  }
  json list = json::array();
  for (const auto& [name, sum] : stages) {
    list.push_back({{"name", name}, {"regions", sum.regions}, {"bytes", sum.bytes}, {"is_finished", sum.is_whole}});
    if (!options.json)
      fmt::print("{}  {} regions, {} bytes{}\n", name, sum.regions, sum.bytes, sum.is_whole ? "" : ", unfinished");
  }
  if (options.json) fmt::print("{}\n", list.dump(1, ' ', false, json::error_handler_t::replace));
  return 0;
}

// Once, at rank 0: a file of names need not be at every node.
std::vector<std::string> addresses_in(const Options& options, const Team& team) {
  std::string lines;
  team.at_first([&] {
    try {
      for (const std::string& address : godwit::tools::addresses_of(options.nodes, options.provider, options.port))
        lines += address + '\n';
    } catch (const godwit::tools::Refused& refused) {
      throw Failure(refused.error(), refused.what());
    }
  });
  std::istringstream told(team.told(lines));
  std::vector<std::string> addresses;
  for (std::string address; std::getline(told, address);) addresses.push_back(address);
  return addresses;
}

int perform(const Options& options, const Team& team, int argc, char** argv) {
  if (options.verb == Verb::kRemove || options.verb == Verb::kList) {
    team.at_first([&] { options.verb == Verb::kRemove ? remove_stage(options) : list_stages(options); });
    return 0;
  }
  const Result result = options.verb == Verb::kIn ? stage_in(options, team) : stage_out(options, team);
  team.at_first([&] {
    tell(options, result);
    if (!options.report_file.empty())
      godwit::tools::write_report(report_of(options, result, team.size(), argc, argv), options.report_file);
  });
  return 0;
}

int run(int argc, char** argv) {
  const Team team;
  const Parsed parsed = parse_options(argc, argv, team.is_first());
  if (!parsed.options) return parsed.exit_code;
  if (const std::string mistake = godwit::tools::lone_rank_mistake(); !mistake.empty()) {
    fmt::print(stderr, "godwit-h5stage: {}\n", mistake);
    return godwit_error_exit_code(GODWIT_ERR_INVALID);
  }
  try {
    Options options = *parsed.options;
    options.nodes = addresses_in(options, team);
    return perform(options, team, argc, argv);
  } catch (const Failure& failure) {  // At all ranks.
    if (team.is_first())
      fmt::print(stderr, "godwit-h5stage: {}\n  what to do: {}\n", failure.what(), godwit_error_remedy(failure.error()));
    return godwit_error_exit_code(failure.error());
  }
}

}  // namespace

int main(int argc, char** argv) {
  int provided = 0;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
  keep_hdf5_quiet();
  int code = 1;
  try {
    code = run(argc, argv);
  } catch (const std::exception& error) {
    end_all(GODWIT_ERR_INTERNAL, error.what());
  }
  std::fflush(stdout);
  godwit::tools::quiet_barrier();  // Rank 0 has said everything before a launcher sees an exit code.
  MPI_Finalize();
  return code;
}
