// Node: what can be asked of one daemon without a handle.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/id.hpp"
#include "base/result.hpp"
#include "client/client.hpp"
#include "fabric/address.hpp"
#include "godwit/godwit.h"

namespace godwit::client {

// Made for a call or two; holds no state of its own. The client must outlive it.
// Every method blocks, and can also fail as Lane::ask.
class Node {
 public:
  Node(Client& client, const fabric::Address& address) : client_(client), address_(address) {}

  // Seconds of one round trip, without the time to connect.
  Result<double> ping();
  Result<std::string> doctor();
  Result<std::vector<godwit_target_info>> targets();
  // Errors: kNotFound, no such target.
  Result<godwit_target_info> target(const std::string& name);
  // In the order of ids. target empty: all. Errors: kNotFound, no such target.
  Result<std::vector<godwit_region_info>> regions(const std::string& target);
  // The same, a page of them in memory; until `take` gives false. `take` may use the client.
  Result<> each_region(const std::string& target, const std::function<bool(const godwit_region_info&)>& take);
  Result<std::vector<godwit_job_info>> jobs();
  // JSON objects, each with its '\n', the oldest first. Errors: kNotFound, nobody knows of the job; kIo.
  Result<std::string> job_events(const Id& job);
  // Itself first, then the others of its group, also those that do not answer it.
  Result<std::vector<godwit_member>> group();
  // Of all of `members` that answer; notes in it who does not.
  std::vector<godwit_job_info> jobs_of(std::vector<godwit_member>& members);
  // In the node's group; by name if the id is zero. Errors: kNotFound, kExists, kUnreachable.
  Result<godwit_place> locate(const Id& id, const std::string& name);
  // In bytes a second; 0: none.
  Result<uint64_t> bandwidth();
  Result<> limit(uint64_t bandwidth);

 private:
  Result<bool> region_page(const std::string& target, const Id& after, std::vector<godwit_region_info>& page);
  Result<uint64_t> ask_bandwidth(bool set, uint64_t bandwidth);

  Client& client_;
  const fabric::Address& address_;
};

}  // namespace godwit::client
