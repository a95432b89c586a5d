// OutboundJob's middle: passes over its objects, from the offer to the last verified block.
#include <fmt/format.h>

#include <algorithm>
#include <thread>
#include <unordered_map>

#include "base/fail_point.hpp"
#include "base/log.hpp"
#include "engine/attend.hpp"
#include "engine/object_offers.hpp"
#include "engine/outbound_job.hpp"
#include "objects/database/database.hpp"

namespace godwit::engine {

using model::Phase;

namespace {

// A dry run tells no more than so many files: it is remembered with the job.
constexpr size_t kPlannedMax = 100'000;

}  // namespace

Result<> OutboundJob::begin_pass(fabric::Channel& channel, bool last) {
  return while_attending(channel, [&]() -> Result<> {
    crash_point("source.begin-pass");
    for (const auto& source : sources_)
      if (auto begun = source->begin_pass(last); !begun) return begun;
    return Done{};
  });
}

// Until so little has changed during a pass that its writers can be stopped for the rest. The pass after the first, at the
// least: with it the destination makes durable what the first has brought.
Result<> OutboundJob::live_passes(fabric::Channel& channel) {
  constexpr uint32_t kPassesMax = 4;
  constexpr uint64_t kTailBytes = 16_MiB;
  for (uint32_t pass = 0; pass < kPassesMax; ++pass) {
    // Not before the first offer: the destination hangs up on who offers nothing.
    if (pass > 0)
      if (auto go = proceed(Phase::kPreSync, &channel); !go) return go;
    if (auto begun = begin_pass(channel, false); !begun) return begun;
    auto tokens = offer(channel);
    if (!tokens) return with_context(request_.destination_address, std::move(tokens).error());
    if (sources_.empty()) return first_error_;  // Every object was refused.
    const uint64_t before = counters_.bytes_done;
    if (auto sent = send_blocks(channel, *tokens); !sent) return sent;
    const uint64_t bytes = counters_.bytes_done - before;
    if (bytes <= kTailBytes) break;
  }
  return Done{};
}

Result<> OutboundJob::transfer(fabric::Channel& channel) {
  if (auto begun = begin_pass(channel, true); !begun) return begun;
  auto tokens = offer(channel);
  if (!tokens) return with_context(request_.destination_address, std::move(tokens).error());
  if (sources_.empty()) return first_error_;  // Every object was refused.
  if (request_.dry_run) return proceed(Phase::kPreSync, &channel);
  if (auto go = proceed(Phase::kSync, &channel); !go) return go;
  return send_blocks(channel, *tokens);
}

// A copy belongs to whoever asked for it, what moves to its owner.
std::optional<objects::Permission> OutboundJob::permission_there(const journal::JobObject& object) const {
  if (!settings_.permissions) return std::nullopt;
  if (object.kind == objects::ObjectKind::kFileset) {  // What it is owned by says its listing; this says whose job it is.
    const objects::Permission asker = settings_.permissions->of(request_.job);
    return asker == settings_.permissions->own() ? std::nullopt : std::optional(asker);
  }
  objects::Permission permission = settings_.permissions->of(object.id);
  if (request_.copy) {
    const objects::Permission asker = settings_.permissions->of(request_.job);
    permission.uid = asker.uid;
    permission.gid = asker.gid;
  }
  return permission;
}

Result<std::vector<Id>> OutboundJob::offer(fabric::Channel& channel) {
  auto& builder = encoder_.builder();
  ObjectOffers objects;
  for (const auto& source : sources_) {
    auto listing = source->listing();
    if (!listing) {
      builder.Clear();
      return with_context(source->describe(), std::move(listing).error());
    }
    const auto permission = permission_there(source->manifest());
    objects.add(builder, source->manifest(), *listing, source->kept(), source->database(), permission ? &*permission : nullptr);
  }
  if (auto exposed = objects.expose(const_cast<fabric::Domain&>(channel.domain())); !exposed) {
    builder.Clear();
    return std::move(exposed).error();
  }
  const wire::Window window = objects.window();
  const wire::DigestValue digest = objects.digest();
  const auto source = builder.CreateString(request_.source_address);
  const auto target = builder.CreateString(request_.destination_target);
  const auto list = builder.CreateVector(objects.entries());
  const auto extra = builder.CreateString(request_.extra_config);
  const wire::Id job = protocol::to_wire(request_.job);
  const wire::Id node = protocol::to_wire(journal_.node_id());
  uint64_t bytes = 0;
  for (const auto& source_of : sources_) bytes += source_of->size_bytes();
  const uint64_t blocks = bytes / request_.transfer.block_bytes + 1;
  const auto streams = static_cast<uint32_t>(std::min<uint64_t>(request_.transfer.streams, blocks));
  const auto body = wire::CreateOfferRequest(builder, &job, source, target, request_.copy, request_.transfer.block_bytes,
                                             streams, list, &node, &window, &digest, request_.update, request_.transfer.verify,
                                             request_.dry_run, pass_++, extra, attempt_);
  ++passes_;
  const uint64_t number = next_request_++;
  crash_point("source.before.offer");
  if (auto sent = channel.send(encoder_.finish(number, body)); !sent) return std::move(sent).error();
  auto tokens = hear_answers(channel, number);
  crash_point("source.after.offer");
  // The destination may still be reading from what we are about to free; or is to say whether it takes the offer, and nothing
  // else.
  if (!tokens && (objects.are_exposed() || stops_)) channel.close();
  return tokens;
}

Result<std::vector<Id>> OutboundJob::hear_answers(fabric::Channel& channel, uint64_t number) {
  auto event = hear(channel, patience(), &stops_);
  if (!event) return std::move(event).error();
  const auto* bytes = std::get_if<fabric::Message>(&*event);
  if (bytes == nullptr) return Error{Errc::kInternal, "an RMA completion before the transfer"};
  auto message = protocol::decode(*bytes);
  if (!message) return std::move(message).error();
  if (const auto* refused = message->body<wire::ErrorReply>()) return protocol::from_wire(*refused);
  const auto* reply = message->body<wire::OfferReply>();
  if (reply == nullptr || message->request() != number)
    return Error{Errc::kProtocol, "the answer to the offer is something else"};
  if (auto taken = take_answers(*reply); !taken) return std::move(taken).error();
  std::vector<Id> tokens;
  if (reply->stream_tokens() != nullptr)
    for (const wire::Id* token : *reply->stream_tokens()) tokens.push_back(protocol::from_wire(token));
  return tokens;
}

namespace {

// Which entries of its objects the destination wants, by object; of one that it does not name, all.
std::unordered_map<uint32_t, std::vector<bool>> wanted_of(const wire::OfferReply& reply) {
  std::unordered_map<uint32_t, std::vector<bool>> all;
  if (reply.wanted() == nullptr) return all;
  for (const wire::WantedEntries* one : *reply.wanted()) {
    if (one->bits() == nullptr) continue;
    all[one->object()] = protocol::from_bits(one->bits());
  }
  return all;
}

}  // namespace

// Objects that the destination refused leave the job, and serve again.
Result<> OutboundJob::take_answers(const wire::OfferReply& reply) {
  if (reply.answers() == nullptr || reply.answers()->size() != sources_.size())
    return Error{Errc::kProtocol, "the destination did not answer for each object"};
  // Only the one that has the job's earlier attempts can go on with it: it may ask us what was decided.
  const Id node = protocol::from_wire(reply.node());
  if (!destination_node_.is_zero() && destination_node_ != node)
    return Error{Errc::kPeerLost, fmt::format("another daemon answers at {}; bring back the one that took the job",
                                              request_.destination_address)};
  destination_node_ = node;
  has_begun_ = true;
  Sources refused;
  {
    const std::lock_guard lock(mutex_);
    refused = take_answers_locked(reply);
  }
  let_serve(std::move(refused));
  return Done{};
}

// Gives those that were refused.
OutboundJob::Sources OutboundJob::take_answers_locked(const wire::OfferReply& reply) {
  Sources accepted, refused;
  size_t index = 0;
  uint64_t bytes = 0;
  const auto all_wanted = wanted_of(reply);
  for (ObjectResult& result : results_) {
    if (result.error != Errc{}) continue;  // Was not offered.
    const wire::ObjectAnswer* answer = reply.answers()->Get(static_cast<uint32_t>(index));
    auto& source = sources_[index++];
    if (answer->error() == 0) {
      result.destination_id = protocol::from_wire(answer->destination_id());
      const auto found = all_wanted.find(static_cast<uint32_t>(index - 1));
      const std::vector<bool> wanted = found == all_wanted.end() ? std::vector<bool>{} : found->second;
      if (request_.dry_run) {
        auto files = source->planned(wanted);
        planned_total_ += files.size();
        files.resize(std::min(files.size(), kPlannedMax - planned_.size()));
        planned_.insert(planned_.end(), std::make_move_iterator(files.begin()), std::make_move_iterator(files.end()));
      }
      source->accepted(wanted);
      result.size_bytes = source->size_bytes();
      bytes += result.size_bytes;
      accepted.push_back(std::move(source));
      continue;
    }
    result.error = error_from_number(answer->error());
    if (first_error_.code == Errc{})
      first_error_ =
          Error{result.error, fmt::format("{}: {}", request_.destination_address, protocol::text_of(reply.first_error()))};
    note_bounded(objects_noted_, "object-refused",
                 {{"object", to_string(result.source_id)},
                  {"by", request_.destination_address},
                  {"error", error_row(result.error).name},
                  {"cause", protocol::text_of(reply.first_error())}});
    refused.push_back(std::move(source));
  }
  sources_ = std::move(accepted);
  bytes_total_ = counters_.bytes_done + bytes;
  return refused;
}

// Before the first block of an attempt goes: the journal knows the job, and what it is made of. Between two attempts an object
// may have moved away and have come back elsewhere. Again when some of them have fallen out.
Result<> OutboundJob::journal_start() {
  if (recorded_attempt_ == attempt_ && recorded_objects_ == sources_.size()) return Done{};
  journal::OutboundJob record{request_.job,
                              journal::OutboundState::kStarted,
                              !request_.copy,
                              true,
                              request_.destination_address,
                              request_.destination_target,
                              {},
                              destination_node_};
  if (auto kept = keep_refusals(); !kept) return kept;
  for (const auto& source : sources_) {
    record.source_survives = record.source_survives && source->survives_restart();
    record.objects.push_back(source->manifest());
  }
  {
    const std::lock_guard lock(mutex_);
    auto object = record.objects.begin();
    for (const ObjectResult& result : results_)
      if (result.error == Errc{}) (object++)->destination_id = result.destination_id;
  }
  if (auto written = journal_.start_outbound(record, journalled_); !written) return written;
  journalled_ = true;
  recorded_attempt_ = attempt_;
  recorded_objects_ = sources_.size();
  const std::lock_guard lock(mutex_);
  unreleased_ = true;
  return Done{};
}

Result<> OutboundJob::send_blocks(fabric::Channel& channel, const std::vector<Id>& tokens) {
  if (auto written = journal_start(); !written) return written;
  std::vector<objects::Source*> sources;
  std::vector<uint64_t> sizes;
  for (const auto& source : sources_) {
    sources.push_back(source.get());
    sizes.push_back(source->size_bytes());
  }
  EngineSettings settings = settings_;
  settings.block_bytes = request_.transfer.block_bytes;
  auto domain = const_cast<fabric::Domain&>(channel.domain()).shared_from_this();
  SourceTransfer shared(domain, std::move(sources), model::plan_blocks(sizes, request_.transfer.block_bytes), settings,
                        counters_, pace_, request_.transfer.compression, stops_);
  shared.on_resent = [this](uint32_t block, Errc why) {
    note_bounded(blocks_noted_, "block-resent",
                 {{"block", block}, {"error", error_row(why).name}, {"cause", error_row(why).meaning}});
  };
  std::vector<std::jthread> threads;
  std::vector<Result<>> outcomes(tokens.size(), Done{});
  std::atomic<uint32_t> connected{1};
  const auto address = fabric::parse_address(request_.destination_address);
  for (size_t i = 0; i < tokens.size(); ++i)
    threads.emplace_back([&, i] {
      if (settings_.on_thread_start) settings_.on_thread_start();
      auto stream = fabric::Channel::connect(domain, *address, {fabric::Purpose::kStream, tokens[i]},
                                             Deadline::after(settings_.connect_timeout));
      if (!stream) {
        // The job goes on with the streams that it has.
        log::warn("{}: a stream could not be opened: {}", describe(), stream.error().text);
        note("stream-failed", {{"peer", request_.destination_address},
                               {"error", error_row(stream.error().code).name},
                               {"cause", stream.error().text}});
        return;
      }
      connected++;
      outcomes[i] = SourceStream(*stream, shared).run();
      if (!outcomes[i]) shared.stop = true;
    });
  Result<> outcome = SourceStream(channel, shared).run();
  if (!outcome) shared.stop = true;
  while_attending(channel, [&] { threads.clear(); });
  for (Result<>& other : outcomes) {
    // Stopped because of another stream: that one knows why.
    const bool knows_more = outcome || outcome.error().code == Errc::kCancelled;
    if (knows_more && !other) outcome = std::move(other);
  }
  // Streams that end while others go on lose their peer: that is not the reason.
  if (!outcome && stops_) outcome = stopped();
  settle_failed_objects(shared);
  const std::lock_guard lock(mutex_);
  if (outcome && sources_.empty()) outcome = first_error_;  // Not one could be read.
  streams_used_ = connected;
  staged_because_ = shared.ways.staged_because();
  return outcome;
}

// Objects that could not be read: the destination is told with the prepare, and they serve here as before.
void OutboundJob::settle_failed_objects(const SourceTransfer& transfer) {
  Sources failed;
  std::unique_lock lock(mutex_);
  for (const auto& [index, error] : transfer.failed_objects()) {
    failed_.push_back(index);
    if (first_error_.code == Errc{}) first_error_ = error;
    note_bounded(
        objects_noted_, "object-unreadable",
        {{"object", to_string(sources_[index]->manifest().id)}, {"error", error_row(error.code).name}, {"cause", error.text}});
    const Id id = sources_[index]->manifest().id;
    for (ObjectResult& result : results_)
      if (result.source_id == id && result.error == Errc{}) result.error = error.code;
    failed.push_back(std::move(sources_[index]));
  }
  std::erase(sources_, nullptr);
  lock.unlock();
  let_serve(std::move(failed));
}

}  // namespace godwit::engine
