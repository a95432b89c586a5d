#include "engine/verify.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/fail_point.hpp"

namespace godwit::engine {

Result<> BlockReader::read(const objects::Storage& storage, Extent piece, std::span<std::byte> bytes) {
  auto& queue = queues_[storage.volume];
  if (!queue) {
    auto opened = storage.volume->open_queue(1);
    if (!opened) return std::move(opened).error();
    queue = std::move(*opened);
  }
  const pmem::Io io{pmem::Io::Direction::kRead, storage.extent.offset_bytes + piece.offset_bytes, bytes, 0};
  if (auto submitted = queue->submit(io); !submitted) return submitted;
  auto done = queue->wait(1);
  if (!done) return std::move(done).error();
  return std::move(done->front().outcome);
}

Result<Digest> BlockReader::digest(uint32_t block) {
  buffer_.resize(transfer_.plan.block_bytes(block));
  auto rest = std::span(buffer_);
  for (const model::Piece& piece : transfer_.plan.pieces(block)) {
    const objects::Sink& sink = *transfer_.sinks[piece.object];
    if (auto read_back = read(sink.storage(), piece.extent, rest.first(piece.extent.length_bytes)); !read_back)
      return with_context("reading back " + sink.describe(), std::move(read_back).error());
    rest = rest.subspan(piece.extent.length_bytes);
  }
  if (fail_point("verify.read") != 0) buffer_.front() ^= std::byte{1};  // A medium that gives back something else.
  return digest_of(buffer_);
}

Result<> verify_blocks(const SinkTransfer& transfer) {
  BlockReader reader(transfer);
  for (uint32_t block = 0; block < transfer.plan.size(); ++block) {
    auto found = reader.digest(block);
    if (!found) return std::move(found).error();
    if (*found == transfer.digests[block]) continue;
    transfer.settings.totals->received.digests_failed++;
    return Error{Errc::kDigest, fmt::format("{}: what was read back from its medium differs from what was sent (block {})",
                                            transfer.sinks[transfer.plan.pieces(block)[0].object]->describe(), block)};
  }
  return Done{};
}

}  // namespace godwit::engine
