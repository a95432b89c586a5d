// Plan's document: JSON, read strictly: what nobody knows is refused, with the path of it.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "base/log.hpp"
#include "model/plan.hpp"
#include "model/plan_members.hpp"
#include "model/plan_rules.hpp"

namespace godwit::model {
namespace {

constexpr size_t kDepthMax = 8;
constexpr size_t kPlanNameBytesMax = 64;
constexpr uint32_t kConcurrentMax = 1000;

// A parser builds what it reads before anybody looks at it: a document that is nothing but brackets would take a hundred times
// its length.
bool is_too_deep(std::string_view text) {
  size_t depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
      continue;
    }
    if (c == '"') in_string = true;
    if ((c == '[' || c == '{') && ++depth > kDepthMax) return true;
    if ((c == ']' || c == '}') && depth > 0) --depth;
  }
  return false;
}

constexpr std::array kPriorities{Choice<Priority>{"low", Priority::kLow}, Choice<Priority>{"normal", Priority::kNormal},
                                 Choice<Priority>{"high", Priority::kHigh},
                                 Choice<Priority>{"emergency", Priority::kEmergency}};
constexpr std::array kCompressions{Choice<Compression>{"none", Compression::kNone},
                                   Choice<Compression>{"lz4", Compression::kLz4},
                                   Choice<Compression>{"zstd", Compression::kZstd}};
constexpr std::array kStrategies{Choice<PlanStrategy>{"bulk", PlanStrategy::kBulk},
                                 Choice<PlanStrategy>{"staged", PlanStrategy::kStaged},
                                 Choice<PlanStrategy>{"emergency", PlanStrategy::kEmergency}};
constexpr std::array<std::string_view, 3> kLaterStrategies{"live", "incremental", "postcopy"};

Result<> read_flag(const json& value, bool& into) {
  if (!value.is_boolean()) return Error{Errc::kInvalid, "must be true or false"};
  into = value.get<bool>();
  return Done{};
}

// Every constraint there is. A null takes back what the plan says for all its stages.
struct ConstraintRow {
  std::string_view key;
  Result<> (*read)(const json& value, PlanConstraints& into);
  void (*clear)(PlanConstraints& into);
};
constexpr std::array kConstraints{
    ConstraintRow{"time_window",
                  [](const json& value, PlanConstraints& into) -> Result<> {
                    if (!value.is_string()) return Error{Errc::kInvalid, "must be a text such as \"22:00-06:00\""};
                    auto window = parse_time_window(value.get<std::string>());
                    if (!window) return std::move(window).error();
                    into.window = *window;
                    return Done{};
                  },
                  [](PlanConstraints& into) { into.window = {}; }},
    ConstraintRow{"bandwidth",
                  [](const json& value, PlanConstraints& into) -> Result<> {
                    Result<uint64_t> rate = Error{Errc::kInvalid, "must be a rate such as \"50mbps\" or \"2GiB/s\""};
                    if (value.is_string()) rate = parse_rate(value.get<std::string>());
                    if (value.is_number_unsigned()) rate = value.get<uint64_t>();
                    if (rate && *rate == 0) rate = Error{Errc::kInvalid, "a limit of nothing; leave it out, or write null"};
                    if (!rate) return std::move(rate).error();
                    into.bandwidth_bytes_per_second = *rate;
                    return Done{};
                  },
                  [](PlanConstraints& into) { into.bandwidth_bytes_per_second = 0; }},
    ConstraintRow{"max_downtime",
                  [](const json& value, PlanConstraints& into) -> Result<> {
                    Result<double> seconds = Error{Errc::kInvalid, "must be a time such as \"500ms\", \"30s\" or \"5m\""};
                    if (value.is_string()) seconds = parse_duration(value.get<std::string>());
                    if (value.is_number() && value.get<double>() >= 0) seconds = value.get<double>();
                    if (!seconds) return std::move(seconds).error();
                    into.max_downtime_seconds = *seconds;
                    return Done{};
                  },
                  [](PlanConstraints& into) { into.max_downtime_seconds.reset(); }},
    ConstraintRow{"validation_required",
                  [](const json& value, PlanConstraints& into) { return read_flag(value, into.validation_required); },
                  [](PlanConstraints& into) { into.validation_required = false; }},
    ConstraintRow{"skip_validation",
                  [](const json& value, PlanConstraints& into) { return read_flag(value, into.skip_validation); },
                  [](PlanConstraints& into) { into.skip_validation = false; }},
    ConstraintRow{"approval_required",
                  [](const json& value, PlanConstraints& into) -> Result<> {
                    bool required = false;
                    if (auto read = read_flag(value, required); !read) return read;
                    into.approval_required = required;
                    return Done{};
                  },
                  [](PlanConstraints& into) { into.approval_required.reset(); }},
    ConstraintRow{"force_migration",
                  [](const json& value, PlanConstraints& into) { return read_flag(value, into.force_migration); },
                  [](PlanConstraints& into) { into.force_migration = false; }},
    ConstraintRow{"priority",
                  [](const json& value, PlanConstraints& into) -> Result<> {
                    auto priority = choose(value, kPriorities);
                    if (!priority) return std::move(priority).error();
                    into.priority = *priority;
                    return Done{};
                  },
                  [](PlanConstraints& into) { into.priority.reset(); }},
};

Result<> read_constraints(Members& owner, PlanConstraints& into) {
  const json* value = owner.take("constraints");
  if (value == nullptr) return Done{};
  auto members = Members::of(*value, owner.path_of("constraints"));
  if (!members) return std::move(members).error();
  for (const ConstraintRow& row : kConstraints) {
    const std::string key(row.key);
    const json* constraint = members->take(key);
    if (constraint == nullptr) continue;
    if (constraint->is_null()) {
      row.clear(into);
      continue;
    }
    if (auto read = row.read(*constraint, into); !read) return at(members->path_of(key), read.error().text);
  }
  return members->check();
}

Result<> read_transfer(Members& owner, Transfer& into) {
  const json* value = owner.take("transfer");
  if (value == nullptr) return Done{};
  auto members = Members::of(*value, owner.path_of("transfer"));
  if (!members) return std::move(members).error();
  if (const json* size = members->take("block_size")) {
    Result<uint64_t> bytes = Error{Errc::kInvalid, "must be a size such as \"1MiB\""};
    if (size->is_string()) bytes = parse_size(size->get<std::string>());
    if (size->is_number_unsigned()) bytes = size->get<uint64_t>();
    if (!bytes) return at(members->path_of("block_size"), bytes.error().text);
    into.block_bytes = *bytes;
  }
  if (auto read = members->number("streams", into.streams, kStreamsMax); !read) return read;
  if (const json* how = members->take("compress")) {
    auto compression = choose(*how, kCompressions);
    if (!compression) return at(members->path_of("compress"), compression.error().text);
    into.compression = *compression;
  }
  return members->check();
}

Result<> read_strategy(Members& owner, PlanStrategy& into) {
  const json* value = owner.take("strategy");
  if (value == nullptr) return Done{};
  if (value->is_string() && std::ranges::find(kLaterStrategies, value->get<std::string>()) != kLaterStrategies.end())
    return at(
        owner.path_of("strategy"),
        fmt::format("'{}' is a strategy that plans of this release cannot use; bulk, staged and emergency are those they can",
                    value->get<std::string>()));
  auto strategy = choose(*value, kStrategies);
  if (!strategy) return at(owner.path_of("strategy"), strategy.error().text);
  into = *strategy;
  return Done{};
}

Result<PlanObject> read_object(const json& value, const std::string& path) {
  auto members = Members::of(value, path);
  if (!members) return std::move(members).error();
  PlanObject object;
  int kinds = 0;
  for (const PlanKind kind : {PlanKind::kRegion, PlanKind::kFiles, PlanKind::kDatabase}) {
    std::string name;
    if (auto read = members->text(std::string(to_string(kind)), name); !read) return std::move(read).error();
    if (name.empty()) continue;
    object = {kind, std::move(name)};
    ++kinds;
  }
  if (auto known = members->check(); !known) return std::move(known).error();
  if (kinds != 1) return at(path, "must have one of region, files and database");
  if (object.kind == PlanKind::kFiles && object.name[0] != '/') return at(path + ".files", "must be an absolute path");
  while (object.kind == PlanKind::kFiles && object.name.size() > 1 && object.name.back() == '/') object.name.pop_back();
  return object;
}

Result<> read_objects(Members& owner, uint32_t objects_max, std::vector<PlanObject>& into) {
  const json* value = owner.take("objects");
  const std::string path = owner.path_of("objects");
  if (value == nullptr || !value->is_array() || value->empty()) return wrong(path, "a list of at least one object");
  if (value->size() > objects_max)
    return Error{Errc::kLimit, fmt::format("plan: {}: {} objects; {} are allowed", path, value->size(), objects_max)};
  for (size_t i = 0; i < value->size(); ++i) {
    auto object = read_object((*value)[i], fmt::format("{}[{}]", path, i));
    if (!object) return std::move(object).error();
    into.push_back(std::move(*object));
  }
  return Done{};
}

// What a stage says, with the names of those that it comes after, which are known when all were read.
struct ReadStage {
  PlanStage stage;
  std::optional<std::vector<std::string>> after;
};

Result<std::optional<std::vector<std::string>>> read_after(Members& owner) {
  std::optional<std::vector<std::string>> after;
  const json* value = owner.take("after");
  if (value == nullptr) return after;
  const std::string path = owner.path_of("after");
  if (!value->is_array() || value->size() > kPlanStagesMax) return wrong(path, "a list of names of stages");
  after.emplace();
  for (const json& name : *value) {
    if (!name.is_string()) return wrong(path, "a list of names of stages");
    after->push_back(name.get<std::string>());
  }
  return after;
}

// `defaults`: a stage without objects, as the plan has it for all.
Result<ReadStage> read_stage(const json& value, size_t index, const PlanStage& defaults, uint32_t objects_max) {
  auto members = Members::of(value, fmt::format("stages[{}]", index));
  if (!members) return std::move(members).error();
  ReadStage read{defaults, {}};
  PlanStage& stage = read.stage;
  stage.name = fmt::format("stage {}", index + 1);
  for (const auto& done : {members->text("name", stage.name, kPlanNameBytesMax), members->text("to", stage.destination),
                           members->text("target", stage.target), members->text("directory", stage.directory),
                           read_strategy(*members, stage.strategy), read_constraints(*members, stage.constraints),
                           read_transfer(*members, stage.transfer), members->flag("copy", stage.copy),
                           read_objects(*members, objects_max, stage.objects)})
    if (!done) return done.error();
  auto after = read_after(*members);
  if (!after) return std::move(after).error();
  read.after = std::move(*after);
  if (auto known = members->check(); !known) return std::move(known).error();
  return read;
}

// By index; what is not said comes after the stage before it.
Result<> settle_order(Plan& plan, const std::vector<ReadStage>& read) {
  std::unordered_map<std::string, uint32_t> index_of;
  for (uint32_t i = 0; i < plan.stages.size(); ++i)
    if (!index_of.emplace(plan.stages[i].name, i).second)
      return at(fmt::format("stages[{}].name", i), fmt::format("another stage is named '{}'", plan.stages[i].name));
  for (uint32_t i = 0; i < plan.stages.size(); ++i) {
    if (!read[i].after) {
      if (i > 0) plan.stages[i].after = {i - 1};
      continue;
    }
    for (const std::string& name : *read[i].after) {
      const auto found = index_of.find(name);
      if (found == index_of.end())
        return at(fmt::format("stages[{}].after", i), fmt::format("there is no stage '{}'", log::printable(name)));
      if (std::ranges::find(plan.stages[i].after, found->second) == plan.stages[i].after.end())
        plan.stages[i].after.push_back(found->second);
    }
  }
  // Played to its end, every stage gets its turn, or waits in a circle.
  std::vector<StageState> states(plan.stages.size(), StageState::kWaiting);
  for (auto next = ready(plan, states); !next.empty(); next = ready(plan, states))
    for (const uint32_t stage : next) states[stage] = StageState::kDone;
  for (uint32_t i = 0; i < states.size(); ++i)
    if (states[i] == StageState::kWaiting)
      return at(fmt::format("stages[{}].after", i),
                fmt::format("stage '{}' waits, near or far, for itself", plan.stages[i].name));
  return Done{};
}

}  // namespace

Result<double> parse_duration(std::string_view text) {
  const Error bad{Errc::kInvalid,
                  fmt::format("'{}' is not a time; write for example 500ms, 30s, 5m or 1h", log::printable(text))};
  double number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (failed != std::errc{} || !(number >= 0) || std::signbit(number) || number > 1e9) return bad;
  const std::string_view unit = text.substr(static_cast<size_t>(end - text.data()));
  if (unit == "ms") return number / 1000;
  if (unit == "s") return number;
  if (unit == "m") return number * 60;
  if (unit == "h") return number * 3600;
  return bad;
}

Result<Plan> parse_plan(std::string_view text, uint32_t objects_max) {
  if (text.size() > kPlanBytesMax)
    return Error{Errc::kLimit, fmt::format("plan: {} bytes; {} are allowed", text.size(), kPlanBytesMax)};
  if (is_too_deep(text)) return at("", "is nested too deep to be a plan");
  const json document = json::parse(text, nullptr, false);
  if (document.is_discarded()) return at("", "is not JSON");
  auto members = Members::of(document, "");
  if (!members) return std::move(members).error();
  Plan plan;
  plan.name = "plan";
  PlanStage defaults;
  for (const auto& done : {members->text("name", plan.name, kPlanNameBytesMax), members->text("to", defaults.destination),
                           members->text("target", defaults.target), members->text("directory", defaults.directory),
                           members->number("concurrent_jobs", plan.concurrent_jobs, kConcurrentMax),
                           read_strategy(*members, defaults.strategy), read_constraints(*members, defaults.constraints),
                           read_transfer(*members, defaults.transfer), members->flag("copy", defaults.copy)})
    if (!done) return done.error();
  const json* stages = members->take("stages");
  if (auto known = members->check(); !known) return std::move(known).error();
  if (stages == nullptr || !stages->is_array() || stages->empty()) return wrong("stages", "a list of at least one stage");
  if (stages->size() > kPlanStagesMax)
    return Error{Errc::kLimit, fmt::format("plan: stages: {}; {} are allowed", stages->size(), kPlanStagesMax)};
  std::vector<ReadStage> read;
  uint64_t objects = 0;
  for (size_t i = 0; i < stages->size(); ++i) {
    auto stage = read_stage((*stages)[i], i, defaults, objects_max);
    if (!stage) return std::move(stage).error();
    const std::string path = fmt::format("stages[{}]", i);
    if (auto settled = settle_constraints(stage->stage, path); !settled) return std::move(settled).error();
    if (auto valid = check_places(stage->stage, path); !valid) return std::move(valid).error();
    objects += stage->stage.objects.size();
    plan.stages.push_back(stage->stage);
    read.push_back(std::move(*stage));
  }
  if (objects > objects_max)
    return Error{Errc::kLimit, fmt::format("plan: stages: {} objects in all; {} are allowed", objects, objects_max)};
  if (auto settled = settle_order(plan, read); !settled) return std::move(settled).error();
  if (auto valid = check_objects(plan); !valid) return std::move(valid).error();
  return plan;
}

}  // namespace godwit::model
