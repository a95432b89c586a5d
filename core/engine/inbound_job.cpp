#include "engine/inbound_job.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <climits>
#include <map>

#include "base/fail_point.hpp"
#include "base/log.hpp"
#include "engine/hook.hpp"
#include "engine/verify.hpp"
#include "objects/files/arrived_filesets.hpp"
#include "objects/files/file_roots.hpp"
#include "objects/permissions.hpp"

namespace godwit::engine {

using model::DestinationAction;
using model::DestinationEvent;
using model::DestinationState;

namespace {

// The crash points of the destination: "destination.before.NAME" and "destination.after.NAME".
std::string_view name_of(DestinationAction action) {
  switch (action) {  // No default: -Wswitch catches a new action.
    case DestinationAction::kJournalPrepared: return "journal-prepared";
    case DestinationAction::kSendPrepared: return "send-prepared";
    case DestinationAction::kSendPrepareRefused: return "send-prepare-refused";
    case DestinationAction::kJournalOwner: return "journal-owner";
    case DestinationAction::kServe: return "serve";
    case DestinationAction::kSendCommitted: return "send-committed";
    case DestinationAction::kFreeSpace: return "free-space";
    case DestinationAction::kSendAborted: return "send-aborted";
    case DestinationAction::kAskSource: return "ask-source";
    case DestinationAction::kForgetJob: return "forget-job";
    case DestinationAction::kJournalReceiving: return "journal-receiving";
  }
  return "unknown";
}

}  // namespace

InboundJob::InboundJob(journal::Journal& journal, journal::InboundJob record, std::vector<std::unique_ptr<objects::Sink>> sinks,
                       model::DestinationMachine machine, const EngineSettings& settings, const wire::OfferRequest* offer,
                       const Digest& listings, Arrived arrived)
    : settings_(settings),
      journal_(journal),
      record_(std::move(record)),
      listings_(listings),
      sinks_(std::move(sinks)),
      machine_(machine),
      attached_(offer != nullptr),
      arrived_(std::move(arrived)),
      journalled_(offer == nullptr),
      has_record_(offer == nullptr),
      noted_(arrived_.digests),
      attempt_(offer == nullptr ? 0 : attempt_of(*offer)),
      seen_state_(machine.state),
      source_is_silent_(offer == nullptr) {}

std::string InboundJob::describe() const {
  return fmt::format("job {} from {}", to_string(record_.job), record_.source_address);
}

void InboundJob::withhold(Error why) {
  log::error("{}: neither committed nor forgotten before this daemon starts again with its files in their place: {}",
             describe(), why.text);
  const std::lock_guard lock(mutex_);
  withheld_ = std::move(why);
}

Result<> InboundJob::end_pass() {
  std::shared_ptr<SinkTransfer> last;
  {
    const std::lock_guard lock(mutex_);
    if (machine_.state != DestinationState::kReceiving || streams_ > 0 || !stream_outcome_)
      return Error{Errc::kProtocol, fmt::format("{}: no pass can end now", describe())};
    last = std::exchange(transfer_, nullptr);
  }
  // Without the lock: only the job's conversation, which is here, touches the sinks while no stream runs.
  if (!last || !last->verifies) return Done{};
  if (auto durable = make_durable(std::vector<bool>(sinks_.size(), true)); !durable) return durable;
  return verify_blocks(*last);
}

Result<> InboundJob::begin_pass(const std::function<Result<>(const Sinks&)>& begin) {
  {
    const std::lock_guard lock(mutex_);
    if (machine_.state != DestinationState::kReceiving || stops_ > 0)
      return Error{Errc::kBusy, fmt::format("{} has ended meanwhile", describe())};
    if (streams_ > 0 || !stream_outcome_) return Error{Errc::kProtocol, fmt::format("{}: no pass can begin now", describe())};
    transfer_.reset();
    ++streams_;  // Whatever frees the sinks waits for it.
  }
  // Without the lock, as in end_pass(): it may take long, and others ask for the state meanwhile.
  auto begun = begin(sinks_);
  if (begun) return begun;
  const std::lock_guard lock(mutex_);
  if (--streams_ == 0) streams_left_.notify_all();
  return begun;
}

void InboundJob::begin_transfer(std::shared_ptr<SinkTransfer> transfer, uint64_t attempt) {
  const std::lock_guard lock(mutex_);
  transfer_ = std::move(transfer);
  if (attempt_ != attempt || stops_ > 0) transfer_->stop = true;  // Another one has come already, or the end.
}

std::shared_ptr<SinkTransfer> InboundJob::transfer() const {
  const std::lock_guard lock(mutex_);
  return transfer_;
}

void InboundJob::stream_entered() {
  const std::lock_guard lock(mutex_);
  ++streams_;
}

void InboundJob::stream_left(const Result<>& outcome) {
  const std::lock_guard lock(mutex_);
  if (!outcome) {
    // That others ended because of it does not hide what went wrong here.
    const bool says_more = !stream_outcome_ && is_interruption(stream_outcome_.error()) && !is_interruption(outcome.error());
    if (stream_outcome_ || says_more) stream_outcome_ = outcome;
    if (transfer_) transfer_->stop = true;  // The other streams need not go on.
  }
  if (--streams_ == 0) streams_left_.notify_all();
}

Result<> InboundJob::stream_outcome() const {
  const std::lock_guard lock(mutex_);
  return stream_outcome_;
}

Result<> InboundJob::join_streams(Deadline deadline) {
  std::unique_lock lock(mutex_);
  if (!streams_left_.wait_until(lock, deadline.time(), [this] { return streams_ == 0; }))
    return Error{Errc::kTimeout, fmt::format("{}: {} streams did not end", describe(), streams_)};
  return stream_outcome_;
}

OutcomeAnswer InboundJob::prepare(std::span<const uint32_t> failed) {
  std::unique_lock lock(mutex_);
  await_checkpoint(lock);
  if (machine_.state != DestinationState::kReceiving) return feed_locked(DestinationEvent::kPrepare);
  if (streams_ > 0) stop_streams(lock);  // They use the space that is freed now.
  Result<> fit = stream_outcome_;
  if (fit && (!transfer_ || !transfer_->all_landed()))
    fit = Error{Errc::kProtocol, "the source asks for the cutover before every block has arrived"};
  const auto transfer = std::exchange(transfer_, nullptr);
  if (transfer) {
    transfer->ways.close();  // No RMA can reach the bytes from here on.
    arrived_ = transfer->arrived();
  }
  std::vector<bool> stays(sinks_.size(), true);
  for (const uint32_t object : failed)
    if (object < stays.size()) stays[object] = false;
  if (fit) fit = make_durable(stays);
  // Before objects are dropped: a block may hold bytes of those and of others.
  if (fit && transfer && transfer->verifies) fit = verify_blocks(*transfer);
  for (size_t i = 0; i < sinks_.size() && fit; ++i)
    if (stays[i]) fit = sinks_[i]->try_out();
  if (fit) fit = ask_hook_locked();
  // A source that does not hear the answer may offer it once more, after a restart of this node.
  if (fit && !noted_.empty())
    if (auto noted = note_arrived(arrived_); !noted) log::warn("{}: no checkpoint: {}", describe(), noted.error().text);
  for (size_t i = 0; i < sinks_.size(); ++i) {
    if (stays[i]) continue;
    sinks_[i]->drop();
    sinks_[i].reset();
  }
  OutcomeAnswer answer = feed_locked(fit ? DestinationEvent::kPrepare : DestinationEvent::kPrepareUnfit);
  if (transfer) {
    answer.blocks_direct = transfer->counters.blocks_direct;
    answer.blocks_staged = transfer->counters.blocks_staged;
    answer.staged_because = transfer->ways.staged_because();
  }
  if (!fit && answer.error == Errc{}) {
    answer.error = fit.error().code;
    answer.text = fit.error().text;
  }
  return answer;
}

// The streams touch the space: whatever frees it comes after them. They look at `stop` many times a second.
void InboundJob::stop_streams(std::unique_lock<std::mutex>& lock) {
  if (transfer_) transfer_->stop = true;
  ++stops_;
  streams_left_.wait(lock, [this] { return streams_ == 0; });
  await_checkpoint(lock);
  --stops_;
  if (transfer_) arrived_ = transfer_->arrived();
  transfer_.reset();
}

void InboundJob::await_checkpoint(std::unique_lock<std::mutex>& lock) {
  left_.wait(lock, [this] { return !checkpointing_; });
}

OutcomeAnswer InboundJob::commit() {
  std::unique_lock lock(mutex_);
  stop_streams(lock);
  if (withheld_) return {wire::Outcome::unknown, withheld_->code, withheld_->text};
  return feed_locked(DestinationEvent::kCommit);
}

OutcomeAnswer InboundJob::abort() {
  std::unique_lock lock(mutex_);
  stop_streams(lock);
  return feed_locked(DestinationEvent::kAbort);
}

OutcomeAnswer InboundJob::release() {
  const std::lock_guard lock(mutex_);
  if (withheld_) return {wire::Outcome::unknown, withheld_->code, withheld_->text};
  OutcomeAnswer answer = feed_locked(DestinationEvent::kRelease);
  if (answer.outcome == wire::Outcome::unknown) answer.outcome = wire::Outcome::released;
  return answer;
}

void InboundJob::source_lost() {
  std::unique_lock lock(mutex_);
  stop_streams(lock);
  source_is_silent_ = true;
  (void)feed_locked(DestinationEvent::kSourceLost);  // Nobody is there to be answered.
}

bool InboundJob::is_resumable() const { return settings_.resume_timeout.count() > 0 && !record_.objects.empty(); }

// The objects of one job are of one kind.
bool InboundJob::is_of(objects::ObjectKind kind) const {
  return !record_.objects.empty() && record_.objects.front().kind == kind;
}

bool InboundJob::can_resume_locked() const { return is_resumable() && machine_.state == DestinationState::kReceiving; }

Result<> InboundJob::ask_hook_locked() const {
  return run_hook(settings_.hook_after,
                  {{"GODWIT_HOOK", "after"},
                   {"GODWIT_SIDE", "destination"},
                   {"GODWIT_JOB", to_string(record_.job)},
                   {"GODWIT_PEER", record_.source_address},
                   {"GODWIT_PLACE", record_.target},
                   {"GODWIT_OBJECTS", std::to_string(sinks_.size())}},
                  settings_.hook_timeout);
}

// Those that stay. Adjacent objects are flushed together: thousands of small ones are few runs.
Result<> InboundJob::make_durable(const std::vector<bool>& stays) {
  std::map<pmem::Volume*, std::vector<Extent>> extents;
  for (size_t i = 0; i < sinks_.size(); ++i) {
    if (!stays[i]) continue;
    const auto& sink = sinks_[i];
    if (auto finished = sink->finish(); !finished) return finished;
    const objects::Storage storage = sink->storage();
    if (storage.volume->survives_restart() && storage.extent.length_bytes > 0)
      extents[storage.volume].push_back(storage.extent);
  }
  return persist(extents);
}

Result<> InboundJob::persist(std::map<pmem::Volume*, std::vector<Extent>>& extents) {
  constexpr uint64_t kGapBytes = 4096;  // Flushing a little unused space is cheaper than another call.
  for (auto& [volume, list] : extents) {
    std::ranges::sort(list, {}, &Extent::offset_bytes);
    for (size_t i = 0; i < list.size();) {
      Extent run = list[i];
      for (++i; i < list.size() && list[i].offset_bytes - (run.offset_bytes + run.length_bytes) <= kGapBytes; ++i)
        run.length_bytes = list[i].offset_bytes + list[i].length_bytes - run.offset_bytes;
      if (auto durable = volume->persist(run); !durable) return with_context(volume->describe(), std::move(durable).error());
    }
  }
  return Done{};
}

Result<> InboundJob::journal_owner_locked() {
  std::vector<journal::RegionRecord> records;
  std::vector<journal::DatabaseRecord> databases;
  for (const auto& sink : sinks_) {
    if (!sink) continue;
    if (auto record = sink->record()) records.push_back(std::move(*record));
    if (auto record = sink->database_record()) databases.push_back(std::move(*record));
  }
  const auto filesets = filesets_locked();
  if (auto owned = journal_.own_inbound(record_.job, records, databases, filesets); !owned) return owned;
  if (settings_.arrived) settings_.arrived->add(filesets);
  return Done{};
}

// The trees that are about to be shown.
std::vector<journal::FilesetRecord> InboundJob::filesets_locked() const {
  std::vector<journal::FilesetRecord> filesets;
  if (!is_of(objects::ObjectKind::kFileset) || !settings_.permissions) return filesets;
  const uint32_t uid = settings_.permissions->of(record_.job).uid;
  const uint64_t arrival = settings_.arrived ? settings_.arrived->next_arrival() : 0;
  for (size_t i = 0; i < sinks_.size(); ++i) {
    const journal::JobObject& object = record_.objects[i];
    auto path = objects::normal_path(object.target + '/' + object.name);
    // Longer ones are no names that anybody could ask for.
    if (sinks_[i] && path && path->size() < PATH_MAX)
      filesets.push_back({object.destination_id, record_.job, std::move(*path), uid, arrival});
  }
  return filesets;
}

void InboundJob::free_locked() {
  for (auto& sink : sinks_) {
    if (sink) sink->drop();
    sink.reset();
  }
}

// Performs the actions in their order.
OutcomeAnswer InboundJob::feed_locked(DestinationEvent event) {
  OutcomeAnswer answer;
  const DestinationState before = machine_.state;
  bool is_forgotten = false;
  for (const DestinationAction action : machine_.on(event)) {
    crash_point(fmt::format("destination.before.{}", name_of(action)));
    if (!perform_locked(action, before, answer)) break;
    crash_point(fmt::format("destination.after.{}", name_of(action)));
    is_forgotten = is_forgotten || action == DestinationAction::kForgetJob;
  }
  if (is_forgotten) forgotten_ = true;  // Last: its space, which goes after its record, has gone, too.
  seen_state_ = machine_.state;
  return answer;
}

// False: the journal failed, and the rest of the actions must not be performed; the answer says so.
bool InboundJob::perform_locked(DestinationAction action, DestinationState before, OutcomeAnswer& answer) {
  switch (action) {  // No default: -Wswitch catches a new action.
    case DestinationAction::kJournalPrepared: {
      journal::InboundJob prepared = record_;
      prepared.objects.clear();
      for (size_t i = 0; i < sinks_.size(); ++i)
        if (sinks_[i]) {
          prepared.objects.push_back(record_.objects[i]);
          sinks_[i]->note(prepared.objects.back());
        }
      journalled_ = true;
      auto written = journal_.prepare_inbound(prepared);
      if (written) return true;
      (void)feed_locked(DestinationEvent::kAbort);  // Nothing has been promised yet.
      answer = {wire::Outcome::refused, written.error().code, written.error().text};
      return false;
    }
    case DestinationAction::kSendPrepared: answer.outcome = wire::Outcome::prepared; return true;
    case DestinationAction::kSendPrepareRefused: answer.outcome = wire::Outcome::refused; return true;
    case DestinationAction::kJournalOwner: {
      auto written = journal_owner_locked();
      if (written) return true;
      machine_.state = before;  // Still in doubt; the source asks again.
      log::error("{}: cannot journal the ownership: {}", describe(), written.error().text);
      answer = {wire::Outcome::unknown, written.error().code, written.error().text};
      return false;
    }
    case DestinationAction::kServe:
      for (auto& sink : sinks_)
        if (sink) sink->adopt();
      sinks_.clear();
      return true;
    case DestinationAction::kSendCommitted: answer.outcome = wire::Outcome::committed; return true;
    case DestinationAction::kFreeSpace: free_locked(); return true;
    case DestinationAction::kSendAborted: answer.outcome = wire::Outcome::aborted; return true;
    case DestinationAction::kAskSource: return true;  // The resolver asks for every job in doubt.
    case DestinationAction::kJournalReceiving: {
      journal::InboundJob receiving = record_;
      receiving.state = journal::InboundState::kReceiving;
      auto written = journal_.checkpoint_inbound(receiving, {});
      if (written) return true;
      machine_.state = before;
      answer = {wire::Outcome::unknown, written.error().code, written.error().text};
      return false;
    }
    case DestinationAction::kForgetJob:
      if (journalled_)
        if (auto gone = journal_.forget_inbound(record_.job); !gone) {
          log::error("{}: {}", describe(), gone.error().text);
          // Its space is kept too, where the record would claim it again after a restart.
          if (before != DestinationState::kOwner && record_.target_survives) return false;
        }
      return true;
  }
  return true;
}

}  // namespace godwit::engine
