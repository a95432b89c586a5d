#include "engine/source_stream.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/fail_point.hpp"

namespace godwit::engine {

void SourceTransfer::fail_object(uint32_t object, Error error) {
  const std::lock_guard lock(mutex_);
  for (const auto& [known, first] : failed_)
    if (known == object) return;
  failed_.emplace_back(object, std::move(error));
}

std::vector<std::pair<uint32_t, Error>> SourceTransfer::failed_objects() const {
  const std::lock_guard lock(mutex_);
  return failed_;
}

SourceStream::SourceStream(fabric::Channel& channel, SourceTransfer& transfer)
    : channel_(channel),
      transfer_(transfer),
      window_(std::clamp<uint32_t>(transfer.settings.window(), 1, std::max<uint32_t>(1, transfer.plan.size()))),
      buffer_bytes_(std::min(transfer.settings.block_bytes, std::max<uint64_t>(1, transfer.plan.total_bytes()))),
      staging_(transfer.domain, fabric::Access::kRemoteRead, buffer_bytes_, window_),
      packed_(transfer.domain, fabric::Access::kRemoteRead, buffer_bytes_, window_) {
  if (transfer.compression != model::Compression::kNone) compressor_.emplace(transfer.compression);
}

Result<> SourceStream::run() {
  const Counted counted(transfer_.settings.totals->source_streams);
  auto outcome = loop();
  if (!outcome && outcome.error().code == Errc::kPeerLost) outcome = last_words(std::move(outcome));
  // The destination may still be reading from what we are about to free.
  if (!outcome) channel_.close();
  return outcome;
}

// A destination that fails says why and hangs up: a send of ours may find the connection closed before we read its reason.
Result<> SourceStream::last_words(Result<> lost) {
  for (;;) {
    const auto event = channel_.poll();
    if (!event || !*event) return lost;
    if (auto heard = hear(**event); !heard) return heard;
  }
}

Result<> SourceStream::loop() {
  // The longest until a cancel, a pause or its end is seen.
  constexpr Clock::duration kLatency = milliseconds(50);
  for (;;) {
    if (transfer_.stop || transfer_.cancelled) return Error{Errc::kCancelled, "the migration was stopped"};
    auto started = start_block();
    if (!started) return std::move(started).error();
    auto read = finish_reads();
    if (!read) return std::move(read).error();
    if (in_flight_.empty() && exhausted_) break;

    if (*started || *read || staging_.under_way() > 0) {
      auto event = channel_.poll();  // Also lets the destination's reads go on while we compute.
      if (!event) return std::move(event).error();
      if (*event)
        if (auto heard = hear(**event); !heard) return heard;
      continue;
    }
    const auto pace = transfer_.pace.wait();
    const auto patience = pace > Clock::duration::zero() ? std::min(pace, kLatency) : kLatency;
    if (in_flight_.empty()) last_progress_ = Clock::now();  // Only what was sent can be overdue.
    auto event = channel_.wait(Deadline::at(Clock::now() + patience));
    if (event) {
      if (auto heard = hear(*event); !heard) return heard;
    } else if (event.error().code != Errc::kTimeout && event.error().code != Errc::kCancelled) {
      return std::move(event).error();
    } else if (Clock::now() - last_progress_ > transfer_.settings.stall_timeout) {
      return Error{Errc::kTimeout, fmt::format("{} finished no block for {} s", channel_.peer(),
                                               transfer_.settings.stall_timeout.count() / 1000)};
    }
  }
  return channel_.send(encoder_.finish(0, wire::CreatePassDone(encoder_.builder())));
}

// Whether it did something. A direct block is announced at once, a staged one once it has been read.
Result<bool> SourceStream::start_block() {
  if (in_flight_.size() >= window_) return false;
  if (transfer_.pace.paused()) {
    exhausted_ = transfer_.queue.is_empty();  // With nothing left to take, nothing waits for the end of the pause.
    return false;
  }
  if (transfer_.pace.wait() > Clock::duration::zero()) return false;
  const auto taken = transfer_.queue.take();
  exhausted_ = !taken;
  if (!taken) return false;
  const uint32_t block = *taken;
  transfer_.pace.spend(transfer_.plan.block_bytes(block));
  const auto pieces = transfer_.plan.pieces(block);

  if (pieces.size() == 1) {
    const model::Piece& piece = pieces[0];
    const objects::Storage storage = transfer_.sources[piece.object]->storage();
    if (const fabric::Registration* registered = transfer_.ways.direct(piece.object, storage)) {
      in_flight_[block] = InFlight{};
      transfer_.counters.blocks_direct++;
      const auto bytes = registered->bytes().subspan(piece.extent.offset_bytes, piece.extent.length_bytes);
      if (auto sent = send_off(block, {registered->remote(), piece.extent.offset_bytes}, bytes); !sent)
        return std::move(sent).error();
      return true;
    }
  }
  auto buffer = staging_.take();
  if (!buffer) return std::move(buffer).error();
  // There are as many buffers as blocks in flight, so one is free.
  in_flight_[block] = InFlight{.staged = **buffer};
  transfer_.counters.blocks_staged++;
  auto started = staging_.start(block, **buffer, pieces, pmem::Io::Direction::kRead,
                                [this](uint32_t object) { return transfer_.sources[object]->storage(); });
  if (!started) return std::move(started).error();
  return true;
}

// Whether it did something: staged blocks that have been read are announced.
Result<bool> SourceStream::finish_reads() {
  const bool nothing_else_to_do = in_flight_.size() >= window_ || exhausted_;
  auto finished = staging_.reap(nothing_else_to_do);
  if (!finished) return std::move(finished).error();
  for (Staging::Finished& read : *finished) {
    const auto block = static_cast<uint32_t>(read.token);
    const uint32_t buffer = *in_flight_[block].staged;
    const auto bytes = staging_.buffer(buffer).first(transfer_.plan.block_bytes(block));
    for (auto& [object, error] : read.failures) {
      zero_pieces(block, object, bytes);
      transfer_.fail_object(object, with_context(transfer_.sources[object]->describe(), std::move(error)));
    }
    const fabric::BufferPool& pool = staging_.pool();
    if (auto sent = send_off(block, {pool.registration().remote(), pool.remote_offset_bytes(buffer)}, bytes); !sent)
      return std::move(sent).error();
  }
  return !finished->empty();
}

// What could not be read; other objects of the block are not its victims.
void SourceStream::zero_pieces(uint32_t block, uint32_t object, std::span<std::byte> bytes) const {
  for (const model::Piece& piece : transfer_.plan.pieces(block)) {
    if (piece.object == object) std::ranges::fill(bytes.first(piece.extent.length_bytes), std::byte{0});
    bytes = bytes.subspan(piece.extent.length_bytes);
  }
}

// A block that is at `place`, and goes from there unless it is compressed.
Result<> SourceStream::send_off(uint32_t block, Place place, std::span<const std::byte> bytes) {
  const Digest digest = digest_of(bytes);
  InFlight& flight = in_flight_[block];
  if (flight.staged && fail_point("source.staging") != 0) staging_.buffer(*flight.staged).front() ^= std::byte{1};
  auto stored = pack(flight, bytes);
  if (!stored) return std::move(stored).error();
  crash_point("source.block");
  flight.sent_bytes = bytes.size();
  if (flight.packed) {
    flight.sent_bytes = stored->bytes;
    place = {packed_.pool().registration().remote(), packed_.pool().remote_offset_bytes(*flight.packed)};
    transfer_.pace.give_back(bytes.size() - stored->bytes);
  }
  return announce(block, place, digest, *stored);
}

// Compresses it into a buffer of its own, if that gains enough.
Result<model::Stored> SourceStream::pack(InFlight& flight, std::span<const std::byte> bytes) {
  if (!compressor_) return model::Stored{};
  auto buffer = packed_.take();
  if (!buffer) return with_context("buffers for compressed blocks", std::move(buffer).error());
  // There are as many buffers as blocks in flight, so one is free.
  const auto stored = compressor_->compress(bytes, packed_.buffer(**buffer));
  if (!stored) {
    packed_.give_back(**buffer);
    return model::Stored{};
  }
  flight.packed = **buffer;
  return *stored;
}

Result<> SourceStream::announce(uint32_t block, const Place& place, const Digest& digest, const model::Stored& stored) {
  const wire::ReadyBlock ready(block, stored.bytes, place.remote_offset_bytes, protocol::to_wire(digest),
                               static_cast<uint8_t>(stored.compression), stored.element_bytes);
  const wire::Window where(place.window.address, place.window.key, place.window.length_bytes);
  auto& builder = encoder_.builder();
  const auto blocks = builder.CreateVectorOfStructs(&ready, 1);
  return channel_.send(encoder_.finish(0, wire::CreateBlocksReady(builder, &where, blocks)));
}

Result<> SourceStream::hear(const fabric::ChannelEvent& event) {
  const auto* bytes = std::get_if<fabric::Message>(&event);
  if (bytes == nullptr) return Error{Errc::kInternal, "an RMA completion at the source, which starts none"};
  auto decoded = protocol::decode(*bytes);
  if (!decoded) return with_context(channel_.peer(), std::move(decoded).error());
  if (const auto* failed = decoded->body<wire::ErrorReply>())
    return with_context(channel_.peer(), protocol::from_wire(*failed));
  const auto* done = decoded->body<wire::BlocksDone>();
  if (done == nullptr || done->blocks() == nullptr)
    return Error{Errc::kProtocol, fmt::format("{} sent a message that has no place in a transfer", channel_.peer())};
  last_progress_ = Clock::now();
  for (const wire::DoneBlock* one : *done->blocks()) {
    const Errc error = one->error() == 0 ? Errc{} : error_from_number(one->error());
    if (auto noted = block_done(one->block(), error, one->kept()); !noted) return noted;
  }
  return Done{};
}

Result<> SourceStream::block_done(uint32_t block, Errc error, bool kept) {
  const auto found = in_flight_.find(block);
  if (found == in_flight_.end() || found->second.sent_bytes == 0)  // Not taken, or still being read.
    return Error{Errc::kProtocol, fmt::format("{} answers for block {}, which it was not sent", channel_.peer(), block)};
  const InFlight flight = found->second;
  in_flight_.erase(found);
  if (flight.staged) staging_.give_back(*flight.staged);
  if (flight.packed) packed_.give_back(*flight.packed);
  Counters& counters = transfer_.counters;
  Totals& totals = *transfer_.settings.totals;
  if (kept && error == Errc{}) {
    counters.blocks_done++;
    counters.blocks_kept++;
    counters.bytes_done += transfer_.plan.block_bytes(block);
    transfer_.pace.give_back(flight.sent_bytes);
    return Done{};
  }
  counters.bytes_sent += flight.sent_bytes;
  if (error == Errc{}) {
    counters.blocks_done++;
    if (flight.packed) counters.blocks_compressed++;
    counters.bytes_done += transfer_.plan.block_bytes(block);
    totals.sent.blocks++;
    totals.sent.bytes += transfer_.plan.block_bytes(block);
    return Done{};
  }
  if (error == Errc::kDigest) {
    counters.digests_failed++;
    counters.blocks_resent++;
    totals.sent.digests_failed++;
    totals.blocks_resent++;
    if (transfer_.on_resent) transfer_.on_resent(block, error);
    exhausted_ = false;
    if (auto again = transfer_.queue.again(block); !again) return with_context(channel_.peer(), std::move(again).error());
    return Done{};
  }
  return Error{error, fmt::format("{} could not store block {}: {}", channel_.peer(), block, error_row(error).meaning)};
}

}  // namespace godwit::engine
