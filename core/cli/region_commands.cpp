// `godwit region create|ls|stat|rm`: regions as a whole.
#include <fmt/format.h>

#include <memory>

#include "chmod.hpp"
#include "each.hpp"
#include "json.hpp"
#include "session.hpp"
#include "text.hpp"

namespace godwit::cli {
namespace {

void print_region(const Session& session, godwit_region* region) {
  godwit_region_info info{};
  check(godwit_region_stat(region, &info));
  if (session.json) return print_json(to_json(info));
  Table table({"ID", to_text(info.id)});
  table.add({"name", info.name});
  table.add({"size", fmt::format("{} ({} bytes)", format_size(static_cast<double>(info.size_bytes)), info.size_bytes)});
  table.add({"target", info.target});
  table.add({"node", info.address});
  table.add({"epoch", fmt::format("{}", info.epoch)});
  add_owner(table, info);
  print(table.text());
}

struct CreateOptions {
  std::string name;
  std::string target;
  uint64_t size_bytes = 0;
};

int create(Session& session, const CreateOptions& options) {
  const Target target = session.open_target(options.target);
  godwit_region* created = nullptr;
  check(
      godwit_region_create(target.get(), options.name.empty() ? nullptr : options.name.c_str(), options.size_bytes, &created));
  const Region region(created);
  if (session.json) {
    print_region(session, region.get());
    return 0;
  }
  godwit_region_id id{};
  check(godwit_region_get_id(region.get(), &id));
  print(to_text(id) + "\n");
  return 0;
}

int list(Session& session, const std::string& target) {
  Array<godwit_region_info> infos;
  check(godwit_region_list(session.client(), session.address().c_str(), target.empty() ? nullptr : target.c_str(), infos.out(),
                           infos.out_count()));
  if (session.json) {
    Json list = Json::array();
    for (const auto& info : infos.items()) list.push_back(to_json(info));
    print_json(list);
    return 0;
  }
  Table table({"ID", "SIZE", "TARGET", "EPOCH", "NAME"});
  for (const auto& info : infos.items()) {
    table.add({to_text(info.id), format_size(static_cast<double>(info.size_bytes)), info.target, fmt::format("{}", info.epoch),
               info.name});
  }
  print(table.text());
  return 0;
}

struct RemoveOptions {
  std::vector<std::string> regions;
  bool dry_run = false;
};

// Erases one region, or says what would be erased.
Json remove_one(Session& session, const std::string& id_or_name, bool dry_run) {
  const Region region = session.open_region(id_or_name);
  godwit_region_info info{};
  check(godwit_region_stat(region.get(), &info));
  if (!dry_run) check(godwit_region_erase(region.get()));
  Json json = to_json(info);
  json["erased"] = !dry_run;
  if (!session.json) {
    print(fmt::format("{} {} {} ({}) on {}\n", dry_run ? "would erase" : "erased", to_text(info.id), printable(info.name),
                      format_size(static_cast<double>(info.size_bytes)), printable(info.address)));
  }
  return json;
}

int remove(Session& session, const RemoveOptions& options) {
  return for_each_object(session, options.regions,
                         [&](const std::string& region) { return remove_one(session, region, options.dry_run); });
}

int change_mode(Session& session, const ChangeModeOptions& options) {
  return change_modes(session, options, [&](const std::string& region, uint32_t mode) {
    const Region opened = session.open_region(region);
    check(godwit_region_chmod(opened.get(), mode));
    godwit_region_info info{};
    check(godwit_region_stat(opened.get(), &info));
    return to_json(info);
  });
}

void add_create(Menu& menu, CLI::App* group) {
  Session& session = menu.session();
  CLI::App* app = menu.command(group, "create", "Make a region of zero bytes and print its id",
                               "godwit region create field --target fast --size 1GiB");
  const auto options = std::make_shared<CreateOptions>();
  app->add_option("NAME", options->name, "Its name, unique on its node; may be left out");
  app->add_option("--target", options->target, "The target that holds it")->required()->type_name("NAME");
  add_size_option(app, "--size", options->size_bytes, "Its size, for ever")->required();
  menu.on_run(app, [&session, options] { return create(session, *options); });
}

void add_remove(Menu& menu, CLI::App* group) {
  Session& session = menu.session();
  CLI::App* app = menu.command(group, "rm", "Erase regions, with their bytes",
                               "godwit region rm --dry-run field old-field\n  godwit region rm field old-field");
  const auto options = std::make_shared<RemoveOptions>();
  app->add_option("REGION", options->regions, "Ids or names")->required();
  app->add_flag("--dry-run", options->dry_run, "Only say what would be erased");
  menu.on_run(app, [&session, options] { return remove(session, *options); });
}

}  // namespace

void add_region_commands(Menu& menu) {
  Session& session = menu.session();
  CLI::App* group = menu.group("region", "Runs of bytes on a target: make, fill, read, list, erase",
                               "godwit region import mesh.dat --target fast --node tcp://n1:7411");
  add_create(menu, group);
  add_region_io_commands(menu, group);
  add_region_file_commands(menu, group);

  CLI::App* ls = menu.command(group, "ls", "List the regions of a node", "godwit region ls --target fast");
  const auto target = std::make_shared<std::string>();
  ls->add_option("--target", *target, "Only those on this target")->type_name("NAME");
  menu.on_run(ls, [&session, target] { return list(session, *target); });

  CLI::App* stat = menu.command(group, "stat", "Show a region, wherever it now is", "godwit region stat field");
  const auto name = std::make_shared<std::string>();
  stat->add_option("REGION", *name, "Id or name")->required();
  menu.on_run(stat, [&session, name] {
    print_region(session, session.open_region(*name).get());
    return 0;
  });
  add_change_mode(menu, group, "REGION", "godwit region chmod 640 field", change_mode);
  add_remove(menu, group);
}

}  // namespace godwit::cli
