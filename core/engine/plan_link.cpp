#include "engine/plan_link.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.hpp"
#include "engine/object_offers.hpp"

namespace godwit::engine {

Result<PlanLink> PlanLink::open(Domains& domains, const std::string& source, const std::string& destination, const Id& node,
                                const EngineSettings& settings, const std::atomic<bool>& cancelled) {
  const auto address = fabric::parse_address(destination);
  if (!address) return address.error();
  auto domain = domains.of(*address);
  if (!domain) return std::move(domain).error();
  auto channel = fabric::Channel::connect(*domain, *address, {fabric::Purpose::kJob, random_id()},
                                          Deadline::after(settings.connect_timeout));
  if (!channel) return std::move(channel).error();
  return PlanLink(std::move(*channel), std::move(*domain), source, node, settings, cancelled);
}

// The answer. Errors: the destination's refusal, too.
Result<fabric::Message> PlanLink::exchange(std::span<const std::byte> request) {
  if (auto sent = channel_.send(request); !sent) return std::move(sent).error();
  constexpr milliseconds kLook{100};
  const auto patience = Deadline::after(settings_.stall_timeout + settings_.hook_timeout);
  auto event = channel_.wait(Deadline::after(kLook));
  while (!event && event.error().code == Errc::kTimeout && !patience.passed() && !*cancelled_)
    event = channel_.wait(Deadline::after(kLook));
  if (*cancelled_) return Error{Errc::kCancelled, "the daemon stops"};
  if (!event) return std::move(event).error();
  auto* bytes = std::get_if<fabric::Message>(&*event);
  if (bytes == nullptr) return Error{Errc::kInternal, "an RMA completion while a plan is made"};
  const auto message = protocol::decode(*bytes);
  if (!message) return message.error();
  if (const auto* refused = message->body<wire::ErrorReply>()) return protocol::from_wire(*refused);
  return std::move(*bytes);
}

// Seconds.
Result<double> PlanLink::round(std::span<std::byte> bytes) {
  auto registered = domain_->register_memory(bytes, fabric::Access::kRemoteRead);
  if (!registered) return std::move(registered).error();
  const fabric::RemoteMemory remote = registered->remote();
  const wire::Window window(remote.address, remote.key, remote.length_bytes);
  const auto begin = Clock::now();
  auto answer = exchange(encoder_.finish(next_request_++, wire::CreateProbeRequest(encoder_.builder(), &window)));
  if (!answer) {
    channel_.close();  // The destination may still be reading.
    return std::move(answer).error();
  }
  const auto message = protocol::decode(*answer);
  const auto* reply = message->body<wire::ProbeReply>();
  if (reply == nullptr || reply->bytes() != bytes.size())
    return Error{Errc::kProtocol, "the answer to a probe is something else"};
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

Result<double> PlanLink::measure() {
  constexpr uint64_t kSmallBytes = 256_KiB, kLargeBytes = 16_MiB, kBytesMax = 64_MiB;
  // Large enough that a processor's cache does not hold both ends of it.
  constexpr size_t kRoundsMin = 3;
  constexpr double kSeconds = 0.5, kRoundSecondsMax = 0.25;
  std::vector<std::byte> bytes(kLargeBytes, std::byte{0x5a});
  auto first = round(std::span(bytes).first(kSmallBytes));  // Buffers are made, pages are touched.
  if (!first) return std::move(first).error();
  first = round(std::span(bytes).first(kSmallBytes));
  if (!first) return std::move(first).error();
  const bool is_slow = *first * (kLargeBytes / kSmallBytes) > kRoundSecondsMax;
  const std::span<std::byte> window = std::span(bytes).first(is_slow ? kSmallBytes : kLargeBytes);
  std::vector<double> rounds;
  double total = 0;
  while (rounds.size() < kRoundsMin || (total < kSeconds && (rounds.size() + 1) * window.size() <= kBytesMax)) {
    auto seconds = round(window);
    if (!seconds) return std::move(seconds).error();
    rounds.push_back(*seconds);
    total += *seconds;
  }
  const auto middle = rounds.begin() + static_cast<ptrdiff_t>(rounds.size() / 2);
  std::nth_element(rounds.begin(), middle, rounds.end());
  return static_cast<double>(window.size()) / std::max(*middle, 1e-9);
}

Result<std::vector<Error>> PlanLink::ask(const PlanQuestion& question) {
  auto& builder = encoder_.builder();
  ObjectOffers objects;
  for (const PlanQuestion::Object& object : question.objects)
    objects.add(builder, object.manifest, object.listing, {}, object.database,
                object.permission ? &*object.permission : nullptr);
  if (auto exposed = objects.expose(*domain_); !exposed) {
    builder.Clear();
    return std::move(exposed).error();
  }
  const wire::Window window = objects.window();
  const auto source = builder.CreateString(source_);
  const auto place = builder.CreateString(question.place);
  const auto list = builder.CreateVector(objects.entries());
  const wire::Id job = protocol::to_wire(random_id());
  const wire::Id node = protocol::to_wire(node_);
  const wire::DigestValue digest = objects.digest();
  constexpr bool kUpdate = false, kVerify = false, kDryRun = true;
  auto answer = exchange(encoder_.finish(
      next_request_++, wire::CreateOfferRequest(builder, &job, source, place, question.copy, settings_.block_bytes, 1, list,
                                                &node, &window, &digest, kUpdate, kVerify, kDryRun)));
  if (!answer) {
    if (objects.are_exposed()) channel_.close();  // The destination may still be reading from what we are about to free.
    return std::move(answer).error();
  }
  const auto message = protocol::decode(*answer);
  const auto* reply = message->body<wire::OfferReply>();
  if (reply == nullptr || reply->answers() == nullptr || reply->answers()->size() != question.objects.size())
    return Error{Errc::kProtocol, "the destination did not answer for each object"};
  std::vector<Error> answers;
  bool has_text = true;  // The first refusal has one.
  for (const wire::ObjectAnswer* one : *reply->answers()) {
    if (one->error() == 0) {
      answers.push_back({Errc{}, {}});
      continue;
    }
    const Errc code = error_from_number(one->error());
    const std::string text =
        has_text ? log::printable(protocol::text_of(reply->first_error())) : std::string(error_row(code).meaning);
    has_text = false;
    answers.push_back({code, text});
  }
  return answers;
}

}  // namespace godwit::engine
