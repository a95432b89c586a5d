#include "engine/inbound_table.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/fail_point.hpp"
#include "base/log.hpp"
#include "engine/attend.hpp"
#include "engine/caller.hpp"
#include "engine/remote_io.hpp"

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

// Whether the peer may act as a source: where identities are proved, a daemon of the site or an administrator; no user's
// program.
bool is_daemon(const fabric::Channel& channel) {
  const fabric::Identity identity = channel.identity();
  if (caller_of(identity).may_all) return true;
  log::warn("{} is refused: user {}, group {}, is no daemon of this site, and would act as the source of a job", channel.peer(),
            identity.uid, identity.gid);
  return false;
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

void InboundTable::start() {
  checkpointer_ = std::thread([this] { make_checkpoints(); });
}

void InboundTable::stop() {
  std::vector<std::shared_ptr<InboundJob>> jobs;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;  // A transfer that begins from here on stops by itself: receive().
    for (const auto& [id, job] : jobs_) jobs.push_back(job);
  }
  for (const auto& job : jobs)
    if (const auto transfer = job->transfer()) transfer->stop = true;
  jobs.clear();
  ends_.notify_all();
  job_threads_.join_all();
  stream_threads_.join_all();
  if (checkpointer_.joinable()) checkpointer_.join();
  std::vector<std::shared_ptr<InboundJob>> lost;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, job] : jobs_)
      if (!job->outlives_restart()) lost.push_back(job);
  }
  for (const auto& job : lost) job->source_lost();  // Its space is not kept for nothing.
}

void InboundTable::make_checkpoints() {
  std::unique_lock lock(mutex_);
  auto next = Clock::now() + settings_.checkpoint_interval;
  while (!ends_.wait_until(lock, next, [this] { return stopping_.load(); })) {
    const auto begin = Clock::now();
    std::vector<std::shared_ptr<InboundJob>> jobs;
    for (const auto& [id, job] : jobs_)
      if (!job->source_is_silent()) jobs.push_back(job);
    lock.unlock();  // A job may be busy with a disk.
    for (const auto& job : jobs)
      if (auto noted = job->checkpoint(false); !noted) log::warn("{}: no checkpoint: {}", job->describe(), noted.error().text);
    const auto end = Clock::now();
    // From beginning to beginning; a slow disk has as much time for others as for checkpoints.
    next = std::max(begin + settings_.checkpoint_interval, end + (end - begin));
    lock.lock();
  }
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
  std::vector<Id> ended;
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(jobs_, [&](const auto& entry) {
      if (!entry.second->forgotten()) return false;
      if (arriving_.insert(entry.first).second) ended.push_back(entry.first);  // Else it is made anew: offered() looks.
      return true;
    });
  }
  if (ended.empty()) return;
  for (const Id& job : ended)
    if (settings_.on_forgotten) settings_.on_forgotten(job);
  const std::lock_guard lock(mutex_);
  for (const Id& job : ended) arriving_.erase(job);
}

void InboundTable::forgotten_at_source(const Id& job) {
  {
    const std::lock_guard lock(mutex_);
    if (jobs_.contains(job) || !arriving_.insert(job).second) return;
  }
  if (settings_.on_forgotten) settings_.on_forgotten(job);
  const std::lock_guard lock(mutex_);
  arriving_.erase(job);
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
  if (!channel || !transfer || !is_daemon(*channel)) return Done{};
  auto outcome = SinkStream(*channel, *transfer).run();
  if (outcome) return outcome;
  if (outcome.error().code == Errc::kPeerLost) return Done{};
  // Stopped because of another stream: that one knows why, and the source may hear it here first.
  if (auto why = job.stream_outcome(); outcome.error().code == Errc::kCancelled && !why) outcome = why;
  if (stopping_) return outcome;  // Nothing is wrong with the job: its source waits until this node is back.
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
  if (!is_daemon(*channel)) {
    protocol::Encoder encoder;
    return say_last(*channel, encoder.error(0, Error{Errc::kDenied,
                                                     "who asks is no daemon of this site: its operator may name you "
                                                     "in identity.administrators"}));
  }
  std::shared_ptr<InboundJob> job;
  uint64_t attempt = 0;
  const auto ended = converse(*channel, job, attempt);
  channel->close();
  // That one hangs up without an offer is nothing to tell.
  if (!job && !ended && ended.error().code != Errc::kPeerLost)
    log::warn("a source that offered nothing: {}", ended.error().text);
  if (job) {
    if (attempt != 0) expire_tokens(job);
    if (!ended && job->state() == model::DestinationState::kReceiving) log::warn("{}: {}", job->describe(), ended.error().text);
    job->left(attempt, !ended && is_interruption(ended.error()));
  }
  forget_ended();
}

// Answers one source until it hangs up, or comes back on another connection.
Result<> InboundTable::converse(fabric::Channel& channel, std::shared_ptr<InboundJob>& job, uint64_t& attempt) {
  constexpr milliseconds kLook{100};
  const auto first_message = Deadline::after(settings_.connect_timeout);
  bool has_spoken = false;
  protocol::Encoder encoder;
  std::vector<std::byte> scratch;  // Where probes are read to.
  for (;;) {
    auto event = channel.wait(Deadline::after(kLook));
    if (job && attempt != 0 && job->attempt() != attempt)
      return Error{Errc::kCancelled, fmt::format("{} was offered again", job->describe())};
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

    if (const auto* probe = message->body<wire::ProbeRequest>()) {
      if (auto answered = answer_probe(channel, message->request(), *probe, scratch, encoder); !answered) return answered;
      continue;
    }
    if (message->body<wire::OfferRequest>() != nullptr) {
      if (auto heard = hear_offer(channel, *message, encoder, job, attempt); !heard) return heard;
      continue;
    }
    const auto decided = [&] { return decide(*message, job, attempt); };
    // What is promised is first made durable, and may be read back and shown to a program.
    const OutcomeAnswer answer =
        message->body<wire::PrepareRequest>() != nullptr ? while_attending(channel, decided) : decided();
    auto& builder = encoder.builder();
    const auto text = answer.text.empty() ? 0 : builder.CreateString(answer.text);
    const auto because = answer.staged_because.empty() ? 0 : builder.CreateString(answer.staged_because);
    const wire::Id node = protocol::to_wire(journal_.node_id());
    const auto body = wire::CreateOutcomeReply(builder, answer.outcome, static_cast<int32_t>(answer.error), text, &node,
                                               answer.blocks_direct, answer.blocks_staged, because);
    const auto said = encoder.finish(message->request(), body);
    if (auto sent = channel.send(said); !sent) return sent;
    if (fail_point("destination.answer.again") != 0)
      if (auto sent = channel.send(said); !sent) return sent;
  }
}

// An offer, and the blocks that follow it. A refusal is answered. Errors: why the conversation is over.
Result<> InboundTable::hear_offer(fabric::Channel& channel, const protocol::Decoded& message, protocol::Encoder& encoder,
                                  std::shared_ptr<InboundJob>& job, uint64_t& attempt) {
  const auto& offer = *message.body<wire::OfferRequest>();
  const bool is_first = offer.pass() == 0 || attempt == 0;
  auto reply = is_first ? offered(channel, message, encoder, job) : next_pass(channel, message, encoder, job);
  if (!reply && is_first) return channel.send(encoder.error(message.request(), reply.error()));
  if (!reply) {
    if (!is_interruption(reply.error())) job->source_lost();  // What has arrived goes, before the source hears of it.
    say_last(channel, encoder.error(message.request(), reply.error()));
    return std::move(reply).error();
  }
  if (job) attempt = attempt_of(offer);
  if (auto sent = channel.send(*reply); !sent) {
    if (job) job->stream_left(sent);
    return sent;
  }
  if (!job) return Done{};  // A dry run: that was all.
  auto received = receive_blocks(channel, *job);
  if (received) return received;
  log::warn("{}: {}", job->describe(), received.error().text);
  if (is_interruption(received.error())) return received;
  job->source_lost();  // The space is free when the source hears of it, and tries again.
  say_last(channel, encoder.error(0, received.error()));
  return received;
}

// Reads what the source shows, so that it can take the time. Errors: those of the channel, which has no more use then.
Result<> InboundTable::answer_probe(fabric::Channel& channel, uint64_t request, const wire::ProbeRequest& probe,
                                    std::vector<std::byte>& scratch, protocol::Encoder& encoder) const {
  constexpr uint64_t kProbeBytesMax = 16_MiB;
  const wire::Window* window = probe.window();
  if (window == nullptr || window->length_bytes() == 0 || window->length_bytes() > kProbeBytesMax)
    return channel.send(encoder.error(request, {Errc::kProtocol, "a probe of nothing, or of more than 16 MiB"}));
  scratch.resize(window->length_bytes());
  auto domain = const_cast<fabric::Domain&>(channel.domain()).shared_from_this();
  const fabric::RemoteMemory remote{window->address(), window->key(), window->length_bytes()};
  if (auto pulled = pull_into(channel, std::move(domain), scratch, remote, settings_); !pulled) {
    say_last(channel, encoder.error(request, pulled.error()));
    return pulled;
  }
  return channel.send(encoder.finish(request, wire::CreateProbeReply(encoder.builder(), scratch.size())));
}

// The job's own connection is its first stream; the others have come, or come now, by their tokens.
Result<> InboundTable::receive_blocks(fabric::Channel& channel, InboundJob& job) {
  const auto transfer = job.transfer();
  Result<> received = transfer ? SinkStream(channel, *transfer).run() : Error{Errc::kCancelled, "the job has ended"};
  job.stream_left(received);
  auto joined = while_attending(channel, [&] { return job.join_streams(Deadline::after(settings_.stall_timeout)); });
  if (!joined && !is_interruption(joined.error())) return joined;
  if (!received && received.error().code != Errc::kCancelled) return received;
  return joined ? received : joined;  // Stopped because of another stream: that one knows why.
}

// `attempt`: that `job` was offered in on this connection, which then speaks of no other; 0: of whichever it names.
OutcomeAnswer InboundTable::decide(const protocol::Decoded& message, std::shared_ptr<InboundJob>& job, uint64_t attempt) {
  const auto pick = [&](const wire::Id* id) {
    if (attempt != 0) return protocol::from_wire(id) == job->id();
    job = find(protocol::from_wire(id));
    return job != nullptr;
  };
  // A job that we do not know was aborted, or ended long ago: `unknown` says so.
  if (const auto* request = message.body<wire::PrepareRequest>()) {
    if (!pick(request->job())) return {};
    if (attempt == 0) return {wire::Outcome::unknown, Errc::kProtocol, "the job was not offered on this connection"};
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

}  // namespace godwit::engine
