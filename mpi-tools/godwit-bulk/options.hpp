// Options: the command line of godwit-bulk.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace godwit::bulk {

struct Options {
  std::vector<std::string> from, to;  // As written: node lists, or @FILE.
  std::string provider = "tcp";       // Of nodes that are written without one.
  uint32_t port = 0;                  // The same; 0: none was given.
  std::string target;                 // At every destination; empty: no regions go.
  std::string from_target;            // Of regions. Empty: all of the sources'.
  bool regions = false;
  bool databases = false;
  std::vector<std::string> files;  // Paths of every source.
  std::string to_root;             // Their directory at the destinations; "%n" in it stands for the source.
  std::string list_file;
  bool copy = false;
  uint32_t in_flight = 2;        // Calls of one rank at once.
  uint32_t per_node = 8;         // Calls at once that have one node as their source, or as their destination.
  uint32_t batch = 4000;         // Small objects in one call, at most.
  uint32_t retries = 2;          // Of an object, elsewhere.
  uint64_t bandwidth = 0;        // Of the whole run, in bytes a second; 0: no limit.
  uint32_t stall_seconds = 600;  // A call that stands still for so long is taken back.
  std::string report_file;       // Empty: none.
  std::string resume_file;       // Empty: from the beginning.
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
