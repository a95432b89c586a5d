// From the wire's tables to the structs of godwit.h.
#pragma once

#include <string>
#include <vector>

#include "base/id.hpp"
#include "base/result.hpp"
#include "godwit/godwit.h"
#include "protocol/codec.hpp"

namespace godwit::client {

inline godwit_region_id to_c(const Id& id) { return {id.high, id.low}; }
inline Id from_c(const godwit_region_id& id) { return Id{id.high, id.low}; }

godwit_target_info to_c(const wire::TargetEntry& entry);
godwit_region_info to_c(const wire::RegionEntry& entry);
godwit_database_info to_c(const wire::DatabaseEntry& entry);
godwit_progress progress_of(const wire::JobEntry& entry);
godwit_job_info to_c(const wire::JobEntry& entry);
godwit_member to_c(const wire::MemberEntry& entry);
godwit_place to_c(const wire::PlaceEntry& entry);
// That the member does not answer, and why.
void note(godwit_member& member, const Error& error);
godwit_migrate_result to_c(const wire::ObjectResult& result);

// Memory that the caller frees with godwit_free(). Errors: kMemory.
Result<char*> copy_for_c(const std::string& text);
// At least one element long, so that NULL never means "none".
template <class T>
Result<T*> copy_for_c(const std::vector<T>& values);

}  // namespace godwit::client
