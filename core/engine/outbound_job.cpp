#include "engine/outbound_job.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/fail_point.hpp"
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
  destination_node_ = request_.destination_node;
  journalled_ = request_.is_journalled;
  kept_ = request_.is_kept;
  attempt_ = request_.attempts;
  has_begun_ = journalled_;
  approved_ = request_.is_approved;
  history_.emplace_back(Phase::kPlanning, started_);
  note(attempt_ > 0 ? "recovered" : "queued", {{"source", request_.source_address},
                                               {"destination", request_.destination_address},
                                               {"target", request_.destination_target},
                                               {"kind", request_.copy ? "copy" : "move"}});
  if (attempt_ > 0) recall();
  take_objects(std::move(objects));
  if (!request_.is_paused) return;
  const std::lock_guard lock(mutex_);
  hold_locked(Why::kUser);
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
                         std::vector<ObjectResult> results, model::SourceMachine machine, Domains& domains,
                         journal::Journal& journal, const EngineSettings& settings, Pace& node_pace,
                         std::function<void(const Id&)> on_ended)
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
      results_(std::move(results)),
      machine_(machine),
      phase_(Phase::kInDoubt),
      running_(false) {
  for (const ObjectResult& result : results_)
    if (result.error == Errc::kInDoubt) bytes_total_ += result.size_bytes;
  first_error_ = Error{Errc::kInDoubt, fmt::format("the outcome waits for {}", request_.destination_address)};
  history_.emplace_back(Phase::kInDoubt, started_);
  note("recovered", {{"phase", model::to_string(Phase::kInDoubt)},
                     {"peer", request_.destination_address},
                     {"cause", "the daemon was restarted after the hand-over"}});
  recall();
}

std::string OutboundJob::describe() const {
  return fmt::format("job {} to {} target '{}'", to_string(request_.job), request_.destination_address,
                     request_.destination_target);
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
    log::error("{}: the phase '{}' must not follow '{}'", describe(), model::to_string(phase), model::to_string(phase_));
  note("phase", {{"from", model::to_string(phase_)}, {"to", model::to_string(phase)}});
  phase_ = phase;
  history_.emplace_back(phase, Clock::now());
}

void OutboundJob::end(Phase phase) {
  overrun_.clear();
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
  if (cancelled_) return give_up(stopped());
  auto ready = begin();
  if (ready) ready = quiesce_before_offer();
  if (!ready && !goes_back()) return give_up(ready.error());
  auto channel = ready ? connect() : Result<fabric::Channel>(ready.error());
  for (;;) {
    const Result<> ended = channel ? attempt(*channel) : Result<>(channel.error());
    if (ended) return;
    if (!can_go_on(ended.error())) return give_up(ended.error());
    if (channel) channel->close();  // Also a sound one: the destination notes what has arrived.
    channel = go_on(ended.error());
    if (!channel) return give_up(channel.error());
  }
}

// Before a decision, for good; unless the daemon stops, and the journal has it.
void OutboundJob::give_up(const Error& error) {
  if (suspended_) return resume_all();
  (void)feed(SourceEvent::kFailed, nullptr);
  fail(error);
}

// Objects that cannot be read while they are written to; before the destination waits for an offer.
Result<> OutboundJob::quiesce_before_offer() { return has_live_passes() ? Done{} : quiesce(); }

bool OutboundJob::has_live_passes() const {
  return std::ranges::any_of(sources_, [](const auto& source) { return source->has_live_passes(); });
}

// Opens the objects, and asks the operator's program.
Result<> OutboundJob::begin() {
  crash_point("source.planning");
  if (open_ && sources_.empty()) {
    take_objects(open_(cancelled_, request_.refused));
    if (cancelled_) return stopped();
    if (sources_.empty()) return first_error_;
  }
  {
    const std::lock_guard lock(mutex_);
    machine_.is_lasting = std::ranges::all_of(sources_, [](const auto& source) { return source->survives_restart(); });
  }
  if (auto address = fabric::parse_address(request_.destination_address); !address) return std::move(address).error();
  const auto allowed = run_hook(settings_.hook_before,
                                {{"GODWIT_HOOK", "before"},
                                 {"GODWIT_SIDE", "source"},
                                 {"GODWIT_JOB", to_string(request_.job)},
                                 {"GODWIT_PEER", request_.destination_address},
                                 {"GODWIT_PLACE", request_.destination_target},
                                 {"GODWIT_OBJECTS", std::to_string(sources_.size())},
                                 {"GODWIT_BYTES", std::to_string(bytes_total_)}},
                                settings_.hook_timeout);
  if (!allowed) return allowed;
  return proceed(Phase::kPreSync);
}

Result<fabric::Channel> OutboundJob::connect() {
  const auto address = fabric::parse_address(request_.destination_address);
  auto domain = domains_.of(*address);
  if (!domain) return std::move(domain).error();
  return fabric::Channel::connect(*domain, *address, {fabric::Purpose::kJob, request_.job},
                                  Deadline::after(settings_.connect_timeout));
}

// On one connection, from the offer to the end. Errors: why it ended before a decision, and unless can_go_on() the destination
// has heard of it.
Result<> OutboundJob::attempt(fabric::Channel& channel) {
  const auto failed = [&](Error error, fabric::Channel* to) -> Result<> {
    if (!can_go_on(error)) (void)feed(SourceEvent::kFailed, to);
    return error;
  };
  if (auto sent = send_all(channel); !sent) return failed(sent.error(), &channel);
  if (request_.dry_run) {
    end_dry_run();
    return Done{};
  }
  // Each event leads to the next message, until the machine has ended or the destination is lost.
  const auto ended = feed(SourceEvent::kPassDone, &channel);
  const auto [state, journal_failed] = [this] {
    const std::lock_guard lock(mutex_);
    return std::pair(machine_.state, journal_failed_);
  }();
  switch (state) {  // No default: -Wswitch catches a new state.
    case SourceState::kDone:
      if (journal_failed) {
        leave_in_doubt(ended.error());
        return Done{};
      }
      if (!ended)
        log::info("{}: done; {} hears of the release later: {}", describe(), request_.destination_address, ended.error().text);
      return Done{};
    case SourceState::kHandedOver: leave_in_doubt(ended ? refusal_ : ended.error()); return Done{};
    case SourceState::kAborted: return cancelled_ ? stopped() : refusal_;
    case SourceState::kSyncing:
    case SourceState::kPreparing:
    case SourceState::kAborting: break;
  }
  return failed(!ended ? ended.error() : stops_ ? stopped() : refusal_, cancelled_ ? &channel : nullptr);
}

// Everything, until only the decision is left.
Result<> OutboundJob::send_all(fabric::Channel& channel) {
  pass_ = 0;
  attempt_begun_ = Clock::now();
  // The journal knows of the attempt before the destination does; of the first one since the job was queued.
  if (++attempt_ > 1)
    if (auto kept = keep_request(); !kept) return kept;
  // A pause waits for its offer to be answered: the destination hangs up on who offers nothing.
  if (stops_) return stopped();
  if (has_live_passes()) {
    if (auto sent = live_passes(channel); !sent) return sent;
    if (auto go = proceed(Phase::kPreSync, &channel); !go) return go;
    if (auto quiet = while_attending(channel, [this] { return quiesce(); }); !quiet) return quiet;
  }
  if (auto sent = transfer(channel); !sent || request_.dry_run) return sent;
  if (auto written = journal_start(); !written) return written;  // What fell out meanwhile is no part of it any more.
  if (auto approved = await_approval(channel); !approved) return approved;
  if (auto claimed = await_ownership(channel); !claimed) return claimed;
  // Asked to prepare, the destination first reads back what it stored, if it is to.
  return proceed(request_.transfer.verify ? Phase::kValidation : Phase::kCutover, &channel);
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
  const bool rolled_back = [this] {
    const std::lock_guard lock(mutex_);
    return rolls_back_;
  }();
  end(rolled_back ? Phase::kRolledBack : Phase::kFailed);
}

void OutboundJob::resume_all() {
  Sources sources;
  {
    const std::lock_guard lock(mutex_);
    sources.swap(sources_);
  }
  let_serve(std::move(sources));
  const std::lock_guard lock(mutex_);
  if (writers_stopped_ && !writers_went_on_) writers_went_on_ = Clock::now();
}

void OutboundJob::let_serve(Sources sources) {
  for (const auto& source : sources) source->resume();
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

Result<> OutboundJob::quiesce() {
  overrun_.clear();  // Of an attempt that did not reach its peer.
  const auto now = Clock::now();
  {
    const std::lock_guard lock(mutex_);
    writers_stopped_ = now;
    writers_went_on_.reset();
  }
  // Nobody is kept from files.
  const bool stops_writers =
      std::ranges::any_of(sources_, [](const auto& source) { return source->kind() != objects::ObjectKind::kFileset; });
  milliseconds patience = settings_.quiesce_timeout;
  if (request_.transfer.max_downtime_ms > 0 && stops_writers) {
    patience = std::min(patience, max_downtime());
    if (auto set = overrun_.set(now + max_downtime(), [this] { overrun(); }); !set) return fails_here(set.error());
  }
  const auto deadline = Deadline::at(now + patience);
  for (const auto& source : sources_)
    if (auto quiet = source->quiesce(deadline); !quiet) return fails_here(cancelled_ ? stopped() : quiet.error());
  if (cancelled_) return stopped();
  note("stopped-writers");
  return Done{};
}

milliseconds OutboundJob::max_downtime() const {
  constexpr milliseconds kForEver = std::chrono::hours(24 * 365 * 100);  // As long as a clock can tell.
  return milliseconds(std::min(request_.transfer.max_downtime_ms, static_cast<uint64_t>(kForEver.count())));
}

// They were stopped for max_downtime: unless it is decided, the job ends.
void OutboundJob::overrun() {
  {
    const std::lock_guard lock(mutex_);
    if (cancelled_ || !writers_stopped_ || writers_went_on_ || !check_undecided_locked()) return;
    note("overrun", {{"milliseconds", request_.transfer.max_downtime_ms}, {"cause", "max_downtime"}});
    is_overdue_ = true;
    cancelled_ = true;  // Together: from here on no decision is taken.
    stops_ = true;
  }
  steered_.notify_all();
}

std::optional<Clock::duration> OutboundJob::writers_stopped_for_locked() const {
  if (!writers_stopped_) return {};
  const bool ended = ended_ != Clock::time_point{};
  return writers_went_on_.value_or(ended ? ended_ : Clock::now()) - *writers_stopped_;
}

}  // namespace godwit::engine
