#include "engine/planner.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/log.hpp"

namespace godwit::engine {

using model::PlanKind;

namespace {

static_assert(static_cast<int>(PlanKind::kRegion) == static_cast<int>(objects::ObjectKind::kRegion));
static_assert(static_cast<int>(PlanKind::kFiles) == static_cast<int>(objects::ObjectKind::kFileset));
static_assert(static_cast<int>(PlanKind::kDatabase) == static_cast<int>(objects::ObjectKind::kDatabase));

// Of objects; those after them have their error's name alone: the account of a plan has to fit into a message.
constexpr size_t kMessagesMax = 1000;

// What force_migration makes a warning: what may be otherwise when the time comes. Never what is not allowed, is not there, or
// is there already.
bool is_forgivable(Errc code) {
  switch (code) {
    case Errc::kBusy:
    case Errc::kNoSpace:
    case Errc::kUnreachable:
    case Errc::kPeerLost:
    case Errc::kTimeout: return true;
    default: return false;
  }
}

template <class Lookup, class Object>
Error why_not_here(const Lookup& found, const Object* object, PlanKind kind, const std::string& name) {
  if (object != nullptr) return Error{Errc::kBusy, fmt::format("{}: a job works on it now", object->describe())};
  if (found.moved.address.empty()) return not_here(kind, name);
  return Error{Errc::kMoved,
               fmt::format("{} '{}' has moved to {}", to_string(kind), log::printable(name), found.moved.address)};
}

bool is_live(const objects::DatabaseIdentity& identity) {
  return identity.kind == objects::BackendKind::kRocksDb || identity.kind == objects::BackendKind::kLevelDb;
}

uint64_t least_of(uint64_t one, uint64_t other) {
  if (one == 0 || other == 0) return std::max(one, other);
  return std::min(one, other);
}

// How long it is open each day, in seconds.
double length_of(const model::TimeWindow& window) {
  const int minutes = window.end - window.begin;
  return 60.0 * (minutes < 0 ? minutes + model::TimeWindow::kMinutesOfDay : minutes);
}

}  // namespace

bool StageFinding::ok() const {
  return errors.empty() && std::ranges::all_of(objects, [](const ObjectFinding& object) { return object.error == Errc{}; });
}

bool Findings::ok() const {
  return std::ranges::all_of(stages, [](const StageFinding& stage) { return stage.ok(); });
}

Findings Planner::examine(const model::Plan& plan) {
  std::set<std::string> destinations;
  findings_.stages.resize(plan.stages.size());
  if (auto asks = permissions_.set(asker_, owner_.permission, false); !asks) {
    for (uint32_t i = 0; i < plan.stages.size(); ++i) refuse_stage(plan, i, asks.error());
    return std::move(findings_);
  }
  for (uint32_t i = 0; i < plan.stages.size(); ++i) {
    destinations.insert(plan.stages[i].destination);
    findings_.stages[i].objects.resize(plan.stages[i].objects.size());
    for (uint32_t j = 0; j < plan.stages[i].objects.size(); ++j) resolve(plan, i, j);
  }
  if (refused_ > 0)
    log::warn("user {}, group {}, is refused: {} objects of a plan are not theirs", owner_.caller.uid, owner_.caller.gid,
              refused_);
  for (const std::string& destination : destinations) ask_destination(plan, destination);
  estimate(plan);
  return std::move(findings_);
}

void Planner::refuse(const model::Plan& plan, const Member& member, const Error& error) {
  ObjectFinding& finding = findings_.stages[member.stage].objects[member.object];
  const bool is_forced = plan.stages[member.stage].constraints.force_migration && is_forgivable(error.code);
  if (messages_++ < kMessagesMax) finding.message = log::printable(error.text);
  finding.error = is_forced ? Errc{} : error.code;
}

void Planner::refuse_stage(const model::Plan& plan, uint32_t stage, const Error& error) {
  StageFinding& finding = findings_.stages[stage];
  const std::string text = log::printable(error.text);
  if (plan.stages[stage].constraints.force_migration && is_forgivable(error.code))
    finding.warnings.push_back(text);
  else
    finding.errors.push_back({error.code, text});
}

// ---------------------------------------------------------------- at the source

void Planner::resolve(const model::Plan& plan, uint32_t stage_index, uint32_t object_index) {
  const model::PlanStage& stage = plan.stages[stage_index];
  const model::PlanObject& object = stage.objects[object_index];
  ObjectFinding& finding = findings_.stages[stage_index].objects[object_index];
  const Member member{stage_index, object_index};
  auto seen = look_at(stage, object);
  if (!seen) return refuse(plan, member, seen.error());
  finding.bytes = seen->manifest.size_bytes;
  if (object.kind != PlanKind::kFiles) {
    finding.id = seen->manifest.id;
    // By its id and by its name it is one.
    const auto [known, is_new] = gone_.emplace(std::pair(object.kind, finding.id), !stage.copy);
    if (!is_new && (known->second || !stage.copy))
      return refuse(plan, member,
                    Error{Errc::kInvalid, fmt::format("{} '{}' is in the plan already, by another name or by its id",
                                                      to_string(object.kind), log::printable(object.name))});
  }
  const std::string place = object.kind == PlanKind::kRegion  ? stage.target
                            : object.kind == PlanKind::kFiles ? stage.directory
                                                              : std::string();
  Asked& asked = groups_[Group{stage.destination, object.kind, place, stage.copy}];
  asked.question.place = place;
  asked.question.copy = stage.copy;
  asked.question.objects.push_back(std::move(*seen));
  asked.members.push_back(member);
}

// Where a node keeps databases, and how much room there is, is its operator's business: the error's meaning does for a user.
Error Planner::may_be_told(PlanKind kind, const Error& answer) const {
  const bool is_about_its_disk = answer.code == Errc::kNoSpace || answer.code == Errc::kIo;
  if (owner_.caller.may_all || kind != PlanKind::kDatabase || !is_about_its_disk) return answer;
  return Error{answer.code, std::string(error_row(answer.code).meaning)};
}

Result<PlanQuestion::Object> Planner::look_at(const model::PlanStage& stage, const model::PlanObject& object) {
  switch (object.kind) {  // No default: -Wswitch catches a new kind.
    case PlanKind::kRegion: return look_at_region(stage, object.name);
    case PlanKind::kFiles: return look_at_files(stage, object.name);
    case PlanKind::kDatabase: return look_at_database(object.name);
  }
  return Error{Errc::kInternal, "an object of no kind"};
}

// Errors: as check_owned(). What there is no record of is nowhere, or the daemon's own.
Result<> Planner::check(PlanKind kind, const Id& id, bool copy, const std::string& name) {
  if (id.is_zero() || owner_.caller.may_all) return Done{};
  auto may = check_owned(permissions_, owner_.caller, kind, id, copy, name);
  if (!may) ++refused_;
  return may;
}

Result<PlanQuestion::Object> Planner::look_at_region(const model::PlanStage& stage, const std::string& name) {
  const auto id = parse_id(name);
  const objects::Lookup found = id ? store_.find(*id) : store_.find(name);
  const objects::Region* region = found.region.get();
  const Id its_id = id ? *id : region != nullptr ? region->id : found.moved.id;
  if (auto may = check(PlanKind::kRegion, its_id, stage.copy, name); !may) return std::move(may).error();
  if (region == nullptr || region->state() != objects::RegionState::kServing || region->is_pinned())
    return why_not_here(found, region, PlanKind::kRegion, name);
  const auto own = host_.own_addresses(stage.destination);
  if (std::ranges::find(own, stage.destination) != own.end() && region->target.name() == stage.target)
    return Error{Errc::kInvalid,
                 fmt::format("{} is on target '{}' already: the destination is the source", region->describe(), stage.target)};
  return PlanQuestion::Object{{region->id, region->id, region->epoch, region->name, region->size_bytes, region->target.name(),
                               region->extent, objects::ObjectKind::kRegion}};
}

Result<PlanQuestion::Object> Planner::look_at_database(const std::string& name) {
  const auto id = parse_id(name);
  const objects::DatabaseLookup found = id ? databases_.find(*id) : databases_.find(name);
  objects::Database* database = found.database.get();
  const Id its_id = id ? *id : database != nullptr ? database->identity.id : found.moved.id;
  if (auto may = check(PlanKind::kDatabase, its_id, false, name); !may) return std::move(may).error();
  if (database == nullptr || database->state() != objects::GateState::kServing || database->is_pinned())
    return why_not_here(found, database, PlanKind::kDatabase, name);
  const auto access = database->enter(objects::Use::kRead);  // It is not closed meanwhile.
  if (!access) return access.error();
  const auto contents = database->contents();
  if (!contents) return with_context(database->describe(), contents.error());
  const uint64_t bytes = contents->backend.bytes();
  held_.push_back(found.database);
  const objects::DatabaseIdentity& identity = database->identity;
  return PlanQuestion::Object{
      {identity.id, identity.id, identity.epoch, identity.name, bytes, {}, {}, objects::ObjectKind::kDatabase}, {}, &identity};
}

Result<PlanQuestion::Object> Planner::look_at_files(const model::PlanStage& stage, const std::string& path) {
  std::shared_ptr<objects::FileVolume> volume;
  objects::FilesetOptions options;
  options.move = !stage.copy;
  auto source = filesets_.open(asker_, path, options, volume, cancelled_);
  if (!source) return std::move(source).error();
  auto listing = (*source)->listing();
  if (!listing) return with_context((*source)->describe(), std::move(listing).error());
  PlanQuestion::Object object{(*source)->manifest(), std::move(*listing)};
  if (owner_.permission != permissions_.own()) object.permission = owner_.permission;
  return object;
}

// ---------------------------------------------------------------- at a destination

void Planner::ask_destination(const model::Plan& plan, const std::string& destination) {
  const auto refuse_all = [&](const Error& error) {
    for (uint32_t i = 0; i < plan.stages.size(); ++i)
      if (plan.stages[i].destination == destination) refuse_stage(plan, i, with_context(destination, error));
  };
  // Not even a connection: this daemon would prove itself there.
  if (!owner_.caller.may_all)
    if (auto may = host_.check_destination(destination); !may) return refuse_all(may.error());
  const auto own = host_.own_addresses(destination);
  auto link = PlanLink::open(domains_, own.front(), destination, node_, settings_, cancelled_);
  if (!link) return refuse_all(link.error());
  auto rate = link->measure();
  if (!rate) return refuse_all(rate.error());
  for (uint32_t i = 0; i < plan.stages.size(); ++i)
    if (plan.stages[i].destination == destination) findings_.stages[i].bytes_per_second = *rate;
  for (auto& [group, asked] : groups_) {
    if (group.destination != destination) continue;
    const auto answers = link->ask(asked.question);
    if (!answers) {
      std::set<uint32_t> stages;
      for (const Member& member : asked.members) stages.insert(member.stage);
      for (const uint32_t stage : stages) refuse_stage(plan, stage, with_context(destination, answers.error()));
      continue;
    }
    for (size_t i = 0; i < answers->size(); ++i)
      if ((*answers)[i].code != Errc{})
        refuse(plan, asked.members[i], with_context(destination, may_be_told(group.kind, (*answers)[i])));
  }
}

// ---------------------------------------------------------------- what it takes

void Planner::estimate(const model::Plan& plan) {
  std::vector<double> stage_seconds;
  double link_seconds = 0;
  for (size_t i = 0; i < plan.stages.size(); ++i) {
    const model::PlanStage& stage = plan.stages[i];
    StageFinding& finding = findings_.stages[i];
    const bool is_emergency = stage.transfer.priority == model::Priority::kEmergency;
    const uint64_t limit = least_of(stage.transfer.bandwidth_bytes_per_second, is_emergency ? 0 : bandwidth_);
    for (const model::PlanJob& job : model::jobs_of(stage)) {
      uint64_t stopped = 0;
      for (const uint32_t index : job.objects) {
        const ObjectFinding& object = finding.objects[index];
        finding.bytes += object.bytes;
        const auto held = std::ranges::find_if(held_, [&](const auto& database) { return database->identity.id == object.id; });
        const bool live = job.kind == PlanKind::kDatabase && held != held_.end() && is_live((*held)->identity);
        stopped += model::bytes_stopped(job.kind, object.bytes, live);
      }
      const auto downtime = model::seconds_of(stopped, finding.bytes_per_second, limit);
      finding.downtime_seconds = std::max(finding.downtime_seconds, downtime.value_or(0));
    }
    finding.seconds = model::seconds_of(finding.bytes, finding.bytes_per_second, limit).value_or(0);
    stage_seconds.push_back(finding.seconds);
    link_seconds += model::seconds_of(finding.bytes, finding.bytes_per_second, is_emergency ? 0 : bandwidth_).value_or(0);
    findings_.bytes += finding.bytes;
    findings_.downtime_seconds = std::max(findings_.downtime_seconds, finding.downtime_seconds);
    if (const auto& most = stage.constraints.max_downtime_seconds; most && finding.downtime_seconds > *most) {
      const std::string text = fmt::format("writers would be stopped for about {:.3f} s, longer than max_downtime, {:.3f} s",
                                           finding.downtime_seconds, *most);
      if (stage.constraints.force_migration)
        finding.warnings.push_back(text);
      else
        finding.errors.push_back({Errc::kLimit, text});
    }
    if (stage.transfer.max_downtime_ms > 0 && finding.downtime_seconds > 0 && !stage.transfer.window.is_always())
      finding.warnings.push_back(fmt::format(
          "should its time window {} end while writers are stopped, the job waits for the next one, and max_downtime "
          "ends it",
          to_string(stage.transfer.window)));
    if (!stage.transfer.window.is_always() && finding.seconds > length_of(stage.transfer.window))
      finding.warnings.push_back(fmt::format("takes about {}, longer than its time window {}: it is paused until the next day",
                                             format_seconds(finding.seconds), to_string(stage.transfer.window)));
  }
  findings_.seconds = model::seconds_of_all(plan, stage_seconds, link_seconds);
}

}  // namespace godwit::engine
