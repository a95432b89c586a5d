// `godwit job`: the migrations whose source is a node, or another one of its group.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <sstream>

#include "job_wait.hpp"
#include "json.hpp"
#include "session.hpp"
#include "text.hpp"
#include "transfer_options.hpp"

namespace godwit::cli {
namespace {

Migration open_job(Session& session, const std::string& id) {
  godwit_migration* migration = nullptr;
  check(godwit_migration_open(session.client(), session.address().c_str(), id.c_str(), &migration));
  return Migration(migration);
}

std::string state_of(const godwit_job_info& info) {
  if (info.ended != 0 && info.error != GODWIT_OK)
    return fmt::format("{} ({})", info.progress.phase, godwit_error_name(info.error));
  return info.progress.phase;
}

Json json_of(const Array<godwit_job_info>& infos) {
  Json list = Json::array();
  for (const auto& info : infos.items()) list.push_back(to_json(info));
  return list;
}

std::string table_of(const Array<godwit_job_info>& infos, bool with_source) {
  std::vector<std::string> head{"ID", "PHASE", "REGIONS", "BYTES", "TO", "TARGET", "KIND"};
  if (with_source) head.insert(head.begin() + 1, "FROM");
  Table table(head);
  for (const auto& info : infos.items()) {
    const godwit_progress& progress = info.progress;
    std::vector<std::string> row{info.id,
                                 state_of(info),
                                 fmt::format("{}/{}", progress.objects_done, progress.objects_total),
                                 fmt::format("{} of {}", format_size(static_cast<double>(progress.bytes_done)),
                                             format_size(static_cast<double>(progress.bytes_total))),
                                 info.destination,
                                 info.destination_target,
                                 info.copy != 0 ? "copy" : "move"};
    if (with_source) row.insert(row.begin() + 1, info.source);
    table.add(row);
  }
  return table.text();
}

int list(Session& session) {
  Array<godwit_job_info> infos;
  check(godwit_job_list(session.client(), session.address().c_str(), infos.out(), infos.out_count()));
  if (session.json) {
    print_json(json_of(infos));
  } else {
    print(table_of(infos, false));
  }
  return 0;
}

// Of all nodes of the group; those that did not answer are named, and make the exit code that of a part that failed.
int list_group(Session& session) {
  Array<godwit_job_info> infos;
  Array<godwit_member> members;
  check(godwit_group_jobs(session.client(), session.address().c_str(), infos.out(), infos.out_count(), members.out(),
                          members.out_count()));
  bool is_whole = true;
  Json list = Json::array();
  for (const auto& member : members.items()) {
    is_whole = is_whole && member.error == GODWIT_OK;
    list.push_back(to_json(member));
  }
  if (session.json) {
    print_json({{"jobs", json_of(infos)}, {"members", list}});
  } else {
    print(table_of(infos, true));
    for (const auto& member : members.items())
      if (member.error != GODWIT_OK)
        print(fmt::format("no answer from {}: {}\n", printable(member.address), printable(member.error_text)));
  }
  return is_whole ? 0 : godwit_error_exit_code(GODWIT_ERR_PARTIAL);
}

// The phases that the job has been in, in their order, and how long: [{"phase": "sync", "seconds": 1.5}, ...].
Json phases_of(Session& session, const std::string& id) {
  const Json report = report_of(open_job(session, id).get());
  return report.is_object() ? report.value("phases", Json::array()) : Json::array();
}

std::string text_of_phases(const Json& phases) {
  std::string text;
  for (const Json& past : phases)
    text += fmt::format("{}{} {:.2f} s", text.empty() ? "" : ", ", past.value("phase", ""), past.value("seconds", 0.0));
  return text;
}

void print_job(const Session& session, const godwit_job_info& info, const Json& phases) {
  if (session.json) {
    Json job = to_json(info);
    job["phases"] = phases;
    return print_json(job);
  }
  const godwit_progress& progress = info.progress;
  Table table({"JOB", info.id});
  table.add({"kind", info.copy != 0 ? "copy" : "move"});
  table.add({"phase", state_of(info)});
  table.add({"phases", text_of_phases(phases)});
  table.add({"source", info.source});
  table.add({"destination", fmt::format("{} target {}", info.destination, info.destination_target)});
  table.add({"regions", fmt::format("{} of {}", progress.objects_done, progress.objects_total)});
  table.add({"bytes", fmt::format("{} of {}", progress.bytes_done, progress.bytes_total)});
  table.add({"rate", fmt::format("{}/s", format_size(progress.bytes_per_second))});
  table.add({"priority", std::string(priority_name(info.priority))});
  table.add({"limit", info.bandwidth == 0 ? "none" : fmt::format("{}/s", format_size(static_cast<double>(info.bandwidth)))});
  if (info.time_window[0] != 0) table.add({"time window", info.time_window});
  if (info.error_text[0] != 0) table.add({info.ended != 0 ? "error" : "waits", info.error_text});
  print(table.text());
}

int show(Session& session, const std::string& id) {
  godwit_job_info info{};
  check(godwit_job_stat(session.client(), session.address().c_str(), id.c_str(), &info));
  print_job(session, info, phases_of(session, id));
  return 0;
}

// "2026-01-02T03:04:05.678Z phase from=sync to=cutover".
std::string text_of_event(const Json& event) {
  std::string line = fmt::format("{} {}", event.value("time", ""), event.value("event", ""));
  for (const auto& [name, value] : event.items())
    if (name != "time" && name != "event") line += fmt::format(" {}={}", name, value.dump());
  return line + "\n";
}

int events(Session& session, const std::string& id) {
  char* lines = nullptr;
  check(godwit_job_events(session.client(), session.address().c_str(), id.c_str(), &lines));
  const std::unique_ptr<char, decltype(&godwit_free)> owned(lines, &godwit_free);
  Json all = Json::array();
  std::istringstream text(lines);
  for (std::string line; std::getline(text, line);) {
    Json event = Json::parse(line, nullptr, false);
    if (!event.is_object())
      throw Failure(GODWIT_ERR_PROTOCOL, fmt::format("node {} sent an event that is no JSON", session.address()));
    all.push_back(std::move(event));
  }
  if (session.json) {
    print_json(all);
    return 0;
  }
  std::string out;
  for (const Json& event : all) out += text_of_event(event);
  print(out);
  return 0;
}

int cancel(Session& session, const std::string& id) {
  const Migration migration = open_job(session, id);
  check(godwit_migration_cancel(migration.get()));
  if (session.json) print_json({{"job", id}, {"cancel_requested", true}});
  return 0;
}

// Asks the job for something that shows in its state.
template <int (*Wish)(godwit_migration*)>
int wish(Session& session, const std::string& id) {
  const Migration migration = open_job(session, id);
  check(Wish(migration.get()));
  if (session.json) print_json({{"job", id}, {"asked", true}});
  return 0;
}

int pause(Session& session, const std::string& id) {
  const Migration migration = open_job(session, id);
  check(godwit_migration_pause(migration.get()));
  if (session.json) print_json({{"job", id}, {"paused", true}});
  return 0;
}

int resume(Session& session, const std::string& id) {
  const Migration migration = open_job(session, id);
  check(godwit_migration_resume(migration.get()));
  if (session.json) print_json({{"job", id}, {"paused", false}});
  return 0;
}

int limit(Session& session, const std::string& id, const std::string& rate) {
  const uint64_t bandwidth = rate_from(rate);
  const Migration migration = open_job(session, id);
  check(godwit_migration_limit(migration.get(), bandwidth));
  if (session.json) print_json({{"job", id}, {"bandwidth", bandwidth == 0 ? Json(nullptr) : Json(bandwidth)}});
  return 0;
}

// A command that takes the id of one job.
void add_one(Menu& menu, CLI::App* group, const std::string& name, const std::string& what,
             int (*action)(Session&, const std::string&)) {
  Session& session = menu.session();
  CLI::App* app = menu.command(group, name, what, "godwit job " + name + " 0123456789abcdef0123456789abcdef");
  const auto id = std::make_shared<std::string>();
  app->add_option("JOB", *id, "The job's id, as `godwit migrate` and `godwit job ls` print it")->required();
  menu.on_run(app, [&session, id, action] { return action(session, *id); });
}

void add_limit(Menu& menu, CLI::App* group) {
  Session& session = menu.session();
  CLI::App* app = menu.command(group, "limit", "Change how fast a job may send, while it runs",
                               "godwit job limit 0123456789abcdef0123456789abcdef 100MB/s");
  const auto id = std::make_shared<std::string>();
  const auto rate = std::make_shared<std::string>();
  app->add_option("JOB", *id, "The job's id")->required();
  app->add_option("RATE", *rate, "50mbps, 100MB/s, 2GiB/s, or none")->required();
  menu.on_run(app, [&session, id, rate] { return limit(session, *id, *rate); });
}

void add_rollback(Menu& menu, CLI::App* group) {
  Session& session = menu.session();
  CLI::App* app = menu.command(group, "rollback", "Take everything back, as long as the cutover is not decided",
                               "godwit job rollback 0123456789abcdef0123456789abcdef --to-checkpoint");
  const auto id = std::make_shared<std::string>();
  const auto to_checkpoint = std::make_shared<bool>(false);
  app->add_option("JOB", *id, "The job's id")->required();
  app->add_flag("--to-checkpoint", *to_checkpoint,
                "Only the source serves again: what has arrived stays, and the job waits until it is resumed");
  menu.on_run(app, [&session, id, to_checkpoint] {
    return *to_checkpoint ? wish<godwit_migration_rollback_to_checkpoint>(session, *id)
                          : wish<godwit_migration_rollback>(session, *id);
  });
}

}  // namespace

void add_job_commands(Menu& menu) {
  Session& session = menu.session();
  CLI::App* group = menu.group("job", "Migrations whose source is the node, or another one of its group",
                               "godwit job ls --node tcp://n1:7411");
  CLI::App* ls = menu.command(group, "ls", "List the jobs, the newest first",
                              "godwit job ls --node tcp://n1:7411\n  godwit job ls --group");
  const auto of_group = std::make_shared<bool>(false);
  ls->add_flag("--group", *of_group, "Those of every node of the group; exit code 15 if one does not answer");
  menu.on_run(ls, [&session, of_group] { return *of_group ? list_group(session) : list(session); });
  add_one(menu, group, "show", "Show one job", show);
  add_one(menu, group, "events", "Tell what happened to a job, and why, the oldest first", events);
  const auto wait = [](Session& s, const std::string& id) { return wait_and_report(s, open_job(s, id).get()); };
  add_one(menu, group, "wait", "Wait until a job has ended; the exit code is the job's", wait);
  add_one(menu, group, "watch", "The same as wait", wait);
  add_one(menu, group, "pause", "Send no more blocks until the job is resumed; what its source has stopped stays stopped",
          pause);
  add_one(menu, group, "resume", "Let a paused job go on; nothing that has arrived is sent again", resume);
  add_one(menu, group, "approve", "Let a job that waits for it begin its cutover", wish<godwit_migration_approve>);
  add_one(menu, group, "cutover", "Take away what keeps a job from its cutover: approval, pause, time window",
          wish<godwit_migration_cutover>);
  add_one(menu, group, "checkpoint", "Make what has arrived durable and noted now: after a crash it is not sent again",
          wish<godwit_migration_checkpoint>);
  add_rollback(menu, group);
  add_limit(menu, group);
  add_one(menu, group, "cancel", "Ask a job to stop; what is not cut over stays where it is", cancel);
}

}  // namespace godwit::cli
