// Options: the command line of godwit-bulk.
#pragma once

#include <godwit/godwit.h>

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
  bool verify = false;
  int compression = GODWIT_COMPRESSION_NONE;
  int priority = GODWIT_PRIORITY_NORMAL;
  bool xattrs = false, skip_special = false, update = false, force = false;  // Of files; so are these:
  std::vector<std::string> includes, excludes;
  std::string for_files;         // The first option given that is for files alone; empty: none.
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

  // How the bytes of every kind of object travel, for the API: all but the bandwidth, of which each call has its share.
  template <class How>
  void give_to(How& how) const {
    how.verify = verify ? 1 : 0;
    how.compression = compression;
    how.priority = priority;
  }
};

// The same for files, with all that is said of them. It points into `rules`, and those into the options.
godwit_fileset_options how_of_files(const Options& options, std::vector<godwit_file_rule>& rules);
// "lz4"; "emergency". As the command line has them.
std::string compression_name(int compression);
std::string priority_name(int priority);

struct Parsed {
  std::optional<Options> options;  // Or else: end with this exit code.
  int exit_code = 0;
};

// Only a speaker prints help and complaints; all ranks come to the same result.
Parsed parse_options(int argc, char** argv, bool is_speaker);

}  // namespace godwit::bulk
