// Staging: a stream's ring of registered buffers, and the reads or writes between them and the objects' targets.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/buffer_ring.hpp"
#include "model/block_plan.hpp"
#include "objects/source.hpp"

namespace godwit::engine {

// One thread: a stream's.
class Staging {
 public:
  Staging(std::shared_ptr<fabric::Domain> domain, fabric::Access access, uint64_t buffer_bytes, uint32_t buffers)
      : ring_(std::move(domain), access, buffer_bytes, buffers) {}

  // As BufferRing's.
  Result<std::optional<uint32_t>> take();
  void give_back(uint32_t buffer) { ring_.give_back(buffer); }
  std::span<std::byte> buffer(uint32_t index) const { return ring_.buffer(index); }
  const fabric::BufferPool& pool() const { return ring_.pool(); }

  // Starts to copy the pieces of a block between a buffer and their objects' targets. reap() tells when it is done.
  // `storage_of(object)` gives each object's storage. Errors: kIo of the submission.
  template <class StorageOf>
  Result<> start(uint64_t token, uint32_t buffer, std::span<const model::Piece> pieces, pmem::Io::Direction direction,
                 const StorageOf& storage_of);

  struct Finished {
    uint64_t token;
    std::vector<std::pair<uint32_t, Error>> failures;  // By object: why a piece of it failed.
  };
  uint32_t under_way() const { return static_cast<uint32_t>(works_.size()); }
  // What has finished; blocks until something has if `block` and something is under way.
  Result<std::vector<Finished>> reap(bool block);

 private:
  struct Work {
    std::vector<model::Piece> pieces;
    uint32_t left = 0;
    std::vector<std::pair<uint32_t, Error>> failures;
  };
  Result<pmem::IoQueue*> queue_of(pmem::Volume& volume);
  Result<> submit(pmem::Volume& volume, const pmem::Io& io);
  void note(const pmem::IoDone& done);

  BufferRing ring_;
  std::map<pmem::Volume*, std::unique_ptr<pmem::IoQueue>> queues_;
  std::map<uint64_t, Work> works_;  // By token.
  std::vector<Finished> finished_;
};

// A piece's token within a queue: the work's token and the piece's number.
constexpr uint64_t kPieceBits = 24;

template <class StorageOf>
Result<> Staging::start(uint64_t token, uint32_t buffer, std::span<const model::Piece> pieces, pmem::Io::Direction direction,
                        const StorageOf& storage_of) {
  Work& work = works_[token];
  work.pieces.assign(pieces.begin(), pieces.end());
  work.left = static_cast<uint32_t>(pieces.size());
  std::span<std::byte> rest = ring_.buffer(buffer);
  for (size_t i = 0; i < pieces.size(); ++i) {
    const model::Piece& piece = pieces[i];
    const objects::Storage storage = storage_of(piece.object);
    const pmem::Io io{direction, storage.extent.offset_bytes + piece.extent.offset_bytes, rest.first(piece.extent.length_bytes),
                      token << kPieceBits | i};
    rest = rest.subspan(piece.extent.length_bytes);
    if (auto submitted = submit(*storage.volume, io); !submitted) note({io.token, std::move(submitted).error()});
  }
  return Done{};
}

}  // namespace godwit::engine
