#include "client/plan.hpp"

#include <algorithm>

#include "client/lane.hpp"
#include "client/place.hpp"

namespace godwit::client {
namespace {

constexpr milliseconds kMakeTimeout{600'000};  // Large trees are walked.

std::string subject_of(const Id& id) { return "plan " + to_string(id); }

}  // namespace

Result<std::string> Plans::make(const std::string& document) {
  const Lease lane = client_.borrow();
  const Request request = lane->request(wire::CreatePlanRequestDirect(lane->builder(), document.c_str()));
  const auto deadline = Deadline::after(std::max(kMakeTimeout, client_.settings().operation_timeout));
  // Asked for once: twice would be two plans.
  const auto reply =
      expect<wire::PlanReply>(lane->ask(address_, fabric::Purpose::kControl, request, Repeat::kNever, deadline), address_);
  if (!reply) return reply.error();
  return protocol::text_of(reply->body<wire::PlanReply>()->json());
}

Result<std::string> Plans::act(const Id& id, wire::PlanAction action) {
  const auto reply = reach(id, action);
  if (!reply) return reply.error();
  const auto* plan = reply->body<wire::PlanReply>();
  if (plan == nullptr) return reply->to_error(address_);
  return protocol::text_of(plan->json());
}

Result<> Plans::remove(const Id& id) {
  const auto reply = reach(id, wire::PlanAction::remove);
  if (!reply) return reply.error();
  if (reply->body<wire::DoneReply>() == nullptr) return reply->to_error(address_);
  return Done{};
}

Result<> Plans::change_mode(const Id& id, uint32_t mode) {
  return Place(client_, address_, subject_of(id), Follow::kAlways).change_mode(id, mode);
}

// At the member of the group that keeps it.
Result<Reply> Plans::reach(const Id& id, wire::PlanAction action) {
  Place place(client_, address_, subject_of(id), Follow::kAlways);
  return place.reach(WhenBusy::kFail, [&](const fabric::Address& at) {
    const Lease lane = client_.borrow();
    const wire::Id wire_id = protocol::to_wire(id);
    const Request request = lane->request(wire::CreatePlanActionRequest(lane->builder(), &wire_id, action));
    return lane->ask(at, request, action == wire::PlanAction::show ? Repeat::kWhenBroken : Repeat::kNever);
  });
}

Result<std::string> Plans::list() {
  const Lease lane = client_.borrow();
  const Request request = lane->request(wire::CreatePlanListRequest(lane->builder()));
  const auto reply = expect<wire::PlanListReply>(lane->ask(address_, request, Repeat::kWhenBroken), address_);
  if (!reply) return reply.error();
  return protocol::text_of(reply->body<wire::PlanListReply>()->json());
}

}  // namespace godwit::client
