// Options: the command line of godwit-mpibench.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace godwit::mpibench {

struct Options {
  std::vector<std::string> daemons;  // Addresses; empty: two of our own, on this host.
  std::string provider = "tcp";      // Of our own daemons, and of the raw loop.
  std::string host = "127.0.0.1";    // Local address of both.
  std::vector<std::string> kinds{"dram", "pmem"};
  std::vector<std::string> only{"latency", "rate", "bandwidth", "weak", "strong"};
  std::vector<uint64_t> sizes_bytes;          // Of bandwidth.
  std::vector<uint64_t> latency_sizes_bytes;  // Of latency.
  uint32_t repeat = 5;
  uint64_t operations = 200;  // Small ones in a sample.
  uint64_t total_bytes =
      64u << 20;  // Moved in a sample of bandwidth, and by each pair of weak scaling; not less than an operation.
  uint64_t scaling_bytes = 1u << 20;  // Of an operation of weak and strong scaling.
  std::string report_file;            // Empty: none.

  bool asks_for(const std::string& question) const;
};

struct Parsed {
  std::optional<Options> options;  // Absent: end with exit_code.
  int exit_code = 0;
};

// Prints help and mistakes if `is_speaker`.
Parsed parse_options(int argc, char** argv, bool is_speaker);

}  // namespace godwit::mpibench
