#include "engine/sink_stream.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/fail_point.hpp"
#include "base/log.hpp"
#include "engine/settle.hpp"
#include "engine/verify.hpp"

namespace godwit::engine {

bool SinkTransfer::all_landed() const {
  return std::ranges::all_of(blocks, [](const auto& state) { return state == BlockState::kLanded; });
}

Arrived SinkTransfer::arrived() const {
  Arrived here{settings.block_bytes, std::vector<Digest>(plan.size()), held.from_journal};
  for (uint32_t block = 0; block < plan.size(); ++block) {
    const BlockState state = blocks[block];
    if (state == BlockState::kLanded) here.digests[block] = digests[block];
    if (state == BlockState::kHeld && block < held.digests.size()) here.digests[block] = held.digests[block];
  }
  return here;
}

SinkStream::SinkStream(fabric::Channel& channel, SinkTransfer& transfer)
    : channel_(channel),
      transfer_(transfer),
      window_(std::clamp<uint32_t>(transfer.settings.window(), 1, std::max<uint32_t>(1, transfer.plan.size()))),
      buffer_bytes_(std::min(transfer.settings.block_bytes, std::max<uint64_t>(1, transfer.plan.total_bytes()))),
      staging_(transfer.domain, fabric::Access::kLocal, buffer_bytes_, window_),
      packed_(transfer.domain, fabric::Access::kLocal, buffer_bytes_, window_) {}

SinkStream::~SinkStream() = default;

Result<> SinkStream::run() {
  const Counted counted(transfer_.settings.totals->sink_streams);
  auto outcome = loop();
  // Reads that are under way must not land in memory that is about to be freed.
  if (!outcome) settle(channel_, reads_);
  return outcome;
}

Result<> SinkStream::loop() {
  constexpr milliseconds kCancelLatency{50};
  while (!pass_done_ || !landing_.empty() || !announced_.empty()) {
    if (transfer_.stop) return Error{Errc::kCancelled, "the migration was stopped"};
    auto started = start_reads();
    if (!started) return std::move(started).error();
    if (auto stored = finish_writes(); !stored) return stored;
    auto event = channel_.poll();
    if (!event) return std::move(event).error();
    if (!*event) {
      // Nothing waits: what is done can be told, in one message for all.
      if (auto told = tell(); !told) return told;
      if (staging_.under_way() > 0) continue;
      auto waited = channel_.wait(Deadline::after(kCancelLatency));
      if (!waited) {
        const Errc code = waited.error().code;
        if (code == Errc::kTimeout || code == Errc::kCancelled) continue;
        return std::move(waited).error();
      }
      *event = std::move(*waited);
    }
    if (auto heard = hear(**event); !heard) return heard;
  }
  return tell();
}

Result<> SinkStream::hear(const fabric::ChannelEvent& event) {
  if (const auto* rma = std::get_if<fabric::RmaDone>(&event)) {
    --reads_;
    return arrived(static_cast<uint32_t>(rma->token), rma->outcome);
  }
  auto decoded = protocol::decode(std::get<fabric::Message>(event));
  if (!decoded) return with_context(channel_.peer(), std::move(decoded).error());
  if (decoded->body<wire::PassDone>() != nullptr) {
    pass_done_ = true;
    return Done{};
  }
  if (const auto* ready = decoded->body<wire::BlocksReady>()) return note_announced(*ready);
  return Error{Errc::kProtocol, fmt::format("{} sent a message that has no place in a transfer", channel_.peer())};
}

Result<> SinkStream::note_announced(const wire::BlocksReady& ready) {
  const auto refuse = [this](uint32_t block, const std::string& why) {
    return Error{Errc::kProtocol, fmt::format("{} announced block {}, {}", channel_.peer(), block, why)};
  };
  if (ready.window() == nullptr || ready.blocks() == nullptr)
    return Error{Errc::kProtocol, fmt::format("{} announced blocks without their place", channel_.peer())};
  const fabric::RemoteMemory window{ready.window()->address(), ready.window()->key(), ready.window()->length_bytes()};
  for (const wire::ReadyBlock* one : *ready.blocks()) {
    const uint32_t block = one->block();
    if (block >= transfer_.plan.size()) return refuse(block, "which the job does not have");
    const model::Stored stored{static_cast<model::Compression>(one->compression()), one->stored_bytes(), one->shuffle_bytes()};
    const uint64_t block_bytes = transfer_.plan.block_bytes(block);
    if (auto can_be = model::check(stored, block_bytes); !can_be) return refuse(block, can_be.error().text);
    const uint64_t travelling_bytes = stored.compression == model::Compression::kNone ? block_bytes : stored.bytes;
    if (!lies_within({one->remote_offset_bytes(), travelling_bytes}, window.length_bytes))
      return refuse(block, "which lies outside its window");
    auto before = SinkTransfer::BlockState::kAbsent;
    if (!transfer_.blocks[block].compare_exchange_strong(before, SinkTransfer::BlockState::kUnderWay) &&
        (before != SinkTransfer::BlockState::kHeld ||
         !transfer_.blocks[block].compare_exchange_strong(before, SinkTransfer::BlockState::kUnderWay)))
      return refuse(block, "which is here or on its way already");
    const Digest digest = protocol::from_wire(one->digest());
    if (before == SinkTransfer::BlockState::kHeld) {
      if (is_held(block, digest)) {
        transfer_.digests[block] = digest;
        land(block, true);
        continue;
      }
    }
    announced_.push_back({block, window, one->remote_offset_bytes(), digest, stored});
  }
  return Done{};
}

// Whether a block of an earlier attempt is what the source has now. One that cannot be read back is sent again.
bool SinkStream::is_held(uint32_t block, const Digest& digest) {
  const Arrived& held = transfer_.held;
  const bool was_found = block < held.found.size() && held.found[block];
  if (!was_found && held.digests[block] != digest) return false;
  if (!was_found && !held.from_journal) return true;
  if (!reader_) reader_ = std::make_unique<BlockReader>(transfer_);
  const auto found = reader_->digest(block);
  if (!found && !std::exchange(has_told_of_loss_, true))
    log::warn("block {} that had arrived is sent again: {}", block, found.error().text);
  return found && *found == digest;
}

// Whether it did something.
Result<bool> SinkStream::start_reads() {
  bool did = false;
  while (!announced_.empty() && landing_.size() < window_) {
    Landing landing{announced_.front()};
    auto found = find_place(landing);
    if (!found) return std::move(found).error();
    if (!*found) break;
    announced_.pop_front();
    if (auto asked = read_on(landing_.emplace(landing.announced.block, landing).first->second); !asked)
      return std::move(asked).error();
    did = true;
  }
  return did;
}

// The object's own memory if it can be, else a buffer of the ring; and where it is read to. Whether there is room.
Result<bool> SinkStream::find_place(Landing& landing) {
  const Announced& next = landing.announced;
  const auto pieces = transfer_.plan.pieces(next.block);
  if (pieces.size() == 1)
    landing.registered = transfer_.ways.direct(pieces[0].object, transfer_.sinks[pieces[0].object]->storage());
  if (landing.registered != nullptr) {
    landing.bytes = landing.registered->bytes().subspan(pieces[0].extent.offset_bytes, pieces[0].extent.length_bytes);
  } else {
    auto buffer = staging_.take();
    if (!buffer) return std::move(buffer).error();
    if (!*buffer) return false;
    landing.staged = **buffer;
    landing.bytes = staging_.buffer(**buffer).first(transfer_.plan.block_bytes(next.block));
    landing.registered = &staging_.pool().registration();
  }
  landing.arriving = landing.bytes;
  if (next.stored.compression != model::Compression::kNone) {
    auto buffer = packed_.take();
    if (!buffer) return with_context("buffers for compressed blocks", std::move(buffer).error());
    // There are as many buffers as blocks that land at once, so one is free.
    landing.packed = **buffer;
    landing.arriving = packed_.buffer(**buffer).first(next.stored.bytes);
    landing.registered = &packed_.pool().registration();
  }
  (landing.staged ? transfer_.counters.blocks_staged : transfer_.counters.blocks_direct)++;
  return true;
}

// A block may be longer than one RMA operation can be (verbs: 8 MiB). Its parts come one after the other: heartbeats pass
// between them, and would wait in the queue pair behind all of them otherwise.
Result<> SinkStream::read_on(Landing& landing) {
  const uint64_t left = landing.arriving.size() - landing.asked_bytes;
  const auto part = landing.arriving.subspan(landing.asked_bytes, std::min(left, channel_.domain().limits().max_message_bytes));
  auto asked = channel_.read(part, *landing.registered, landing.announced.window,
                             landing.announced.remote_offset_bytes + landing.asked_bytes, landing.announced.block,
                             Deadline::after(transfer_.settings.stall_timeout));
  if (!asked) return asked;
  landing.asked_bytes += part.size();
  ++reads_;
  return Done{};
}

Result<> SinkStream::arrived(uint32_t block, const Result<>& outcome) {
  if (!outcome)
    return Error{outcome.error().code,
                 fmt::format("reading block {} from {}: {}", block, channel_.peer(), outcome.error().text)};
  Landing& landing = landing_.at(block);
  if (landing.asked_bytes < landing.arriving.size()) return read_on(landing);
  crash_point("destination.block");
  if (fail_point("sink.wire") != 0) landing.arriving.front() ^= std::byte{1};
  if (!is_whole(landing)) {
    transfer_.counters.digests_failed++;
    transfer_.settings.totals->received.digests_failed++;
    finish(block, Errc::kDigest);
    return Done{};
  }
  transfer_.digests[block] = landing.announced.digest;
  if (!landing.staged) {
    finish(block, Errc{});
    return Done{};
  }
  if (fail_point("sink.staging") != 0) landing.bytes.front() ^= std::byte{1};
  return staging_.start(block, *landing.staged, transfer_.plan.pieces(block), pmem::Io::Direction::kWrite,
                        [this](uint32_t object) { return transfer_.sinks[object]->storage(); });
}

// Decompresses it where it was compressed. What does not come to the block that was announced has to be sent again.
bool SinkStream::is_whole(const Landing& landing) {
  if (landing.packed && !decompressor_.decompress(landing.announced.stored, landing.arriving, landing.bytes)) return false;
  return fail_point("sink.digest") == 0 && digest_of(landing.bytes) == landing.announced.digest;
}

Result<> SinkStream::finish_writes() {
  auto finished = staging_.reap(landing_.size() == window_ && staging_.under_way() == window_);
  if (!finished) return std::move(finished).error();
  for (const Staging::Finished& write : *finished) {
    if (!write.failures.empty()) {
      auto& [object, error] = write.failures.front();
      return with_context(transfer_.sinks[object]->describe(), error);
    }
    finish(static_cast<uint32_t>(write.token), Errc{});
  }
  return Done{};
}

void SinkStream::finish(uint32_t block, Errc error) {
  const auto found = landing_.find(block);
  if (found->second.staged) staging_.give_back(*found->second.staged);
  if (found->second.packed) packed_.give_back(*found->second.packed);
  landing_.erase(found);
  if (error == Errc{}) return land(block, false);
  transfer_.blocks[block] = SinkTransfer::BlockState::kAbsent;
  done_.emplace_back(block, static_cast<int32_t>(error), false);
}

void SinkStream::land(uint32_t block, bool kept) {
  transfer_.blocks[block] = SinkTransfer::BlockState::kLanded;
  transfer_.counters.blocks_done++;
  transfer_.counters.bytes_done += transfer_.plan.block_bytes(block);
  if (!kept) {
    transfer_.settings.totals->received.blocks++;
    transfer_.settings.totals->received.bytes += transfer_.plan.block_bytes(block);
  }
  done_.emplace_back(block, 0, kept);
}

Result<> SinkStream::tell() {
  if (done_.empty()) return Done{};
  auto& builder = encoder_.builder();
  const auto blocks = builder.CreateVectorOfStructs(done_);
  done_.clear();
  return channel_.send(encoder_.finish(0, wire::CreateBlocksDone(builder, blocks)));
}

}  // namespace godwit::engine
