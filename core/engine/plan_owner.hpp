// PlanOwner: whose plan it is. Its objects are looked at, and its jobs act, with his rights.
#pragma once

#include <functional>
#include <string>

#include "base/result.hpp"
#include "model/plan.hpp"
#include "objects/permissions.hpp"

namespace godwit::engine {

struct PlanOwner {
  objects::Permission permission;  // What his jobs get.
  objects::Caller caller;          // What the objects' own permissions are asked with.
};

// What plans ask of their daemon. Any thread, once services run.
struct PlanHost {
  // Where this node listens, first where a peer of this destination's provider reaches it.
  std::function<std::vector<std::string>(const std::string& destination)> own_addresses;
  // Whether what is a user's may go there. Errors: kDenied.
  std::function<Result<>(const std::string& destination)> check_destination;
  // The owner of something, long after he has proved who he is. Blocks for the node's directory of users.
  std::function<objects::Caller(const objects::Permission& permission)> caller_for;
};

// What everybody hears of a region or database that is not here, or that he may not read.
Error not_here(model::PlanKind kind, const std::string& name);
// Whether this caller may have the region or database `id` copied, or moved. Errors: not_here(); kDenied, he may only read it.
Result<> check_owned(const objects::Permissions& permissions, const objects::Caller& caller, model::PlanKind kind, const Id& id,
                     bool copy, const std::string& name);

}  // namespace godwit::engine
