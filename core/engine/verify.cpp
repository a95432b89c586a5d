#include "engine/verify.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/fail_point.hpp"

namespace godwit::engine {
namespace {

class Reader {
 public:
  // Reads the piece from its object's volume. Errors: kIo.
  Result<> read(const objects::Storage& storage, Extent piece, std::span<std::byte> bytes) {
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

 private:
  std::map<pmem::Volume*, std::unique_ptr<pmem::IoQueue>> queues_;
};

}  // namespace

Result<> verify_blocks(const SinkTransfer& transfer) {
  Reader reader;
  std::vector<std::byte> buffer(std::min(transfer.settings.block_bytes, std::max<uint64_t>(1, transfer.plan.total_bytes())));
  for (uint32_t block = 0; block < transfer.plan.size(); ++block) {
    const auto pieces = transfer.plan.pieces(block);
    auto rest = std::span(buffer);
    for (const model::Piece& piece : pieces) {
      const objects::Sink& sink = *transfer.sinks[piece.object];
      if (auto read = reader.read(sink.storage(), piece.extent, rest.first(piece.extent.length_bytes)); !read)
        return with_context("verifying " + sink.describe(), std::move(read).error());
      rest = rest.subspan(piece.extent.length_bytes);
    }
    if (fail_point("verify.read") != 0) buffer.front() ^= std::byte{1};  // A medium that gives back something else.
    if (digest_of(std::span(buffer).first(transfer.plan.block_bytes(block))) != transfer.digests[block])
      return Error{Errc::kDigest, fmt::format("{}: what was read back from its medium differs from what was sent (block {})",
                                              transfer.sinks[pieces[0].object]->describe(), block)};
  }
  return Done{};
}

}  // namespace godwit::engine
