// godwit: the command line of Godwit. Uses the public header alone.
#include <CLI/CLI.hpp>
#include <csignal>
#include <exception>
#include <string>

#include "json.hpp"
#include "session.hpp"

namespace {

constexpr int kUsageExitCode = 2;
constexpr const char* kFooter =
    "Examples:\n"
    "  export GODWIT_NODE=tcp://n1:7411\n"
    "  godwit target ls\n"
    "  godwit region import mesh.dat --target fast --name mesh\n"
    "  godwit migrate region mesh --to tcp://n2:7411 --target keep\n"
    "\n"
    "Exit codes: 0 done; 1 defect; 2 usage; 3 not found; 4 exists; 5 no space; others: `godwit errors`.";

}  // namespace

int main(int argc, char** argv) {
  using namespace godwit::cli;
  // Libraries below libfabric (libinfinipath) catch these when they are loaded, and call exit() from the handler: a command
  // that is interrupted then waits for a lock that it holds itself.
  for (const int number : {SIGINT, SIGTERM}) std::signal(number, SIG_DFL);
  std::signal(SIGPIPE, SIG_IGN);  // A reader that went away is an error with a text and an exit code.
  CLI::App app{"godwit: holds memory regions and databases on the nodes of a cluster, and moves them between nodes", "godwit"};
  app.footer(kFooter);
  app.set_version_flag("--version", std::string("godwit ") + godwit_version());
  app.require_subcommand(1);
  Session session;
  add_common_options(app, session);
  Menu menu(app, session);
  add_target_commands(menu);
  add_region_commands(menu);
  add_database_commands(menu);
  add_migrate_commands(menu);
  add_plan_commands(menu);
  add_job_commands(menu);
  add_node_commands(menu);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsageExitCode;
  }
  try {
    return session.run(menu.chosen());
  } catch (const std::exception& error) {
    print_failure(GODWIT_ERR_INTERNAL, error.what(), session.json);
    return godwit_error_exit_code(GODWIT_ERR_INTERNAL);
  }
}
