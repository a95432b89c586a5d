// JobTable's schedule: which job runs when, and in which thread.
#include <algorithm>
#include <ctime>
#include <iterator>

#include "base/fail_point.hpp"
#include "base/log.hpp"
#include "engine/job_table.hpp"

namespace godwit::engine {

void JobTable::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    std::shared_ptr<OutboundJob> job;
    queue_changed_.wait(lock,
                        [&] { return stopping_ || workers_ > workers_wanted_locked() || (job = next_locked()) != nullptr; });
    if (job == nullptr) break;
    lock.unlock();
    job->run();
    lock.lock();
    std::erase(running_, job);
    queue_changed_.notify_all();
  }
  --workers_;
}

// The job that may run now, which then counts as running: of the highest priority, and of those the oldest. Null: none may.
std::shared_ptr<OutboundJob> JobTable::next_locked() {
  const auto best = std::ranges::max_element(
      queued_, {}, [](const auto& job) { return job->paused() ? -1 : model::rank_of(job->priority()); });
  if (best == queued_.end() || (*best)->paused()) return nullptr;
  const auto active = std::ranges::count_if(
      running_, [](const auto& job) { return !job->paused() && job->priority() != model::Priority::kEmergency; });
  if (active >= settings_.jobs_max && (*best)->priority() != model::Priority::kEmergency) return nullptr;
  running_.push_back(*best);
  queued_.erase(best);
  return running_.back();
}

uint32_t JobTable::workers_wanted_locked() const {
  const auto is_urgent = [](const auto& job) { return job->priority() == model::Priority::kEmergency; };
  const auto paused = std::ranges::count_if(running_, [&](const auto& job) { return job->paused() && !is_urgent(job); });
  const auto urgent = std::ranges::count_if(running_, is_urgent) +
                      std::ranges::count_if(queued_, [&](const auto& job) { return is_urgent(job) && !job->paused(); });
  return settings_.jobs_max + std::min(kPausedMore, static_cast<uint32_t>(paused)) +
         std::min(kUrgentMore, static_cast<uint32_t>(urgent));
}

// After a change of who is paused, or waits.
void JobTable::adapt_workers_locked() {
  for (; started_ && !stopping_ && workers_ < workers_wanted_locked(); ++workers_)
    if (auto started = threads_.start([this] { work(); }); !started) {
      log::warn("jobs wait until one that is paused goes on: {}", started.error().text);
      break;
    }
  queue_changed_.notify_all();
}

// Whoever steered the job has been obeyed, even if the journal cannot keep it.
void JobTable::keep_request(OutboundJob& job, std::string_view what) const {
  if (auto kept = job.keep_request(); !kept)
    log::warn("{}: {} until a restart only: {}", job.describe(), what, kept.error().text);
}

Result<> JobTable::pause(OutboundJob& job) {
  if (auto paused = job.pause(); !paused) return paused;
  keep_request(job, "paused");
  const std::lock_guard lock(mutex_);
  adapt_workers_locked();
  return Done{};
}

void JobTable::cancel(OutboundJob& job, std::string_view cause) {
  job.cancel(cause);
  keep_request(job, "cancelled");
  const std::lock_guard lock(mutex_);
  adapt_workers_locked();
}

Result<> JobTable::resume(OutboundJob& job) {
  if (auto resumed = job.resume(); !resumed) return resumed;
  keep_request(job, "goes on");
  const std::lock_guard lock(mutex_);
  adapt_workers_locked();
  return Done{};
}

Result<> JobTable::roll_back(OutboundJob& job) {
  if (auto rolled_back = job.roll_back(); !rolled_back) return rolled_back;
  keep_request(job, "rolled back");
  const std::lock_guard lock(mutex_);
  adapt_workers_locked();
  return Done{};
}

Result<> JobTable::roll_back_to_checkpoint(OutboundJob& job) {
  if (auto rolled_back = job.roll_back_to_checkpoint(); !rolled_back) return rolled_back;
  keep_request(job, "paused");
  const std::lock_guard lock(mutex_);
  adapt_workers_locked();
  return Done{};
}

Result<> JobTable::limit(OutboundJob& job, uint64_t bandwidth) {
  if (auto limited = job.limit(bandwidth); !limited) return limited;
  keep_request(job, "limited");
  return Done{};
}

void JobTable::approve(OutboundJob& job) {
  job.approve();
  keep_request(job, "approved");
}

Result<> JobTable::cut_over(OutboundJob& job) {
  job.approve();
  return resume(job);
}

// While there are jobs with time windows it looks once a second.
void JobTable::keep_windows() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    std::vector<std::shared_ptr<OutboundJob>> jobs;
    for (const auto* some : {&running_, &queued_})
      std::ranges::copy_if(*some, std::back_inserter(jobs), [](const auto& job) { return job->has_window(); });
    if (jobs.empty()) {
      windows_changed_.wait(lock);
      continue;
    }
    lock.unlock();  // A job may be busy with a disk.
    bool changed = false;
    for (const auto& job : jobs) changed = job->keep_window(local_second_of_day()) || changed;
    lock.lock();
    if (changed) adapt_workers_locked();
    if (!stopping_) windows_changed_.wait_for(lock, std::chrono::seconds(1));
  }
}

// In the time zone of this machine.
uint32_t JobTable::local_second_of_day() {
  const std::time_t now = std::time(nullptr) + fail_point("clock.ahead");
  std::tm local{};
  localtime_r(&now, &local);
  return static_cast<uint32_t>((local.tm_hour * 60 + local.tm_min) * 60 + local.tm_sec);
}

}  // namespace godwit::engine
