// RawChild: the raw loop of godwit-bench, beside this program. It is libfabric alone, which an MPI program does not see.
#pragma once

#include <cstdint>
#include <string>

namespace godwit::mpibench {

struct RawLoop {
  std::string provider;
  std::string host;
  bool is_read = false;
  uint64_t operation_bytes = 0;
  uint64_t operations = 0;
  uint32_t depth = 1;  // In flight.
};

// The seconds of one run between two new processes of this host. Blocks until they have ended.
// Throws std::runtime_error: godwit-bench is not there, or what the loop said.
double run_raw_loop(const RawLoop& loop);
// "1.17". Throws as above.
std::string libfabric_version();

}  // namespace godwit::mpibench
