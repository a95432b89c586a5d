#include "objects/region.hpp"

#include <fmt/format.h>

#include "base/log.hpp"

namespace godwit::objects {

Access::~Access() {
  if (region_ != nullptr) region_->leave(use_);
}

std::string Region::describe() const {
  if (name.empty()) return fmt::format("region {}", to_string(id));
  return fmt::format("region {} ('{}')", to_string(id), log::printable(name));
}

RegionState Region::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

Result<Access> Region::enter(Use use) {
  const std::lock_guard lock(mutex_);
  switch (state_) {
    case RegionState::kServing: break;
    case RegionState::kQuiesced:
      if (use == Use::kRead) break;
      return Error{Errc::kBusy,
                   fmt::format("{} takes no writes while job {} moves it; try again", describe(), to_string(job_))};
    case RegionState::kIncoming:
    case RegionState::kHandedOver: return Error{Errc::kBusy, fmt::format("{} is between two nodes; try again", describe())};
    case RegionState::kGone: return Error{Errc::kNotFound, fmt::format("{} is gone", describe())};
  }
  ++(use == Use::kRead ? readers_ : writers_);
  return Access{this, use};
}

void Region::leave(Use use) {
  const std::lock_guard lock(mutex_);
  uint32_t& users = use == Use::kRead ? readers_ : writers_;
  if (--users == 0) left_.notify_all();
}

Result<> Region::pin(const Id& job) {
  const std::lock_guard lock(mutex_);
  if (state_ == RegionState::kGone) return Error{Errc::kNotFound, fmt::format("{} is gone", describe())};
  if (!job_.is_zero() || state_ != RegionState::kServing)
    return Error{Errc::kBusy, fmt::format("{} is being migrated by job {} already", describe(), to_string(job_))};
  job_ = job;
  return Done{};
}

bool Region::is_pinned_by(const Id& job) const {
  const std::lock_guard lock(mutex_);
  return job_ == job;
}

Result<> Region::quiesce(Deadline deadline) {
  std::unique_lock lock(mutex_);
  state_ = RegionState::kQuiesced;
  if (left_.wait_until(lock, deadline.time(), [this] { return writers_ == 0; })) return Done{};
  state_ = RegionState::kServing;
  return Error{Errc::kTimeout, fmt::format("{} writers of {} did not finish in time", writers_, describe())};
}

Result<> Region::stop(Deadline deadline) {
  std::unique_lock lock(mutex_);
  const RegionState before = state_;
  state_ = RegionState::kHandedOver;
  if (left_.wait_until(lock, deadline.time(), [this] { return readers_ + writers_ == 0; })) return Done{};
  state_ = before;
  return Error{Errc::kTimeout, fmt::format("{} readers of {} did not finish in time", readers_, describe())};
}

void Region::resume() {
  const std::lock_guard lock(mutex_);
  state_ = RegionState::kServing;
  job_ = Id{};
}

Result<> Region::retire(const Id& job, Deadline deadline) {
  std::unique_lock lock(mutex_);
  if (job_ != job) return Error{Errc::kBusy, fmt::format("{} is being migrated by job {}", describe(), to_string(job_))};
  const RegionState before = state_;
  state_ = RegionState::kGone;
  if (left_.wait_until(lock, deadline.time(), [this] { return readers_ + writers_ == 0; })) return Done{};
  state_ = before;
  return Error{Errc::kTimeout, fmt::format("users of {} did not finish in time", describe())};
}

}  // namespace godwit::objects
