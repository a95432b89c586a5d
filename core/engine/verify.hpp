// Verify: blocks that have landed, read back from their targets: not from the buffers through which they came.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "engine/sink_stream.hpp"

namespace godwit::engine {

// One thread. The transfer's sinks stay while it lives.
class BlockReader {
 public:
  explicit BlockReader(const SinkTransfer& transfer) : transfer_(transfer) {}

  // The digest of the block as its targets give it. Blocks for the disk. Errors: kIo.
  Result<Digest> digest(uint32_t block);

 private:
  Result<> read(const objects::Storage& storage, Extent piece, std::span<std::byte> bytes);

  const SinkTransfer& transfer_;
  std::vector<std::byte> buffer_;
  std::map<pmem::Volume*, std::unique_ptr<pmem::IoQueue>> queues_;
};

// Compares all of a transfer whose blocks have all landed; blocks for the disk. Errors: kDigest, names the first block that
// differs; kIo.
Result<> verify_blocks(const SinkTransfer& transfer);

}  // namespace godwit::engine
