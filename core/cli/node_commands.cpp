// `godwit ping`, `godwit doctor`, `godwit limit`, `godwit group`, `godwit locate` and `godwit errors`: nodes, what they have,
// and what to do about them.
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>

#include "doctor_text.hpp"
#include "json.hpp"
#include "session.hpp"
#include "text.hpp"
#include "transfer_options.hpp"

namespace godwit::cli {
namespace {

int ping(Session& session, uint32_t count) {
  const std::string address = session.address();
  Json list = Json::array();
  for (uint32_t i = 0; i < count; ++i) {
    double microseconds = 0;
    check(godwit_ping(session.client(), address.c_str(), &microseconds));
    if (session.json) {
      list.push_back({{"address", address}, {"microseconds", microseconds}});
    } else {
      print(fmt::format("{}: {:.1f} us\n", printable(address), microseconds));
    }
  }
  if (session.json) print_json(list);
  return 0;
}

struct DoctorOptions {
  bool local = false;
  std::string config;
};

// godwitd beside this program, or else as PATH finds it.
std::string daemon_path() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::string beside = error ? "" : (self.parent_path() / "godwitd").string();
  return !beside.empty() && access(beside.c_str(), X_OK) == 0 ? beside : "godwitd";
}

// Becomes `godwitd --doctor`, which knows this machine.
int examine_here(const Session& session, const DoctorOptions& options) {
  const std::string path = daemon_path();
  std::vector<std::string> words{path, "--doctor"};
  if (session.json) words.emplace_back("--json");
  if (!options.config.empty()) words.insert(words.end(), {"--config", options.config});
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  execvp(path.c_str(), arguments.data());
  throw Failure(GODWIT_ERR_NOT_FOUND,
                fmt::format("{}: {}; godwitd is neither beside godwit nor in PATH", path, std::strerror(errno)));
}

int doctor(Session& session, const DoctorOptions& options) {
  if (options.local || !options.config.empty() || !session.has_address()) return examine_here(session, options);
  char* text = nullptr;
  check(godwit_doctor(session.client(), session.address().c_str(), &text));
  const Text report(text);
  const Json json = Json::parse(report.get(), nullptr, false);
  if (json.is_discarded())
    throw Failure(GODWIT_ERR_PROTOCOL, fmt::format("{} sent a report that is not JSON", session.address()));
  if (session.json) {
    print_json(json);
  } else {
    print(as_text(json));
  }
  return 0;
}

int list_errors(const Session& session) {
  Json list = Json::array();
  Table table({"CODE", "NAME", "EXIT CODE", "MEANING"});
  for (int code = GODWIT_OK; std::strcmp(godwit_error_name(code), "GODWIT_ERR_UNKNOWN") != 0; --code) {
    list.push_back({{"code", code},
                    {"name", godwit_error_name(code)},
                    {"exit_code", godwit_error_exit_code(code)},
                    {"meaning", godwit_error_meaning(code)},
                    {"remedy", godwit_error_remedy(code)}});
    table.add({fmt::format("{}", code), godwit_error_name(code), fmt::format("{}", godwit_error_exit_code(code)),
               godwit_error_meaning(code)});
  }
  if (session.json) {
    print_json(list);
  } else {
    print(table.text());
  }
  return 0;
}

int limit(Session& session, const std::string& rate) {
  if (!rate.empty()) check(godwit_node_limit(session.client(), session.address().c_str(), rate_from(rate)));
  uint64_t now = 0;
  check(godwit_node_get_limit(session.client(), session.address().c_str(), &now));
  if (session.json) {
    print_json({{"node", session.address()}, {"bandwidth", now == 0 ? Json(nullptr) : Json(now)}});
  } else {
    print(now == 0 ? "no limit\n" : fmt::format("{}/s\n", format_size(static_cast<double>(now))));
  }
  return 0;
}

int group(Session& session) {
  Array<godwit_member> members;
  check(godwit_group_list(session.client(), session.address().c_str(), members.out(), members.out_count()));
  bool is_whole = true;
  Json list = Json::array();
  Table table({"ADDRESS", "NODE", "STATE"});
  for (const auto& member : members.items()) {
    const bool answers = member.error == GODWIT_OK;
    is_whole = is_whole && answers;
    list.push_back(to_json(member));
    table.add({member.address, answers ? to_text(member.node) : "-", answers ? "answers" : member.error_text});
  }
  if (session.json) {
    print_json(list);
  } else {
    print(table.text());
  }
  return is_whole ? 0 : godwit_error_exit_code(GODWIT_ERR_PARTIAL);
}

int locate(Session& session, const std::string& id_or_name, const std::string& at) {
  godwit_place place{};
  check(godwit_locate(session.client(), (at.empty() ? session.address() : at).c_str(), id_or_name.c_str(), &place));
  if (session.json) {
    print_json(to_json(place));
    return 0;
  }
  std::string text = fmt::format("{} {}", place.kind, to_text(place.id));
  if (place.name[0] != 0) text += fmt::format(" '{}'", place.name);
  text += fmt::format(" at {}", place.address);
  if (place.target[0] != 0) text += fmt::format(" target {}", place.target);
  if (place.path[0] != 0) text += fmt::format(" path {}", place.path);
  print(printable(text) + "\n");
  return 0;
}

}  // namespace

void add_node_commands(Menu& menu) {
  Session& session = menu.session();
  CLI::App* ping_app =
      menu.command(nullptr, "ping", "Time a round trip to a node's daemon", "godwit ping --node tcp://n1:7411");
  const auto count = std::make_shared<uint32_t>(1);
  ping_app->add_option("--count", *count, "How often; default 1")->type_name("N")->check(CLI::PositiveNumber);
  menu.on_run(ping_app, [&session, count] { return ping(session, *count); });

  CLI::App* doctor_app = menu.command(
      nullptr, "doctor", "Explain what a node, or this machine without --node, offers: topology, providers, limits, targets",
      "godwit doctor --node tcp://n1:7411\n  godwit doctor --config /etc/godwit/godwitd.json");
  const auto options = std::make_shared<DoctorOptions>();
  doctor_app->add_flag("--local", options->local, "This machine, although GODWIT_NODE is set");
  doctor_app->add_option("--config", options->config, "This machine, with the targets of this configuration")
      ->type_name("FILE");
  menu.on_run(doctor_app, [&session, options] { return doctor(session, *options); });

  CLI::App* limit_app = menu.command(nullptr, "limit", "Show or change how fast a node may send, all its migrations together",
                                     "godwit limit 2GiB/s --node tcp://n1:7411\n  godwit limit none --node tcp://n1:7411");
  const auto rate = std::make_shared<std::string>();
  limit_app->add_option("RATE", *rate, "50mbps, 100MB/s, 2GiB/s, or none; default: only show it");
  menu.on_run(limit_app, [&session, rate] { return limit(session, *rate); });

  CLI::App* group_app = menu.command(nullptr, "group", "List the nodes of a node's group; exit code 15 if one does not answer",
                                     "godwit group --node tcp://n1:7411");
  menu.on_run(group_app, [&session] { return group(session); });

  CLI::App* locate_app =
      menu.command(nullptr, "locate", "Tell which node of the group has a region, a database, a fileset or a job",
                   "godwit locate mesh --at tcp://n1:7411");
  const auto wanted = std::make_shared<std::string>();
  const auto at = std::make_shared<std::string>();
  locate_app->add_option("NAME", *wanted, "An id, the name of a region or database, or the path where a job has put files")
      ->type_name("NAME|ID|PATH")
      ->required();
  locate_app->add_option("--at", *at, "Any node of the group; default: --node")->type_name("ADDR");
  menu.on_run(locate_app, [&session, wanted, at] { return locate(session, *wanted, *at); });

  CLI::App* errors_app = menu.command(nullptr, "errors", "List the error codes and the exit codes", "godwit errors --json");
  menu.on_run(errors_app, [&session] { return list_errors(session); });
}

}  // namespace godwit::cli
