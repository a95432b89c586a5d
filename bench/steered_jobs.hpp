// Jobs to be steered: they can be begun again and again, because they never come to their cutover.
#pragma once

#include <chrono>
#include <cstdint>
#include <godwit/godwit.hpp>
#include <vector>

#include "bench/nodes.hpp"
#include "bench/settings.hpp"

namespace godwit::bench {

using SteadyTime = std::chrono::steady_clock::time_point;

inline double seconds_between(SteadyTime from, SteadyTime to) { return std::chrono::duration<double>(to - from).count(); }

// Random bytes on a node's target; erased at the end.
class SteeredRegion {
 public:
  SteeredRegion(const Target& at, uint64_t bytes);
  ~SteeredRegion();
  SteeredRegion(const SteeredRegion&) = delete;
  SteeredRegion& operator=(const SteeredRegion&) = delete;

  RegionId id() const { return region_.id(); }

 private:
  Region region_;
};

// Jobs that move a region each, but wait for an approval that nobody gives: at the end they are cancelled, and the regions are
// where they were. What they say is of all of them together. One thread.
class SteeredJobs {
 public:
  // bandwidth: of each, in bytes a second; 0: no limit. `to` must outlive this.
  SteeredJobs(Nodes& nodes, const std::vector<RegionId>& regions, const Target& to, uint64_t bandwidth,
              const Settings& settings);
  // Waits until the destination has its space back.
  ~SteeredJobs();
  SteeredJobs(const SteeredJobs&) = delete;
  SteeredJobs& operator=(const SteeredJobs&) = delete;

  const Migration& first() const { return migrations_.front(); }
  // Of the first. Throws godwit::Error: it failed.
  Progress progress() const { return progress_of(first()); }
  uint64_t bytes_done() const;
  bool has_one_sent_all() const;
  // Looks every now and then until each has more than `bytes` there; returns when that was seen. Throws godwit::Error, a job
  // failed; std::runtime_error, nothing came for a minute.
  SteadyTime await_more_than(uint64_t bytes) const;
  // False: all had arrived before.
  bool pause_first() const;

 private:
  static Progress progress_of(const Migration& migration);
  void cancel() const;

  const Target& to_;
  const uint64_t used_before_bytes_;
  std::vector<Migration> migrations_;
};

}  // namespace godwit::bench
