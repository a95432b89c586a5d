#include "engine/plan_json.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "engine/whole_number.hpp"

namespace godwit::engine {
namespace {

using model::StageState;
using nlohmann::json;

// Names and errors of strangers are in it, which may be no UTF-8: dump() alone would throw, and end the daemon.
std::string text_of(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

json name_of(Errc code) { return code == Errc{} ? json(nullptr) : json(error_row(code).name); }
json or_null(uint64_t number) { return number == 0 ? json(nullptr) : json(number); }

std::string time_text(uint64_t ms) {
  const auto seconds = static_cast<std::time_t>(ms / 1000);
  return fmt::format("{:%FT%T}.{:03}Z", fmt::gmtime(seconds), ms % 1000);
}

json show_errors(const std::vector<Error>& errors) {
  json list = json::array();
  for (const Error& error : errors) list.push_back({{"error", name_of(error.code)}, {"message", error.text}});
  return list;
}

json show_objects(const model::PlanStage& stage, const StageFinding& finding) {
  json list = json::array();
  for (size_t i = 0; i < stage.objects.size(); ++i) {
    const ObjectFinding& found = finding.objects[i];
    list.push_back({{"kind", to_string(stage.objects[i].kind)},
                    {"name", stage.objects[i].name},
                    {"id", found.id.is_zero() ? json(nullptr) : json(to_string(found.id))},
                    {"bytes", found.bytes},
                    {"ok", found.error == Errc{}},
                    {"error", name_of(found.error)},
                    {"message", found.message}});
  }
  return list;
}

json show_jobs(const model::PlanStage& stage, const PlanStageProgress& progress) {
  const auto jobs = model::jobs_of(stage);
  json list = json::array();
  for (size_t i = 0; i < jobs.size(); ++i) {
    const PlanJobProgress& job = progress.jobs[i];
    list.push_back({{"id", job.job.is_zero() ? json(nullptr) : json(to_string(job.job))},
                    {"kind", to_string(jobs[i].kind)},
                    {"state", to_string(job.state)},
                    {"error", name_of(job.error)},
                    {"message", job.message}});
  }
  return list;
}

json show_stage(const KeptPlan& kept, size_t index) {
  const model::PlanStage& stage = kept.plan.stages[index];
  const StageFinding& finding = kept.findings.stages[index];
  const PlanStageProgress& progress = kept.progress.stages[index];
  json after = json::array();
  for (const uint32_t before : stage.after) after.push_back(kept.plan.stages[before].name);
  const auto& most = stage.constraints.max_downtime_seconds;
  return {{"name", stage.name},
          {"after", after},
          {"state", to_string(progress.state)},
          {"ok", finding.ok()},
          {"to", stage.destination},
          {"target", stage.target},
          {"directory", stage.directory},
          {"strategy", to_string(stage.strategy)},
          {"priority", to_string(stage.transfer.priority)},
          {"bandwidth", or_null(stage.transfer.bandwidth_bytes_per_second)},
          {"time_window", stage.transfer.window.is_always() ? json(nullptr) : json(to_string(stage.transfer.window))},
          {"max_downtime_seconds", most ? json(*most) : json(nullptr)},
          {"verify", stage.transfer.verify},
          {"force_migration", stage.constraints.force_migration},
          {"copy", stage.copy},
          {"bytes", finding.bytes},
          {"bytes_per_second", finding.bytes_per_second},
          {"seconds", finding.seconds},
          {"downtime_seconds", finding.downtime_seconds},
          {"errors", show_errors(finding.errors)},
          {"warnings", finding.warnings},
          {"jobs", show_jobs(stage, progress)},
          {"objects", show_objects(stage, finding)}};
}

json show_head(const ShownPlan& plan, const std::string& source) {
  const KeptPlan& kept = plan.kept;
  const auto done = std::ranges::count(kept.progress.stages, StageState::kDone, &PlanStageProgress::state);
  return {{"id", to_string(kept.id)},
          {"name", kept.plan.name},
          {"source", source},
          {"owner", plan.permission.uid},
          {"group", plan.permission.gid},
          {"mode", fmt::format("{:04o}", plan.permission.mode)},
          {"created", time_text(kept.created_ms)},
          {"state", to_string(kept.state)},
          {"ok", kept.findings.ok()},
          {"concurrent_jobs", or_null(kept.plan.concurrent_jobs)},
          {"stages_done", done},
          {"stages_total", kept.plan.stages.size()},
          {"bytes", kept.findings.bytes},
          {"seconds", kept.findings.seconds},
          {"downtime_seconds", kept.findings.downtime_seconds}};
}

Id id_of(const json& value) {
  const auto id = value.is_string() ? parse_id(value.get<std::string>()) : std::nullopt;
  return id.value_or(Id{});
}

Result<StageState> state_of(const json& value) {
  const auto number = whole<uint64_t>(value);
  if (number > static_cast<uint64_t>(StageState::kSkipped)) return Error{Errc::kCorrupt, "a stage of no state"};
  return static_cast<StageState>(number);
}

// `read` takes what it needs of the text; whatever is missing or of another type is damage.
template <class Value, class Read>
Result<Value> decode(const std::string& text, std::string_view what, const Read& read) {
  const Error damaged{Errc::kCorrupt, fmt::format("the journal's {} of a plan do not fit its document", what)};
  const json value = json::parse(text, nullptr, false);
  if (value.is_discarded()) return damaged;
  try {
    Result<Value> result = read(value);
    return result ? std::move(result) : Result<Value>(damaged);
  } catch (const std::exception&) {  // The library's, and whole()'s.
    return damaged;
  }
}

Error misfit() { return Error{Errc::kCorrupt, "of another length"}; }

}  // namespace

PlanProgress progress_of(const model::Plan& plan) {
  PlanProgress progress;
  for (const model::PlanStage& stage : plan.stages) {
    progress.stages.emplace_back();
    progress.stages.back().jobs.resize(model::jobs_of(stage).size());
  }
  return progress;
}

std::string show_plan(const ShownPlan& plan, const std::string& source) {
  const KeptPlan& kept = plan.kept;
  json all = show_head(plan, source);
  json stages = json::array();
  for (size_t i = 0; i < kept.plan.stages.size(); ++i) stages.push_back(show_stage(kept, i));
  all["stages"] = std::move(stages);
  return text_of(all);
}

std::string show_plans(const std::vector<ShownPlan>& plans, const std::string& source) {
  json list = json::array();
  for (const ShownPlan& plan : plans) list.push_back(show_head(plan, source));
  return text_of(list);
}

std::string encode_findings(const Findings& findings) {
  json stages = json::array();
  for (const StageFinding& stage : findings.stages) {
    json objects = json::array();
    for (const ObjectFinding& object : stage.objects)
      objects.push_back({to_string(object.id), object.bytes, static_cast<int32_t>(object.error), object.message});
    json errors = json::array();
    for (const Error& error : stage.errors) errors.push_back({static_cast<int32_t>(error.code), error.text});
    stages.push_back({{"objects", objects},
                      {"errors", errors},
                      {"warnings", stage.warnings},
                      {"bytes", stage.bytes},
                      {"bytes_per_second", stage.bytes_per_second},
                      {"seconds", stage.seconds},
                      {"downtime_seconds", stage.downtime_seconds}});
  }
  return text_of({{"stages", stages},
                  {"bytes", findings.bytes},
                  {"seconds", findings.seconds},
                  {"downtime_seconds", findings.downtime_seconds}});
}

Result<Findings> decode_findings(const std::string& text, const model::Plan& plan) {
  return decode<Findings>(text, "findings", [&](const json& value) -> Result<Findings> {
    Findings findings;
    if (value.at("stages").size() != plan.stages.size()) return misfit();
    for (const json& from : value.at("stages")) {
      StageFinding stage;
      if (from.at("objects").size() != plan.stages[findings.stages.size()].objects.size()) return misfit();
      for (const json& object : from.at("objects")) {
        const auto error = whole<int32_t>(object.at(2));
        stage.objects.push_back({id_of(object.at(0)), whole<uint64_t>(object.at(1)),
                                 error == 0 ? Errc{} : error_from_number(error), object.at(3).get<std::string>()});
      }
      for (const json& error : from.at("errors"))
        stage.errors.push_back({error_from_number(whole<int32_t>(error.at(0))), error.at(1).get<std::string>()});
      stage.warnings = from.at("warnings").get<std::vector<std::string>>();
      stage.bytes = whole<uint64_t>(from.at("bytes"));
      stage.bytes_per_second = from.at("bytes_per_second").get<double>();
      stage.seconds = from.at("seconds").get<double>();
      stage.downtime_seconds = from.at("downtime_seconds").get<double>();
      findings.stages.push_back(std::move(stage));
    }
    findings.bytes = whole<uint64_t>(value.at("bytes"));
    findings.seconds = value.at("seconds").get<double>();
    findings.downtime_seconds = value.at("downtime_seconds").get<double>();
    return findings;
  });
}

std::string encode_progress(const PlanProgress& progress) {
  json stages = json::array();
  for (const PlanStageProgress& stage : progress.stages) {
    json jobs = json::array();
    for (const PlanJobProgress& job : stage.jobs)
      jobs.push_back({{"job", to_string(job.job)},
                      {"state", static_cast<uint8_t>(job.state)},
                      {"again", job.again},
                      {"error", static_cast<int32_t>(job.error)},
                      {"message", job.message}});
    stages.push_back({{"state", static_cast<uint8_t>(stage.state)}, {"jobs", jobs}});
  }
  return text_of({{"stages", stages}, {"cancelled", progress.cancelled}});
}

Result<PlanProgress> decode_progress(const std::string& text, const model::Plan& plan) {
  return decode<PlanProgress>(text, "progress", [&](const json& value) -> Result<PlanProgress> {
    PlanProgress progress = progress_of(plan);
    progress.cancelled = value.at("cancelled").get<bool>();
    if (value.at("stages").size() != plan.stages.size()) return misfit();
    for (size_t i = 0; i < progress.stages.size(); ++i) {
      const json& from = value.at("stages").at(i);
      PlanStageProgress& stage = progress.stages[i];
      auto state = state_of(from.at("state"));
      if (!state || from.at("jobs").size() != stage.jobs.size()) return misfit();
      stage.state = *state;
      for (size_t j = 0; j < stage.jobs.size(); ++j) {
        const json& job = from.at("jobs").at(j);
        auto job_state = state_of(job.at("state"));
        if (!job_state) return misfit();
        const auto error = whole<int32_t>(job.at("error"));
        stage.jobs[j] = {id_of(job.at("job")), *job_state, job.at("again").get<bool>(),
                         error == 0 ? Errc{} : error_from_number(error), job.at("message").get<std::string>()};
      }
    }
    return progress;
  });
}

}  // namespace godwit::engine
