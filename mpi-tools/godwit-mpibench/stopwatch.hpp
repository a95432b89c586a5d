// Stopwatch: how long `count` calls take, each or all together.
#pragma once

#include <chrono>
#include <vector>

#include "godwit-mpibench/way.hpp"

namespace godwit::mpibench {

// Seconds of each call of `what` if each is to be timed, else one number for all of them and `afterwards`.
template <class What, class Afterwards>
std::vector<double> time_calls(const Load& load, const What& what, const Afterwards& afterwards) {
  using Clock = std::chrono::steady_clock;
  const auto since = [](Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); };
  std::vector<double> seconds;
  const auto start = Clock::now();
  auto last = start;
  for (uint64_t i = 0; i < load.count; ++i) {
    what();
    if (!load.is_each) continue;
    afterwards();
    const auto now = Clock::now();
    seconds.push_back(std::chrono::duration<double>(now - last).count());
    last = now;
  }
  if (load.is_each) return seconds;
  afterwards();
  return {since(start)};
}

}  // namespace godwit::mpibench
