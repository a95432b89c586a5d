// RawProcess: the raw loop in a process of its own, because it forks and must find libfabric untouched.
#pragma once

#include <cstdint>
#include <string>

namespace godwit::bench {

struct RawRun {
  std::string provider;
  std::string host;
  bool is_read = true;
  uint64_t operation_bytes = 0;
  uint64_t operations = 0;
  uint32_t depth = 8;
  uint64_t span_bytes = 0;  // Memory at each side that the operations walk over; 0: depth operations.

  uint64_t bytes() const { return operation_bytes * operations; }
  std::string name() const { return is_read ? "raw read" : "raw write"; }
};

// Moves `total_bytes` as operations of at most block_bytes over as much memory: the product's placement.
RawRun raw_like_product(const std::string& provider, const std::string& host, bool is_read, uint64_t object_bytes,
                        uint64_t total_bytes, uint64_t block_bytes, uint32_t depth);

// Runs it once, and returns seconds. Throws std::runtime_error with the loop's own words.
double run_raw(const RawRun& run);

// The libfabric that it runs with: "1.17". Throws std::runtime_error, it did not say.
std::string raw_process_version();

// The main() of that process: "raw-process PROVIDER HOST read|write OPERATION-BYTES OPERATIONS DEPTH SPAN-BYTES" prints
// seconds, "raw-process version" libfabric's version.
int raw_process_main(int argc, char** argv);
constexpr const char* kRawProcess = "raw-process";

}  // namespace godwit::bench
