// Compression: how a block is made smaller for its way, and whole again at its end. Pure: no I/O.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "model/transfer.hpp"

struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

namespace godwit::model {

// What must be known of stored bytes to make the block of them. kNone: they are the block, and the rest is 0.
struct Stored {
  Compression compression = Compression::kNone;
  uint32_t bytes = 0;         // How many; less than the block has.
  uint8_t element_bytes = 0;  // Elements that were shuffled before (model/shuffle.hpp); 0 and 1: none.
  bool operator==(const Stored&) const = default;
};

// Whether such a block of `block_bytes` can be. Errors: kProtocol, with the reason.
Result<> check(const Stored& stored, uint64_t block_bytes);

// Makes blocks of one stream smaller. One thread. Looks at samples of a block first: whether it gains anything, and as elements
// of which size. What it found holds for a while, because blocks that follow each other are alike.
class Compressor {
 public:
  // Not kNone. `level` is zstd's; lz4 has none.
  explicit Compressor(Compression compression, int level = kZstdLevel);
  ~Compressor();
  Compressor(const Compressor&) = delete;
  Compressor& operator=(const Compressor&) = delete;

  // Puts the stored bytes to the front of `to`, which is as long as the block; 64 MiB at most. Nothing: the block gains less
  // than a tenth, or was not tried because those before it did; what is in `to` then means nothing.
  std::optional<Stored> compress(std::span<const std::byte> block, std::span<std::byte> to);

  // Of -3, -1, 1, 2 and 3 the one that is near the fastest with every kind of data, and makes text and programs much smaller
  // than the negative ones; numbers hardly differ (docs/design/wire.md).
  static constexpr int kZstdLevel = 1;

 private:
  uint8_t probe(std::span<const std::byte> block);
  size_t store(std::span<const std::byte> from, uint8_t element_bytes, std::span<std::byte> to);

  const Compression compression_;
  const int level_;
  std::unique_ptr<ZSTD_CCtx_s, size_t (*)(ZSTD_CCtx_s*)> zstd_;
  std::vector<uint64_t> lz4_state_;
  std::vector<std::byte> shuffled_;
  std::vector<std::byte> samples_;
  std::vector<std::byte> tried_;
  uint8_t element_bytes_ = 0;  // Found by the last probe; 0: nothing gained.
  uint32_t since_probe_ = 0;   // Blocks.
  uint32_t left_alone_ = 0;    // Blocks, from the next one on.
  uint32_t in_vain_ = 0;       // Blocks in a row that were looked at and gained nothing.
};

// One thread.
class Decompressor {
 public:
  Decompressor();
  ~Decompressor();
  Decompressor(const Decompressor&) = delete;
  Decompressor& operator=(const Decompressor&) = delete;

  // Makes the whole of `block`; check(stored, block.size()) has passed, and `from` has stored.bytes. A peer may have sent
  // anything. Errors: kCorrupt, that is no block of this length; what is in `block` then means nothing.
  Result<> decompress(const Stored& stored, std::span<const std::byte> from, std::span<std::byte> block);

 private:
  std::unique_ptr<ZSTD_DCtx_s, size_t (*)(ZSTD_DCtx_s*)> zstd_;
  std::vector<std::byte> shuffled_;
};

}  // namespace godwit::model
