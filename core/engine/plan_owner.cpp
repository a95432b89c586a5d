#include "engine/plan_owner.hpp"

#include <fmt/format.h>

#include "base/log.hpp"

namespace godwit::engine {

using objects::Want;

Error not_here(model::PlanKind kind, const std::string& name) {
  return Error{Errc::kNotFound, fmt::format("no {} '{}' here", to_string(kind), log::printable(name))};
}

Result<> check_owned(const objects::Permissions& permissions, const objects::Caller& caller, model::PlanKind kind, const Id& id,
                     bool copy, const std::string& name) {
  if (!permissions.may(caller, id, Want::kRead)) return not_here(kind, name);
  if (copy || permissions.may(caller, id, Want::kWrite)) return Done{};
  return Error{Errc::kDenied,
               fmt::format("user {} may read {} '{}', and not move it", caller.uid, to_string(kind), log::printable(name))};
}

}  // namespace godwit::engine
