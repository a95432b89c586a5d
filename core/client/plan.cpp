#include "client/plan.hpp"

#include <algorithm>

#include "client/lane.hpp"

namespace godwit::client {
namespace {

constexpr milliseconds kMakeTimeout{600'000};  // Large trees are walked.

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
  Place place = place_of(id);
  const auto reply = place.reach(WhenBusy::kFail, asking(id, action));
  if (!reply) return reply.error();
  const auto* plan = reply->body<wire::PlanReply>();
  if (plan == nullptr) return place.about(reply->to_error(place.address()));
  return protocol::text_of(plan->json());
}

Result<> Plans::remove(const Id& id) { return place_of(id).reach_done(WhenBusy::kFail, asking(id, wire::PlanAction::remove)); }

Result<> Plans::change_mode(const Id& id, uint32_t mode) { return place_of(id).change_mode(id, mode); }

Place Plans::place_of(const Id& id) const { return {client_, address_, "plan " + to_string(id), Follow::kAlways}; }

Place::Attempt Plans::asking(const Id& id, wire::PlanAction action) const {
  return [this, id, action](const fabric::Address& at) {
    const Lease lane = client_.borrow();
    const wire::Id wire_id = protocol::to_wire(id);
    const Request request = lane->request(wire::CreatePlanActionRequest(lane->builder(), &wire_id, action));
    return lane->ask(at, request, action == wire::PlanAction::show ? Repeat::kWhenBroken : Repeat::kNever);
  };
}

Result<std::string> Plans::list() {
  const Lease lane = client_.borrow();
  const Request request = lane->request(wire::CreatePlanListRequest(lane->builder()));
  const auto reply = expect<wire::PlanListReply>(lane->ask(address_, request, Repeat::kWhenBroken), address_);
  if (!reply) return reply.error();
  return protocol::text_of(reply->body<wire::PlanListReply>()->json());
}

}  // namespace godwit::client
