#include "godwit-bulk/options.hpp"

#include <godwit/godwit.h>

#include <CLI/CLI.hpp>
#include <sstream>

namespace godwit::bulk {
namespace {

constexpr int kUsage = 2;

void declare(CLI::App& app, Options& options) {
  app.footer(
      "Example:\n  mpirun -n 4 godwit-bulk --from tcp://node1:7411 --to tcp://node2:7411,tcp://node3:7411 --target keep --all\n"
      "\nExit codes: 0 every region arrived; 15 some did not; if none did, the first error's; 2 a mistake in the command "
      "line.");
  app.add_option("--from", options.from, "address of the node that has the regions")->required();
  app.add_option("--to", options.to, "address of the destination; several are separated by commas")->required()->delimiter(',');
  app.add_option("--target", options.target, "name of the target at each destination")->required();
  app.add_option("--from-target", options.from_target, "only regions of this target of the source");
  auto* all = app.add_flag("--all", options.all, "every region of the source");
  auto* list =
      app.add_option("--list", options.list_file, "the regions named in this file: an id or a name a line, # comments");
  all->excludes(list);
  app.add_flag("--copy", options.copy, "keep the source's regions; the copies get new ids");
  app.add_option("--in-flight", options.in_flight, "migrations that each rank keeps going")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_option("--batch", options.batch, "small regions moved by one call, at most")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  app.add_option("--stall-timeout", options.stall_seconds,
                 "seconds without progress after which a rank gives up what it waits for")
      ->check(CLI::Range(1, 86400))
      ->capture_default_str();
  app.add_option("--report", options.report_file, "write a JSON report to this file");
  app.add_flag("--dry-run", options.dry_run, "say what would go where, and end");
  app.add_flag("--quiet", options.quiet, "print failures only");
  app.set_version_flag("--version", std::string("godwit-bulk ") + godwit_version());
}

}  // namespace

Parsed parse_options(int argc, char** argv, bool is_speaker) {
  CLI::App app{"godwit-bulk: moves many regions between Godwit daemons, shared out over MPI ranks"};
  Options options;
  declare(app, options);
  try {
    app.parse(argc, argv);
    if (!options.all && options.list_file.empty()) throw CLI::RequiredError("--all or --list");
  } catch (const CLI::ParseError& error) {
    std::ostringstream text;
    const int code = app.exit(error, text, text) == 0 ? 0 : kUsage;
    if (is_speaker) std::fputs(text.str().c_str(), code == 0 ? stdout : stderr);
    return Parsed{std::nullopt, code};
  }
  return Parsed{std::move(options), 0};
}

}  // namespace godwit::bulk
