// Counters: what a transfer did so far; written by its streams, read by whoever reports.
#pragma once

#include <atomic>
#include <cstdint>

namespace godwit::engine {

struct Counters {
  std::atomic<uint64_t> bytes_done{0};  // Verified at the destination.
  std::atomic<uint64_t> bytes_sent{0};  // What travelled for that, and for what came to no good.
  std::atomic<uint64_t> blocks_done{0};
  std::atomic<uint64_t> blocks_compressed{0};  // Of blocks_done.
  std::atomic<uint64_t> blocks_direct{0};      // Left or landed in the object's own registered memory.
  std::atomic<uint64_t> blocks_staged{0};      // Went through the ring of buffers.
  std::atomic<uint64_t> blocks_kept{0};        // Of blocks_done: at the destination since an earlier attempt, not sent again.
  std::atomic<uint64_t> blocks_resent{0};
  std::atomic<uint64_t> digests_failed{0};

  // Another attempt: what arrived before is told again, as kept or as sent.
  void begin_again() {
    for (auto* counter : {&bytes_done, &blocks_done, &blocks_compressed, &blocks_direct, &blocks_staged, &blocks_kept})
      *counter = 0;
  }
};

}  // namespace godwit::engine
