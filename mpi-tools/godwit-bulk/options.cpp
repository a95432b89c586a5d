#include "godwit-bulk/options.hpp"

#include <godwit/godwit.h>

#include <CLI/CLI.hpp>
#include <map>

#include "common/usage.hpp"

namespace godwit::bulk {
namespace {

using Names = std::map<std::string, int>;
const Names kCompressions{
    {"none", GODWIT_COMPRESSION_NONE}, {"lz4", GODWIT_COMPRESSION_LZ4}, {"zstd", GODWIT_COMPRESSION_ZSTD}};
const Names kPriorities{{"low", GODWIT_PRIORITY_LOW},
                        {"normal", GODWIT_PRIORITY_NORMAL},
                        {"high", GODWIT_PRIORITY_HIGH},
                        {"emergency", GODWIT_PRIORITY_EMERGENCY}};
constexpr const char* kForFiles[] = {"--update", "--exclude", "--include", "--xattrs", "--skip-special", "--force"};

std::string name_of(const Names& names, int number) {
  for (const auto& [name, value] : names)
    if (value == number) return name;
  return "unknown";
}

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

// As `godwit migrate` has them.
void declare_travel(CLI::App& app, Options& options) {
  app.add_flag("--verify", options.verify, "read back from the destination's target what was stored, before each cutover");
  app.add_option("--compress", options.compression, "lz4 (fast) or zstd (smaller); what gains too little travels as it is")
      ->transform(CLI::CheckedTransformer(kCompressions))
      ->type_name("HOW");
  app.add_option("--priority", options.priority,
                 "low, normal, high, or emergency: at once, and beyond the nodes' limits of bandwidth")
      ->transform(CLI::CheckedTransformer(kPriorities))
      ->type_name("HOW");
  app.add_flag("--update", options.update, "of files: bring up to date what is there already: only what differs travels");
  app.add_option("--exclude", options.excludes,
                 "of files: leave out what matches; with a '/': the path below PATH, else the name")
      ->type_name("PATTERN")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--include", options.includes, "of files: take what matches, even if --exclude matches it too")
      ->type_name("PATTERN")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_flag("--xattrs", options.xattrs, "of files: user extended attributes and ACLs too");
  app.add_flag("--skip-special", options.skip_special, "of files: leave out devices, sockets and FIFOs instead of failing");
  app.add_flag("--force", options.force, "of files: also read those that somebody has open for writing");
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
  declare_travel(app, options);
  declare_how(app, options, raw);
}

// What one option says of another. Throws CLI::ParseError.
void check(const CLI::App& app, Options& options, const Raw& raw) {
  for (const char* name : kForFiles)
    if (options.for_files.empty() && app.count(name) != 0) options.for_files = name;
  if (!options.for_files.empty() && options.files.empty() && options.list_file.empty())
    throw CLI::RequiresError(options.for_files, "--files");
  if (raw.all) options.regions = options.databases = true;
  if (!options.regions && !options.databases && options.files.empty() && options.list_file.empty())
    throw CLI::RequiredError("--all, --regions, --databases, --files or --list");
  if (options.regions && options.target.empty()) throw CLI::RequiresError(raw.all ? "--all" : "--regions", "--target");
  if (!options.files.empty() && options.to_root.empty()) throw CLI::RequiresError("--files", "--to-root");
  if (!raw.bandwidth.empty() && godwit_rate_parse(raw.bandwidth.c_str(), &options.bandwidth) != GODWIT_OK)
    throw CLI::ValidationError("--bwlimit", godwit_last_error());
}

}  // namespace

std::string compression_name(int compression) { return name_of(kCompressions, compression); }
std::string priority_name(int priority) { return name_of(kPriorities, priority); }

godwit_fileset_options how_of_files(const Options& options, std::vector<godwit_file_rule>& rules) {
  for (const std::string& pattern : options.includes) rules.push_back({1, pattern.c_str()});  // The first that matches decides.
  for (const std::string& pattern : options.excludes) rules.push_back({0, pattern.c_str()});
  godwit_fileset_options how = GODWIT_FILESET_OPTIONS_INIT;
  how.move = !options.copy;
  how.update = options.update;
  how.force = options.force;
  how.xattrs = options.xattrs;
  how.skip_special = options.skip_special;
  how.rules = rules.data();
  how.rule_count = rules.size();
  options.give_to(how);
  return how;
}

Parsed parse_options(int argc, char** argv, bool is_speaker) {
  CLI::App app{"godwit-bulk: moves many regions, databases and files between Godwit daemons, shared out over MPI ranks"};
  Options options;
  Raw raw;
  declare(app, options, raw);
  try {
    app.parse(argc, argv);
    check(app, options, raw);
  } catch (const CLI::ParseError& error) {
    return Parsed{std::nullopt, tools::tell_usage(app, error, is_speaker)};
  }
  return Parsed{std::move(options), 0};
}

}  // namespace godwit::bulk
