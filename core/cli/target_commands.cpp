// `godwit target`: the places on a node that hold regions.
#include <fmt/format.h>

#include "json.hpp"
#include "session.hpp"
#include "text.hpp"

namespace godwit::cli {
namespace {

int list_targets(Session& session) {
  Array<godwit_target_info> infos;
  check(godwit_target_list(session.client(), session.address().c_str(), infos.out(), infos.out_count()));
  if (session.json) {
    Json list = Json::array();
    for (const auto& info : infos.items()) list.push_back(to_json(info));
    print_json(list);
    return 0;
  }
  Table table({"NAME", "KIND", "CAPACITY", "USED", "LARGEST FREE", "REGIONS", "FLUSH GRANULARITY"});
  for (const auto& info : infos.items()) {
    table.add({info.name, info.kind, format_size(static_cast<double>(info.capacity_bytes)),
               format_size(static_cast<double>(info.used_bytes)), format_size(static_cast<double>(info.largest_free_bytes)),
               fmt::format("{}", info.regions), info.granularity});
  }
  print(table.text());
  return 0;
}

}  // namespace

void add_target_commands(Menu& menu) {
  CLI::App* group = menu.group("target", "The places on a node that hold regions", "godwit target ls --node tcp://n1:7411");
  CLI::App* list =
      menu.command(group, "ls", "List the targets of a node: kind, capacity, use", "godwit target ls --node tcp://n1:7411");
  menu.on_run(list, [&session = menu.session()] { return list_targets(session); });
}

}  // namespace godwit::cli
