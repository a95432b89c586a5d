// The bytes of tests: what is written, and what is read back. Compiled with optimisation even where the tests are not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace godwit::test {

// The same for the same seed; no compression makes them less.
std::vector<char> random_chars(uint64_t count, uint64_t seed = 7);
std::vector<std::byte> random_bytes(uint64_t count, uint64_t seed = 7);

// All of it; nothing if it cannot be read.
std::string read_file(const std::string& path);

}  // namespace godwit::test
