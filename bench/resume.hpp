// What the measurements of interrupted jobs share (resume.cpp).
#pragma once

#include <cstdint>

#include "base/units.hpp"
#include "bench/report.hpp"
#include "bench/settings.hpp"
#include "common/daemons.hpp"

namespace godwit::bench {

constexpr uint32_t kResumeCheckpointMs = 500;
constexpr uint64_t kResumeBlockBytes = 512_KiB;
constexpr uint64_t kResumeSeconds = 4;  // That the whole of it would take at its limit.

// resume_database.cpp: the same of a RocksDB of about `size` bytes, whose files change with each attempt.
void measure_resumed_database(const Settings& settings, tools::Daemons& daemons, uint64_t size, Report& report);

}  // namespace godwit::bench
