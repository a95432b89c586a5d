#include "base/digest.hpp"

#include <fmt/format.h>
#include <xxhash.h>
#if defined(__x86_64__)
#include <xxh_x86dispatch.h>  // The library then picks SSE2, AVX2 or AVX-512 at run time.
#endif

#include <new>

namespace godwit {
namespace {

Digest digest_from(XXH128_hash_t hash) { return Digest{hash.high64, hash.low64}; }

}  // namespace

Digest digest_of(std::span<const std::byte> bytes) { return digest_from(XXH3_128bits(bytes.data(), bytes.size())); }

DigestStream::DigestStream() : state_(XXH3_createState()) {
  if (state_ == nullptr) throw std::bad_alloc();
  XXH3_128bits_reset(static_cast<XXH3_state_t*>(state_));
}
DigestStream::~DigestStream() { XXH3_freeState(static_cast<XXH3_state_t*>(state_)); }

void DigestStream::add(std::span<const std::byte> bytes) {
  XXH3_128bits_update(static_cast<XXH3_state_t*>(state_), bytes.data(), bytes.size());
}
Digest DigestStream::finish() const { return digest_from(XXH3_128bits_digest(static_cast<XXH3_state_t*>(state_))); }

std::string to_string(const Digest& digest) { return fmt::format("{:016x}{:016x}", digest.high, digest.low); }

}  // namespace godwit
