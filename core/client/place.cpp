#include "client/place.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "client/lane.hpp"
#include "godwit/godwit.h"

namespace godwit::client {
namespace {

constexpr int kHopsMax = 16;
constexpr milliseconds kFirstBusyPause{1};
constexpr milliseconds kLongestBusyPause{50};
// A transfer slower than this is as good as dead.
constexpr uint64_t kBytesPerMillisecondMin = 10'000;

}  // namespace

Deadline transfer_deadline(const Client& client, uint64_t bytes) {
  constexpr uint64_t kBytesMax = uint64_t{1} << 50;
  return Deadline::after(client.settings().operation_timeout +
                         milliseconds(std::min(bytes, kBytesMax) / kBytesPerMillisecondMin));
}

fabric::Address Place::address() const {
  const std::lock_guard lock(mutex_);
  return address_;
}

void Place::move_to(const fabric::Address& address) {
  const std::lock_guard lock(mutex_);
  address_ = address;
}

Error Place::about(Error error) const { return with_context(subject_, std::move(error)); }

Result<Reply> Place::reach(WhenBusy when_busy, const Attempt& attempt) {
  const Clock::time_point start = Clock::now();
  fabric::Address at = address();
  milliseconds pause = kFirstBusyPause;
  for (int hops = 0;;) {
    Result<Reply> reply = attempt(at);
    if (!reply) return about(std::move(reply).error());
    const wire::ErrorReply* refusal = reply->refusal();
    if (refusal == nullptr) return reply;
    if (refusal->error() == GODWIT_ERR_MOVED) {
      Result<fabric::Address> next = follow(at, *reply, ++hops);
      if (!next) return about(std::move(next).error());
      at = *std::move(next);
      move_to(at);
    } else if (refusal->error() == GODWIT_ERR_BUSY && when_busy == WhenBusy::kWait &&
               Clock::now() - start < client_.settings().operation_timeout) {
      // A migration has stopped the object; it soon serves again, here or elsewhere.
      std::this_thread::sleep_for(pause);
      pause = std::min(pause * 2, kLongestBusyPause);
    } else {
      return about(reply->to_error(at));
    }
  }
}

Result<> Place::reach_done(WhenBusy when_busy, const Attempt& attempt) {
  const Result<Reply> reply = reach(when_busy, attempt);
  if (!reply) return reply.error();
  if (reply->body<wire::DoneReply>() == nullptr) return about(reply->to_error(address()));
  return Done{};
}

Result<> Place::change_mode(const Id& id, uint32_t mode) {
  return reach_done(WhenBusy::kFail, [&](const fabric::Address& at) {
    const Lease lane = client_.borrow();
    const wire::Id on_wire = protocol::to_wire(id);
    return lane->ask(at, lane->request(wire::CreateChangeModeRequest(lane->builder(), &on_wire, mode)), Repeat::kWhenBroken);
  });
}

Result<fabric::Address> Place::follow(const fabric::Address& from, const Reply& moved, int hops) const {
  const std::string text = protocol::text_of(moved.refusal()->moved_address());
  if (!follows_ || text.empty()) return moved.to_error(from);
  if (hops > kHopsMax)
    return Error{Errc::kMoved, fmt::format("{}: moved on to {}, after {} moves already", to_string(from), text, kHopsMax)};
  Result<fabric::Address> next = fabric::parse_address(text);
  if (!next) return with_context(to_string(from) + ": moved to an address that is none", std::move(next).error());
  return next;
}

}  // namespace godwit::client
