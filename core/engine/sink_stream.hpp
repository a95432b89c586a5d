// SinkStream: the destination's side of one stream: reads announced blocks by RMA, checks their digests, lands them.
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/buffer_ring.hpp"
#include "engine/counters.hpp"
#include "engine/settings.hpp"
#include "engine/staging.hpp"
#include "engine/way.hpp"
#include "fabric/channel.hpp"
#include "model/block_plan.hpp"
#include "model/compression.hpp"
#include "objects/source.hpp"
#include "protocol/codec.hpp"

namespace godwit::engine {

class BlockReader;

// Which blocks of an inbound job are here from its earlier attempts.
struct Arrived {
  uint64_t block_bytes = 0;          // Of their plan.
  std::vector<Digest> digests = {};  // By block; zero: it is not here. Empty: none is.
  bool from_journal = false;         // The daemon was restarted since: each is read back before it counts.
  std::vector<bool> found = {};      // By block: something is at its place, which may be it, and is read back. Empty: none.
};

// What the streams of an inbound job share.
struct SinkTransfer {
  // `verify`: before the cutover all is read back (verify.hpp). `arrived` is of the same plan.
  SinkTransfer(std::shared_ptr<fabric::Domain> its_domain, std::vector<objects::Sink*> its_sinks, model::BlockPlan its_plan,
               const EngineSettings& its_settings, bool verify, Arrived arrived)
      : domain(its_domain),
        sinks(std::move(its_sinks)),
        plan(std::move(its_plan)),
        settings(its_settings),
        verifies(verify),
        held(std::move(arrived)),
        ways(its_domain, fabric::Access::kLocal, sinks.size()),
        blocks(plan.size()),
        digests(plan.size()) {
    for (uint32_t block = 0; block < held.digests.size() && block < plan.size(); ++block)
      if (held.digests[block] != Digest{}) blocks[block] = BlockState::kHeld;
    for (uint32_t block = 0; block < held.found.size() && block < plan.size(); ++block)
      if (held.found[block]) blocks[block] = BlockState::kHeld;
  }

  const std::shared_ptr<fabric::Domain> domain;
  const std::vector<objects::Sink*> sinks;
  const model::BlockPlan plan;
  const EngineSettings settings;
  const bool verifies;
  const Arrived held;
  Ways ways;
  Counters counters;
  std::atomic<bool> stop{false};

  enum class BlockState : uint8_t {
    kAbsent,
    kHeld,  // Landed, or perhaps, in an earlier attempt; whether the source has the same is not known yet.
    kUnderWay,
    kLanded,
  };
  std::vector<std::atomic<BlockState>> blocks;
  std::vector<Digest> digests;  // Of blocks that have landed; each is written by the stream that landed it.
  bool all_landed() const;
  // What is here now, as far as its digest is known. Any thread.
  Arrived arrived() const;
};

// One thread.
class SinkStream {
 public:
  SinkStream(fabric::Channel& channel, SinkTransfer& transfer);
  ~SinkStream();

  // Runs until the source says PassDone; every block announced on this stream has then landed, its digest checked.
  // Errors: kCancelled (transfer.stop), kProtocol, kPeerLost, kMemory, kFabric, kIo, kNoSpace.
  Result<> run();

 private:
  struct Announced {
    uint32_t block;
    fabric::RemoteMemory window;
    uint64_t remote_offset_bytes;
    Digest digest;
    model::Stored stored;
  };
  struct Landing {
    Announced announced;
    std::span<std::byte> bytes = {};                   // Where the block is to be.
    std::optional<uint32_t> staged = {};               // Their buffer, if they are not the object's own.
    std::optional<uint32_t> packed = {};               // The buffer of what has to be decompressed.
    std::span<std::byte> arriving = {};                // Where what is read goes: `bytes`, or the latter's.
    const fabric::Registration* registered = nullptr;  // Of `arriving`.
    uint64_t asked_bytes = 0;                          // Of `arriving`: read, or being read.
  };

  Result<> loop();
  Result<> hear(const fabric::ChannelEvent& event);
  Result<> note_announced(const wire::BlocksReady& ready);
  bool is_held(uint32_t block, const Digest& digest);
  Result<bool> start_reads();
  Result<bool> find_place(Landing& landing);
  Result<> read_on(Landing& landing);
  bool is_whole(const Landing& landing);
  Result<> arrived(uint32_t block, const Result<>& outcome);
  Result<> finish_writes();
  void finish(uint32_t block, Errc error);
  void land(uint32_t block, bool kept);
  Result<> tell();

  fabric::Channel& channel_;
  SinkTransfer& transfer_;
  const uint32_t window_;
  const uint64_t buffer_bytes_;
  Staging staging_;
  BufferRing packed_;
  model::Decompressor decompressor_;
  std::unique_ptr<BlockReader> reader_;  // Of held blocks, once there is one.
  protocol::Encoder encoder_;
  std::deque<Announced> announced_;      // To be read; at most one entry a block of the plan.
  std::map<uint32_t, Landing> landing_;  // Being read, checked or stored.
  std::vector<wire::DoneBlock> done_;    // To be told.
  uint32_t reads_ = 0;                   // RMA under way.
  bool pass_done_ = false;
  bool has_told_of_loss_ = false;  // One line in the log, not one a block.
};

}  // namespace godwit::engine
