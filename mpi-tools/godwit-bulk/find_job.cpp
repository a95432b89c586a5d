#include "godwit-bulk/find_job.hpp"

namespace godwit::bulk {
namespace {

constexpr uint32_t kLookMs = 1000;  // How long a job that may be a call's is waited for.

// Whether these may be the call's objects. Paths have no ids: there is only their number to go by.
bool may_be_of(const OpenCall& call, const std::vector<godwit_region_id>& objects) {
  if (objects.size() != call.ids.size()) return false;
  for (size_t i = 0; i < objects.size() && call.kind != Kind::kFiles; ++i)
    if (objects[i].high != call.ids[i].high || objects[i].low != call.ids[i].low) return false;
  return true;
}

}  // namespace

Found find_job(OpenCall& call, const EarlierRun& earlier, std::unordered_set<std::string>& taken, SourceJobs& jobs,
               uint32_t timeout_ms) {
  const auto known = jobs.list(call.source);
  if (!known) return Found::kPerhaps;
  size_t oldest_named = 0;  // The list begins with the newest: what is before this one was begun during that run, or later.
  for (size_t i = 0; i < known->size(); ++i)
    if (earlier.knows_job((*known)[i].id)) oldest_named = i;
  Found found = Found::kNone;
  for (size_t i = 0; i < known->size(); ++i) {
    const SourceJob& job = (*known)[i];
    if (job.is_copy != earlier.is_copy() || call.destination != job.destination) continue;
    if (earlier.knows_job(job.id) || taken.contains(job.id)) continue;
    const bool is_worth_waiting = !job.has_ended && call.kind != Kind::kFiles;
    const auto objects = jobs.objects(call.source, job.id, is_worth_waiting ? timeout_ms : kLookMs);
    if (!objects) found = Found::kPerhaps;
    if (!objects || !may_be_of(call, *objects)) continue;
    // Paths in the same number are no proof, and the same regions may have been copied by a run of the night before.
    if (call.kind == Kind::kFiles || (earlier.is_copy() && job.has_ended && i >= oldest_named)) {
      found = Found::kPerhaps;
      continue;
    }
    call.job = job.id;
    taken.insert(job.id);
    return Found::kJob;
  }
  return found;
}

}  // namespace godwit::bulk
