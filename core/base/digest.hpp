// Digest: the XXH3-128 of a block, by xxHash. (SHA-256 on request comes with the job options.)
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace godwit {

struct Digest {
  uint64_t high = 0;
  uint64_t low = 0;
  bool operator==(const Digest&) const = default;
};

// XXH3_128bits with seed 0 of `bytes`. Any thread; uses the widest vectors the processor has.
Digest digest_of(std::span<const std::byte> bytes);

// The same over bytes that come in pieces.
class DigestStream {
 public:
  DigestStream();
  ~DigestStream();
  DigestStream(const DigestStream&) = delete;
  DigestStream& operator=(const DigestStream&) = delete;

  void add(std::span<const std::byte> bytes);
  Digest finish() const;

 private:
  void* state_;  // XXH3_state_t
};

std::string to_string(const Digest& digest);

}  // namespace godwit
