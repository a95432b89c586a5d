// TransferOptions: how the bytes of a migration travel, as every `godwit migrate` takes it.
#pragma once

#include <cstdint>
#include <string>

#include "session.hpp"

namespace godwit::cli {

struct TransferOptions {
  uint64_t block_bytes = 0;
  uint32_t streams = 0;
  uint64_t bandwidth = 0;
  int compression = GODWIT_COMPRESSION_NONE;

  // All but the size of blocks, whose name differs.
  template <class Options>
  void give_to(Options& options) const {
    options.streams = streams;
    options.bandwidth = bandwidth;
    options.compression = compression;
  }
};

// --streams, --bwlimit, --compress, and the one for the size of blocks. `options` must outlive the parsing.
void add_transfer_options(CLI::App* app, TransferOptions& options, const std::string& block_name);
// In bytes a second; "none": 0. Throws Failure: INVALID.
uint64_t rate_from(const std::string& text);

}  // namespace godwit::cli
