// Requests: what a client asks on a control connection, and the answer.
#pragma once

#include <span>
#include <string>

#include "daemon/node.hpp"
#include "objects/database/database_work.hpp"
#include "objects/region_entry.hpp"
#include "protocol/codec.hpp"

namespace godwit::daemon {

// One thread at a time; holds the buffer of its last answer.
class Requests {
 public:
  Requests(Node& node, const std::string& address) : node_(node), address_(address) {}

  // Whether to answer it in the service's loop, or where waiting does no harm.
  bool waits_for_disk(const protocol::Decoded& message) const;
  // The answer, an ErrorReply if it failed; valid until the next call. Blocks if waits_for_disk().
  std::span<const std::byte> answer(const protocol::Decoded& message);
  std::span<const std::byte> refuse(uint64_t request, Error error);

  // Does to the job what the request asks for. Whether it still runs. Errors: kNotFound, no such job; kBusy, it is past that.
  Result<bool> steer(const wire::JobRequest& request);
  std::span<const std::byte> job_status(uint64_t request, const Id& job);

 private:
  using Reply = Result<std::span<const std::byte>>;
  Reply dispatch(const protocol::Decoded& message);
  Reply ping(uint64_t request);
  Reply doctor(uint64_t request);
  Reply list_targets(uint64_t request);
  Reply create(uint64_t request, const wire::RegionCreateRequest& create);
  Reply stat(uint64_t request, const wire::RegionStatRequest& stat);
  Reply list(uint64_t request, const wire::RegionListRequest& list);
  Reply write(uint64_t request, const wire::RegionWriteRequest& write);
  Reply read(uint64_t request, const wire::RegionReadRequest& read);
  Reply persist(uint64_t request, const wire::RegionPersistRequest& persist);
  Reply erase(uint64_t request, const wire::RegionEraseRequest& erase);
  Reply migrate(uint64_t request, const wire::MigrateRequest& migrate);
  Reply migrate_files(uint64_t request, const wire::MigrateFilesRequest& migrate);
  Reply migrate_database(uint64_t request, const wire::MigrateDatabaseRequest& migrate);
  Reply job_files(uint64_t request, const wire::JobFilesRequest& files);
  // Where this node listens, first where a peer of `destination`'s provider reaches it: it may have to ask us back.
  std::vector<std::string> own_addresses(const std::string& destination) const;
  Reply list_jobs(uint64_t request);
  Reply job_events(uint64_t request, const wire::JobEventsRequest& events);
  Reply bandwidth(uint64_t request, const wire::BandwidthRequest& bandwidth);
  Reply job_results(uint64_t request, const wire::JobResultsRequest& results);
  Reply decision(uint64_t request, const wire::DecisionRequest& decision);
  Reply create_database(uint64_t request, const wire::DatabaseCreateRequest& create);
  Reply stat_database(uint64_t request, const wire::DatabaseStatRequest& stat);
  Reply list_databases(uint64_t request, const wire::DatabaseListRequest& list);
  Reply destroy_database(uint64_t request, const wire::DatabaseDestroyRequest& destroy);
  Reply work(uint64_t request, const wire::DatabaseWorkRequest& work);

  Result<objects::DatabasePtr> find_database(const wire::Id* id);
  Reply database_reply(uint64_t request, objects::Database& database);
  Result<objects::RegionPtr> find(const wire::Id* id);
  Reply region_reply(uint64_t request, const objects::Region& region);
  Reply done(uint64_t request) { return encoder_.finish(request, wire::CreateDoneReply(encoder_.builder())); }

  Node& node_;
  const std::string& address_;
  protocol::Encoder encoder_;
  objects::Moved moved_;  // Of the last object that was not found here.
};

}  // namespace godwit::daemon
