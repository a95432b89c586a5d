// Requests: what a client asks on a control connection, and the answer.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "daemon/node.hpp"
#include "objects/database/database_work.hpp"
#include "objects/permissions.hpp"
#include "objects/region_entry.hpp"
#include "protocol/codec.hpp"

namespace godwit::daemon {

// What a request asked for, and this node does not have: another member of the group may.
struct Sought {
  uint64_t request;
  Wanted wanted;
  Error refusal;  // What this node alone would have answered.
  objects::Moved moved;
};

// What everybody hears of a job that is not here, or not his. kNotFound.
Error unknown_job(const Id& job);

// One thread at a time; holds the buffer of its last answer.
class Requests {
 public:
  Requests(Node& node, const std::string& address, objects::Caller caller = {})
      : node_(node), address_(address), caller_(std::move(caller)) {}
  // Whose requests come now.
  void act_for(objects::Caller caller) { caller_ = std::move(caller); }

  // Whether to answer it in the service's loop, or where waiting does no harm.
  bool waits_for_disk(const protocol::Decoded& message) const;
  // The answer, an ErrorReply if it failed; valid until the next call. Blocks if waits_for_disk().
  std::span<const std::byte> answer(const protocol::Decoded& message);
  std::span<const std::byte> refuse(uint64_t request, Error error);

  // Whether to answer it by one of the group's threads.
  bool waits_for_group(const protocol::Decoded& message) const;
  // What the last answer() refused for want of something that the rest of the group may have; nothing in all other cases. Also
  // for a refusal that comes from steer().
  const std::optional<Sought>& sought() const { return sought_; }
  std::optional<Sought> sought_by(const protocol::Decoded& message, const Error& refusal) const;
  // The answer then: which member has it (kMoved), or that none has. Blocks for some seconds at most.
  std::span<const std::byte> seek(const Sought& sought);

  // Whether this caller may ask that at all. answer() has asked; others do before they serve a request in another way.
  // The one place where it is decided; large reads and writes, on streams, ask the same permissions.
  // Errors: kDenied; kNotFound, where to say more would tell that it is here; the daemon has logged it.
  Result<> permit(const protocol::Decoded& message) const;

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
  Reply list_jobs(uint64_t request);
  Reply job_events(uint64_t request, const wire::JobEventsRequest& events);
  Reply bandwidth(uint64_t request, const wire::BandwidthRequest& bandwidth);
  Reply job_results(uint64_t request, const wire::JobResultsRequest& results);
  Reply make_plan(uint64_t request, const wire::PlanRequest& wanted);
  Reply act_on_plan(uint64_t request, const wire::PlanActionRequest& wanted);
  Reply list_plans(uint64_t request);
  Reply locate(uint64_t request, const wire::LocateRequest& locate);
  Reply list_group(uint64_t request);
  Reply decision(uint64_t request, const wire::DecisionRequest& decision);
  Reply create_database(uint64_t request, const wire::DatabaseCreateRequest& create);
  Reply stat_database(uint64_t request, const wire::DatabaseStatRequest& stat);
  Reply list_databases(uint64_t request, const wire::DatabaseListRequest& list);
  Reply destroy_database(uint64_t request, const wire::DatabaseDestroyRequest& destroy);
  Reply work(uint64_t request, const wire::DatabaseWorkRequest& work);

  Result<> checkpoint(const Id& id, milliseconds patience);
  Result<> permit_region(const Id& id, const std::string& name, objects::Want want) const;
  Result<> permit_database(const Id& id, const std::string& name, objects::Want want) const;
  Result<> permit_job(const wire::Id* id) const;
  Result<> permit_destination(const flatbuffers::String* destination) const;
  // A new job's id, which is the caller's. Errors: those of the journal.
  Result<Id> own_job();
  // The answer to a job that was submitted, or not.
  Reply submitted(uint64_t request, const Id& own, const Result<Id>& job);
  Reply change_mode(uint64_t request, const wire::ChangeModeRequest& wanted);
  // Of the objects above `after`, in the order of their ids, up to `limit` that this caller may read, and whether there are
  // more. `list`: up to so many above an id.
  template <class Object, class List, class IdOf>
  std::pair<std::vector<Object>, bool> readable_page(Id after, uint32_t limit, const List& list, const IdOf& id_of) const {
    std::vector<Object> found;
    for (bool more = true; more && found.size() <= limit;) {
      const std::vector<Object> page = list(after, limit + 1);
      more = page.size() > limit;
      for (const Object& object : page)
        if (node_.permissions->may(caller_, id_of(object), objects::Want::kRead)) found.push_back(object);
      if (more) after = id_of(page.back());
    }
    const bool more = found.size() > limit;
    if (more) found.resize(limit);
    return {std::move(found), more};
  }
  // What of it this node serves, or keeps, and the asker may know of.
  std::vector<Place> places_here(const Wanted& wanted) const;
  Result<objects::DatabasePtr> find_database(const wire::Id* id);
  Reply database_reply(uint64_t request, objects::Database& database);
  Result<objects::RegionPtr> find(const wire::Id* id);
  Reply region_reply(uint64_t request, const objects::Region& region);
  Reply done(uint64_t request) { return encoder_.finish(request, wire::CreateDoneReply(encoder_.builder())); }

  Node& node_;
  const std::string& address_;
  objects::Caller caller_;
  protocol::Encoder encoder_;
  objects::Moved moved_;  // Of the last object that was not found here.
  std::optional<Sought> sought_;
};

}  // namespace godwit::daemon
