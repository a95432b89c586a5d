// Options: the command line of godwit-bulk.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace godwit::bulk {

struct Options {
  std::string from;
  std::vector<std::string> to;
  std::string target;       // At every destination.
  std::string from_target;  // Empty: all of the source's.
  bool all = false;
  std::string list_file;
  bool copy = false;
  uint32_t in_flight = 2;        // Migrations of one rank.
  uint32_t batch = 1000;         // Small regions in one call, at most.
  uint32_t stall_seconds = 600;  // A rank whose migrations stand still for so long gives them up.
  std::string report_file;       // Empty: none.
  bool dry_run = false;
  bool quiet = false;
};

struct Parsed {
  std::optional<Options> options;  // Or else: end with this exit code.
  int exit_code = 0;
};

// Only a speaker prints help and complaints; all ranks come to the same result.
Parsed parse_options(int argc, char** argv, bool is_speaker);

}  // namespace godwit::bulk
