// What an OutboundJob tells of itself: its events, and what is counted of all jobs when it ends.
#include <algorithm>

#include "engine/event_log.hpp"
#include "engine/outbound_job.hpp"
#include "engine/totals.hpp"

namespace godwit::engine {
namespace {

// Events of one kind that could come by the hundred thousand.
constexpr uint32_t kNotedMax = 100;

}  // namespace

using model::Phase;

void OutboundJob::count_end() const {
  const JobStatus now = status();
  Totals& totals = *settings_.totals;
  {
    const std::lock_guard lock(mutex_);
    if (const auto stopped_for = writers_stopped_for_locked()) totals.writers_stopped.observe(*stopped_for);
    totals.job_time.observe(ended_ - started_);
  }
  if (now.phase == Phase::kDone)
    totals.jobs_done++;
  else if (now.phase == Phase::kRolledBack)
    totals.jobs_rolled_back++;
  else if (now.error == Errc::kCancelled)
    totals.jobs_cancelled++;
  else
    totals.jobs_failed++;
  if (!settings_.events) return;
  settings_.events->note_end(request_.job, {{"phase", model::to_string(now.phase)},
                                            {"error", now.error == Errc{} ? "" : error_row(now.error).name},
                                            {"cause", now.error_text},
                                            {"bytes", now.bytes_done},
                                            {"milliseconds", static_cast<uint64_t>(now.seconds * 1000)}});
}

// What its events tell of the time before the daemon's restart. Waits for the disk.
void OutboundJob::recall() {
  constexpr uint64_t kPageBytes = 1u << 20;
  std::string lines;
  for (uint64_t first = 0; settings_.events;) {
    const auto page = settings_.events->read(request_.job, first, kPageBytes);
    if (!page || page->lines.empty()) break;
    lines += page->lines;
    first += static_cast<uint64_t>(std::ranges::count(page->lines, '\n'));
    if (first >= page->total) break;
  }
  past_phases_ = past_phases(lines);
}

void OutboundJob::note(std::string_view event, std::initializer_list<Detail> details) const {
  if (settings_.events) settings_.events->note(request_.job, event, details);
}

void OutboundJob::note_bounded(std::atomic<uint32_t>& noted, std::string_view event,
                               std::initializer_list<Detail> details) const {
  const uint32_t before = noted++;
  if (before < kNotedMax) note(event, details);
  if (before == kNotedMax) note("more", {{"of", event}, {"cause", "there were too many: those that follow are only counted"}});
}

}  // namespace godwit::engine
