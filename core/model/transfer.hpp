// Transfer: how the bytes of a job travel, as its user asked.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.hpp"
#include "base/units.hpp"

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

struct Transfer {
  uint64_t block_bytes = 0;                 // 4 KiB to 64 MiB; 0: as the source's daemon is configured.
  uint32_t streams = 0;                     // At most 64; 0: as the source's daemon is configured.
  uint64_t bandwidth_bytes_per_second = 0;  // At most so much; 0: no limit.
  Compression compression = Compression::kNone;
};

constexpr uint64_t kBlockBytesMin = 4_KiB;
constexpr uint64_t kBlockBytesMax = 64_MiB;
constexpr uint32_t kStreamsMax = 64;

// Errors: kInvalid; the text names the option.
Result<> check(const Transfer& transfer);

}  // namespace godwit::model
