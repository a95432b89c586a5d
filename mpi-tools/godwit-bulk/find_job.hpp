// find_job: the job of a call whose report does not tell it, among those that the call's source knows.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "godwit-bulk/earlier_run.hpp"

namespace godwit::bulk {

struct SourceJob {
  std::string id, destination;
  bool is_copy = false;
  bool has_ended = false;
};

// What a source says of its jobs. One thread; blocks.
class SourceJobs {
 public:
  virtual ~SourceJobs() = default;
  // The newest first. Nothing: it does not answer.
  virtual std::optional<std::vector<SourceJob>> list(const std::string& source) = 0;
  // The objects that the job was asked for, in that order, once it has ended. Nothing: it has not, within so long; or nobody
  // says.
  virtual std::optional<std::vector<godwit_region_id>> objects(const std::string& source, const std::string& job,
                                                               uint32_t timeout_ms) = 0;
};

enum class Found {
  kNone,     // The source has no job that could be the call's: it was never begun, or nobody knows of it any more.
  kJob,      // It is call.job.
  kPerhaps,  // There is one that may be.
};

// Looks among the jobs that the report does not name (there are few, if any), and that are not `taken`; adds the one that it
// finds to those. A job of regions or databases that runs is waited for, at most so long.
Found find_job(OpenCall& call, const EarlierRun& earlier, std::unordered_set<std::string>& taken, SourceJobs& jobs,
               uint32_t timeout_ms);

}  // namespace godwit::bulk
