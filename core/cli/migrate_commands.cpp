// `godwit migrate region`: moves regions, or copies them, to another node or target.
#include <fmt/format.h>

#include <memory>

#include "job_wait.hpp"
#include "json.hpp"
#include "migrate_plan.hpp"
#include "session.hpp"
#include "text.hpp"

namespace godwit::cli {
namespace {

Migration start(Session& session, const MigrateOptions& options, const std::vector<godwit_region_info>& regions) {
  godwit_migrate_options how = GODWIT_MIGRATE_OPTIONS_INIT;
  how.copy = options.copy ? 1 : 0;
  how.block_bytes = options.transfer.block_bytes;
  options.transfer.give_to(how);
  how.name = options.name.empty() ? nullptr : options.name.c_str();
  std::vector<godwit_region_id> ids;
  ids.reserve(regions.size());
  for (const godwit_region_info& region : regions) ids.push_back(region.id);
  godwit_migration* started = nullptr;
  check(godwit_migrate_start(session.client(), options.from.c_str(), ids.data(), ids.size(), options.to.c_str(),
                             options.target.c_str(), &how, &started));
  return Migration(started);
}

int migrate(Session& session, MigrateOptions options) {
  if (options.from.empty()) options.from = session.address();
  if (options.to.empty()) options.to = options.from;
  const std::vector<godwit_region_info> regions = chosen_regions(session, options);
  if (!options.name.empty() && regions.size() != 1)
    throw Failure(GODWIT_ERR_INVALID, fmt::format("--name is for one region, not for {}", regions.size()));
  if (options.dry_run) return print_plan(session, options, regions);
  if (regions.empty()) {
    if (session.json) {
      print_json({{"job", nullptr},
                  {"error", nullptr},
                  {"regions", 0},
                  {"regions_arrived", 0},
                  {"bytes", 0},
                  {"results", Json::array()},
                  {"report", nullptr}});
    } else {
      print("there are no regions to migrate\n");
    }
    return 0;
  }
  const Migration migration = start(session, options, regions);
  char id[33];
  check(godwit_migration_get_id(migration.get(), id));
  if (!options.run_async) {
    if (!session.quiet) fmt::print(stderr, "job {} (it goes on if this command ends)\n", id);
    return wait_and_report(session, migration.get());
  }
  if (session.json) {
    print_json({{"job", id}, {"source", options.from}});
  } else {
    print(std::string(id) + "\n");
  }
  return 0;
}

void add_region_options(CLI::App* app, MigrateOptions& options) {
  app->add_option("REGION", options.regions, "Ids or names");
  app->add_flag("--all", options.all, "Every region of the node");
  app->add_option("--from-target", options.from_target, "Every region on this target")->type_name("NAME");
  app->add_option("--from", options.from, "The node where they are; default: --node")->type_name("ADDR");
  app->add_option("--to", options.to, "The node where they go; default: the same, another target")->type_name("ADDR");
  app->add_option("--target", options.target, "The target there")->required()->type_name("NAME");
  app->add_flag("--copy", options.copy, "Keep the source; copies get new ids. Default: move");
  app->add_option("--name", options.name, "For one region: its name there; default: it keeps its name")->type_name("NAME");
  add_transfer_options(app, options.transfer, "--block-size");
  app->add_flag("--dry-run", options.dry_run, "Only say what would go, and whether it fits");
  app->add_flag("--async", options.run_async, "Print the job's id and do not wait");
}

}  // namespace

void add_migrate_commands(Menu& menu) {
  Session& session = menu.session();
  const std::string example = "godwit migrate region field --from tcp://n1:7411 --to tcp://n2:7411 --target keep";
  CLI::App* group = menu.group("migrate", "Move or copy objects to another node or target", example);
  CLI::App* app =
      menu.command(group, "region", "Move regions (or copy them) to another node or target",
                   example + "\n  godwit migrate region --all --from tcp://n1:7411 --to tcp://n2:7411 --target keep --dry-run");
  const auto options = std::make_shared<MigrateOptions>();
  add_region_options(app, *options);
  menu.on_run(app, [&session, options] { return migrate(session, *options); });
  add_migrate_files_command(menu, group);
  add_migrate_database_command(menu, group);
}

}  // namespace godwit::cli
