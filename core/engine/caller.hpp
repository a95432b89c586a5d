// caller_of: whom the owner of an object sees behind a connection.
#pragma once

#include "fabric/guard.hpp"
#include "objects/permissions.hpp"

namespace godwit::engine {

inline objects::Caller caller_of(const fabric::Identity& identity) {
  return {identity.is_unasked || identity.is_trusted, identity.uid, identity.gid, identity.groups};
}

}  // namespace godwit::engine
