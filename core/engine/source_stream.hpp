// SourceStream: the source's side of one stream: takes blocks, exposes and announces them, and hears what arrived.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "engine/block_queue.hpp"
#include "engine/buffer_ring.hpp"
#include "engine/counters.hpp"
#include "engine/pace.hpp"
#include "engine/settings.hpp"
#include "engine/staging.hpp"
#include "engine/way.hpp"
#include "fabric/channel.hpp"
#include "model/block_plan.hpp"
#include "model/compression.hpp"
#include "objects/source.hpp"
#include "protocol/codec.hpp"

namespace godwit::engine {

// What the streams of an outbound job share.
struct SourceTransfer {
  SourceTransfer(std::shared_ptr<fabric::Domain> its_domain, std::vector<objects::Source*> its_sources,
                 model::BlockPlan its_plan, const EngineSettings& its_settings, Counters& its_counters, Pace& its_pace,
                 model::Compression its_compression, const std::atomic<bool>& its_cancelled)
      : domain(its_domain),
        sources(std::move(its_sources)),
        plan(std::move(its_plan)),
        settings(its_settings),
        counters(its_counters),
        pace(its_pace),
        compression(its_compression),
        cancelled(its_cancelled),
        queue(plan.size()),
        ways(its_domain, fabric::Access::kRemoteRead, sources.size()) {}

  const std::shared_ptr<fabric::Domain> domain;
  const std::vector<objects::Source*> sources;
  const model::BlockPlan plan;
  const EngineSettings settings;
  Counters& counters;
  Pace& pace;
  const model::Compression compression;
  const std::atomic<bool>& cancelled;  // By the user, or the attempt ends for another reason.
  BlockQueue queue;
  Ways ways;
  std::atomic<bool> stop{false};  // Another stream failed.
  // Called by any of the streams for each block that has to go once more, because of `why`; may be empty.
  std::function<void(uint32_t block, Errc why)> on_resent;

  // An object that cannot be read stays behind; its blocks travel as zeros, and the destination is told to drop it.
  void fail_object(uint32_t object, Error error);
  std::vector<std::pair<uint32_t, Error>> failed_objects() const;

 private:
  mutable std::mutex mutex_;
  std::vector<std::pair<uint32_t, Error>> failed_;
};

// One thread.
class SourceStream {
 public:
  SourceStream(fabric::Channel& channel, SourceTransfer& transfer);

  // Runs until no block is left and everything that this stream sent is verified; then says PassDone. Blocks.
  // Errors: kCancelled (cancelled or stop), kTimeout (nothing arrived for stall_timeout), kDigest (a block failed too often),
  // kPeerLost, kProtocol, kMemory, kFabric. The caller then sets transfer.stop.
  Result<> run();

 private:
  struct InFlight {
    std::optional<uint32_t> staged = {};  // The buffer that it was read into.
    std::optional<uint32_t> packed = {};  // The one that it was compressed into.
    uint64_t sent_bytes = 0;              // That travel; 0: not announced yet.
  };
  // Where the destination finds a block.
  struct Place {
    fabric::RemoteMemory window;
    uint64_t remote_offset_bytes;
  };

  Result<> loop();
  Result<> last_words(Result<> lost);
  Result<bool> start_block();
  Result<bool> finish_reads();
  void zero_pieces(uint32_t block, uint32_t object, std::span<std::byte> bytes) const;
  Result<> send_off(uint32_t block, Place place, std::span<const std::byte> bytes);
  Result<model::Stored> pack(InFlight& flight, std::span<const std::byte> bytes);
  Result<> announce(uint32_t block, const Place& place, const Digest& digest, const model::Stored& stored);
  Result<> hear(const fabric::ChannelEvent& event);
  Result<> block_done(uint32_t block, Errc error, bool kept);

  fabric::Channel& channel_;
  SourceTransfer& transfer_;
  const uint32_t window_;
  const uint64_t buffer_bytes_;
  Staging staging_;
  std::optional<model::Compressor> compressor_;  // Of a job that compresses.
  BufferRing packed_;
  protocol::Encoder encoder_;
  std::map<uint32_t, InFlight> in_flight_;  // Taken and not verified, by block.
  bool exhausted_ = false;                  // The queue had nothing at the last look.
  Clock::time_point last_progress_ = Clock::now();
};

}  // namespace godwit::engine
