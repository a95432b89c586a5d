#include "engine/outbound_job.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <thread>
#include <unordered_map>

#include "base/log.hpp"
#include "objects/database/database.hpp"

namespace godwit::engine {

using model::Phase;
using model::SourceAction;
using model::SourceEvent;
using model::SourceState;

namespace {

// A dry run tells no more than so many files: it is remembered with the job.
constexpr size_t kPlannedMax = 100'000;

}  // namespace

OutboundJob::OutboundJob(OutboundRequest request, OutboundObjects objects, OpenObjects open, Domains& domains,
                         journal::Journal& journal, const EngineSettings& settings, std::function<void(const Id&)> on_ended)
    : request_(std::move(request)),
      settings_(settings),
      open_(std::move(open)),
      domains_(domains),
      journal_(journal),
      on_ended_(std::move(on_ended)) {
  machine_.is_move = !request_.copy;
  take_objects(std::move(objects));
  history_.emplace_back(Phase::kPlanning, started_);
}

void OutboundJob::take_objects(OutboundObjects objects) {
  const std::lock_guard lock(mutex_);
  sources_ = std::move(objects.sources);
  results_ = std::move(objects.results);
  bytes_total_ = 0;
  for (const ObjectResult& result : results_) {
    if (result.error == Errc{})
      bytes_total_ += result.size_bytes;
    else if (first_error_.code == Errc{})
      first_error_ = Error{result.error, objects.first_error};
  }
}

OutboundJob::OutboundJob(const journal::OutboundJob& record, std::vector<std::unique_ptr<objects::Source>> sources,
                         model::SourceMachine machine, Domains& domains, journal::Journal& journal,
                         const EngineSettings& settings, std::function<void(const Id&)> on_ended)
    : request_{record.job, {}, record.address, record.target, !record.is_move, settings.block_bytes, settings.streams},
      settings_(settings),
      domains_(domains),
      journal_(journal),
      on_ended_(std::move(on_ended)),
      destination_node_(record.destination_node),
      journalled_(true),
      sources_(std::move(sources)),
      machine_(machine),
      phase_(Phase::kInDoubt),
      running_(false) {
  for (const journal::JobObject& object : record.objects) {
    results_.push_back({object.id, object.destination_id, object.size_bytes, Errc::kInDoubt});
    bytes_total_ += object.size_bytes;
  }
  first_error_ = Error{Errc::kInDoubt, fmt::format("the outcome waits for {}", request_.destination_address)};
  history_.emplace_back(Phase::kInDoubt, started_);
}

std::string OutboundJob::describe() const {
  return fmt::format("job {} to {} target '{}'", to_string(request_.job), request_.destination_address,
                     request_.destination_target);
}

// ---------------------------------------------------------------- what others see

JobStatus OutboundJob::status() const {
  const std::lock_guard lock(mutex_);
  JobStatus status;
  status.job = request_.job;
  status.source = request_.source_address;
  status.destination = request_.destination_address;
  status.destination_target = request_.destination_target;
  status.copy = request_.copy;
  status.phase = phase_;
  status.ended = model::is_final(phase_);
  status.error = first_error_.code;
  status.error_text = first_error_.text;
  const bool partial = status.ended && objects_done_ > 0 && first_error_.code != Errc{};
  if (partial) {
    status.error = Errc::kPartial;
    status.error_text = fmt::format("{} of {} objects stayed; the first because: {}", results_.size() - objects_done_,
                                    results_.size(), first_error_.text);
  }
  status.bytes_done = counters_.bytes_done;
  status.bytes_total = bytes_total_;
  status.objects_done = objects_done_;
  status.objects_total = results_.size();
  const auto until = status.ended ? ended_ : Clock::now();
  status.seconds = std::chrono::duration<double>(until - started_).count();
  status.bytes_per_second = status.seconds > 0 ? static_cast<double>(status.bytes_done) / status.seconds : 0;
  return status;
}

std::vector<ObjectResult> OutboundJob::results() const {
  const std::lock_guard lock(mutex_);
  return results_;
}

model::Decision OutboundJob::decision() const {
  const std::lock_guard lock(mutex_);
  return journal_failed_ ? model::Decision::kPending : model::decision_of(machine_);
}

bool OutboundJob::unfinished() const {
  const std::lock_guard lock(mutex_);
  return !running_ && !journal_failed_ && (phase_ == Phase::kInDoubt || (machine_.state == SourceState::kDone && unreleased_));
}

std::string OutboundJob::report_json() const {
  const JobStatus now = status();
  const std::lock_guard lock(mutex_);
  nlohmann::json phases = nlohmann::json::array();
  for (size_t i = 0; i < history_.size(); ++i) {
    const auto until = i + 1 < history_.size() ? history_[i + 1].second : (now.ended ? ended_ : Clock::now());
    phases.push_back({{"phase", model::to_string(history_[i].first)},
                      {"seconds", std::chrono::duration<double>(until - history_[i].second).count()}});
  }
  return nlohmann::json{
      {"job", to_string(now.job)},
      {"source", now.source},
      {"destination", now.destination},
      {"destination_target", now.destination_target},
      {"copy", now.copy},
      {"phase", model::to_string(now.phase)},
      {"error", now.error == Errc{} ? "" : error_row(now.error).name},
      {"error_text", now.error_text},
      {"bytes", now.bytes_done},
      {"bytes_total", now.bytes_total},
      {"objects_done", now.objects_done},
      {"objects_total", now.objects_total},
      {"seconds", now.seconds},
      {"passes", passes_},
      {"writers_stopped_seconds",
       writers_stopped_ ? std::chrono::duration<double>((now.ended ? ended_ : Clock::now()) - *writers_stopped_).count() : 0.0},
      {"streams", streams_used_},
      {"blocks", counters_.blocks_done.load()},
      {"blocks_direct", counters_.blocks_direct.load()},
      {"blocks_staged", counters_.blocks_staged.load()},
      {"blocks_resent", counters_.blocks_resent.load()},
      {"digests_failed", counters_.digests_failed.load()},
      {"digest", "XXH3-128"},
      {"staged_because", staged_because_},
      {"destination_blocks_direct", destination_blocks_direct_},
      {"destination_blocks_staged", destination_blocks_staged_},
      {"destination_staged_because", destination_staged_because_},
      {"phases", phases}}
      // Names and errors of strangers are in it, which may be no UTF-8: dump() alone would throw, and end the daemon.
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void OutboundJob::enter(Phase phase) {
  const std::lock_guard lock(mutex_);
  if (!model::may_follow(phase_, phase))
    log::error("{}: {} after {}", describe(), model::to_string(phase), model::to_string(phase_));
  phase_ = phase;
  history_.emplace_back(phase, Clock::now());
}

void OutboundJob::end(Phase phase) {
  enter(phase);
  {
    const std::lock_guard lock(mutex_);
    ended_ = history_.back().second;
  }
  on_ended_(request_.job);
}

// ---------------------------------------------------------------- the life of a job

void OutboundJob::drive() {
  if (open_) {
    take_objects(open_(cancelled_));
    if (sources_.empty()) return fail(first_error_);
  }
  auto address = fabric::parse_address(request_.destination_address);
  if (!address) return fail(address.error());
  auto domain = domains_.of(*address);
  if (!domain) return fail(domain.error());
  enter(Phase::kPreSync);
  const bool live = std::ranges::any_of(sources_, [](const auto& source) { return source->has_live_passes(); });
  if (!live)
    if (auto quiet = quiesce(); !quiet) return fail(quiet.error());
  auto channel = fabric::Channel::connect(*domain, *address, {fabric::Purpose::kJob, request_.job},
                                          Deadline::after(settings_.connect_timeout));
  if (!channel) return fail(channel.error());
  Result<> sent = Done{};
  if (live) sent = live_passes(*channel);
  if (live && sent) sent = quiesce();
  if (sent) sent = transfer(*channel);
  if (!sent) {
    (void)feed(SourceEvent::kFailed, &*channel);
    return fail(sent.error());
  }
  if (request_.dry_run) return end_dry_run();
  enter(Phase::kCutover);
  // Each event leads to the next message, until the machine has ended or the destination is lost.
  const auto ended = feed(SourceEvent::kPassDone, &*channel);
  const SourceState state = [this] {
    const std::lock_guard lock(mutex_);
    return machine_.state;
  }();
  switch (state) {  // No default: -Wswitch catches a new state.
    case SourceState::kDone:
      if (!ended)
        log::info("{}: done; {} hears of the release later: {}", describe(), request_.destination_address, ended.error().text);
      return;
    case SourceState::kHandedOver: return leave_in_doubt(ended ? refusal_ : ended.error());
    case SourceState::kAborted: return fail(refusal_);
    case SourceState::kSyncing:
    case SourceState::kPreparing:
    case SourceState::kAborting: break;
  }
  (void)feed(SourceEvent::kFailed, nullptr);
  fail(ended ? refusal_ : ended.error());
}

// Decided, and the destination has not confirmed: the resolver goes on.
void OutboundJob::leave_in_doubt(const Error& error) {
  log::warn("{}: {}", describe(), error.text);
  {
    const std::lock_guard lock(mutex_);
    first_error_ = Error{Errc::kInDoubt, fmt::format("the outcome waits for {}: {}", request_.destination_address, error.text)};
  }
  enter(Phase::kInDoubt);
  on_ended_(request_.job);
}

void OutboundJob::fail(const Error& error) {
  {
    const std::lock_guard lock(mutex_);
    if (first_error_.code == Errc{} || objects_done_ == 0) first_error_ = error;
    for (ObjectResult& result : results_)
      if (result.error == Errc{}) result.error = error.code;
  }
  resume_all();
  log::warn("{}: failed, the source is as it was: {}", describe(), error.text);
  end(Phase::kFailed);
}

void OutboundJob::resume_all() {
  const std::lock_guard lock(mutex_);
  for (const auto& source : sources_) source->resume();
  sources_.clear();
}

// Nothing was changed anywhere, and nothing is.
void OutboundJob::end_dry_run() {
  resume_all();
  {
    const std::lock_guard lock(mutex_);
    for (const ObjectResult& result : results_)
      if (result.error == Errc{}) ++objects_done_;
  }
  end(Phase::kDone);
}

std::pair<std::vector<objects::PlannedFile>, uint64_t> OutboundJob::planned() const {
  const std::lock_guard lock(mutex_);
  return {planned_, planned_total_};
}

Result<> OutboundJob::quiesce() {
  {
    const std::lock_guard lock(mutex_);
    writers_stopped_ = Clock::now();
  }
  const auto deadline = Deadline::after(settings_.quiesce_timeout);
  for (const auto& source : sources_)
    if (auto quiet = source->quiesce(deadline); !quiet) return quiet;
  return Done{};
}

Result<> OutboundJob::begin_pass(bool last) {
  for (const auto& source : sources_)
    if (auto begun = source->begin_pass(last); !begun) return begun;
  return Done{};
}

// Until so little has changed during a pass that its writers can be stopped for the rest. The pass after the first, at the
// least: with it the destination makes durable what the first has brought.
Result<> OutboundJob::live_passes(fabric::Channel& channel) {
  constexpr uint32_t kPassesMax = 4;
  constexpr uint64_t kTailBytes = 16_MiB;
  for (uint32_t pass = 0; pass < kPassesMax; ++pass) {
    if (auto begun = begin_pass(false); !begun) return begun;
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
  if (auto begun = begin_pass(true); !begun) return begun;
  auto tokens = offer(channel);
  if (!tokens) return with_context(request_.destination_address, std::move(tokens).error());
  if (sources_.empty()) return first_error_;  // Every object was refused.
  if (request_.dry_run) return Done{};
  enter(Phase::kSync);
  return send_blocks(channel, *tokens);
}

Result<std::vector<Id>> OutboundJob::offer(fabric::Channel& channel) {
  auto& builder = encoder_.builder();
  std::vector<flatbuffers::Offset<wire::ObjectOffer>> objects;
  std::vector<std::byte> listings;  // Of all objects; the destination reads them before it answers.
  for (const auto& source : sources_) {
    auto listing = source->listing();
    if (!listing) {
      builder.Clear();
      return with_context(source->describe(), std::move(listing).error());
    }
    listings.insert(listings.end(), listing->begin(), listing->end());
    const journal::JobObject object = source->manifest();
    const auto name = object.name.empty() ? 0 : builder.CreateString(object.name);
    const wire::Id id = protocol::to_wire(object.id);
    const auto kept = builder.CreateVector(protocol::bits_of(source->kept()));
    const objects::DatabaseIdentity* database = source->database();
    const auto backend = database == nullptr ? 0 : builder.CreateString(std::string(to_string(database->kind)));
    const auto options = database == nullptr ? 0 : builder.CreateString(database->options);
    objects.push_back(wire::CreateObjectOffer(builder, &id, object.epoch, object.size_bytes, name,
                                              static_cast<uint8_t>(object.kind), listing->size(), kept, backend, options));
  }
  std::optional<fabric::Registration> exposed;
  wire::Window window;
  if (!listings.empty()) {
    auto domain = const_cast<fabric::Domain&>(channel.domain()).shared_from_this();
    auto registered = domain->register_memory(listings, fabric::Access::kRemoteRead);
    if (!registered) return with_context("the list of the files", std::move(registered).error());
    exposed.emplace(std::move(*registered));
    const fabric::RemoteMemory remote = exposed->remote();
    window = wire::Window(remote.address, remote.key, remote.length_bytes);
  }
  const wire::DigestValue digest = protocol::to_wire(digest_of(listings));
  const auto source = builder.CreateString(request_.source_address);
  const auto target = builder.CreateString(request_.destination_target);
  const auto list = builder.CreateVector(objects);
  const auto extra = builder.CreateString(request_.extra_config);
  const wire::Id job = protocol::to_wire(request_.job);
  const wire::Id node = protocol::to_wire(journal_.node_id());
  const uint64_t blocks = bytes_total_ / request_.block_bytes + 1;
  const auto streams = static_cast<uint32_t>(std::min<uint64_t>(request_.streams, blocks));
  const auto body =
      wire::CreateOfferRequest(builder, &job, source, target, request_.copy, request_.block_bytes, streams, list, &node,
                               &window, &digest, request_.update, request_.verify, request_.dry_run, passes_++, extra);
  const uint64_t number = next_request_++;
  if (auto sent = channel.send(encoder_.finish(number, body)); !sent) return std::move(sent).error();
  auto tokens = hear_answers(channel, number);
  if (!tokens && exposed) channel.close();  // The destination may still be reading from what we are about to free.
  return tokens;
}

Result<std::vector<Id>> OutboundJob::hear_answers(fabric::Channel& channel, uint64_t number) {
  auto event = channel.wait(Deadline::after(settings_.stall_timeout));
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
  destination_node_ = protocol::from_wire(reply.node());
  const std::lock_guard lock(mutex_);
  std::vector<std::unique_ptr<objects::Source>> accepted;
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
    source->resume();
  }
  sources_ = std::move(accepted);
  bytes_total_ = counters_.bytes_done + bytes;
  return Done{};
}

Result<> OutboundJob::send_blocks(fabric::Channel& channel, const std::vector<Id>& tokens) {
  std::vector<objects::Source*> sources;
  std::vector<uint64_t> sizes;
  bool survives = true;
  journal::OutboundJob record{request_.job,
                              journal::OutboundState::kStarted,
                              !request_.copy,
                              true,
                              request_.destination_address,
                              request_.destination_target,
                              {},
                              destination_node_};
  for (const auto& source : sources_) {
    sources.push_back(source.get());
    sizes.push_back(source->size_bytes());
    survives = survives && source->survives_restart();
    record.objects.push_back(source->manifest());
  }
  record.source_survives = survives;
  if (!journalled_)
    if (auto written = journal_.start_outbound(record); !written) return written;
  journalled_ = true;

  EngineSettings settings = settings_;
  settings.block_bytes = request_.block_bytes;
  auto domain = const_cast<fabric::Domain&>(channel.domain()).shared_from_this();
  SourceTransfer shared(domain, std::move(sources), model::plan_blocks(sizes, request_.block_bytes), settings, counters_,
                        cancelled_);
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
        return;
      }
      connected++;
      outcomes[i] = SourceStream(*stream, shared).run();
      if (!outcomes[i]) shared.stop = true;
    });
  Result<> outcome = SourceStream(channel, shared).run();
  if (!outcome) shared.stop = true;
  threads.clear();  // Joins.
  for (Result<>& other : outcomes) {
    // Stopped because of another stream: that one knows why.
    const bool knows_more = outcome || outcome.error().code == Errc::kCancelled;
    if (knows_more && !other) outcome = std::move(other);
  }
  // Streams that end while others go on lose their peer: that is not the reason.
  if (!outcome && cancelled_) outcome = Error{Errc::kCancelled, "the migration was cancelled"};
  settle_failed_objects(shared);
  const std::lock_guard lock(mutex_);
  if (outcome && sources_.empty()) outcome = first_error_;  // Not one could be read.
  streams_used_ = connected;
  staged_because_ = shared.ways.staged_because();
  return outcome;
}

// Objects that could not be read: the destination is told with the prepare, and they serve here as before.
void OutboundJob::settle_failed_objects(const SourceTransfer& transfer) {
  const std::lock_guard lock(mutex_);
  for (const auto& [index, error] : transfer.failed_objects()) {
    failed_.push_back(index);
    if (first_error_.code == Errc{}) first_error_ = error;
    const Id id = sources_[index]->manifest().id;
    for (ObjectResult& result : results_)
      if (result.source_id == id && result.error == Errc{}) result.error = error.code;
    sources_[index]->resume();
    sources_[index].reset();
  }
  std::erase(sources_, nullptr);
}

}  // namespace godwit::engine
