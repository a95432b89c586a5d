#include "engine/inbound_table.hpp"

#include <fmt/format.h>

#include "base/log.hpp"
#include "engine/attend.hpp"
#include "engine/hook.hpp"
#include "objects/database/database_sink.hpp"

namespace godwit::engine {

namespace {

// The source learns why we end, if it is still there, and hangs up. To hang up first, with its messages unread, would reset the
// connection, and what was said would be lost.
void say_last(fabric::Channel& channel, std::span<const std::byte> message) {
  const auto patience = Deadline::after(milliseconds(2000));
  if (!channel.send(message)) return;
  while (!patience.passed() && channel.wait(patience)) {  // What it still sends concerns nobody, however much it is.
  }
}

}  // namespace

InboundTable::InboundTable(const EngineSettings& settings, objects::RegionStore& store, objects::FilesetStore& filesets,
                           objects::DatabaseStore& databases, journal::Journal& journal)
    : settings_(settings),
      store_(store),
      filesets_(filesets),
      databases_(databases),
      journal_(journal),
      job_threads_("inbound job", settings.inbound_max, settings.on_thread_start),
      stream_threads_("inbound stream", settings.inbound_max * 4, settings.on_thread_start) {}

InboundTable::~InboundTable() { stop(); }

void InboundTable::stop() {
  stopping_ = true;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, job] : jobs_)
      if (const auto transfer = job->transfer()) transfer->stop = true;
  }
  job_threads_.join_all();
  stream_threads_.join_all();
}

Result<> InboundTable::recover() {
  auto records = journal_.inbound();
  if (!records) return std::move(records).error();
  for (journal::InboundJob& record : *records) {
    const bool owner = record.state == journal::InboundState::kOwner;
    const bool survived = record.target_survives;
    std::vector<std::unique_ptr<objects::Sink>> sinks;
    if (survived) {
      auto recovered = recover_sinks(record);
      if (!recovered) return std::move(recovered).error();
      sinks = std::move(*recovered);
    }
    const Id id = record.job;
    auto machine = model::recover_destination(!owner, owner, survived);
    auto job = std::make_shared<InboundJob>(journal_, std::move(record), std::move(sinks), machine, settings_);
    log::info("recovered {}: {}", job->describe(), model::to_string(machine.state));
    const std::lock_guard lock(mutex_);
    jobs_.emplace(id, std::move(job));
  }
  return Done{};
}

// What has arrived is shown: regions are in the catalogue then, filesets may have been about to.
Result<std::vector<std::unique_ptr<objects::Sink>>> InboundTable::recover_sinks(const journal::InboundJob& record) {
  const bool owner = record.state == journal::InboundState::kOwner;
  std::vector<std::unique_ptr<objects::Sink>> sinks;
  if (!record.objects.empty() && record.objects.front().kind == objects::ObjectKind::kFileset) {
    auto recovered = filesets_.expect_again(record);
    if (!recovered || !owner) return recovered;
    for (const auto& sink : *recovered) sink->adopt();
    return sinks;
  }
  if (owner) return sinks;
  if (!record.objects.empty() && record.objects.front().kind == objects::ObjectKind::kDatabase) {
    for (const journal::JobObject& object : record.objects) {
      auto database = databases_.expect_again(object.destination_id, object.epoch + 1);
      if (!database) return std::move(database).error();
      sinks.push_back(std::make_unique<objects::DatabaseSink>(databases_, std::move(*database)));
    }
    return sinks;
  }
  auto target = store_.target(record.target);
  if (!target || (*target)->pool_id() != record.pool)
    return Error{Errc::kCorrupt, fmt::format("job {} is prepared on target '{}', whose pool is not configured any more; "
                                             "configure it again",
                                             to_string(record.job), record.target)};
  for (const journal::JobObject& object : record.objects) {
    auto region = store_.expect_again(**target, object, object.epoch + 1);
    if (!region) return std::move(region).error();
    sinks.push_back(std::make_unique<objects::RegionSink>(store_, std::move(*region)));
  }
  return sinks;
}

std::shared_ptr<InboundJob> InboundTable::find(const Id& job) const {
  const std::lock_guard lock(mutex_);
  const auto found = jobs_.find(job);
  return found == jobs_.end() ? nullptr : found->second;
}

std::vector<std::shared_ptr<InboundJob>> InboundTable::in_doubt() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<InboundJob>> jobs;
  for (const auto& [id, job] : jobs_)
    if (job->in_doubt()) jobs.push_back(job);
  return jobs;
}

std::map<model::DestinationState, uint64_t> InboundTable::count() const {
  const std::lock_guard lock(mutex_);
  std::map<model::DestinationState, uint64_t> counts;
  for (const auto& [id, job] : jobs_)
    if (!job->forgotten()) ++counts[job->state()];
  return counts;
}

void InboundTable::forget_ended() {
  const std::lock_guard lock(mutex_);
  std::erase_if(jobs_, [](const auto& entry) { return entry.second->forgotten(); });
}

void InboundTable::expire_tokens(const std::shared_ptr<InboundJob>& job) {
  const std::lock_guard lock(mutex_);
  std::erase_if(tokens_, [&](const auto& entry) { return entry.second == job; });
}

Result<> InboundTable::serve_job(std::shared_ptr<fabric::Domain> domain, fabric::Incoming incoming) {
  if (stopping_) return Error{Errc::kBusy, "the daemon stops"};
  auto shared = std::make_shared<fabric::Incoming>(std::move(incoming));
  return job_threads_.start([this, domain = std::move(domain), shared] { run_job(domain, std::move(*shared)); });
}

Result<> InboundTable::serve_stream(std::shared_ptr<fabric::Domain> domain, fabric::Incoming incoming) {
  std::shared_ptr<InboundJob> job;
  {
    const std::lock_guard lock(mutex_);
    const auto found = tokens_.find(incoming.hello().token);
    if (found == tokens_.end()) return Error{Errc::kNotFound, "no job awaits this stream"};
    job = found->second;
    tokens_.erase(found);
    job->stream_entered();
  }
  auto shared = std::make_shared<fabric::Incoming>(std::move(incoming));
  auto started = stream_threads_.start([this, job, domain = std::move(domain), shared] {
    // The channel is gone before the job hears of it and may free the space.
    job->stream_left(run_stream(domain, std::move(*shared), *job));
  });
  if (!started) job->stream_left(started);
  return started;
}

Result<> InboundTable::run_stream(std::shared_ptr<fabric::Domain> domain, fabric::Incoming incoming, InboundJob& job) {
  // A stream that is lost, or came too late, had perhaps nothing to carry: the source closes those at once. Blocks that did not
  // land with it are still absent, and the prepare is refused then.
  auto channel = fabric::Channel::accept(std::move(domain), std::move(incoming), Deadline::after(settings_.connect_timeout));
  const auto transfer = job.transfer();
  if (!channel || !transfer) return Done{};
  auto outcome = SinkStream(*channel, *transfer).run();
  if (outcome) return outcome;
  if (outcome.error().code == Errc::kPeerLost) return Done{};
  // Stopped because of another stream: that one knows why, and the source may hear it here first.
  if (auto why = job.stream_outcome(); outcome.error().code == Errc::kCancelled && !why) outcome = why;
  log::warn("{}: a stream failed: {}", job.describe(), outcome.error().text);
  protocol::Encoder encoder;
  say_last(*channel, encoder.error(0, outcome.error()));
  return outcome;
}

void InboundTable::run_job(std::shared_ptr<fabric::Domain> domain, fabric::Incoming incoming) {
  auto channel = fabric::Channel::accept(domain, std::move(incoming), Deadline::after(settings_.connect_timeout));
  if (!channel) {
    log::warn("a source's connection was not completed: {}", channel.error().text);
    return;
  }
  std::shared_ptr<InboundJob> job;
  const auto ended = converse(*channel, job);
  channel->close();
  // That one hangs up without an offer is nothing to tell.
  if (!job && !ended && ended.error().code != Errc::kPeerLost)
    log::warn("a source that offered nothing: {}", ended.error().text);
  if (job) {
    expire_tokens(job);
    if (!ended && job->state() == model::DestinationState::kReceiving) log::warn("{}: {}", job->describe(), ended.error().text);
    job->source_lost();
  }
  forget_ended();
}

// Answers one source until it hangs up.
Result<> InboundTable::converse(fabric::Channel& channel, std::shared_ptr<InboundJob>& job) {
  constexpr milliseconds kLook{100};
  const auto first_message = Deadline::after(settings_.connect_timeout);
  bool has_spoken = false;
  protocol::Encoder encoder;
  for (;;) {
    auto event = channel.wait(Deadline::after(kLook));
    if (!event) {
      if (stopping_ && (!job || job->state() != model::DestinationState::kOwner))
        return Error{Errc::kCancelled, "the daemon stops"};
      const Errc code = event.error().code;
      if (code != Errc::kTimeout && code != Errc::kCancelled) return std::move(event).error();
      if (!has_spoken && first_message.passed())
        return Error{Errc::kTimeout, fmt::format("{} has asked for nothing", channel.peer())};
      continue;  // The heartbeat finds out whether the source lives.
    }
    has_spoken = true;
    const auto* bytes = std::get_if<fabric::Message>(&*event);
    if (bytes == nullptr) return Error{Errc::kInternal, "an RMA completion between two transfers"};
    auto message = protocol::decode(*bytes);
    if (!message) return with_context(channel.peer(), std::move(message).error());

    if (message->body<wire::OfferRequest>() != nullptr) {
      const bool is_first = message->body<wire::OfferRequest>()->pass() == 0 || !job;
      auto reply = is_first ? offered(channel, *message, encoder, job) : next_pass(channel, *message, encoder, job);
      if (!reply && !is_first) {
        job->source_lost();  // What has arrived goes, before the source hears of it.
        say_last(channel, encoder.error(message->request(), reply.error()));
        return std::move(reply).error();
      }
      if (!reply) {
        const Error refused = std::move(reply).error();
        if (auto sent = channel.send(encoder.error(message->request(), refused)); !sent) return sent;
        continue;
      }
      if (auto sent = channel.send(*reply); !sent) return sent;
      if (!job) continue;  // A dry run: that was all.
      if (auto received = receive_blocks(channel, *job); !received) {
        log::warn("{}: {}", job->describe(), received.error().text);
        job->source_lost();  // The space is free when the source hears of it, and tries again.
        say_last(channel, encoder.error(0, received.error()));
        return received;
      }
      continue;
    }
    const auto decided = [&] { return decide(*message, job); };
    // What is promised is first made durable, and may be read back and shown to a program.
    const OutcomeAnswer answer =
        message->body<wire::PrepareRequest>() != nullptr ? while_attending(channel, decided) : decided();
    auto& builder = encoder.builder();
    const auto text = answer.text.empty() ? 0 : builder.CreateString(answer.text);
    const auto because = answer.staged_because.empty() ? 0 : builder.CreateString(answer.staged_because);
    const wire::Id node = protocol::to_wire(journal_.node_id());
    const auto body = wire::CreateOutcomeReply(builder, answer.outcome, static_cast<int32_t>(answer.error), text, &node,
                                               answer.blocks_direct, answer.blocks_staged, because);
    if (auto sent = channel.send(encoder.finish(message->request(), body)); !sent) return sent;
  }
}

// The job's own connection is its first stream; the others have come, or come now, by their tokens.
Result<> InboundTable::receive_blocks(fabric::Channel& channel, InboundJob& job) {
  const auto transfer = job.transfer();
  job.stream_entered();
  auto received = SinkStream(channel, *transfer).run();
  job.stream_left(received);
  auto joined = while_attending(channel, [&] { return job.join_streams(Deadline::after(settings_.stall_timeout)); });
  if (!received && received.error().code != Errc::kCancelled) return received;
  return joined ? received : joined;  // Stopped because of another stream: that one knows why.
}

OutcomeAnswer InboundTable::decide(const protocol::Decoded& message, std::shared_ptr<InboundJob>& job) {
  const auto pick = [&](const wire::Id* id) {
    job = find(protocol::from_wire(id));
    return job != nullptr;
  };
  // A job that we do not know was aborted, or ended long ago: `unknown` says so.
  if (const auto* request = message.body<wire::PrepareRequest>()) {
    if (!pick(request->job())) return {};
    // A stream that connected late may not have heard yet that nothing is left for it.
    if (auto joined = job->join_streams(Deadline::after(settings_.connect_timeout)); !joined)
      log::warn("{}: {}", job->describe(), joined.error().text);
    const auto* failed = request->failed();
    return job->prepare(failed == nullptr ? std::span<const uint32_t>{} : std::span(failed->data(), failed->size()));
  }
  if (const auto* commit = message.body<wire::CommitRequest>()) return pick(commit->job()) ? job->commit() : OutcomeAnswer{};
  if (const auto* abort = message.body<wire::AbortRequest>()) return pick(abort->job()) ? job->abort() : OutcomeAnswer{};
  if (const auto* release = message.body<wire::ReleaseRequest>())
    return pick(release->job()) ? job->release() : OutcomeAnswer{wire::Outcome::released, Errc{}, {}};
  return {wire::Outcome::unknown, Errc::kProtocol, "this message has no place on a job's connection"};
}

Result<Reservation> InboundTable::reserve(fabric::Channel& channel, const wire::OfferRequest& offer, const Id& id) {
  const uint8_t kind = offer.objects()->size() == 0 ? 0 : offer.objects()->Get(0)->kind();
  for (const wire::ObjectOffer* object : *offer.objects())
    if (object->kind() != kind) return Error{Errc::kProtocol, "the objects of a job are all of one kind"};
  switch (static_cast<objects::ObjectKind>(kind)) {
    case objects::ObjectKind::kRegion: return reserve_regions(store_, offer, id);
    case objects::ObjectKind::kFileset: return reserve_filesets(filesets_, channel, offer, id, settings_);
    case objects::ObjectKind::kDatabase: return reserve_databases(databases_, filesets_, channel, offer, id, settings_);
  }
  return Error{Errc::kUnsupported, "this release knows no objects of that kind"};
}

Result<std::span<const std::byte>> InboundTable::offered(fabric::Channel& channel, const protocol::Decoded& message,
                                                         protocol::Encoder& encoder, std::shared_ptr<InboundJob>& job) {
  const auto& offer = *message.body<wire::OfferRequest>();
  if (offer.job() == nullptr || offer.source() == nullptr || offer.target() == nullptr || offer.objects() == nullptr)
    return Error{Errc::kProtocol, "the offer lacks its job, source, target or objects"};
  const Id id = protocol::from_wire(offer.job());
  if (job || find(id)) return Error{Errc::kExists, fmt::format("job {} is here already", to_string(id))};
  if (offer.objects()->size() > settings_.objects_max)
    return Error{Errc::kLimit,
                 fmt::format("{} objects; {} are allowed in a job", offer.objects()->size(), settings_.objects_max)};
  if (offer.block_bytes() < 4_KiB || offer.block_bytes() > 64_MiB)
    return Error{Errc::kInvalid, fmt::format("block_bytes {}; 4 KiB to 64 MiB are allowed", offer.block_bytes())};
  const auto allowed = while_attending(channel, [&] {
    return run_hook(settings_.hook_before,
                    {{"GODWIT_HOOK", "before"},
                     {"GODWIT_SIDE", "destination"},
                     {"GODWIT_JOB", to_string(id)},
                     {"GODWIT_PEER", offer.source()->str()},
                     {"GODWIT_PLACE", offer.target()->str()},
                     {"GODWIT_OBJECTS", std::to_string(offer.objects()->size())}},
                    settings_.hook_timeout);
  });
  if (!allowed) return allowed.error();
  auto reservation = reserve(channel, offer, id);
  if (!reservation) return std::move(reservation).error();
  Reservation& reserved = *reservation;
  std::vector<objects::Sink*> sinks;
  for (const auto& sink : reserved.sinks) sinks.push_back(sink.get());
  if (offer.dry_run()) return answer_offer(message.request(), reserved, {}, encoder);
  EngineSettings settings = settings_;
  settings.block_bytes = offer.block_bytes();
  job = std::make_shared<InboundJob>(journal_, std::move(reserved.record), std::move(reserved.sinks),
                                     model::DestinationMachine{}, settings_);
  auto domain = const_cast<fabric::Domain&>(channel.domain()).shared_from_this();
  job->begin_transfer(std::make_shared<SinkTransfer>(
      std::move(domain), std::move(sinks), model::plan_blocks(reserved.sizes, offer.block_bytes()), settings, offer.verify()));
  {
    const std::lock_guard lock(mutex_);
    jobs_.emplace(id, job);
  }
  return answer_offer(message.request(), reserved, new_tokens(job, offer.streams()), encoder);
}

std::vector<wire::Id> InboundTable::new_tokens(const std::shared_ptr<InboundJob>& job, uint32_t streams) {
  std::vector<wire::Id> tokens;
  const std::lock_guard lock(mutex_);
  for (uint32_t i = 1; i < std::min(streams, 64u); ++i) {
    const Id token = random_id();
    tokens_.emplace(token, job);
    tokens.push_back(protocol::to_wire(token));
  }
  return tokens;
}

Result<std::span<const std::byte>> InboundTable::next_pass(fabric::Channel& channel, const protocol::Decoded& message,
                                                           protocol::Encoder& encoder, const std::shared_ptr<InboundJob>& job) {
  const auto& offer = *message.body<wire::OfferRequest>();
  if (offer.job() == nullptr || protocol::from_wire(offer.job()) != job->id() || offer.objects() == nullptr)
    return Error{Errc::kProtocol, "a pass of another job, or without its objects"};
  if (offer.block_bytes() < 4_KiB || offer.block_bytes() > 64_MiB)
    return Error{Errc::kInvalid, fmt::format("block_bytes {}; 4 KiB to 64 MiB are allowed", offer.block_bytes())};
  if (auto joined = job->join_streams(Deadline::after(settings_.connect_timeout)); !joined) return std::move(joined).error();
  if (auto same = while_attending(channel, [&] { return job->end_pass(); }); !same) return std::move(same).error();
  Reservation reserved;
  std::vector<objects::Sink*> sinks;
  auto begun = job->begin_pass([&](const InboundJob::Sinks& all) -> Result<> {
    auto reservation = reserve_pass(all, channel, offer, settings_);
    if (!reservation) return std::move(reservation).error();
    reserved = std::move(*reservation);
    for (const auto& sink : all) sinks.push_back(sink.get());
    return Done{};
  });
  if (!begun) return std::move(begun).error();
  EngineSettings settings = settings_;
  settings.block_bytes = offer.block_bytes();
  auto domain = const_cast<fabric::Domain&>(channel.domain()).shared_from_this();
  job->begin_transfer(std::make_shared<SinkTransfer>(
      std::move(domain), std::move(sinks), model::plan_blocks(reserved.sizes, offer.block_bytes()), settings, offer.verify()));
  return answer_offer(message.request(), reserved, new_tokens(job, offer.streams()), encoder);
}

std::span<const std::byte> InboundTable::answer_offer(uint64_t request, const Reservation& reserved,
                                                      const std::vector<wire::Id>& tokens, protocol::Encoder& encoder) const {
  auto& builder = encoder.builder();
  std::vector<flatbuffers::Offset<wire::WantedEntries>> wanted;
  for (const auto& [object, entries] : reserved.wanted) {
    wanted.push_back(wire::CreateWantedEntries(builder, object, builder.CreateVector(protocol::bits_of(entries))));
  }
  const auto wanted_offset = builder.CreateVector(wanted);
  const auto answers_offset = builder.CreateVectorOfStructs(reserved.answers);
  const auto tokens_offset = builder.CreateVectorOfStructs(tokens);
  const auto error_offset = builder.CreateString(reserved.first_error);
  const wire::Id node = protocol::to_wire(journal_.node_id());
  return encoder.finish(request,
                        wire::CreateOfferReply(builder, answers_offset, tokens_offset, error_offset, &node, wanted_offset));
}

}  // namespace godwit::engine
