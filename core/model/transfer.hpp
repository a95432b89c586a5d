// Transfer: how and when the bytes of a job travel, as its user asked.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.hpp"
#include "base/units.hpp"
#include "model/time_window.hpp"

namespace godwit::model {

// Of a block on its way. Numbers travel in messages, and are those of godwit.h: append only.
enum class Compression : uint8_t { kNone = 0, kLz4 = 1, kZstd = 2 };

constexpr std::string_view to_string(Compression compression) {
  switch (compression) {  // No default: -Wswitch catches a new one.
    case Compression::kNone: return "none";
    case Compression::kLz4: return "lz4";
    case Compression::kZstd: return "zstd";
  }
  return "unknown";
}

// Which of the jobs that wait begins first. Numbers travel in messages, and are those of godwit.h: append only.
enum class Priority : uint8_t {
  kNormal = 0,
  kLow = 1,
  kHigh = 2,
  kEmergency = 3,  // Begins at once, whatever else runs, and the node's limit of bandwidth does not hold for it.
};

constexpr std::string_view to_string(Priority priority) {
  switch (priority) {  // No default: -Wswitch catches a new one.
    case Priority::kNormal: return "normal";
    case Priority::kLow: return "low";
    case Priority::kHigh: return "high";
    case Priority::kEmergency: return "emergency";
  }
  return "unknown";
}

// Jobs of a higher rank begin first.
constexpr int rank_of(Priority priority) {
  switch (priority) {  // No default: -Wswitch catches a new one.
    case Priority::kLow: return 0;
    case Priority::kNormal: return 1;
    case Priority::kHigh: return 2;
    case Priority::kEmergency: return 3;
  }
  return 0;
}

struct Transfer {
  uint64_t block_bytes = 0;                 // 4 KiB to 64 MiB; 0: as the source's daemon is configured.
  uint32_t streams = 0;                     // At most 64; 0: as the source's daemon is configured.
  uint64_t bandwidth_bytes_per_second = 0;  // At most so much; 0: no limit.
  Compression compression = Compression::kNone;
  Priority priority = Priority::kNormal;
  TimeWindow window = {};  // Outside of it the job is paused.
  bool verify = false;     // The destination reads back from its target what it stored, before the cutover.
  bool approval = false;   // When all has arrived the job waits, for as long as it takes, until its cutover is approved.
  // Writers that are stopped for longer, before the cutover is decided, end the job; 0: no limit.
  uint64_t max_downtime_ms = 0;
};

constexpr uint64_t kBlockBytesMin = 4_KiB;
constexpr uint64_t kBlockBytesMax = 64_MiB;
constexpr uint32_t kStreamsMax = 64;

// `block_name`: what the option for the size of blocks is called. Errors: kInvalid; the text names the option, or those that
// contradict each other.
Result<> check(const Transfer& transfer, std::string_view block_name = "block_bytes");

}  // namespace godwit::model
