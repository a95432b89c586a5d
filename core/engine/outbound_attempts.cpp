// OutboundJob over more than one connection: what is lost before the decision is offered again when the destination is back.
#include <fmt/format.h>

#include <algorithm>

#include "base/log.hpp"
#include "engine/outbound_job.hpp"
#include "engine/ownership.hpp"

namespace godwit::engine {

using model::Phase;
using model::SourceEvent;
using model::SourceState;

namespace {

constexpr milliseconds kFirstPause{100};
constexpr milliseconds kLongestPause{2000};

// Nothing is wrong with the objects or with the request: the peer, or what is between, has failed.
bool may_pass(Errc code, bool is_first) {
  switch (code) {
    case Errc::kPeerLost:
    case Errc::kTimeout:
    case Errc::kUnreachable: return true;
    // The destination has not noticed yet that the attempt before is over, or is busy with others.
    case Errc::kBusy:
    case Errc::kExists: return !is_first;
    default: return false;
  }
}

}  // namespace

// Only what has begun to move: who named a wrong address hears of it at once.
bool OutboundJob::can_go_on(const Error& error) const {
  const std::lock_guard lock(mutex_);
  if (machine_.state != SourceState::kSyncing && machine_.state != SourceState::kPreparing) return false;
  if (suspended_ || goes_back()) return true;
  return can_go_back_locked() && !fails_here_ && may_pass(error.code, attempt_ <= 1);
}

Result<> OutboundJob::keep_request() {
  const std::lock_guard keeping(kept_mutex_);
  if (!kept_) return Done{};
  KeptRequest now{*request_.asked, request_.source_address};
  {
    const std::lock_guard lock(mutex_);
    now.refused = refusals_locked();
    now.paused = (held_ & static_cast<uint8_t>(Why::kUser)) != 0;
    now.approved = approved_;
    now.cancelled = cancelled_ && !suspended_;
    std::visit(
        [this](auto& request) {
          request.transfer.bandwidth_bytes_per_second = pace_.limit();
          if (!has_window_) request.transfer.window = {};
        },
        now.request);
  }
  if (auto put = journal_.put_request({request_.job, std::max<uint64_t>(1, attempt_), to_json(now)}); !put) return put;
  refusals_kept_ = now.refused.size();
  return Done{};
}

// For good: what was not looked at because the job was stopped is none.
std::vector<RefusedObject> OutboundJob::refusals_locked() const {
  if (results_.empty()) return request_.refused;  // Its objects are opened when it runs.
  std::vector<RefusedObject> refused;
  for (uint32_t i = 0; i < results_.size(); ++i)
    if (results_[i].error != Errc{} && results_[i].error != Errc::kCancelled) refused.push_back({i, results_[i].error});
  return refused;
}

// Before the journal, or the destination, knows that the job is made of less: a restart tells the same results.
Result<> OutboundJob::keep_refusals() {
  const size_t refusals = [&] {
    const std::lock_guard lock(mutex_);
    return refusals_locked().size();
  }();
  const bool is_known = [&] {
    const std::lock_guard keeping(kept_mutex_);
    return refusals == refusals_kept_;
  }();
  return is_known ? Done{} : keep_request();
}

// The writers go on until the destination is back. Errors: kCancelled; kPeerLost, it did not come back in time; those of
// opening the objects again.
Result<fabric::Channel> OutboundJob::go_on(const Error& error) {
  overrun_.clear();
  if (auto told = feed(SourceEvent::kInterrupted, nullptr); !told) return std::move(told).error();
  note("interrupted", {{"peer", request_.destination_address},
                       {"error", error_row(error.code).name},
                       {"cause", error.text},
                       {"attempt", attempt_}});
  if (suspended_) return Error{Errc::kCancelled, "the daemon stops"};
  log::warn("{}: interrupted, waits for {}: {}", describe(), request_.destination_address, error.text);
  lost_because_ = error.text;
  // What stood for long, or was sent back by its user, was no vain attempt.
  const bool has_stood = goes_back() || Clock::now() - attempt_begun_ > settings_.resume_timeout;
  if (!given_up_at_ || has_stood || counters_.blocks_done > counters_.blocks_kept) {
    given_up_at_ = Deadline::after(settings_.resume_timeout);
    pause_ = kFirstPause;
  }
  {
    const std::lock_guard lock(mutex_);
    stops_ = cancelled_.load();
    waits_because_ = fmt::format("waits for {}: {}", request_.destination_address, error.text);
    writers_stopped_.reset();
    failed_.clear();
    counters_.begin_again();
  }
  for (;;) {
    hold_for_peer();
    auto peer = await_peer();
    if (!peer) return peer;
    peer->close();  // To open the objects may take long, and nobody waits so long for an offer.
    if (auto opened = open_again(); !opened) return std::move(opened).error();
    const bool may_go = [this] {
      const std::lock_guard lock(mutex_);
      const bool is_free = held_ == static_cast<uint8_t>(Why::kPeer);
      if (is_free) let_go_locked(Why::kPeer);
      return is_free;
    }();
    if (!may_go) {  // Its user holds it now: until it may go, its writers go on.
      resume_all();
      continue;
    }
    if (on_held) on_held();
    if (auto quiet = quiesce_before_offer(); !quiet) return std::move(quiet).error();
    auto channel = connect();
    if (channel || !may_pass(channel.error().code, false)) return channel;
    resume_all();
  }
}

// Another job may run in its place.
void OutboundJob::hold_for_peer() {
  {
    const std::lock_guard lock(mutex_);
    hold_locked(Why::kPeer);
    paused_in_ = Phase::kPreSync;
  }
  if (on_held) on_held();
}

// Until its user, its time window and the directory let it go on, too; that is not the peer's fault. Errors: kCancelled.
Result<> OutboundJob::await_leave() {
  std::unique_lock lock(mutex_);
  const auto may_go = [this] { return cancelled_ || (held_ & ~static_cast<unsigned>(Why::kPeer)) == 0; };
  if (!may_go()) {
    while (!steered_.wait_for(lock, kLongestPause, may_go)) {
      if ((held_ & static_cast<uint8_t>(Why::kDirectory)) == 0 || !settings_.ownership->answers()) continue;
      note("resumed", {{"cause", "the directory answers"}});
      let_go_locked(Why::kDirectory);
    }
    given_up_at_ = Deadline::after(settings_.resume_timeout);
  }
  return cancelled_ ? Result<>(stopped()) : Done{};
}

// A connection on which the destination answers. Not for ever: until given_up_at_, unless an attempt gets further.
Result<fabric::Channel> OutboundJob::await_peer() {
  for (;;) {
    if (auto let = await_leave(); !let) return std::move(let).error();
    {
      std::unique_lock lock(mutex_);
      steered_.wait_for(lock, pause_, [this] { return cancelled_ || tries_now_; });
      tries_now_ = false;
    }
    if (cancelled_) return stopped();
    auto channel = connect();
    pause_ = std::min(pause_ * 2, kLongestPause);
    if (given_up_at_->passed())
      return Error{Errc::kPeerLost,
                   fmt::format("{} did not come back within {} s: {}", request_.destination_address,
                               settings_.resume_timeout.count() / 1000, channel ? lost_because_ : channel.error().text)};
    if (channel) return channel;
  }
}

// Those objects that are still part of the job; one that is gone, or that another job has taken meanwhile, leaves it.
Result<> OutboundJob::open_again() {
  const std::vector<RefusedObject> refused = [this] {
    const std::lock_guard lock(mutex_);
    return refusals_locked();
  }();
  OutboundObjects objects = open_(cancelled_, refused);
  Sources unwanted;
  auto taken = take_again(objects, unwanted);
  let_serve(std::move(unwanted));
  return taken;
}

// `unwanted`: those that have no part in the job.
Result<> OutboundJob::take_again(OutboundObjects& objects, Sources& unwanted) {
  const std::lock_guard lock(mutex_);
  if (cancelled_ || objects.results.size() != results_.size()) {
    unwanted = std::move(objects.sources);
    if (cancelled_) return stopped();  // It may not have looked at all of them.
    return Error{Errc::kInternal, "the job's objects are others now"};
  }
  size_t next = 0;
  for (size_t i = 0; i < results_.size(); ++i) {
    const bool is_open = objects.results[i].error == Errc{};
    auto source = is_open ? std::move(objects.sources[next++]) : nullptr;
    if (results_[i].error != Errc{}) {
      if (source) unwanted.push_back(std::move(source));
    } else if (source) {
      results_[i].source_id = objects.results[i].source_id;  // Of a fileset it is made anew.
      results_[i].size_bytes = source->size_bytes();
      sources_.push_back(std::move(source));
    } else {
      results_[i].error = objects.results[i].error;
      if (first_error_.code == Errc{}) first_error_ = Error{results_[i].error, objects.first_error};
    }
  }
  machine_.is_lasting = std::ranges::all_of(sources_, [](const auto& source) { return source->survives_restart(); });
  if (sources_.empty())
    return first_error_.code == Errc{} ? Error{Errc::kNotFound, "nothing is left of the job"} : first_error_;
  return Done{};
}

void OutboundJob::suspend() {
  const std::lock_guard lock(mutex_);
  if (!cancelled_ && kept_ && settings_.resume_timeout.count() > 0) suspended_ = true;
  cancel_locked("the daemon stops");
}

// Errors: kBusy.
Result<> OutboundJob::check_undecided_locked() const {
  switch (machine_.state) {
    case SourceState::kSyncing:
    case SourceState::kPreparing: return Done{};
    case SourceState::kAborting:
    case SourceState::kAborted: return Error{Errc::kBusy, fmt::format("{} is being taken back already", describe())};
    default: return Error{Errc::kBusy, fmt::format("{}: the cutover is decided, and cannot be rolled back", describe())};
  }
}

Result<> OutboundJob::roll_back() {
  {
    const std::lock_guard lock(mutex_);
    if (model::is_final(phase_)) return Error{Errc::kBusy, fmt::format("{} has ended", describe())};
    if (auto undecided = check_undecided_locked(); !undecided) return undecided;
    if (!cancelled_) note("cancelled", {{"cause", "a client rolled it back"}});
    rolls_back_ = true;
    cancelled_ = true;  // Together: from here on no decision is taken.
    stops_ = true;
  }
  steered_.notify_all();
  return Done{};
}

Result<> OutboundJob::roll_back_to_checkpoint() {
  const std::lock_guard lock(mutex_);
  if (model::is_final(phase_) || cancelled_) return Error{Errc::kBusy, fmt::format("{} has ended", describe())};
  if (auto undecided = check_undecided_locked(); !undecided) return undecided;
  if (!has_begun_) return Error{Errc::kBusy, fmt::format("nothing of {} has arrived yet", describe())};
  if (!can_go_back_locked())
    return Error{Errc::kUnsupported, fmt::format("{} could not go on; roll it back to its start", describe())};
  note("rolled-back", {{"to", "its checkpoint"}, {"cause", cause_of(Why::kUser)}});
  approved_ = false;
  // Without a connection it is back already: go_on() sees that it is held.
  if ((held_ & static_cast<uint8_t>(Why::kPeer)) == 0) stops_ = true;
  hold_locked(Why::kUser);
  steered_.notify_all();
  return Done{};
}

// It would go on from its checkpoint.
bool OutboundJob::can_go_back_locked() const {
  return has_begun_ && request_.asked && settings_.resume_timeout.count() > 0 && !cancelled_;
}

// Why this attempt ends.
Error OutboundJob::stopped() const {
  if (is_overdue_)
    return Error{Errc::kLimit, fmt::format("writers were stopped for {} ms, max_downtime, and go on; nothing has moved",
                                           request_.transfer.max_downtime_ms)};
  return Error{Errc::kCancelled, cancelled_ ? "the migration was cancelled" : "a client rolled it back to its checkpoint"};
}

}  // namespace godwit::engine
