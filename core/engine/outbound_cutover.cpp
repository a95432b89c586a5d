// OutboundJob's second half: from the last verified block to the end, as model/cutover.hpp says.
#include <fmt/format.h>

#include <algorithm>

#include "base/fail_point.hpp"
#include "base/log.hpp"
#include "engine/attend.hpp"
#include "engine/outbound_job.hpp"
#include "objects/files/arrived_filesets.hpp"
#include "objects/files/file_roots.hpp"

namespace godwit::engine {

using model::Phase;
using model::SourceAction;
using model::SourceEvent;
using model::SourceState;

namespace {

// The longest until a cancel is seen.
constexpr milliseconds kLatency{50};

SourceEvent event_of(wire::Outcome outcome) {
  switch (outcome) {
    case wire::Outcome::prepared: return SourceEvent::kPrepared;
    case wire::Outcome::refused: return SourceEvent::kPrepareRefused;
    case wire::Outcome::committed: return SourceEvent::kCommitted;
    case wire::Outcome::aborted: return SourceEvent::kAbortAcked;
    case wire::Outcome::lost:
    case wire::Outcome::unknown: return SourceEvent::kLost;
    case wire::Outcome::released: return SourceEvent::kReleased;
  }
  return SourceEvent::kFailed;
}

// The crash points of the source: "source.before.NAME" and "source.after.NAME".
std::string_view name_of(SourceAction action) {
  switch (action) {  // No default: -Wswitch catches a new action.
    case SourceAction::kSendPrepare: return "send-prepare";
    case SourceAction::kJournalHandOver: return "journal-hand-over";
    case SourceAction::kSendCommit: return "send-commit";
    case SourceAction::kJournalDone: return "journal-done";
    case SourceAction::kFreeObjects: return "free-objects";
    case SourceAction::kSendRelease: return "send-release";
    case SourceAction::kResume: return "resume";
    case SourceAction::kJournalReclaim: return "journal-reclaim";
    case SourceAction::kSendAbort: return "send-abort";
    case SourceAction::kForgetJob: return "forget-job";
  }
  return "unknown";
}

}  // namespace

// What comes next. Errors: those of Channel::wait; stopped(), as soon as `stop` says so: the writers need not wait for an
// answer.
Result<fabric::ChannelEvent> OutboundJob::hear(fabric::Channel& channel, Deadline deadline, const std::atomic<bool>* stop) {
  for (;;) {
    auto event = channel.wait(Deadline::at(std::min(deadline.time(), Clock::now() + kLatency)));
    if (event || event.error().code != Errc::kTimeout || deadline.passed()) return event;
    if (stop != nullptr && *stop) return stopped();
  }
}

// Sends a request and waits for its outcome; what it means depends on what was asked. Errors: also stopped(), where nothing is
// decided yet.
Result<SourceEvent> OutboundJob::ask(fabric::Channel& channel, std::span<const std::byte> message) {
  const uint64_t number = next_request_ - 1;  // The one that `message` was built with.
  if (fail_point("source.message.stale") != 0 && !said_before_.empty())
    if (auto sent = channel.send(said_before_); !sent) return std::move(sent).error();
  if (auto sent = channel.send(message); !sent) return std::move(sent).error();
  if (fail_point("source.message.again") != 0)
    if (auto sent = channel.send(message); !sent) return std::move(sent).error();
  said_before_.assign(message.begin(), message.end());
  const SourceState state = [this] {
    const std::lock_guard lock(mutex_);
    return machine_.state;
  }();
  // Without an answer to its abort it asks by itself, later.
  const auto deadline = state == SourceState::kAborting ? Deadline::after(settings_.stall_timeout) : patience();
  for (;;) {
    auto event = hear(channel, deadline, state == SourceState::kPreparing ? &cancelled_ : nullptr);
    if (!event) return with_context(request_.destination_address, std::move(event).error());
    const auto* bytes = std::get_if<fabric::Message>(&*event);
    if (bytes == nullptr) return Error{Errc::kInternal, "an RMA completion in the cutover"};
    auto decoded = protocol::decode(*bytes);
    if (!decoded) return std::move(decoded).error();
    if (const auto* failed = decoded->body<wire::ErrorReply>())
      return with_context(request_.destination_address, protocol::from_wire(*failed));
    const auto* reply = decoded->body<wire::OutcomeReply>();
    if (reply == nullptr || decoded->request() != number) continue;  // A late answer to something else.
    if (protocol::from_wire(reply->node()) != destination_node_)
      return Error{Errc::kInDoubt, fmt::format("another daemon answers at {}; bring back the one that took the job",
                                               request_.destination_address)};
    if (reply->error() != 0)
      refusal_ = Error{error_from_number(reply->error()), fmt::format("{}: {}", request_.destination_address,
                                                                      log::printable(protocol::text_of(reply->error_text())))};
    if (reply->outcome() == wire::Outcome::prepared && reply->error() == 0) {
      const std::lock_guard lock(mutex_);
      destination_blocks_direct_ = reply->blocks_direct();
      destination_blocks_staged_ = reply->blocks_staged();
      destination_staged_because_ = log::printable(protocol::text_of(reply->staged_because()));
    }
    // Without an outcome the destination is where it was: the caller tries again later.
    if (reply->error() != 0 && reply->outcome() == wire::Outcome::unknown) return refusal_;
    return event_of(reply->outcome());
  }
}

Result<> OutboundJob::journal_hand_over() {
  std::vector<journal::MovedRecord> moved;
  std::vector<journal::DatabaseRecord> databases;
  const objects::Moved where{request_.destination_address, request_.destination_target, {}};
  if (!request_.copy)
    for (const auto& source : sources_) {
      if (auto record = source->moved_record(where)) moved.push_back(std::move(*record));
      if (auto record = source->database_record(&where)) databases.push_back(std::move(*record));
    }
  const std::vector<std::string> left = paths_left();
  if (auto decided = journal_.hand_over(request_.job, moved, databases, left); !decided) return decided;
  // From here on others may bring trees to where these were.
  if (settings_.arrived) settings_.arrived->forget(left);
  return Done{};
}

// Performs the machine's actions in order; an answer of the destination is the next event. Without a channel, or when it
// breaks, it stops with an error: the machine's state then says what is decided.
Result<> OutboundJob::feed(SourceEvent first, fabric::Channel* channel) {
  std::optional<SourceEvent> event = first;
  while (event) {
    std::vector<SourceAction> actions;
    {
      const std::lock_guard lock(mutex_);
      // Who was told that it is cancelled, or rolled back, was told so before this decision.
      if (*event == SourceEvent::kPrepared && stops_)
        event = suspended_ || !cancelled_ ? SourceEvent::kInterrupted : SourceEvent::kFailed;
      actions = machine_.on(*event);
    }
    event.reset();
    for (const SourceAction action : actions) {
      crash_point(fmt::format("source.before.{}", name_of(action)));
      auto next = perform(action, channel);
      crash_point(fmt::format("source.after.{}", name_of(action)));
      if (!next) return std::move(next).error();
      if (*next) event = **next;
    }
  }
  return Done{};
}

// The destination has prepared: nobody reads what moves any more. Errors: as stop_all().
Result<> OutboundJob::before_decision(fabric::Channel& channel) {
  {
    const std::lock_guard lock(mutex_);
    if (stops_) return Done{};  // feed() takes no decision then.
    if (request_.transfer.verify) enter_locked(Phase::kCutover);
  }
  return request_.copy ? Result<>(Done{}) : while_attending(channel, [this] { return stop_all(); });
}

Result<std::optional<SourceEvent>> OutboundJob::perform(SourceAction action, fabric::Channel* channel) {
  const std::optional<SourceEvent> nothing;
  const wire::Id job = protocol::to_wire(request_.job);
  const auto send = [&](auto make) -> Result<std::optional<SourceEvent>> {
    if (channel == nullptr) return Error{Errc::kPeerLost, fmt::format("no connection to {}", request_.destination_address)};
    auto body = make(encoder_.builder());
    auto answer = ask(*channel, encoder_.finish(next_request_++, body));
    if (!answer) return std::move(answer).error();
    return std::optional<SourceEvent>(*answer);
  };
  switch (action) {
    case SourceAction::kSendPrepare: {
      auto answer = send([&](auto& builder) {
        const auto failed = builder.CreateVector(failed_);
        return wire::CreatePrepareRequest(builder, &job, failed);
      });
      if (answer && **answer == SourceEvent::kPrepared)
        if (auto ready = before_decision(*channel); !ready) return std::move(ready).error();
      return answer;
    }
    case SourceAction::kJournalHandOver:
      if (auto written = journal_hand_over(); !written) {
        const std::lock_guard lock(mutex_);
        journal_failed_ = true;  // Whether it is on disk is unknown until the restart: decide nothing before.
        return std::move(written).error();
      }
      note("handed-over", {{"peer", request_.destination_address}});
      return nothing;
    case SourceAction::kSendCommit: return send([&](auto& builder) { return wire::CreateCommitRequest(builder, &job); });
    case SourceAction::kJournalDone:
      if (auto written = journal_.finish_outbound(request_.job); !written) {
        const std::lock_guard lock(mutex_);
        journal_failed_ = true;  // After a restart the destination has to know of the job still: it hears of no release.
        return std::move(written).error();
      }
      if (request_.copy) finish_objects();
      return nothing;
    case SourceAction::kFreeObjects: finish_objects(); return nothing;
    case SourceAction::kSendRelease: return send([&](auto& builder) { return wire::CreateReleaseRequest(builder, &job); });
    case SourceAction::kResume: resume_all(); return nothing;
    case SourceAction::kJournalReclaim: {
      std::vector<journal::RegionRecord> records;
      std::vector<journal::DatabaseRecord> databases;
      for (const auto& source : sources_) {
        if (auto record = source->record()) records.push_back(std::move(*record));
        if (auto record = source->database_record(nullptr)) databases.push_back(std::move(*record));
      }
      if (auto written = journal_.reclaim(request_.job, records, databases); !written) return std::move(written).error();
      reclaimed_ = true;
      return nothing;
    }
    case SourceAction::kSendAbort:
      // The destination asks by itself if it does not hear this.
      if (channel != nullptr) return send([&](auto& builder) { return wire::CreateAbortRequest(builder, &job); });
      return nothing;
    case SourceAction::kForgetJob:
      if (auto gone = forget_records(); !gone) return std::move(gone).error();
      {
        const std::lock_guard lock(mutex_);
        unreleased_ = false;
      }
      return nothing;
  }
  return nothing;
}

// The trees that a move takes away from here.
std::vector<std::string> OutboundJob::paths_left() const {
  std::vector<std::string> paths;
  if (request_.copy) return paths;
  for (const auto& source : sources_) {
    if (source->kind() != objects::ObjectKind::kFileset) continue;
    const journal::JobObject object = source->manifest();
    if (auto path = objects::normal_path(object.target + '/' + object.name)) paths.push_back(std::move(*path));
  }
  return paths;
}

// A request that is being written must not come after it.
Result<> OutboundJob::forget_records() {
  const std::lock_guard keeping(kept_mutex_);
  if (journalled_ || kept_)
    if (auto gone = journal_.forget_outbound(request_.job); !gone) return gone;
  journalled_ = false;
  kept_ = false;
  return Done{};
}

Result<> OutboundJob::stop_all() {
  const auto deadline = Deadline::after(settings_.quiesce_timeout);
  for (const auto& source : sources_)
    if (auto stopped = source->stop(deadline); !stopped) return fails_here(stopped.error());
  return Done{};
}

// The destination owns them, or has its copy: the user's job is done; what is left is between the two daemons.
void OutboundJob::finish_objects() {
  {
    const std::lock_guard lock(mutex_);
    if (phase_ == Phase::kDone) return;  // A retry after a restart performs the whole end again.
  }
  enter(Phase::kCleanup);
  std::vector<std::unique_ptr<objects::Source>> sources;
  {
    const std::lock_guard lock(mutex_);
    sources.swap(sources_);
  }
  // Without the lock: to remove a tree takes long, and others only want to know how the job stands.
  for (const auto& source : sources) source->finish_move({request_.destination_address, request_.destination_target, {}});
  sources.clear();  // With what they had made for a while: whoever hears of the end may look.
  {
    const std::lock_guard lock(mutex_);
    for (ObjectResult& result : results_)
      if (result.error == Errc{} || result.error == Errc::kInDoubt) {
        result.error = Errc{};
        ++objects_done_;
      }
    if (first_error_.code == Errc::kInDoubt) {  // What was refused before is what is left to tell.
      const auto refused = std::ranges::find_if(results_, [](const ObjectResult& result) { return result.error != Errc{}; });
      first_error_ =
          refused == results_.end() ? Error{Errc{}, {}} : Error{refused->error, std::string(error_row(refused->error).meaning)};
    }
  }
  end(Phase::kDone);
}

void OutboundJob::withhold(const Error& why) {
  log::error("{}: not ended before this daemon starts again with its directory in its place: {}", describe(), why.text);
  note("in-doubt", {{"error", error_row(why.code).name}, {"cause", why.text}});
  const std::lock_guard lock(mutex_);
  withheld_ = true;
  first_error_ =
      Error{Errc::kInDoubt, fmt::format("what has moved is still at the source, whose daemon has to start again with "
                                        "its directory in its place: {}",
                                        why.text)};
}

bool OutboundJob::finish_in_doubt() {
  if (!unfinished()) return true;
  auto address = fabric::parse_address(request_.destination_address);
  if (!address) return false;
  auto domain = domains_.of(*address);
  if (!domain) return false;
  auto channel = fabric::Channel::connect(*domain, *address, {fabric::Purpose::kJob, request_.job},
                                          Deadline::after(settings_.connect_timeout));
  if (!channel) {
    log::debug("{}: still in doubt: {}", describe(), channel.error().text);
    return false;
  }
  if (auto ended = feed(SourceEvent::kRetry, &*channel); !ended) {
    Error why{Errc::kInDoubt, fmt::format("the outcome waits for {}: {}", request_.destination_address, ended.error().text)};
    const std::lock_guard lock(mutex_);
    if (phase_ != Phase::kInDoubt || first_error_.text == why.text) return false;  // It has been told.
    log::warn("{}: still in doubt: {}", describe(), ended.error().text);
    first_error_ = std::move(why);
    return false;
  }
  if (!reclaimed_) return true;
  {
    const std::lock_guard lock(mutex_);
    first_error_ = Error{Errc::kPeerLost, fmt::format("{} lost its copy before it owned it; the source serves again",
                                                      request_.destination_address)};
    for (ObjectResult& result : results_)
      if (result.error == Errc{} || result.error == Errc::kInDoubt) result.error = Errc::kPeerLost;
  }
  end(Phase::kRolledBack);
  return true;
}

}  // namespace godwit::engine
