// `godwit region chmod`, `godwit db chmod` and `godwit plan chmod`: who else may use an object; and how stat shows it.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "each.hpp"
#include "session.hpp"
#include "text.hpp"

namespace godwit::cli {

struct ChangeModeOptions {
  std::string mode;
  std::vector<std::string> objects;
};

// `change(object, mode)`: changes one, and returns what it then is. Otherwise as for_each_object(). Throws Failure (INVALID):
// no such mode.
template <class Change>
int change_modes(const Session& session, const ChangeModeOptions& options, Change change) {
  const auto mode = parse_mode(options.mode);
  if (!mode) throw Failure(GODWIT_ERR_INVALID, fmt::format("'{}' is no mode: octal digits, 0 to 666", printable(options.mode)));
  return for_each_object(session, options.objects, [&](const std::string& object) { return change(object, *mode); });
}

template <class Run>  // int(Session&, const ChangeModeOptions&)
void add_change_mode(Menu& menu, CLI::App* group, const char* object, const char* example, Run run) {
  Session& session = menu.session();
  CLI::App* app = menu.command(group, "chmod", "Say who else may read and write: an octal mode, as of a file", example);
  const auto options = std::make_shared<ChangeModeOptions>();
  app->add_option("MODE", options->mode, "4 to read and 2 to write: its owner, its group, everybody; a new one has 600")
      ->required();
  app->add_option(object, options->objects, "Ids or names")->required();
  menu.on_run(app, [&session, options, run] { return run(session, *options); });
}

// Info: godwit_region_info or godwit_database_info.
template <class Info>
void add_owner(Table& table, const Info& info) {
  table.add({"owner", fmt::format("{}", info.owner)});
  table.add({"group", fmt::format("{}", info.group)});
  table.add({"mode", format_mode(info.mode)});
}

}  // namespace godwit::cli
