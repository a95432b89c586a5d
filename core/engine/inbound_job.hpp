// InboundJob: a migration at its destination: performs what the pure protocol decides (model/cutover.hpp).
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/settings.hpp"
#include "engine/sink_stream.hpp"
#include "journal/journal.hpp"
#include "model/cutover.hpp"
#include "objects/source.hpp"
#include "protocol/codec.hpp"

namespace godwit::engine {

// What the source is answered.
struct OutcomeAnswer {
  wire::Outcome outcome = wire::Outcome::unknown;
  Errc error{};
  std::string text;
  // kPrepared: the ways that the blocks took here.
  uint64_t blocks_direct = 0;
  uint64_t blocks_staged = 0;
  std::string staged_because = {};
};

// Thread-safe: the job's connection, its streams and the resolver all come here.
class InboundJob {
 public:
  // `sinks[i]` is object i of record.objects; all have their space.
  InboundJob(journal::Journal& journal, journal::InboundJob record, std::vector<std::unique_ptr<objects::Sink>> sinks,
             model::DestinationMachine machine, const EngineSettings& settings);

  const Id& id() const { return record_.job; }
  const std::string& source_address() const { return record_.source_address; }
  // These three never wait for what the job does.
  model::DestinationState state() const { return seen_state_; }

  // The pass that was is over: with "verify" what it has brought is made durable and read back. Blocks for the disk, and keeps
  // nobody waiting meanwhile. Errors: kProtocol, it is not the time; kDigest; kIo; kNoSpace.
  Result<> end_pass();
  // Another pass: `begin` is given the sinks (null: dropped), which no stream uses meanwhile. Errors: kProtocol, it is not the
  // time; those of `begin`.
  using Sinks = std::vector<std::unique_ptr<objects::Sink>>;
  Result<> begin_pass(const std::function<Result<>(const Sinks&)>& begin);

  // Streams, the job's own connection among them. The transfer lives until the last of them has left.
  void begin_transfer(std::shared_ptr<SinkTransfer> transfer);
  std::shared_ptr<SinkTransfer> transfer() const;
  void stream_entered();
  void stream_left(const Result<>& outcome);
  // The first error of a stream that has left; none: success.
  Result<> stream_outcome() const;
  // Blocks until no stream runs. Errors: kTimeout; or the first stream's error.
  Result<> join_streams(Deadline deadline);

  // The source's messages, in its words. `failed`: objects that the source could not read. Blocks for the disk.
  OutcomeAnswer prepare(std::span<const uint32_t> failed);
  OutcomeAnswer commit();
  OutcomeAnswer abort();
  OutcomeAnswer release();
  // The connection broke or went silent: stops the streams; frees the space if nothing was promised.
  void source_lost();

  const Id& source_node() const { return record_.source_node; }
  // No connection of the source is open any more (or since the restart).
  bool source_is_silent() const { return source_is_silent_; }
  bool in_doubt() const { return state() == model::DestinationState::kPrepared; }
  // Nothing is left to do for it: the table forgets it.
  bool forgotten() const { return forgotten_; }
  std::string describe() const;

 private:
  OutcomeAnswer feed_locked(model::DestinationEvent event);
  bool perform_locked(model::DestinationAction action, model::DestinationState before, OutcomeAnswer& answer);
  void stop_streams(std::unique_lock<std::mutex>& lock);
  Result<> ask_hook_locked() const;
  Result<> make_durable(const std::vector<bool>& stays);
  Result<> journal_owner_locked();
  void free_locked();

  const EngineSettings settings_;
  journal::Journal& journal_;
  mutable std::mutex mutex_;  // Guards all below.
  journal::InboundJob record_;
  std::vector<std::unique_ptr<objects::Sink>> sinks_;  // Null: failed at the source, dropped.
  model::DestinationMachine machine_;
  std::shared_ptr<SinkTransfer> transfer_;
  std::condition_variable streams_left_;
  uint32_t streams_ = 0;
  Result<> stream_outcome_ = Done{};

  // Seen without the lock, which is held for as long as a disk or a program of the operator's takes.
  std::atomic<model::DestinationState> seen_state_;
  std::atomic<bool> source_is_silent_;
  std::atomic<bool> forgotten_{false};
};

}  // namespace godwit::engine
