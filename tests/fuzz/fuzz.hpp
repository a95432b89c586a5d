// What every fuzzer needs: an oracle that stops it, the input read piece by piece, and a directory in memory.
#pragma once

#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <span>
#include <string>

namespace godwit::fuzz {

// Ends the run if what must hold does not; libFuzzer then keeps the input.
inline void must(bool holds, const char* what, const std::string& detail = {}) {
  if (holds) return;
  std::fprintf(stderr, "BROKEN: %s %s\n", what, detail.c_str());
  std::abort();
}

// The input from front to back; zeros after its end, so that every input means something.
class Input {
 public:
  Input(const uint8_t* data, size_t size) : rest_(data, size) {}

  bool empty() const { return rest_.empty(); }
  uint8_t byte() { return number<uint8_t>(); }
  template <class Number>
  Number number() {
    Number value{};
    const auto bytes = take(sizeof value);
    std::memcpy(&value, bytes.data(), bytes.size());
    return value;
  }
  // One byte alone for small numbers and for those at the edges of their types; 0xff: eight bytes follow.
  uint64_t any_number() {
    const uint8_t first = byte();
    if (first == 0xff) return number<uint64_t>();
    if (first < 0xc0) return first;
    const unsigned power = first & 0x3f;  // 0 to 62.
    return (uint64_t{2} << power) - (power % 2);
  }
  // A length in one byte, then as many bytes.
  std::string text() {
    const auto bytes = take(byte());
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  std::span<const uint8_t> rest() { return take(rest_.size()); }
  std::string rest_text() {
    const auto bytes = rest();
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

 private:
  std::span<const uint8_t> take(size_t length) {
    const auto taken = rest_.first(std::min(length, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }
  std::span<const uint8_t> rest_;
};

inline std::string text_of(const uint8_t* data, size_t size) { return Input(data, size).rest_text(); }

// A new directory below $TMPDIR, which ./dev points at memory and removes afterwards, also after a crash.
inline std::string make_directory() {
  const char* parent = getenv("TMPDIR");
  std::string pattern = std::string(parent == nullptr ? "/dev/shm" : parent) + "/godwit-fuzz-XXXXXX";
  must(mkdtemp(pattern.data()) != nullptr, "a directory can be made", pattern);
  return pattern;
}

inline std::string read_all(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline void write_all(const std::string& path, const std::string& bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  must(bool(out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()))), "a file can be written", path);
}

}  // namespace godwit::fuzz
