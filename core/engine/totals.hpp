// Totals: what this daemon did since it started, of all its jobs together, also of those that it has forgotten.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>

namespace godwit::engine {

// How long things took. Thread-safe.
class Histogram {
 public:
  // The upper bounds of the buckets, in seconds; one more has no bound.
  static constexpr std::array kBounds{0.001, 0.01, 0.1, 1.0, 10.0, 60.0, 600.0, 3600.0, 36000.0};
  struct Snapshot {
    std::array<uint64_t, kBounds.size() + 1> counts{};  // Of each bucket alone.
    double sum_seconds = 0;
  };

  void observe(std::chrono::duration<double> time) {
    size_t bucket = 0;
    while (bucket < kBounds.size() && time.count() > kBounds[bucket]) ++bucket;
    const std::lock_guard lock(mutex_);
    ++now_.counts[bucket];
    now_.sum_seconds += time.count();
  }
  Snapshot snapshot() const {
    const std::lock_guard lock(mutex_);
    return now_;
  }

 private:
  mutable std::mutex mutex_;  // Guards now_.
  Snapshot now_;
};

// Of one direction. None of them ever goes down.
struct Moved {
  std::atomic<uint64_t> bytes{0};  // Verified at the destination.
  std::atomic<uint64_t> blocks{0};
  std::atomic<uint64_t> digests_failed{0};
};

// Thread-safe: written by whoever does it, read by the metrics.
struct Totals {
  Moved sent;
  Moved received;
  std::atomic<uint64_t> blocks_resent{0};

  // Jobs whose source is this node, by how they ended.
  std::atomic<uint64_t> jobs_done{0};  // Also those of which some objects stayed.
  std::atomic<uint64_t> jobs_failed{0};
  std::atomic<uint64_t> jobs_cancelled{0};
  std::atomic<uint64_t> jobs_rolled_back{0};
  Histogram queue_wait;       // From the request to the first step.
  Histogram job_time;         // From the request, or the restart, to the end.
  Histogram writers_stopped;  // From stopping the writers to the end of the job.

  // Now.
  std::atomic<int64_t> source_streams{0};
  std::atomic<int64_t> sink_streams{0};
  std::atomic<int64_t> sessions{0};
};

// Counts one up for as long as it lives.
class Counted {
 public:
  explicit Counted(std::atomic<int64_t>& count) : count_(count) { ++count_; }
  ~Counted() { --count_; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

 private:
  std::atomic<int64_t>& count_;
};

}  // namespace godwit::engine
