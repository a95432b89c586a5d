// Settings: what the command line of godwit-bench asks for.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace godwit::bench {

struct Settings {
  std::string provider = "tcp";
  std::string host = "127.0.0.1";
  std::vector<uint64_t> sizes_bytes;
  std::vector<std::string> kinds{"dram", "pmem"};
  uint32_t repeat = 5;
  std::string report_file;  // Empty: none.

  // The raw loop's; the product's are the daemons' own.
  uint32_t depth = 8;
  uint64_t raw_block_bytes = 1 << 20;
  bool sweep = false;  // Also over hot buffers, and over depths.

  // Of the product.
  uint64_t block_bytes = 0;     // Of a migration; 0: as the daemons are configured.
  std::string from, to;         // Empty: two daemons of our own.
  bool cold = false;            // Their dram is not touched beforehand.
  uint32_t streams = 0;         // 0: as the daemons are configured.
  uint32_t count = 10000;       // Regions of `regions`, operations of `io`.
  uint64_t total_bytes = 0;     // Moved for each size of `migrate`, 0: chosen by size; of `db`: of the one that is written to.
  uint64_t keys = 1'000'000;    // Of each database of `db`.
  std::vector<uint64_t> rates;  // Limits of `steer`, in bytes a second.
};

}  // namespace godwit::bench
