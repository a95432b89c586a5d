// `godwit plan` and `godwit execute`: several migrations of one node, in stages.
#include <fmt/format.h>

#include <array>
#include <chrono>
#include <map>
#include <memory>
#include <thread>

#include "chmod.hpp"
#include "file_io.hpp"
#include "json.hpp"
#include "plan_text.hpp"
#include "session.hpp"
#include "text.hpp"
#include "transfer_options.hpp"

namespace godwit::cli {
namespace {

struct PlanOptions {
  std::string file;  // "-": standard input; empty: the options below are the plan.
  std::string from;  // Empty: the session's node.
  std::string to;
  std::string target;
  std::string directory;
  std::vector<std::string> regions, files, databases;
  std::string strategy;
  bool copy = false, skip_validation = false, force = false;
  TransferOptions transfer;

  bool names_objects() const { return !regions.empty() || !files.empty() || !databases.empty(); }
};

std::string read_document(const std::string& path) {
  constexpr size_t kBytesMax = size_t{8} << 20;
  std::string text(kBytesMax + 1, '\0');
  text.resize(File::open_input(path).read(std::as_writable_bytes(std::span(text))));
  if (text.size() > kBytesMax) throw Failure(GODWIT_ERR_LIMIT, fmt::format("{}: longer than 8 MiB", path));
  return text;
}

// A plan of one stage.
std::string document_from(const PlanOptions& options) {
  static constexpr std::array kCompressions{"none", "lz4", "zstd"};
  const TransferOptions& transfer = options.transfer;
  Json objects = Json::array();
  for (const std::string& name : options.regions) objects.push_back({{"region", name}});
  for (const std::string& path : options.files) objects.push_back({{"files", path}});
  for (const std::string& name : options.databases) objects.push_back({{"database", name}});
  Json constraints = Json::object();
  if (transfer.bandwidth > 0) constraints["bandwidth"] = transfer.bandwidth;
  if (transfer.priority != GODWIT_PRIORITY_NORMAL) constraints["priority"] = priority_name(transfer.priority);
  if (!transfer.time_window.empty()) constraints["time_window"] = transfer.time_window;
  if (transfer.verify) constraints["validation_required"] = true;
  if (transfer.approval) constraints["approval_required"] = true;
  if (options.skip_validation) constraints["skip_validation"] = true;
  if (options.force) constraints["force_migration"] = true;
  if (transfer.max_downtime_ms > 0) constraints["max_downtime"] = static_cast<double>(transfer.max_downtime_ms) / 1000;
  Json how = Json::object();
  if (transfer.block_bytes > 0) how["block_size"] = transfer.block_bytes;
  if (transfer.streams > 0) how["streams"] = transfer.streams;
  if (transfer.compression != GODWIT_COMPRESSION_NONE)
    how["compress"] = kCompressions.at(static_cast<size_t>(transfer.compression));
  Json stage = {{"name", "all"}, {"copy", options.copy}, {"constraints", constraints}, {"transfer", how}, {"objects", objects}};
  for (const auto& [key, value] : {std::pair{"to", options.to}, std::pair{"target", options.target},
                                   std::pair{"directory", options.directory}, std::pair{"strategy", options.strategy}})
    if (!value.empty()) stage[key] = value;
  return Json{{"stages", Json::array({stage})}}.dump();
}

void print_plan(const Session& session, const Json& plan) {
  if (session.json)
    print_json(plan);
  else
    print(plan_text(plan));
}

int make(Session& session, PlanOptions options) {
  if (options.from.empty()) options.from = session.address();
  if (options.file.empty() != options.names_objects())
    throw Failure(GODWIT_ERR_INVALID,
                  "give a FILE, or name objects with --region, --files and --database; not both, nor neither");
  const std::string document = options.file.empty() ? document_from(options) : read_document(options.file);
  char* text = nullptr;
  check(godwit_plan_make(session.client(), options.from.c_str(), document.c_str(), &text));
  const Json plan = take_json(text);
  print_plan(session, plan);
  check_findings(plan);
  return 0;
}

Json show(Session& session, const std::string& address, const std::string& id) {
  char* text = nullptr;
  check(godwit_plan_show(session.client(), address.c_str(), id.c_str(), &text));
  return take_json(text);
}

// Tells of each stage that has begun or ended.
void tell_changes(const Session& session, const Json& plan, std::map<std::string, std::string>& known) {
  if (session.quiet) return;
  for (const Json& stage : plan.value("stages", Json::array())) {
    const std::string name = stage.value("name", ""), state = stage.value("state", "");
    std::string& before = known[name];
    if (before != state && state != "waiting") fmt::print(stderr, "stage '{}' {}\n", printable(name), printable(state));
    before = state;
  }
}

int execute(Session& session, const std::string& id, const std::string& at, bool wait) {
  const std::string address = at.empty() ? session.address() : at;
  char* text = nullptr;
  check(godwit_plan_execute(session.client(), address.c_str(), id.c_str(), &text));
  Json plan = take_json(text);
  if (!wait) {
    if (session.json) {
      print_json(plan);
    } else {
      print(id + "\n");
    }
    return 0;
  }
  if (!session.quiet) fmt::print(stderr, "plan {} (it goes on if this command ends)\n", printable(id));
  constexpr auto kPause = std::chrono::milliseconds(200);
  std::map<std::string, std::string> states;
  for (;; std::this_thread::sleep_for(kPause)) {
    tell_changes(session, plan, states);
    if (plan.value("state", "") != "running") break;
    plan = show(session, address, id);
  }
  print_plan(session, plan);
  check_outcome(plan);
  return 0;
}

int list(Session& session) {
  char* text = nullptr;
  check(godwit_plan_list(session.client(), session.address().c_str(), &text));
  const Json plans = take_json(text);
  if (session.json) {
    print_json(plans);
    return 0;
  }
  Table table({"ID", "NAME", "OWNER", "STATE", "STAGES", "BYTES", "CREATED"});
  for (const Json& plan : plans)
    table.add({plan.value("id", ""), plan.value("name", ""), fmt::format("{:.0f}", plan.value("owner", 0.0)),
               plan.value("ok", false) ? plan.value("state", "") : "has errors",
               fmt::format("{:.0f}/{:.0f}", plan.value("stages_done", 0.0), plan.value("stages_total", 0.0)),
               format_size(plan.value("bytes", 0.0)), plan.value("created", "")});
  print(table.text());
  return 0;
}

int cancel(Session& session, const std::string& id) {
  check(godwit_plan_cancel(session.client(), session.address().c_str(), id.c_str()));
  if (session.json) print_json({{"plan", id}, {"cancel_requested", true}});
  return 0;
}

int remove(Session& session, const std::string& id) {
  check(godwit_plan_remove(session.client(), session.address().c_str(), id.c_str()));
  if (session.json) print_json({{"plan", id}, {"removed", true}});
  return 0;
}

int change_mode(Session& session, const ChangeModeOptions& options) {
  return change_modes(session, options, [&](const std::string& id, uint32_t mode) {
    check(godwit_plan_chmod(session.client(), session.address().c_str(), id.c_str(), mode));
    return Json{{"plan", id}, {"mode", fmt::format("{:04o}", mode)}};
  });
}

void add_options(CLI::App* app, PlanOptions& options) {
  app->add_option("FILE", options.file, "The plan as JSON; -: standard input; default: one stage of the objects named below");
  app->add_option("--from", options.from, "The node that has the objects, keeps the plan and runs it; default: --node")
      ->type_name("ADDR");
  app->add_option("--region", options.regions, "A region, by id or name; may be repeated")->type_name("NAME");
  app->add_option("--files", options.files, "A file or directory, by its absolute path; may be repeated")->type_name("PATH");
  app->add_option("--database", options.databases, "A database, by id or name; may be repeated")->type_name("NAME");
  app->add_option("--to", options.to, "The node where they go")->type_name("ADDR");
  app->add_option("--target", options.target, "The target there, for regions")->type_name("NAME");
  app->add_option("--directory", options.directory, "The directory there, for files")->type_name("PATH");
  app->add_option("--strategy", options.strategy, "bulk, staged (reads back what was stored before the cutover) or emergency")
      ->type_name("HOW");
  app->add_flag("--copy", options.copy, "Keep the source. Default: move");
  app->add_flag("--skip-validation", options.skip_validation,
                "Do not read back what was stored; contradicts --verify and staged");
  app->add_flag("--force", options.force,
                "Make warnings of what may be otherwise later: no space, busy, unreachable, downtime");
  add_transfer_options(app, options.transfer, "--block-size");
}

// A command that takes the id of one plan.
void add_one(Menu& menu, CLI::App* group, const std::string& name, const std::string& what,
             int (*action)(Session&, const std::string&)) {
  Session& session = menu.session();
  CLI::App* app =
      menu.command(group, name, what, "godwit plan " + name + " 0123456789abcdef0123456789abcdef --node tcp://n1:7411");
  const auto id = std::make_shared<std::string>();
  app->add_option("PLAN", *id, "The plan's id, as `godwit plan` prints it")->required();
  menu.on_run(app, [&session, id, action] { return action(session, *id); });
}

}  // namespace

void add_plan_commands(Menu& menu) {
  Session& session = menu.session();
  CLI::App* app =
      menu.command(nullptr, "plan", "Look whether migrations would work, and keep them as a plan; changes nothing else",
                   "godwit plan stack.json --from tcp://n1:7411\n"
                   "  godwit plan --from tcp://n1:7411 --to tcp://n2:7411 --target keep --region field --database jobs");
  const auto options = std::make_shared<PlanOptions>();
  add_options(app, *options);
  menu.on_run(app, [&session, options] { return make(session, *options); });
  CLI::App* ls = menu.command(app, "ls", "List the plans of a node, the newest first", "godwit plan ls --node tcp://n1:7411");
  menu.on_run(ls, [&session] { return list(session); });
  add_one(menu, app, "show", "Show a plan, and what has become of it", [](Session& s, const std::string& id) {
    print_plan(s, show(s, s.address(), id));
    return 0;
  });
  add_one(menu, app, "cancel", "Start no more jobs of a plan, and ask those that run to stop", cancel);
  add_one(menu, app, "rm", "Forget a plan that does not run; what it has moved stays where it is", remove);
  add_change_mode(menu, app, "PLAN", "godwit plan chmod 640 0123456789abcdef0123456789abcdef", change_mode);

  CLI::App* run = menu.command(nullptr, "execute", "Run a plan; one that failed goes on with what is not done",
                               "godwit execute 0123456789abcdef0123456789abcdef --at tcp://n1:7411 --wait");
  const auto id = std::make_shared<std::string>();
  const auto at = std::make_shared<std::string>();
  const auto wait = std::make_shared<bool>(false);
  run->add_option("PLAN", *id, "The plan's id, as `godwit plan` prints it")->required();
  run->add_option("--at", *at, "The node that keeps the plan, or another one of its group; default: --node")->type_name("ADDR");
  run->add_flag("--wait", *wait, "Wait until it has ended; the exit code is that of the first job that failed");
  menu.on_run(run, [&session, id, at, wait] { return execute(session, *id, *at, *wait); });
}

}  // namespace godwit::cli
