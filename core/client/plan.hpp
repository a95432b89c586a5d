// Plan: what can be asked of a node about its plans, and those of its group. All that is known of one is a JSON text
// (docs/howto/plan.md).
#pragma once

#include <string>

#include "base/id.hpp"
#include "base/result.hpp"
#include "client/client.hpp"
#include "client/place.hpp"
#include "fabric/address.hpp"
#include "protocol/codec.hpp"

namespace godwit::client {

// Made for a call or two; holds no state of its own. The client must outlive it.
// Every method blocks, and can also fail as Lane::ask; the errors are those of godwit.h.
class Plans {
 public:
  Plans(Client& client, const fabric::Address& address) : client_(client), address_(address) {}

  // For at most ten minutes.
  Result<std::string> make(const std::string& document);
  Result<std::string> show(const Id& id) { return act(id, wire::PlanAction::show); }
  Result<std::string> execute(const Id& id) { return act(id, wire::PlanAction::execute); }
  Result<std::string> cancel(const Id& id) { return act(id, wire::PlanAction::cancel); }
  Result<> remove(const Id& id);
  Result<> change_mode(const Id& id, uint32_t mode);
  Result<std::string> list();

 private:
  Result<std::string> act(const Id& id, wire::PlanAction action);
  // At the member of the group that keeps it.
  Place place_of(const Id& id) const;
  Place::Attempt asking(const Id& id, wire::PlanAction action) const;

  Client& client_;
  const fabric::Address& address_;
};

}  // namespace godwit::client
