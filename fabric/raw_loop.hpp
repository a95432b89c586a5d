// RawLoop: the ceiling. A tight fi_write or fi_read loop between two processes of this host, with nothing of ours around it.
//
// In the manner of fabtests' fi_rma_bw: a window of operations, registered and touched memory, busy polling at both ends,
// and libfabric calls only. Operations walk over `span_bytes` of memory at each side and begin again at its end: a span as
// long as the object is the product's placement, a span of depth * operation_bytes stays in the caches.
#pragma once

#include <cstdint>
#include <string>

#include "base/deadline.hpp"
#include "base/result.hpp"

namespace godwit::fabric {

enum class RawOperation { kWrite, kRead };

struct RawLoopSettings {
  std::string provider = "tcp";    // "tcp", "verbs": MSG endpoints; "shm", "tcp;ofi_rxm" and others: RDM.
  std::string host = "127.0.0.1";  // The local address to bind to; ignored by shm.
  RawOperation operation = RawOperation::kRead;
  uint64_t operation_bytes = 1 << 20;  // At most the provider's limit for one operation.
  uint64_t operations = 1024;
  uint32_t depth = 8;           // Operations in flight.
  uint64_t span_bytes = 0;      // Of memory at each side; 0: depth * operation_bytes.
  uint32_t repeats = 1;         // Timed runs over one connection.
  milliseconds silence{10000};  // Fail when no operation completes, or the other process says nothing, for so long.
};

struct RawLoopResult {
  double seconds = 0;            // The fastest of the repeats: from the first post to the last completion.
  double median_seconds = 0;     // Of the repeats.
  double processor_seconds = 0;  // Of both processes, over all repeats.
};

// Forks the process that owns the remote memory, runs, and ends it. Writes complete with FI_DELIVERY_COMPLETE.
// Call it in a process of one thread which has not used libfabric before (fork).
// Errors: kInvalid, a zero, or operations longer than the provider's limit (the text says it) or than the span;
// kUnsupported, no such provider; kMemory; kFabric; kTimeout; kPeerLost, the other process ended early.
Result<RawLoopResult> run_raw_loop(const RawLoopSettings& settings);

}  // namespace godwit::fabric
