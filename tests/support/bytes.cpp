#include "support/bytes.hpp"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <random>

namespace godwit::test {
namespace {

void fill(char* bytes, uint64_t count, uint64_t seed) {
  std::mt19937_64 random(seed);
  for (uint64_t at = 0; at < count; at += sizeof(uint64_t)) {
    const uint64_t value = random();
    std::memcpy(bytes + at, &value, std::min(sizeof value, count - at));
  }
}

}  // namespace

std::vector<char> random_chars(uint64_t count, uint64_t seed) {
  std::vector<char> chars(count);
  fill(chars.data(), count, seed);
  return chars;
}

std::vector<std::byte> random_bytes(uint64_t count, uint64_t seed) {
  std::vector<std::byte> bytes(count);
  fill(reinterpret_cast<char*>(bytes.data()), count, seed);
  return bytes;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text;
  // No seeking: what /proc has is of no size.
  char some[1 << 16];
  while (file.read(some, sizeof some), file.gcount() > 0) text.append(some, static_cast<size_t>(file.gcount()));
  return text;
}

}  // namespace godwit::test
