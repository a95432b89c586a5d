// Compressed blocks as a peer announces them and as they are read from its memory; and our own.
//
// Input: the compression and whether to compress or to decompress; then how it is shuffled, the block's length and the stored
// bytes, or the block. Must hold: what can be announced makes a block of exactly its length or is kCorrupt, without reaching
// beyond its memory; what we compress can be announced, is smaller by a tenth, and comes back as it was.
#include <memory>

#include "fuzz.hpp"
#include "model/compression.hpp"

namespace godwit::fuzz {
namespace {

using model::Compression;
using model::Compressor;
using model::Decompressor;
using model::Stored;

constexpr uint64_t kBlockBytesMost = 1 << 16;

// Exactly as long as asked for, so that the sanitizer sees each byte beyond.
struct Memory {
  explicit Memory(size_t bytes) : start(new std::byte[bytes]), all(start.get(), bytes) {}
  std::unique_ptr<std::byte[]> start;
  std::span<std::byte> all;
};

Memory copy_of(std::span<const uint8_t> bytes) {
  Memory memory(bytes.size());
  std::ranges::copy(std::as_bytes(bytes), memory.all.begin());
  return memory;
}

void decompress(Input& input, Compression compression) {
  // One decompressor for all, as a stream has: what it was given before must not matter.
  static Decompressor shared;
  Stored stored{compression, 0, input.byte()};
  const uint64_t block_bytes = input.any_number() % kBlockBytesMost;
  const Memory from = copy_of(input.rest());
  stored.bytes = static_cast<uint32_t>(from.all.size());
  if (!model::check(stored, block_bytes)) return;
  must(stored.bytes > 0 && stored.bytes < block_bytes, "stored bytes are fewer than the block's");
  const Memory block(block_bytes), again(block_bytes);
  Decompressor fresh;
  const auto made = shared.decompress(stored, from.all, block.all);
  const auto remade = fresh.decompress(stored, from.all, again.all);
  must(bool(made) == bool(remade), "blocks before do not matter");
  if (made) return must(std::ranges::equal(block.all, again.all), "the same bytes make the same block");
  must(made.error().code == Errc::kCorrupt, "what is no block is kCorrupt", made.error().text);
}

void compress(Input& input, Compression compression) {
  const unsigned blocks = 1 + input.byte() % 4;  // The later ones meet what the first has taught.
  const Memory block = copy_of(input.rest());
  Compressor compressor(compression);
  Decompressor decompressor;
  for (unsigned i = 0; i < blocks; ++i) {
    const Memory room(block.all.size());
    const auto stored = compressor.compress(block.all, room.all);
    if (!stored) continue;
    must(bool(model::check(*stored, block.all.size())), "what we compress can be announced");
    must(stored->bytes <= block.all.size() - block.all.size() / 10, "what we compress gains a tenth");
    const Memory back(block.all.size());
    must(bool(decompressor.decompress(*stored, room.all.first(stored->bytes), back.all)), "what we compress is a block");
    must(std::ranges::equal(back.all, block.all), "what we compress comes back");
  }
}

}  // namespace
}  // namespace godwit::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  godwit::fuzz::Input input(data, size);
  const uint8_t choice = input.byte();
  const auto compression = choice & 1 ? godwit::model::Compression::kZstd : godwit::model::Compression::kLz4;
  choice & 2 ? godwit::fuzz::compress(input, compression) : godwit::fuzz::decompress(input, compression);
  return 0;
}
