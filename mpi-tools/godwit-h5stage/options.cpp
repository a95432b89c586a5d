#include "godwit-h5stage/options.hpp"

#include <godwit/godwit.h>

#include <CLI/CLI.hpp>

#include "common/usage.hpp"

namespace godwit::h5stage {
namespace {

constexpr uint64_t kBufferMin = uint64_t{4} << 10, kBufferMax = uint64_t{1} << 30;  // One MPI call counts bytes in an int.
constexpr uint64_t kPartMax = uint64_t{1} << 50;

void add_nodes(CLI::App& app, const char* name, const char* help, Options& options) {
  app.add_option(name, options.nodes, std::string(help) + ": addresses, names, 'node[01-16]', in commas, or @FILE of them")
      ->required()
      ->expected(1, -1);
  app.add_option("--provider", options.provider, "of nodes that are given by their names alone")->capture_default_str();
  app.add_option("--port", options.port, "the same")->check(CLI::Range(1, 65535));
}

void add_report(CLI::App& app, Options& options) {
  app.add_option("--report", options.report_file,
                 "write what was moved, and how fast, to this file, as JSON: see godwit-report");
}

void declare_in(CLI::App& app, Options& options) {
  app.add_option("source", options.source,
                 "FILE.h5, or FILE.h5:DATASET,... for these datasets and groups alone (\\, is a comma in a name)")
      ->required();
  add_nodes(app, "--to", "the nodes that take the data", options);
  app.add_option("--target", options.target, "name of the target at each node; needed where a node has several");
  app.add_option("--name", options.stage, "the stage's name; by default the file's, without its ending");
  app.add_option("--buffer", options.buffer_bytes, "bytes that a rank reads and writes at once, one larger chunk excepted")
      ->transform(CLI::AsSizeValue(false))
      ->check(CLI::Range(kBufferMin, kBufferMax))
      ->capture_default_str();
  app.add_option("--part", options.part_bytes, "bytes of a region, at most")
      ->transform(CLI::AsSizeValue(false))
      ->check(CLI::Range(kBufferMin, kPartMax))
      ->capture_default_str();
  app.add_flag("--verify", options.verify, "read everything back from the nodes before the stage is shown");
  app.add_flag("--force", options.force,
               "replace what there is of a stage of that name, whole or not: when the new one is whole");
  add_report(app, options);
}

void declare_out(CLI::App& app, Options& options) {
  app.add_option("stage", options.stage, "the stage's name")->required();
  app.add_option("file", options.file, "the HDF5 file to make")->required();
  add_nodes(app, "--from", "the nodes that have the data", options);
  app.add_flag("--force", options.force, "replace the file if it is there");
  add_report(app, options);
}

struct Commands {
  CLI::App *in, *out, *remove, *list;
};

Commands declare(CLI::App& app, Options& options) {
  app.require_subcommand(1);
  app.footer(
      "Examples:\n"
      "  mpirun -n 4 godwit-h5stage in run7.h5 --to tcp://n1:7411,tcp://n2:7411 --target keep\n"
      "  srun godwit-h5stage in run7.h5 --to \"$SLURM_JOB_NODELIST\" --port 7411 --target keep\n"
      "  mpirun -n 4 godwit-h5stage in run7.h5:/fields/t,/mesh --to tcp://n1:7411 --name t-and-mesh\n"
      "  mpirun -n 4 godwit-h5stage out run7 restored.h5 --from tcp://n1:7411,tcp://n2:7411\n"
      "  godwit-h5stage rm run7 --from tcp://n1:7411,tcp://n2:7411\n"
      "\nThe exit code is that of the first error; 2 also for a mistake in the command line.");
  app.set_version_flag("--version", std::string("godwit-h5stage ") + godwit_version());
  const Commands commands{app.add_subcommand("in", "an HDF5 file's datasets into regions"),
                          app.add_subcommand("out", "a stage back into an HDF5 file"),
                          app.add_subcommand("rm", "erase a stage, also one that was never finished"),
                          app.add_subcommand("list", "which stages there are")};
  declare_in(*commands.in, options);
  declare_out(*commands.out, options);
  commands.remove->add_option("stage", options.stage, "the stage's name")->required();
  add_nodes(*commands.remove, "--from", "the nodes that have it", options);
  add_nodes(*commands.list, "--from", "the nodes to ask", options);
  commands.list->add_flag("--json", options.json, "a JSON array, for programs");
  return commands;
}

}  // namespace

Parsed parse_options(int argc, char** argv, bool is_speaker) {
  CLI::App app{"godwit-h5stage: HDF5 files into regions of Godwit's nodes and back, by any number of MPI ranks"};
  Options options;
  const Commands commands = declare(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return Parsed{std::nullopt, tools::tell_usage(app, error, is_speaker)};
  }
  if (commands.out->parsed()) options.verb = Verb::kOut;
  if (commands.remove->parsed()) options.verb = Verb::kRemove;
  if (commands.list->parsed()) options.verb = Verb::kList;
  return Parsed{std::move(options), 0};
}

}  // namespace godwit::h5stage
