#include "godwit-bulk/options.hpp"

#include <godwit/godwit.h>

#include <CLI/CLI.hpp>

#include "common/usage.hpp"

namespace godwit::bulk {
namespace {

// What is not an option's value as it stands.
struct Raw {
  bool all = false;
  std::string bandwidth;
};

void declare_what(CLI::App& app, Options& options, Raw& raw) {
  app.add_flag("--all", raw.all, "every region and every database of the sources");
  app.add_flag("--regions", options.regions, "every region of the sources");
  app.add_flag("--databases", options.databases, "every database of the sources");
  app.add_option("--files", options.files, "files and directory trees of the sources; needs --to-root");
  app.add_option("--list", options.list_file,
                 "the objects named in this file, one a line: region NAME, database NAME or files PATH (an id or a name alone: "
                 "a region), # comments")
      ->excludes("--all")
      ->excludes("--regions")
      ->excludes("--databases")
      ->excludes("--files");
  app.add_option("--target", options.target, "name of the target at each destination; regions need it");
  app.add_option("--from-target", options.from_target, "only regions of this target of the sources");
  app.add_option("--to-root", options.to_root,
                 "directory at each destination that files go to; %n in it becomes the source's name, as in /scratch/%n");
  app.add_flag("--copy", options.copy, "keep regions and files at the sources; copies of regions get new ids");
}

void declare_how(CLI::App& app, Options& options, Raw& raw) {
  app.add_option("--in-flight", options.in_flight, "calls that each rank keeps going")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_option("--per-node", options.per_node, "calls at once of one source, and of one destination")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  app.add_option("--batch", options.batch, "small objects moved by one call, at most")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  app.add_option("--retries", options.retries, "how often an object that a destination did not take is sent to another one")
      ->check(CLI::Range(0, 100))
      ->capture_default_str();
  app.add_option("--bwlimit", raw.bandwidth, "what the whole run may send, as in 2GiB/s or 500mbps");
  app.add_option("--stall-timeout", options.stall_seconds,
                 "seconds without progress after which a call is taken back, and what did not arrive is sent elsewhere")
      ->check(CLI::Range(1, 86400))
      ->capture_default_str();
  app.add_option("--report", options.report_file,
                 "write a JSON report to this file; FILE.items tells of each object, as it goes");
  app.add_option("--resume", options.resume_file, "do what this report does not list as arrived");
  app.add_flag("--plan,--dry-run", options.dry_run, "say what would go where, and end");
  app.add_flag("--quiet", options.quiet, "print failures only");
  app.set_version_flag("--version", std::string("godwit-bulk ") + godwit_version());
}

void declare(CLI::App& app, Options& options, Raw& raw) {
  app.footer(
      "Examples:\n"
      "  mpirun -n 4 godwit-bulk --from tcp://node1:7411 --to tcp://node2:7411,tcp://node3:7411 --target keep --all\n"
      "  srun godwit-bulk --from 'node[01-16]' --to @destinations --port 7411 --target keep --regions --plan\n"
      "  mpirun -n 8 godwit-bulk --from 'n[1-4]' --to 'n[5-8]' --port 7411 --target keep --all --bwlimit 2GiB/s --report "
      "drain.json\n"
      "  mpirun -n 8 godwit-bulk --from 'n[1-4]' --to 'n[5-8]' --port 7411 --target keep --all --resume drain.json\n"
      "\nExit codes: 0 everything arrived; 15 some did not; if nothing did, the first error's; 2 a mistake in the command "
      "line.");
  const char* nodes = "addresses or names, in commas or as node[01-16], or @FILE with such a list; may be repeated";
  app.add_option("--from", options.from, std::string("the nodes that have the objects: ") + nodes)
      ->required()
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--to", options.to, std::string("the destinations: ") + nodes)
      ->required()
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--provider", options.provider, "of nodes that are given by their names alone")->capture_default_str();
  app.add_option("--port", options.port, "the same")->check(CLI::Range(1, 65535));
  declare_what(app, options, raw);
  declare_how(app, options, raw);
}

// What one option says of another. Throws CLI::ParseError.
void check(Options& options, const Raw& raw) {
  if (raw.all) options.regions = options.databases = true;
  if (!options.regions && !options.databases && options.files.empty() && options.list_file.empty())
    throw CLI::RequiredError("--all, --regions, --databases, --files or --list");
  if (options.regions && options.target.empty()) throw CLI::RequiresError(raw.all ? "--all" : "--regions", "--target");
  if (!options.files.empty() && options.to_root.empty()) throw CLI::RequiresError("--files", "--to-root");
  if (!raw.bandwidth.empty() && godwit_rate_parse(raw.bandwidth.c_str(), &options.bandwidth) != GODWIT_OK)
    throw CLI::ValidationError("--bwlimit", godwit_last_error());
}

}  // namespace

Parsed parse_options(int argc, char** argv, bool is_speaker) {
  CLI::App app{"godwit-bulk: moves many regions, databases and files between Godwit daemons, shared out over MPI ranks"};
  Options options;
  Raw raw;
  declare(app, options, raw);
  try {
    app.parse(argc, argv);
    check(options, raw);
  } catch (const CLI::ParseError& error) {
    return Parsed{std::nullopt, tools::tell_usage(app, error, is_speaker)};
  }
  return Parsed{std::move(options), 0};
}

}  // namespace godwit::bulk
