// Requests about plans.
#include <fmt/format.h>

#include <algorithm>

#include "daemon/directory.hpp"
#include "daemon/group.hpp"
#include "daemon/requests.hpp"
#include "identity/user_groups.hpp"

namespace godwit::daemon {

std::vector<std::string> Node::addresses_for(const std::string& destination) const {
  std::vector<std::string> own = addresses;
  const std::string provider = destination.substr(0, destination.find("://"));
  std::stable_partition(own.begin(), own.end(),
                        [&](const std::string& address) { return address.starts_with(provider + "://"); });
  return own;
}

Result<> Node::check_destination(const std::string& destination) const {
  const auto is_it = [&](const std::string& known) { return known == destination; };
  if (std::ranges::any_of(addresses, is_it) || std::ranges::any_of(settings.group_members, is_it)) return Done{};
  if (directory)
    for (const fabric::Address& other : directory->others())
      if (is_it(fabric::to_string(other))) return Done{};
  if (const auto silence = directory ? directory->silence() : std::nullopt)
    return Error{Errc::kUnreachable, fmt::format("who is of this node's group cannot be known now: {}", silence->text)};
  return Error{Errc::kDenied,
               "users may migrate within this node's group only, and that address is not of it, as its configuration "
               "(group) has it"};
}

engine::PlanHost Node::plan_host() const {
  return {[this](const std::string& destination) { return addresses_for(destination); },
          [this](const std::string& destination) { return check_destination(destination); },
          [this](const objects::Permission& owner) {
            const bool is_own = owner.uid == permissions->own().uid;
            return objects::Caller{is_own, owner.uid, owner.gid, identity::groups_of(owner.uid, owner.gid)};
          }};
}

namespace {

// A longer answer could not be sent.
Result<> check_length(const std::string& answer) {
  if (answer.size() < engine::PlanTable::kAccountBytesMax) return Done{};
  return Error{Errc::kLimit, "the plan's account is longer than a message may be: make several plans of it"};
}

}  // namespace

Requests::Reply Requests::make_plan(uint64_t request, const wire::PlanRequest& wanted) {
  if (wanted.document() == nullptr) return Error{Errc::kProtocol, "the request has no document"};
  auto made = node_.plans->make(caller_, wanted.document()->str());
  if (!made) return std::move(made).error();
  if (auto fits = check_length(made->second); !fits) return std::move(fits).error();
  const wire::Id id = protocol::to_wire(made->first);
  auto& builder = encoder_.builder();
  return encoder_.finish(request, wire::CreatePlanReply(builder, &id, builder.CreateString(made->second)));
}

Requests::Reply Requests::act_on_plan(uint64_t request, const wire::PlanActionRequest& wanted) {
  const Id id = protocol::from_wire(wanted.id());
  Result<std::string> shown = Error{Errc::kProtocol, "no such action on a plan"};
  switch (wanted.action()) {
    case wire::PlanAction::show: shown = node_.plans->show(caller_, id); break;
    case wire::PlanAction::execute: shown = node_.plans->execute(caller_, id); break;
    case wire::PlanAction::cancel: shown = node_.plans->cancel(caller_, id); break;
    case wire::PlanAction::remove: {
      if (auto removed = node_.plans->remove(caller_, id); !removed) return std::move(removed).error();
      return done(request);
    }
  }
  if (!shown) return std::move(shown).error();
  if (auto fits = check_length(*shown); !fits) return std::move(fits).error();
  const wire::Id wire_id = protocol::to_wire(id);
  auto& builder = encoder_.builder();
  return encoder_.finish(request, wire::CreatePlanReply(builder, &wire_id, builder.CreateString(*shown)));
}

Requests::Reply Requests::list_plans(uint64_t request) {
  return encoder_.finish(request, wire::CreatePlanListReplyDirect(encoder_.builder(), node_.plans->list(caller_).c_str()));
}

}  // namespace godwit::daemon
