// InboundTable's answers to offers: new jobs, further attempts of those that are here, and further passes.
#include <fmt/format.h>

#include <algorithm>

#include "base/fail_point.hpp"
#include "base/log.hpp"
#include "engine/attend.hpp"
#include "engine/hook.hpp"
#include "engine/inbound_table.hpp"
#include "objects/permissions.hpp"

namespace godwit::engine {

Result<Reservation> InboundTable::reserve(fabric::Channel& channel, const wire::OfferRequest& offer, const Id& id) {
  const uint8_t kind = offer.objects()->size() == 0 ? 0 : offer.objects()->Get(0)->kind();
  for (const wire::ObjectOffer* object : *offer.objects())
    if (object->kind() != kind) return Error{Errc::kProtocol, "the objects of a job are all of one kind"};
  switch (static_cast<objects::ObjectKind>(kind)) {
    case objects::ObjectKind::kRegion: return reserve_regions(store_, offer, id);
    case objects::ObjectKind::kFileset:
      if (auto kept = while_attending(channel, [&] { return keep_asker(offer, id); }); !kept) return std::move(kept).error();
      return reserve_filesets(filesets_, channel, offer, id, settings_);
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
  if (job) return Error{Errc::kProtocol, fmt::format("job {} is offered twice on one connection", to_string(id))};
  if (offer.objects()->size() > settings_.objects_max)
    return Error{Errc::kLimit,
                 fmt::format("{} objects; {} are allowed in a job", offer.objects()->size(), settings_.objects_max)};
  if (offer.block_bytes() < 4_KiB || offer.block_bytes() > 64_MiB)
    return Error{Errc::kInvalid, fmt::format("block_bytes {}; 4 KiB to 64 MiB are allowed", offer.block_bytes())};
  {
    const std::lock_guard lock(mutex_);
    if (!arriving_.insert(id).second)
      return Error{Errc::kBusy, fmt::format("job {} is being offered, or ended, on another connection", to_string(id))};
  }
  auto taken = take_offer(channel, message, encoder, job, id);
  // Of nothing that is here nobody has to know whose it was.
  if (settings_.on_forgotten && !find(id)) while_attending(channel, [&] { settings_.on_forgotten(id); });
  const std::lock_guard lock(mutex_);
  arriving_.erase(id);
  return taken;
}

// Before anything is made for it: whose rights the job's files are written with, also when a restart clears up after it.
// Without a word it is the daemon's own. Errors: kProtocol, the objects are of several users; the journal's.
Result<> InboundTable::keep_asker(const wire::OfferRequest& offer, const Id& id) {
  const wire::Permission* first = offer.objects()->Get(0)->permission();
  for (const wire::ObjectOffer* object : *offer.objects()) {
    const wire::Permission* said = object->permission();
    const bool same =
        first == nullptr || said == nullptr ? first == said : said->uid() == first->uid() && said->gid() == first->gid();
    if (!same) return Error{Errc::kProtocol, "the filesets of a job are all of one user's"};
  }
  if (first == nullptr) return Done{};
  if (!settings_.permissions) return Error{Errc::kUnsupported, "this node knows no users"};
  return settings_.permissions->set(id, {first->uid(), first->gid()}, !offer.dry_run());
}

// Before anybody can ask for them. Only daemons and administrators come so far: what they say about users is believed.
Result<> InboundTable::keep_permissions(const wire::OfferRequest& offer, const Reservation& reserved) {
  if (!settings_.permissions) return Done{};
  std::vector<Id> ids;
  std::vector<objects::Permission> permissions;
  for (uint32_t i = 0; i < reserved.answers.size() && i < offer.objects()->size(); ++i) {
    const wire::Permission* said = offer.objects()->Get(i)->permission();
    const bool is_fileset = offer.objects()->Get(i)->kind() == static_cast<uint8_t>(objects::ObjectKind::kFileset);
    if (said == nullptr || is_fileset || reserved.answers[i].error() != 0) continue;
    constexpr uint32_t kModeMask = 0777;
    ids.push_back(protocol::from_wire(reserved.answers[i].destination_id()));
    permissions.push_back({said->uid(), said->gid(), said->mode() & kModeMask});
  }
  return settings_.permissions->set_all(ids, permissions, reserved.record.target_survives);
}

Result<std::span<const std::byte>> InboundTable::take_offer(fabric::Channel& channel, const protocol::Decoded& message,
                                                            protocol::Encoder& encoder, std::shared_ptr<InboundJob>& job,
                                                            const Id& id) {
  const auto& offer = *message.body<wire::OfferRequest>();
  auto earlier = resumed(channel, offer, id);
  if (!earlier) return std::move(earlier).error();
  if (*earlier) {
    auto answer = answer_resumed(channel, message, encoder, *earlier);
    if (answer) job = std::move(*earlier);
    if (answer || is_interruption(answer.error()) || !(*earlier)->forgotten()) return answer;
    log::warn("{}: begins anew: {}", (*earlier)->describe(), answer.error().text);
  }
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
  crash_point("destination.before.reserve");
  auto reservation = reserve(channel, offer, id);
  if (!reservation) return std::move(reservation).error();
  crash_point("destination.after.reserve");
  Reservation& reserved = *reservation;
  if (offer.dry_run()) {
    for (const auto& sink : reserved.sinks) sink->drop();
    return answer_offer(message.request(), reserved, {}, encoder);
  }
  if (auto owned = while_attending(channel, [&] { return keep_permissions(offer, reserved); }); !owned) {
    for (const auto& sink : reserved.sinks) sink->drop();
    return std::move(owned).error();
  }
  std::vector<objects::Sink*> sinks;
  for (const auto& sink : reserved.sinks) sinks.push_back(sink.get());
  job = std::make_shared<InboundJob>(journal_, std::move(reserved.record), std::move(reserved.sinks),
                                     model::DestinationMachine{}, settings_, &offer, listings_of(offer));
  job->stream_entered();  // Its own conversation's: the sinks stay until it leaves.
  receive(channel, offer, *job, std::move(sinks), reserved.sizes, {});
  {
    const std::lock_guard lock(mutex_);
    jobs_.insert_or_assign(id, job);
  }
  return answer_offer(message.request(), reserved, new_tokens(job, offer.streams()), encoder);
}

// The streams may come: their blocks land in `sinks`.
void InboundTable::receive(fabric::Channel& channel, const wire::OfferRequest& offer, InboundJob& job,
                           std::vector<objects::Sink*> sinks, std::span<const uint64_t> sizes, Arrived arrived) {
  EngineSettings settings = settings_;
  settings.block_bytes = offer.block_bytes();
  auto domain = const_cast<fabric::Domain&>(channel.domain()).shared_from_this();
  job.begin_transfer(
      std::make_shared<SinkTransfer>(std::move(domain), std::move(sinks), model::plan_blocks(sizes, offer.block_bytes()),
                                     settings, offer.verify(), std::move(arrived)),
      attempt_of(offer));
  if (!stopping_) return;
  if (const auto transfer = job.transfer()) transfer->stop = true;  // stop() may have looked before it was there.
}

Result<std::shared_ptr<InboundJob>> InboundTable::resumed(fabric::Channel& channel, const wire::OfferRequest& offer,
                                                          const Id& id) {
  const auto known = find(id);
  if (!known) return std::shared_ptr<InboundJob>();
  if (known->source_node() != protocol::from_wire(offer.node()))
    return Error{Errc::kExists, fmt::format("{} is here already, from another node", known->describe())};
  auto resumes = while_attending(channel, [&] { return known->resume(offer); });
  if (!resumes) return std::move(resumes).error();
  return *resumes ? known : nullptr;
}

Result<std::span<const std::byte>> InboundTable::answer_resumed(fabric::Channel& channel, const protocol::Decoded& message,
                                                                protocol::Encoder& encoder,
                                                                const std::shared_ptr<InboundJob>& job) {
  const auto& offer = *message.body<wire::OfferRequest>();
  if (job->is_of_databases()) {
    log::info("{}: goes on, attempt {}", job->describe(), offer.attempt());
    auto answer = begin_pass(channel, message, encoder, job, PassKind::kFirstOfAnotherAttempt);
    if (!answer) job->left(attempt_of(offer), is_interruption(answer.error()));
    return answer;
  }
  auto going_on = job->resumed();
  if (!going_on) return std::move(going_on).error();
  InboundJob::Resumed& resumed = *going_on;
  log::info("{}: goes on, attempt {}", job->describe(), offer.attempt());
  Reservation reserved;
  for (uint32_t i = 0; i < resumed.sinks.size(); ++i)
    if (!resumed.wanted[i].empty()) reserved.wanted.emplace_back(i, std::move(resumed.wanted[i]));
  receive(channel, offer, *job, std::move(resumed.sinks), resumed.sizes, std::move(resumed.arrived));
  reserved.answers = std::move(resumed.answers);
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
  return begin_pass(channel, message, encoder, job, PassKind::kLater);
}

namespace {

// Blocks all of whose bytes lie in what was found of their objects.
Arrived arrived_in(const std::vector<std::vector<Extent>>& found, const std::vector<uint64_t>& sizes, uint64_t block_bytes) {
  const auto plan = model::plan_blocks(sizes, block_bytes);
  const auto is_found = [&found](const model::Piece& piece) {
    const std::vector<Extent>& runs = found[piece.object];
    const auto after = std::ranges::upper_bound(runs, piece.extent.offset_bytes, {}, &Extent::offset_bytes);
    return after != runs.begin() && std::prev(after)->offset_bytes + std::prev(after)->length_bytes >=
                                        piece.extent.offset_bytes + piece.extent.length_bytes;
  };
  Arrived arrived{block_bytes};
  for (uint32_t block = 0; block < plan.size(); ++block)
    arrived.found.push_back(std::ranges::all_of(plan.pieces(block), is_found));
  return arrived;
}

}  // namespace

Result<std::span<const std::byte>> InboundTable::begin_pass(fabric::Channel& channel, const protocol::Decoded& message,
                                                            protocol::Encoder& encoder, const std::shared_ptr<InboundJob>& job,
                                                            PassKind kind) {
  const auto& offer = *message.body<wire::OfferRequest>();
  Reservation reserved;
  std::vector<objects::Sink*> sinks;
  auto begun = job->begin_pass([&](const InboundJob::Sinks& all) -> Result<> {
    auto reservation = reserve_pass(all, channel, offer, settings_, kind);
    if (!reservation) return std::move(reservation).error();
    reserved = std::move(*reservation);
    for (const auto& sink : all) sinks.push_back(sink.get());
    crash_point("destination.begin-pass");  // Picked by stop(), and without a transfer yet.
    return Done{};
  });
  if (!begun) return std::move(begun).error();
  Arrived arrived;
  if (kind == PassKind::kFirstOfAnotherAttempt) arrived = arrived_in(reserved.found, reserved.sizes, offer.block_bytes());
  receive(channel, offer, *job, std::move(sinks), reserved.sizes, std::move(arrived));
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
