// `godwit migrate db`: moves a database to another node while it serves.
#include <fmt/format.h>

#include <memory>

#include "job_wait.hpp"
#include "json.hpp"
#include "session.hpp"
#include "text.hpp"
#include "transfer_options.hpp"

namespace godwit::cli {
namespace {

struct DatabaseMove {
  std::string name;
  std::string from;  // Empty: the session's node.
  std::string to;
  std::string new_root;
  std::string extra_config;
  TransferOptions transfer;
  bool run_async = false;
};

int migrate_database(Session& session, DatabaseMove move) {
  if (move.from.empty()) move.from = session.address();
  godwit_database* opened = nullptr;
  check(godwit_database_open(session.client_that_stays(), move.from.c_str(), move.name.c_str(), &opened));
  const Database database(opened);
  godwit_database_migrate_options how = GODWIT_DATABASE_MIGRATE_OPTIONS_INIT;
  how.new_root = move.new_root.empty() ? nullptr : move.new_root.c_str();
  how.extra_config = move.extra_config.empty() ? nullptr : move.extra_config.c_str();
  how.xfer_size = move.transfer.block_bytes;
  move.transfer.give_to(how);
  godwit_migration* started = nullptr;
  check(godwit_database_migrate_start(database.get(), move.to.c_str(), &how, &started));
  const Migration migration(started);
  char id[33];
  check(godwit_migration_get_id(migration.get(), id));
  if (!move.run_async) {
    if (!session.quiet) fmt::print(stderr, "job {} (it goes on if this command ends)\n", id);
    return wait_and_report(session, migration.get(), {"database", "databases", {move.name}});
  }
  if (session.json) {
    print_json({{"job", id}, {"source", move.from}});
  } else {
    print(std::string(id) + "\n");
  }
  return 0;
}

}  // namespace

void add_migrate_database_command(Menu& menu, CLI::App* group) {
  Session& session = menu.session();
  CLI::App* app = menu.command(group, "db", "Move a database to another node while it serves",
                               "godwit migrate db jobs --from tcp://n1:7411 --to tcp://n2:7411");
  const auto move = std::make_shared<DatabaseMove>();
  app->add_option("DATABASE", move->name, "Id or name")->required();
  app->add_option("--from", move->from, "The node where it is; default: --node")->type_name("ADDR");
  app->add_option("--to", move->to, "The node where it goes")->required()->type_name("ADDR");
  app->add_option("--new-root", move->new_root, "Directory there in which its own is made; default: that node's database_root")
      ->type_name("PATH");
  app->add_option("--extra-config", move->extra_config, "Options there in the place of those here")->type_name("JSON");
  add_transfer_options(app, move->transfer, "--xfer-size");
  app->add_flag("--async", move->run_async, "Print the job's id and do not wait");
  menu.on_run(app, [&session, move] { return migrate_database(session, *move); });
}

}  // namespace godwit::cli
