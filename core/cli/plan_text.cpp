#include "plan_text.hpp"

#include <fmt/format.h>

#include <cstring>

#include "text.hpp"

namespace godwit::cli {
namespace {

// Of whatever type it is: a daemon of another version may say more, or less.
std::string text_in(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? printable(found->get<std::string>()) : std::string();
}
double number_in(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number() ? found->get<double>() : 0;
}
const Json& list_in(const Json& object, const char* key) {
  static const Json none = Json::array();
  const auto found = object.find(key);
  return found != object.end() && found->is_array() ? *found : none;
}

int code_of(const std::string& name) {
  for (int code = -1; std::strcmp(godwit_error_name(code), "GODWIT_ERR_UNKNOWN") != 0; --code)
    if (name == godwit_error_name(code)) return code;
  return GODWIT_ERR_INVALID;
}

struct Complaint {
  std::string what;  // "error", "warning"
  std::string text;
  std::string error;  // Its name; empty: a warning.
};

// What was found out when the plan was made.
std::vector<Complaint> findings_of(const Json& stage) {
  std::vector<Complaint> all;
  const std::string where = fmt::format("stage '{}': ", text_in(stage, "name"));
  for (const Json& one : list_in(stage, "errors"))
    all.push_back({"error", where + text_in(one, "message"), text_in(one, "error")});
  for (const Json& one : list_in(stage, "warnings"))
    if (one.is_string()) all.push_back({"warning", where + printable(one.get<std::string>()), {}});
  for (const Json& object : list_in(stage, "objects")) {
    if (text_in(object, "message").empty()) continue;
    const std::string text =
        fmt::format("{}{} '{}': {}", where, text_in(object, "kind"), text_in(object, "name"), text_in(object, "message"));
    const std::string error = text_in(object, "error");
    all.push_back({error.empty() ? "warning" : "error", text, error});
  }
  return all;
}

// What has failed since.
std::vector<Complaint> failures_of(const Json& stage) {
  std::vector<Complaint> all;
  for (const Json& job : list_in(stage, "jobs"))
    if (const std::string error = text_in(job, "error"); !error.empty())
      all.push_back({"failed",
                     fmt::format("stage '{}': job {}: {}", text_in(stage, "name"), text_in(job, "id"), text_in(job, "message")),
                     error});
  return all;
}

void throw_first(const Json& plan, std::vector<Complaint> (*complaints_of)(const Json&), const std::string& otherwise) {
  for (const Json& stage : list_in(plan, "stages"))
    for (const Complaint& complaint : complaints_of(stage))
      if (!complaint.error.empty()) throw Failure(code_of(complaint.error), complaint.text);
  throw Failure(GODWIT_ERR_INVALID, otherwise);
}

std::string size_text(const Json& object, const char* key) { return format_size(number_in(object, key)); }

}  // namespace

Json take_json(char* text) {
  const Text owned(text);
  Json json = Json::parse(owned.get(), nullptr, false);
  if (!json.is_object() && !json.is_array()) throw Failure(GODWIT_ERR_PROTOCOL, "the node's account of a plan is not JSON");
  return json;
}

std::string plan_text(const Json& plan) {
  Table table({"STAGE", "AFTER", "STATE", "STRATEGY", "TO", "OBJECTS", "BYTES", "TIME", "DOWNTIME"});
  std::string complaints;
  for (const Json& stage : list_in(plan, "stages")) {
    std::string after;
    for (const Json& name : list_in(stage, "after"))
      if (name.is_string()) after += (after.empty() ? "" : ", ") + name.get<std::string>();
    const std::string place = text_in(stage, "target").empty() ? text_in(stage, "directory") : text_in(stage, "target");
    const bool is_known = number_in(stage, "bytes_per_second") > 0;
    table.add({text_in(stage, "name"), after.empty() ? "-" : after, text_in(stage, "state"), text_in(stage, "strategy"),
               text_in(stage, "to") + (place.empty() ? "" : " " + place), fmt::format("{}", list_in(stage, "objects").size()),
               size_text(stage, "bytes"), is_known ? format_seconds(number_in(stage, "seconds")) : "unknown",
               is_known ? format_seconds(number_in(stage, "downtime_seconds")) : "unknown"});
    for (const auto& all : {findings_of(stage), failures_of(stage)})
      for (const Complaint& one : all) complaints += fmt::format("{}: {}\n", one.what, one.text);
  }
  return fmt::format(
      "plan {} ('{}') at {}: {}, {} of {} stages done\n{}{} in about {}; writers are stopped for at most about {}\n{}",
      text_in(plan, "id"), text_in(plan, "name"), text_in(plan, "source"), text_in(plan, "state"),
      number_in(plan, "stages_done"), number_in(plan, "stages_total"), table.text(), size_text(plan, "bytes"),
      format_seconds(number_in(plan, "seconds")), format_seconds(number_in(plan, "downtime_seconds")), complaints);
}

void check_findings(const Json& plan) {
  const auto ok = plan.find("ok");
  if (ok != plan.end() && ok->is_boolean() && ok->get<bool>()) return;
  throw_first(plan, findings_of, fmt::format("plan {} would not work", text_in(plan, "id")));
}

void check_outcome(const Json& plan) {
  const std::string state = text_in(plan, "state");
  if (state == "done") return;
  if (state == "cancelled") throw Failure(GODWIT_ERR_CANCELLED, fmt::format("plan {} was cancelled", text_in(plan, "id")));
  throw_first(plan, failures_of, fmt::format("plan {} is {}", text_in(plan, "id"), state));
}

}  // namespace godwit::cli
