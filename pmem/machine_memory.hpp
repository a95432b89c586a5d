// What memory this process can still get.
#pragma once

#include <cstdint>
#include <string>

namespace godwit::pmem {

// The least of the machine's MemAvailable and of what each control group above us leaves (its page cache counts as
// available), in bytes; UINT64_MAX where nothing says. Reads a few files: about 50 us. Any thread.
uint64_t available_memory_bytes();

// The same of another machine's files: `root` is put before /proc and /sys. For tests.
uint64_t available_memory_bytes(const std::string& root);

// What the machine must still give for a region of `wanted_bytes` in a pool of which `touched_bytes` have their pages for good,
// and `others_bytes` are other regions'. Pages that no region uses are ours already, and no longer "available".
constexpr uint64_t missing_memory_bytes(uint64_t wanted_bytes, uint64_t touched_bytes, uint64_t others_bytes) {
  const uint64_t idle_bytes = touched_bytes > others_bytes ? touched_bytes - others_bytes : 0;
  return wanted_bytes > idle_bytes ? wanted_bytes - idle_bytes : 0;
}

}  // namespace godwit::pmem
