#include "model/compression.hpp"

#include <fmt/format.h>
#include <lz4.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "model/shuffle.hpp"

namespace godwit::model {
namespace {

constexpr size_t kSampleBytes = 4_KiB;
constexpr size_t kSamples = 3;
constexpr std::array<uint8_t, 3> kElementBytesTried{1, 4, 8};
// Shorter ones travel as fast as they are.
constexpr size_t kBlockBytesWorthwhile = 256;
// Blocks until it looks again which elements are best.
constexpr uint32_t kProbeEvery = 4;
// After that many blocks in vain, 7 are left alone between two looks; 0, 1 and 3 before.
constexpr uint32_t kInVainMax = 3;

// What a block must come down to.
size_t gains_at(size_t bytes) { return bytes - bytes / 10; }

}  // namespace

Result<> check(const Stored& stored, uint64_t block_bytes) {
  if (stored.compression > Compression::kZstd)
    return Error{Errc::kProtocol,
                 fmt::format("with compression {}, which is none that there is", static_cast<unsigned>(stored.compression))};
  if (stored.compression == Compression::kNone) {
    if (stored.bytes == 0 && stored.element_bytes == 0) return Done{};
    return Error{Errc::kProtocol, "uncompressed, and yet stored otherwise than it is"};
  }
  if (stored.bytes == 0 || stored.bytes >= block_bytes)
    return Error{Errc::kProtocol, fmt::format("{} bytes compressed to {}", block_bytes, stored.bytes)};
  if (stored.element_bytes != 0 && !is_element_size(stored.element_bytes))
    return Error{Errc::kProtocol, fmt::format("shuffled as elements of {} bytes", stored.element_bytes)};
  return Done{};
}

Compressor::Compressor(Compression compression, int level)
    : compression_(compression), level_(level), zstd_(nullptr, ZSTD_freeCCtx) {}
Compressor::~Compressor() = default;

std::optional<Stored> Compressor::compress(std::span<const std::byte> block, std::span<std::byte> to) {
  if (block.size() < kBlockBytesWorthwhile || block.size() > kBlockBytesMax) return std::nullopt;
  if (left_alone_ > 0) {
    --left_alone_;
    return std::nullopt;
  }
  if (element_bytes_ == 0 || since_probe_ == kProbeEvery) {
    element_bytes_ = probe(block);
    since_probe_ = 0;
  }
  ++since_probe_;
  const size_t bytes = element_bytes_ == 0 ? 0 : store(block, element_bytes_, to.first(gains_at(block.size())));
  if (bytes > 0) {
    in_vain_ = 0;
    return Stored{compression_, static_cast<uint32_t>(bytes), element_bytes_};
  }
  // Nothing gains; or samples promised what the block does not keep; or it is unlike those before it.
  element_bytes_ = 0;
  left_alone_ = (1u << std::min(in_vain_++, kInVainMax)) - 1;
  return std::nullopt;
}

// The best size of elements; 0: none gains.
uint8_t Compressor::probe(std::span<const std::byte> block) {
  samples_.resize(std::min(block.size(), kSamples * kSampleBytes));
  if (samples_.size() == block.size()) {
    std::ranges::copy(block, samples_.begin());
  } else {
    for (size_t i = 0; i < kSamples; ++i) {
      // From the first byte to the last one, at whole elements of the block.
      const size_t at = (block.size() - kSampleBytes) / (kSamples - 1) * i / 8 * 8;
      std::ranges::copy(block.subspan(at, kSampleBytes), samples_.begin() + static_cast<ptrdiff_t>(i * kSampleBytes));
    }
  }
  tried_.resize(gains_at(samples_.size()));
  uint8_t best = 0;
  std::span<std::byte> room = tried_;
  for (const uint8_t element_bytes : kElementBytesTried) {
    const size_t bytes = store(samples_, element_bytes, room);
    if (bytes == 0) continue;
    best = element_bytes;
    room = room.first(bytes - 1);  // The next one must be better.
  }
  return best;
}

// How many bytes it has become; 0: more than there is room for.
size_t Compressor::store(std::span<const std::byte> from, uint8_t element_bytes, std::span<std::byte> to) {
  if (element_bytes > 1) {
    shuffled_.resize(std::max(shuffled_.size(), from.size()));
    const auto shuffled = std::span(shuffled_).first(from.size());
    shuffle(element_bytes, from, shuffled);
    from = shuffled;
  }
  if (compression_ == Compression::kLz4) {
    lz4_state_.resize(static_cast<size_t>(LZ4_sizeofState()) / sizeof(uint64_t) + 1);
    const int bytes = LZ4_compress_fast_extState(lz4_state_.data(), reinterpret_cast<const char*>(from.data()),
                                                 reinterpret_cast<char*>(to.data()), static_cast<int>(from.size()),
                                                 static_cast<int>(to.size()), 1);
    return bytes > 0 ? static_cast<size_t>(bytes) : 0;
  }
  if (!zstd_) zstd_.reset(ZSTD_createCCtx());
  if (!zstd_) return 0;
  const size_t bytes = ZSTD_compressCCtx(zstd_.get(), to.data(), to.size(), from.data(), from.size(), level_);
  return ZSTD_isError(bytes) != 0 ? 0 : bytes;
}

Decompressor::Decompressor() : zstd_(nullptr, ZSTD_freeDCtx) {}
Decompressor::~Decompressor() = default;

Result<> Decompressor::decompress(const Stored& stored, std::span<const std::byte> from, std::span<std::byte> block) {
  std::span<std::byte> to = block;
  if (stored.element_bytes > 1) {
    shuffled_.resize(std::max(shuffled_.size(), block.size()));
    to = std::span(shuffled_).first(block.size());
  }
  std::optional<size_t> bytes;  // That it has become; none: it is not what it should be.
  if (stored.compression == Compression::kLz4) {
    const int made = LZ4_decompress_safe(reinterpret_cast<const char*>(from.data()), reinterpret_cast<char*>(to.data()),
                                         static_cast<int>(from.size()), static_cast<int>(to.size()));
    if (made >= 0) bytes = static_cast<size_t>(made);
  } else {
    if (!zstd_) zstd_.reset(ZSTD_createDCtx());
    if (!zstd_) return Error{Errc::kMemory, "no memory for zstd"};
    const size_t made = ZSTD_decompressDCtx(zstd_.get(), to.data(), to.size(), from.data(), from.size());
    if (ZSTD_isError(made) == 0) bytes = made;
  }
  if (bytes != block.size())
    return Error{Errc::kCorrupt,
                 fmt::format("{} bytes of {} are no block of {}", from.size(), to_string(stored.compression), block.size())};
  if (stored.element_bytes > 1) unshuffle(stored.element_bytes, to, block);
  return Done{};
}

}  // namespace godwit::model
