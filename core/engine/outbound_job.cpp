#include "engine/outbound_job.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/log.hpp"
#include "engine/attend.hpp"
#include "engine/hook.hpp"

namespace godwit::engine {

using model::Phase;
using model::SourceAction;
using model::SourceEvent;
using model::SourceState;

OutboundJob::OutboundJob(OutboundRequest request, OutboundObjects objects, OpenObjects open, Domains& domains,
                         journal::Journal& journal, const EngineSettings& settings, Pace& node_pace,
                         std::function<void(const Id&)> on_ended)
    : request_(std::move(request)),
      settings_(settings),
      open_(std::move(open)),
      domains_(domains),
      journal_(journal),
      on_ended_(std::move(on_ended)),
      pace_(request_.transfer.priority == model::Priority::kEmergency ? nullptr : &node_pace),
      has_window_(!request_.transfer.window.is_always()) {
  pace_.limit(request_.transfer.bandwidth_bytes_per_second);
  machine_.is_move = !request_.copy;
  note("queued", {{"source", request_.source_address},
                  {"destination", request_.destination_address},
                  {"target", request_.destination_target},
                  {"kind", request_.copy ? "copy" : "move"}});
  take_objects(std::move(objects));
  history_.emplace_back(Phase::kPlanning, started_);
}

void OutboundJob::take_objects(OutboundObjects objects) {
  const std::lock_guard lock(mutex_);
  sources_ = std::move(objects.sources);
  results_ = std::move(objects.results);
  bytes_total_ = 0;
  for (const ObjectResult& result : results_) {
    if (result.error == Errc{})
      bytes_total_ += result.size_bytes;
    else if (first_error_.code == Errc{})
      first_error_ = Error{result.error, objects.first_error};
    if (result.error != Errc{})
      note_bounded(
          objects_noted_, "object-refused",
          {{"object", to_string(result.source_id)},
           {"by", "the source"},
           {"error", error_row(result.error).name},
           {"cause", first_error_.code == result.error ? first_error_.text : std::string(error_row(result.error).meaning)}});
  }
}

OutboundJob::OutboundJob(const journal::OutboundJob& record, std::vector<std::unique_ptr<objects::Source>> sources,
                         model::SourceMachine machine, Domains& domains, journal::Journal& journal,
                         const EngineSettings& settings, Pace& node_pace, std::function<void(const Id&)> on_ended)
    : request_{record.job, {}, record.address, record.target, !record.is_move, {settings.block_bytes, settings.streams}},
      settings_(settings),
      domains_(domains),
      journal_(journal),
      on_ended_(std::move(on_ended)),
      pace_(&node_pace),
      has_window_(false),
      destination_node_(record.destination_node),
      journalled_(true),
      sources_(std::move(sources)),
      machine_(machine),
      phase_(Phase::kInDoubt),
      running_(false) {
  for (const journal::JobObject& object : record.objects) {
    results_.push_back({object.id, object.destination_id, object.size_bytes, Errc::kInDoubt});
    bytes_total_ += object.size_bytes;
  }
  first_error_ = Error{Errc::kInDoubt, fmt::format("the outcome waits for {}", request_.destination_address)};
  history_.emplace_back(Phase::kInDoubt, started_);
  note("recovered", {{"phase", model::to_string(Phase::kInDoubt)},
                     {"peer", request_.destination_address},
                     {"cause", "the daemon was restarted after the hand-over"}});
}

std::string OutboundJob::describe() const {
  return fmt::format("job {} to {} target '{}'", to_string(request_.job), request_.destination_address,
                     request_.destination_target);
}

// ---------------------------------------------------------------- what others see

JobStatus OutboundJob::status() const {
  const std::lock_guard lock(mutex_);
  JobStatus status;
  status.job = request_.job;
  status.source = request_.source_address;
  status.destination = request_.destination_address;
  status.destination_target = request_.destination_target;
  status.copy = request_.copy;
  status.phase = phase_;
  status.ended = model::is_final(phase_);
  status.error = first_error_.code;
  status.error_text = first_error_.text;
  const bool partial = status.ended && objects_done_ > 0 && first_error_.code != Errc{};
  if (partial) {
    status.error = Errc::kPartial;
    status.error_text = fmt::format("{} of {} objects stayed; the first because: {}", results_.size() - objects_done_,
                                    results_.size(), first_error_.text);
  }
  status.transfer = request_.transfer;
  status.transfer.bandwidth_bytes_per_second = pace_.limit();
  if (!has_window_) status.transfer.window = {};
  status.bytes_done = counters_.bytes_done;
  status.bytes_total = bytes_total_;
  status.objects_done = objects_done_;
  status.objects_total = results_.size();
  const auto until = status.ended ? ended_ : Clock::now();
  status.seconds = std::chrono::duration<double>(until - started_).count();
  status.bytes_per_second = status.seconds > 0 ? static_cast<double>(status.bytes_done) / status.seconds : 0;
  return status;
}

Phase OutboundJob::phase() const {
  const std::lock_guard lock(mutex_);
  return phase_;
}

std::vector<ObjectResult> OutboundJob::results() const {
  const std::lock_guard lock(mutex_);
  return results_;
}

model::Decision OutboundJob::decision() const {
  const std::lock_guard lock(mutex_);
  return journal_failed_ ? model::Decision::kPending : model::decision_of(machine_);
}

bool OutboundJob::unfinished() const {
  const std::lock_guard lock(mutex_);
  return !running_ && !journal_failed_ && (phase_ == Phase::kInDoubt || (machine_.state == SourceState::kDone && unreleased_));
}

std::string OutboundJob::report_json() const {
  const JobStatus now = status();
  const std::lock_guard lock(mutex_);
  nlohmann::json phases = nlohmann::json::array();
  for (size_t i = 0; i < history_.size(); ++i) {
    const auto until = i + 1 < history_.size() ? history_[i + 1].second : (now.ended ? ended_ : Clock::now());
    phases.push_back({{"phase", model::to_string(history_[i].first)},
                      {"seconds", std::chrono::duration<double>(until - history_[i].second).count()}});
  }
  return nlohmann::json{
      {"job", to_string(now.job)},
      {"source", now.source},
      {"destination", now.destination},
      {"destination_target", now.destination_target},
      {"copy", now.copy},
      {"phase", model::to_string(now.phase)},
      {"error", now.error == Errc{} ? "" : error_row(now.error).name},
      {"error_text", now.error_text},
      {"bytes", now.bytes_done},
      {"bytes_total", now.bytes_total},
      {"bytes_sent", counters_.bytes_sent.load()},
      {"objects_done", now.objects_done},
      {"objects_total", now.objects_total},
      {"seconds", now.seconds},
      {"passes", passes_.load()},
      {"writers_stopped_seconds",
       writers_stopped_ ? std::chrono::duration<double>((now.ended ? ended_ : Clock::now()) - *writers_stopped_).count() : 0.0},
      {"streams", streams_used_},
      {"blocks", counters_.blocks_done.load()},
      {"compression", model::to_string(request_.transfer.compression)},
      {"blocks_compressed", counters_.blocks_compressed.load()},
      {"blocks_direct", counters_.blocks_direct.load()},
      {"blocks_staged", counters_.blocks_staged.load()},
      {"blocks_resent", counters_.blocks_resent.load()},
      {"digests_failed", counters_.digests_failed.load()},
      {"digest", "XXH3-128"},
      {"staged_because", staged_because_},
      {"destination_blocks_direct", destination_blocks_direct_},
      {"destination_blocks_staged", destination_blocks_staged_},
      {"destination_staged_because", destination_staged_because_},
      {"phases", phases}}
      // Names and errors of strangers are in it, which may be no UTF-8: dump() alone would throw, and end the daemon.
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// For an answer of the destination, which may read back everything and run the operator's program first.
Deadline OutboundJob::patience() const {
  constexpr uint64_t kReadBackBytesPerSecond = 64_MiB;  // What the slowest medium that is any use can do.
  auto patience = settings_.stall_timeout + settings_.hook_timeout;
  if (request_.transfer.verify) patience += std::chrono::seconds(counters_.bytes_done / kReadBackBytesPerSecond);
  return Deadline::after(patience);
}

void OutboundJob::enter(Phase phase) {
  const std::lock_guard lock(mutex_);
  enter_locked(phase);
}

void OutboundJob::enter_locked(Phase phase) {
  if (!model::may_follow(phase_, phase))
    log::error("{}: {} after {}", describe(), model::to_string(phase), model::to_string(phase_));
  note("phase", {{"from", model::to_string(phase_)}, {"to", model::to_string(phase)}});
  phase_ = phase;
  history_.emplace_back(phase, Clock::now());
}

void OutboundJob::end(Phase phase) {
  {
    const std::lock_guard lock(mutex_);
    enter_locked(phase);
    ended_ = history_.back().second;
    held_ = 0;
    pace_.pause(false);
  }
  count_end();
  on_ended_(request_.job);
}

// ---------------------------------------------------------------- the life of a job

void OutboundJob::drive() {
  settings_.totals->queue_wait.observe(Clock::now() - started_);
  if (cancelled_) return fail(Error{Errc::kCancelled, "the migration was cancelled"});
  if (open_) {
    take_objects(open_(cancelled_));
    if (sources_.empty()) return fail(first_error_);
  }
  auto address = fabric::parse_address(request_.destination_address);
  if (!address) return fail(address.error());
  auto domain = domains_.of(*address);
  if (!domain) return fail(domain.error());
  const auto allowed = run_hook(settings_.hook_before,
                                {{"GODWIT_HOOK", "before"},
                                 {"GODWIT_SIDE", "source"},
                                 {"GODWIT_JOB", to_string(request_.job)},
                                 {"GODWIT_PEER", request_.destination_address},
                                 {"GODWIT_PLACE", request_.destination_target},
                                 {"GODWIT_OBJECTS", std::to_string(sources_.size())},
                                 {"GODWIT_BYTES", std::to_string(bytes_total_)}},
                                settings_.hook_timeout);
  if (!allowed) return fail(allowed.error());
  if (auto go = proceed(Phase::kPreSync); !go) return fail(go.error());
  const bool live = std::ranges::any_of(sources_, [](const auto& source) { return source->has_live_passes(); });
  if (!live)
    if (auto quiet = quiesce(); !quiet) return fail(quiet.error());
  auto channel = fabric::Channel::connect(*domain, *address, {fabric::Purpose::kJob, request_.job},
                                          Deadline::after(settings_.connect_timeout));
  if (!channel) return fail(channel.error());
  Result<> sent = Done{};
  if (live) sent = live_passes(*channel);
  if (live && sent) sent = proceed(Phase::kPreSync, &*channel);
  if (live && sent) sent = while_attending(*channel, [this] { return quiesce(); });
  if (sent) sent = transfer(*channel);
  if (!sent) {
    (void)feed(SourceEvent::kFailed, &*channel);
    return fail(sent.error());
  }
  if (request_.dry_run) return end_dry_run();
  if (auto approved = await_approval(*channel); !approved) {
    (void)feed(SourceEvent::kFailed, &*channel);
    return fail(approved.error());
  }
  // Asked to prepare, the destination first reads back what it stored, if it is to.
  if (auto go = proceed(request_.transfer.verify ? Phase::kValidation : Phase::kCutover, &*channel); !go) {
    (void)feed(SourceEvent::kFailed, &*channel);
    return fail(go.error());
  }
  // Each event leads to the next message, until the machine has ended or the destination is lost.
  const auto ended = feed(SourceEvent::kPassDone, &*channel);
  const SourceState state = [this] {
    const std::lock_guard lock(mutex_);
    return machine_.state;
  }();
  switch (state) {  // No default: -Wswitch catches a new state.
    case SourceState::kDone:
      if (!ended)
        log::info("{}: done; {} hears of the release later: {}", describe(), request_.destination_address, ended.error().text);
      return;
    case SourceState::kHandedOver: return leave_in_doubt(ended ? refusal_ : ended.error());
    case SourceState::kAborted: return fail(refusal_);
    case SourceState::kSyncing:
    case SourceState::kPreparing:
    case SourceState::kAborting: break;
  }
  (void)feed(SourceEvent::kFailed, nullptr);
  fail(ended ? refusal_ : ended.error());
}

// Decided, and the destination has not confirmed: the resolver goes on.
void OutboundJob::leave_in_doubt(const Error& error) {
  log::warn("{}: {}", describe(), error.text);
  {
    const std::lock_guard lock(mutex_);
    first_error_ = Error{Errc::kInDoubt, fmt::format("the outcome waits for {}: {}", request_.destination_address, error.text)};
  }
  note("in-doubt", {{"peer", request_.destination_address}, {"error", error_row(error.code).name}, {"cause", error.text}});
  enter(Phase::kInDoubt);
  on_ended_(request_.job);
}

void OutboundJob::fail(const Error& error) {
  {
    const std::lock_guard lock(mutex_);
    if (first_error_.code == Errc{} || objects_done_ == 0) first_error_ = error;
    for (ObjectResult& result : results_)
      if (result.error == Errc{}) result.error = error.code;
  }
  resume_all();
  log::warn("{}: failed, the source is as it was: {}", describe(), error.text);
  end(Phase::kFailed);
}

void OutboundJob::resume_all() {
  const std::lock_guard lock(mutex_);
  for (const auto& source : sources_) source->resume();
  sources_.clear();
}

// Nothing was changed anywhere, and nothing is.
void OutboundJob::end_dry_run() {
  resume_all();
  {
    const std::lock_guard lock(mutex_);
    for (const ObjectResult& result : results_)
      if (result.error == Errc{}) ++objects_done_;
  }
  end(Phase::kDone);
}

std::pair<std::vector<objects::PlannedFile>, uint64_t> OutboundJob::planned() const {
  const std::lock_guard lock(mutex_);
  return {planned_, planned_total_};
}

Result<> OutboundJob::quiesce() {
  {
    const std::lock_guard lock(mutex_);
    writers_stopped_ = Clock::now();
  }
  const auto deadline = Deadline::after(settings_.quiesce_timeout);
  for (const auto& source : sources_)
    if (auto quiet = source->quiesce(deadline); !quiet) return quiet;
  note("stopped-writers");
  return Done{};
}

}  // namespace godwit::engine
