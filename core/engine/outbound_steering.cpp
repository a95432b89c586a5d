// OutboundJob in the hands of others: who asked for it approves, cancels, pauses, resumes and limits it; so do its time window,
// and what waits for them.
#include <fmt/format.h>

#include "engine/attend.hpp"
#include "engine/outbound_job.hpp"
#include "engine/ownership.hpp"

namespace godwit::engine {

using model::Phase;

namespace {

// Whoever asked to be asked has gone by then.
constexpr milliseconds kApprovalTimeout{600'000};
// Writers are not stopped for longer by a directory that is away.
constexpr milliseconds kDirectoryPatience{10'000};
constexpr milliseconds kForEver = std::chrono::hours(24 * 365 * 100);

}  // namespace

// Until `until` holds, which steered_ tells, or the deadline (false). The channel, if there is one, is kept alive meanwhile.
// Errors: what the peer says, which has nothing to say; why the channel closed.
Result<bool> OutboundJob::wait_steered(std::unique_lock<std::mutex>& lock, fabric::Channel* channel,
                                       const std::function<bool()>& until, Deadline deadline) {
  while (!steered_.wait_for(lock, fabric::Channel::kAttention, until)) {
    if (deadline.passed()) return false;
    if (channel == nullptr) continue;
    lock.unlock();
    auto event = channel->poll();
    if (!event) return std::move(event).error();
    if (*event) {
      const auto* bytes = std::get_if<fabric::Message>(&**event);
      if (bytes == nullptr) return Error{Errc::kInternal, "an RMA completion between two passes"};
      const auto message = protocol::decode(*bytes);
      if (!message) return with_context(channel->peer(), message.error());
      if (const auto* refused = message->body<wire::ErrorReply>())
        return with_context(channel->peer(), protocol::from_wire(*refused));
      return Error{Errc::kProtocol, fmt::format("{} speaks although it was not asked", channel->peer())};
    }
    lock.lock();
  }
  return true;
}

// The next step of a job that is not paused; of one that is, as soon as it goes on. `channel`: to the destination, if there is
// one yet. Errors: kCancelled; why the channel closed.
Result<> OutboundJob::proceed(Phase phase, fabric::Channel* channel) {
  std::unique_lock lock(mutex_);
  const auto go = wait_steered(
      lock, channel, [this] { return !pace_.paused() || stops_; }, Deadline::after(kForEver));
  if (!go) return go.error();
  if (stops_) return stopped();
  if (phase_ != phase) enter_locked(phase);
  return Done{};
}

Result<> OutboundJob::await_approval(fabric::Channel& channel) {
  if (!request_.hold && !request_.transfer.approval) return Done{};
  if (auto go = proceed(Phase::kValidation, &channel); !go) return go;
  std::unique_lock lock(mutex_);
  const auto decided = wait_steered(
      lock, &channel, [this] { return approved_ || stops_; },
      Deadline::after(request_.transfer.approval ? kForEver : kApprovalTimeout));
  if (!decided) return decided.error();
  if (stops_) return stopped();
  if (*decided) {
    if (has_window_ && is_outside_window_) {  // Whoever approves at noon wants no cutover then.
      hold_locked(Why::kWindow);
      paused_in_ = Phase::kSync;
    }
    lock.unlock();
    return proceed(Phase::kValidation, &channel);
  }
  return fails_here(
      Error{Errc::kTimeout, fmt::format("nobody has approved the cutover within {} s", kApprovalTimeout.count() / 1000)});
}

// The directory's leave for the cutover of a move. While it does not answer the job waits, with its connection kept, and with
// whatever it has stopped; not for long, if it can go back to its checkpoint and wait there. Errors: kCancelled; kUnreachable,
// it goes back; kMoved, somebody else owns an object; why the channel closed.
Result<> OutboundJob::await_ownership(fabric::Channel& channel) {
  constexpr milliseconds kPause{500};
  if (settings_.ownership == nullptr || request_.copy) return Done{};
  std::vector<Claim> claims;
  for (const auto& source : sources_) {
    const journal::JobObject object = source->manifest();
    if (object.kind != objects::ObjectKind::kFileset) claims.push_back({object.id, object.epoch});
  }
  if (claims.empty()) return Done{};
  const auto patience = Deadline::after(kDirectoryPatience);
  for (;;) {
    const auto claimed = while_attending(
        channel, [&] { return settings_.ownership->claim(claims, request_.job, request_.destination_address); });
    std::unique_lock lock(mutex_);
    if (claimed || claimed.error().code != Errc::kUnreachable) {
      const bool has_waited = (held_ & static_cast<uint8_t>(Why::kDirectory)) != 0;
      if (has_waited) note("resumed", {{"cause", "the directory answers"}});
      let_go_locked(Why::kDirectory);
      lock.unlock();
      return claimed ? Result<>(Done{}) : fails_here(claimed.error());
    }
    waits_because_ = claimed.error().text;
    hold_locked(Why::kDirectory);
    paused_in_ = Phase::kSync;  // Validation, if it was that, is over.
    const auto waited = wait_steered(
        lock, &channel, [this] { return stops_.load(); }, Deadline::after(kPause));
    if (!waited) {  // Without the lock. On another connection it is asked again.
      lock.lock();
      let_go_locked(Why::kDirectory);
      return waited.error();
    }
    if (stops_) {
      let_go_locked(Why::kDirectory);
      return stopped();
    }
    if (patience.passed() && can_go_back_locked()) {  // Still held: await_leave() looks after the directory.
      note("rolled-back", {{"to", "its checkpoint"}, {"cause", cause_of(Why::kDirectory)}});
      stops_ = true;
      return claimed.error();
    }
  }
}

void OutboundJob::approve() {
  const std::lock_guard lock(mutex_);
  if (!approved_ && !model::is_final(phase_)) note("approved");
  approved_ = true;
  steered_.notify_all();
}

void OutboundJob::cancel(std::string_view cause) {
  const std::lock_guard lock(mutex_);
  cancel_locked(cause);
}

void OutboundJob::cancel_locked(std::string_view cause) {
  if (!cancelled_ && !model::is_final(phase_)) note("cancelled", {{"cause", cause}});
  cancelled_ = true;
  stops_ = true;
  steered_.notify_all();
}

std::string_view OutboundJob::cause_of(Why why) {
  switch (why) {  // No default: -Wswitch catches a new one.
    case Why::kUser: return "a client asked for it";
    case Why::kWindow: return "its time window is over";
    case Why::kPeer: return "its connection is lost";
    case Why::kDirectory: return "the directory does not answer";
  }
  return "unknown";
}

// At the wish of somebody: later, only a lost connection does it.
bool OutboundJob::can_pause_locked() const {
  return phase_ == Phase::kPaused || phase_ == Phase::kPlanning || phase_ == Phase::kPreSync || phase_ == Phase::kSync;
}

void OutboundJob::hold_locked(Why why) {
  const bool is_new = (held_ & static_cast<uint8_t>(why)) == 0;
  if (is_new) note("paused", {{"cause", cause_of(why)}});
  if (held_ == 0) {
    paused_in_ = phase_;
    enter_locked(Phase::kPaused);
    pace_.pause(true);
  }
  held_ |= static_cast<uint8_t>(why);
}

void OutboundJob::let_go_locked(Why why) {
  if ((held_ & static_cast<uint8_t>(why)) == 0) return;
  held_ &= static_cast<uint8_t>(~static_cast<uint8_t>(why));
  if (held_ != 0) return;
  enter_locked(paused_in_);
  pace_.pause(false);
  steered_.notify_all();
}

Result<> OutboundJob::pause() {
  const std::lock_guard lock(mutex_);
  if (!can_pause_locked())
    return Error{Errc::kBusy,
                 fmt::format("{} is in its phase '{}', and cannot be paused any more", describe(), model::to_string(phase_))};
  hold_locked(Why::kUser);
  return Done{};
}

Result<> OutboundJob::resume() {
  const std::lock_guard lock(mutex_);
  if (model::is_final(phase_)) return Error{Errc::kBusy, fmt::format("{} has ended", describe())};
  if (held_ != 0) note("resumed", {{"cause", cause_of(Why::kUser)}});
  has_window_ = false;
  tries_now_ = true;
  steered_.notify_all();
  let_go_locked(Why::kWindow);
  let_go_locked(Why::kUser);
  return Done{};
}

bool OutboundJob::keep_window(uint32_t second_of_day) {
  if (!has_window_) return false;
  const std::lock_guard lock(mutex_);
  if (!has_window_) return false;
  const uint8_t before = held_;
  is_outside_window_ = !request_.transfer.window.has(second_of_day);
  if (!is_outside_window_) {
    if (held_ == static_cast<uint8_t>(Why::kWindow)) note("resumed", {{"cause", "its time window has begun"}});
    let_go_locked(Why::kWindow);
  } else if (can_pause_locked()) {
    hold_locked(Why::kWindow);
  }
  return held_ != before;
}

Result<> OutboundJob::limit(uint64_t bandwidth) {
  const std::lock_guard lock(mutex_);
  if (model::is_final(phase_)) return Error{Errc::kBusy, fmt::format("{} has ended", describe())};
  pace_.limit(bandwidth);
  note("limited", {{"bytes_per_second", bandwidth}, {"cause", "a client asked for it"}});
  return Done{};
}

}  // namespace godwit::engine
