// TransferOptions: how the bytes of a migration travel, as every `godwit migrate` takes it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "session.hpp"

namespace godwit::cli {

struct TransferOptions {
  uint64_t block_bytes = 0;
  uint32_t streams = 0;
  uint64_t bandwidth = 0;
  int compression = GODWIT_COMPRESSION_NONE;
  int priority = GODWIT_PRIORITY_NORMAL;
  std::string time_window;
  bool verify = false;
  bool approval = false;
  uint64_t max_downtime_ms = 0;

  // All but the size of blocks, whose name differs. Points into this.
  template <class Options>
  void give_to(Options& options) const {
    options.streams = streams;
    options.bandwidth = bandwidth;
    options.compression = compression;
    options.priority = priority;
    options.time_window = time_window.empty() ? nullptr : time_window.c_str();
    options.verify = verify ? 1 : 0;
    options.approval = approval ? 1 : 0;
    options.max_downtime_ms = max_downtime_ms;
  }
};

// --streams, --bwlimit, --compress, --priority, --time-window, --verify, --approval, --max-downtime, and the one for the size
// of blocks. `options` must outlive the parsing.
void add_transfer_options(CLI::App* app, TransferOptions& options, const std::string& block_name);
// "normal"; "unknown" for a number that is no GODWIT_PRIORITY_...
std::string_view priority_name(int priority);
// In bytes a second; "none": 0. Throws Failure: INVALID.
uint64_t rate_from(const std::string& text);

}  // namespace godwit::cli
