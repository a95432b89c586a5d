// What others see of an OutboundJob: its status, its results, its report.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "engine/outbound_job.hpp"

namespace godwit::engine {

using model::Phase;

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
  constexpr auto kExplained = static_cast<uint8_t>(Why::kPeer) | static_cast<uint8_t>(Why::kDirectory);
  if (!status.ended && (held_ & kExplained) != 0) status.error_text = waits_because_;
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
  return !running_ && !journal_failed_ && !withheld_ &&
         (phase_ == Phase::kInDoubt || (machine_.state == model::SourceState::kDone && unreleased_));
}

std::string OutboundJob::report_json() const {
  const JobStatus now = status();
  const std::lock_guard lock(mutex_);
  nlohmann::json phases = nlohmann::json::array();
  for (const PastPhase& past : past_phases_) phases.push_back({{"phase", past.phase}, {"seconds", past.seconds}});
  for (size_t i = 0; i < history_.size(); ++i) {
    const auto until = i + 1 < history_.size() ? history_[i + 1].second : (now.ended ? ended_ : Clock::now());
    phases.push_back({{"phase", model::to_string(history_[i].first)},
                      {"seconds", std::chrono::duration<double>(until - history_[i].second).count()}});
  }
  return nlohmann::json{{"job", to_string(now.job)},
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
                        {"attempts", attempt_.load()},
                        {"writers_stopped_seconds",
                         std::chrono::duration<double>(writers_stopped_for_locked().value_or(Clock::duration::zero())).count()},
                        {"streams", streams_used_},
                        {"blocks", counters_.blocks_done.load()},
                        {"compression", model::to_string(request_.transfer.compression)},
                        {"blocks_compressed", counters_.blocks_compressed.load()},
                        {"blocks_direct", counters_.blocks_direct.load()},
                        {"blocks_staged", counters_.blocks_staged.load()},
                        {"blocks_resent", counters_.blocks_resent.load()},
                        {"blocks_kept", counters_.blocks_kept.load()},
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

std::pair<std::vector<objects::PlannedFile>, uint64_t> OutboundJob::planned() const {
  const std::lock_guard lock(mutex_);
  return {planned_, planned_total_};
}

}  // namespace godwit::engine
