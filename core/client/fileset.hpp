// Fileset: a client's way to start a migration of files, and to hear what a dry run found.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/id.hpp"
#include "base/result.hpp"
#include "client/client.hpp"
#include "client/place.hpp"
#include "fabric/address.hpp"
#include "godwit/godwit.h"
#include "model/transfer.hpp"

namespace godwit::client {

// What to migrate, checked already. The strings that `options` points to are those of the caller.
struct FilesetPlan {
  std::vector<std::string> paths;
  std::string destination;
  std::string directory;
  godwit_fileset_options options;
  model::Transfer transfer = {};
};

// Blocks; can also fail as Lane::ask. Asked for once: after kPeerLost and kTimeout, the list of jobs tells whether it was
// started. Errors: kInvalid, kLimit.
Result<Id> start_filesets(Client& client, const fabric::Address& source, const FilesetPlan& plan);

// `place`: of the job. Calls `each` until it returns false. The total. Blocks. Errors: kNotFound, no such job; as Place::reach.
Result<uint64_t> planned_files(Place& place, const Id& job, const std::function<bool(const godwit_planned_file&)>& each);

}  // namespace godwit::client
