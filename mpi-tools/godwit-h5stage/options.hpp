// Options: the command line of godwit-h5stage.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace godwit::h5stage {

enum class Verb { kIn, kOut, kRemove, kList };

struct Options {
  Verb verb = Verb::kIn;
  std::string source;                          // in: FILE or FILE:DATASET,...
  std::string stage;                           // in: empty, the file's name.
  std::string file;                            // out.
  std::vector<std::string> nodes;              // Lists of nodes, as they are written; later their addresses.
  std::string provider = "tcp";                // Of nodes that are written without one.
  uint32_t port = 0;                           // The same; 0: none was given.
  std::string target;                          // in: at each node; empty: its only one.
  uint64_t buffer_bytes = uint64_t{16} << 20;  // Of each rank.
  uint64_t part_bytes = uint64_t{1} << 30;     // Of a region, at most.
  bool verify = false;
  bool force = false;
  bool json = false;
  std::string report_file;  // Empty: none.
};

struct Parsed {
  std::optional<Options> options;  // Absent: end with exit_code.
  int exit_code = 0;
};

// Prints help and mistakes if `is_speaker`.
Parsed parse_options(int argc, char** argv, bool is_speaker);

}  // namespace godwit::h5stage
