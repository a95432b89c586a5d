#include "client/plan.hpp"

#include <algorithm>

#include "client/lane.hpp"

namespace godwit::client {
namespace {

constexpr milliseconds kMakeTimeout{600'000};  // Large trees are walked.

Result<std::string> json_of(const Result<Reply>& reply) {
  if (!reply) return reply.error();
  return protocol::text_of(reply->body<wire::PlanReply>()->json());
}

}  // namespace

Result<std::string> Plans::make(const std::string& document) {
  const Lease lane = client_.borrow();
  const Request request = lane->request(wire::CreatePlanRequestDirect(lane->builder(), document.c_str()));
  const auto deadline = Deadline::after(std::max(kMakeTimeout, client_.settings().operation_timeout));
  // Asked for once: twice would be two plans.
  return json_of(
      expect<wire::PlanReply>(lane->ask(address_, fabric::Purpose::kControl, request, Repeat::kNever, deadline), address_));
}

Result<std::string> Plans::act(const Id& id, wire::PlanAction action) {
  const Lease lane = client_.borrow();
  const wire::Id wire_id = protocol::to_wire(id);
  const Request request = lane->request(wire::CreatePlanActionRequest(lane->builder(), &wire_id, action));
  const Repeat repeat = action == wire::PlanAction::show ? Repeat::kWhenBroken : Repeat::kNever;
  return json_of(expect<wire::PlanReply>(lane->ask(address_, request, repeat), address_));
}

Result<> Plans::remove(const Id& id) {
  const Lease lane = client_.borrow();
  const wire::Id wire_id = protocol::to_wire(id);
  const Request request = lane->request(wire::CreatePlanActionRequest(lane->builder(), &wire_id, wire::PlanAction::remove));
  const auto reply = expect<wire::DoneReply>(lane->ask(address_, request, Repeat::kNever), address_);
  if (!reply) return reply.error();
  return Done{};
}

Result<> Plans::change_mode(const Id& id, uint32_t mode) {
  const Lease lane = client_.borrow();
  const wire::Id wire_id = protocol::to_wire(id);
  const Request request = lane->request(wire::CreateChangeModeRequest(lane->builder(), &wire_id, mode));
  const auto reply = expect<wire::DoneReply>(lane->ask(address_, request, Repeat::kWhenBroken), address_);
  if (!reply) return reply.error();
  return Done{};
}

Result<std::string> Plans::list() {
  const Lease lane = client_.borrow();
  const Request request = lane->request(wire::CreatePlanListRequest(lane->builder()));
  const auto reply = expect<wire::PlanListReply>(lane->ask(address_, request, Repeat::kWhenBroken), address_);
  if (!reply) return reply.error();
  return protocol::text_of(reply->body<wire::PlanListReply>()->json());
}

}  // namespace godwit::client
