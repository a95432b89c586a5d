#include "objects/gate.hpp"

#include <fmt/format.h>

#include "base/log.hpp"

namespace godwit::objects {

Access::~Access() {
  if (gate_ != nullptr) gate_->leave(use_);
}

std::string subject_of(const char* kind, const Id& id, const std::string& name) {
  if (name.empty()) return fmt::format("{} {}", kind, to_string(id));
  return fmt::format("{} {} ('{}')", kind, to_string(id), log::printable(name));
}

GateState Gate::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

Result<Access> Gate::enter(Use use) {
  const std::lock_guard lock(mutex_);
  switch (state_) {
    case GateState::kServing: break;
    case GateState::kQuiesced:
      if (use == Use::kRead) break;
      return Error{Errc::kBusy,
                   fmt::format("{} takes no writes while job {} moves it; try again", describe(), to_string(job_))};
    case GateState::kIncoming:
    case GateState::kHandedOver: return Error{Errc::kBusy, fmt::format("{} is between two nodes; try again", describe())};
    case GateState::kGone:
      // Whoever found it just before it moved away hears where to when it asks again.
      if (!job_.is_zero()) return Error{Errc::kBusy, fmt::format("{} has just moved away; try again", describe())};
      return Error{Errc::kNotFound, fmt::format("{} is gone", describe())};
  }
  ++(use == Use::kRead ? readers_ : writers_);
  return Access{this, use};
}

void Gate::leave(Use use) {
  const std::lock_guard lock(mutex_);
  uint32_t& users = use == Use::kRead ? readers_ : writers_;
  if (--users == 0) left_.notify_all();
}

Result<> Gate::pin(const Id& job) {
  const std::lock_guard lock(mutex_);
  if (state_ == GateState::kGone) return Error{Errc::kNotFound, fmt::format("{} is gone", describe())};
  if (!job_.is_zero() || state_ != GateState::kServing)
    return Error{Errc::kBusy, fmt::format("{} is being migrated by job {} already", describe(), to_string(job_))};
  job_ = job;
  return Done{};
}

bool Gate::is_pinned() const {
  const std::lock_guard lock(mutex_);
  return !job_.is_zero();
}

bool Gate::is_pinned_by(const Id& job) const {
  const std::lock_guard lock(mutex_);
  return job_ == job;
}

Result<> Gate::quiesce(Deadline deadline) {
  std::unique_lock lock(mutex_);
  state_ = GateState::kQuiesced;
  if (left_.wait_until(lock, deadline.time(), [this] { return writers_ == 0; })) return Done{};
  state_ = GateState::kServing;
  return Error{Errc::kTimeout, fmt::format("{} writers of {} did not finish in time", writers_, describe())};
}

Result<> Gate::stop(Deadline deadline) {
  std::unique_lock lock(mutex_);
  const GateState before = state_;
  state_ = GateState::kHandedOver;
  if (left_.wait_until(lock, deadline.time(), [this] { return readers_ + writers_ == 0; })) return Done{};
  state_ = before;
  return Error{Errc::kTimeout, fmt::format("{} readers of {} did not finish in time", readers_, describe())};
}

void Gate::resume() {
  const std::lock_guard lock(mutex_);
  state_ = GateState::kServing;
  job_ = Id{};
}

Result<> Gate::retire(const Id& job, Deadline deadline) {
  std::unique_lock lock(mutex_);
  if (job_ != job) return Error{Errc::kBusy, fmt::format("{} is being migrated by job {}", describe(), to_string(job_))};
  const GateState before = state_;
  state_ = GateState::kGone;
  if (left_.wait_until(lock, deadline.time(), [this] { return readers_ + writers_ == 0; })) return Done{};
  state_ = before;
  return Error{Errc::kTimeout, fmt::format("users of {} did not finish in time", describe())};
}

}  // namespace godwit::objects
