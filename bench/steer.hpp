// What the measurements of steered jobs share (steer.cpp, steer_limits.cpp).
#pragma once

#include <cstdint>
#include <string>

#include "bench/nodes.hpp"
#include "bench/report.hpp"
#include "bench/settings.hpp"

namespace godwit::bench {

// steer_limits.cpp: how near do jobs come to their limits, and to their node's, in each second?
void measure_limits(const Settings& settings, Nodes& nodes, const std::string& kind, Report& report);
// The bytes of regions that it needs on each target.
uint64_t bytes_for_limits(const Settings& settings);

}  // namespace godwit::bench
