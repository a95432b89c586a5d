#include "godwit-bulk/resume.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <unordered_set>
#include <utility>

#include "godwit-bulk/client.hpp"

namespace godwit::bulk {
namespace {

constexpr uint32_t kLookMs = 1000;  // How long a job that may be a call's is waited for.

struct Results {
  godwit_migrate_result* list = nullptr;
  size_t count = 0;
  Results() = default;
  Results(const Results&) = delete;
  Results& operator=(const Results&) = delete;
  ~Results() { godwit_free(list); }
};

// Waits until the job has ended, at most so long. Errors: BUSY, it has not; NOT_FOUND, nobody knows of it any more.
int results_of(const Client& client, const std::string& source, const std::string& job, uint32_t timeout_ms, Results& results) {
  godwit_migration* opened = nullptr;
  if (const int error = godwit_migration_open(client.get(), source.c_str(), job.c_str(), &opened)) return error;
  const Migration migration(opened);
  static_cast<void>(godwit_migration_wait(migration.get(), timeout_ms));
  return godwit_migration_results(migration.get(), &results.list, &results.count);
}

// Whether these may be the call's objects. Paths have no ids: there is only their number to go by.
bool may_be_of(const OpenCall& call, const Results& results) {
  if (results.count != call.ids.size()) return false;
  for (size_t i = 0; i < results.count && call.kind != Kind::kFiles; ++i)
    if (results.list[i].source_id.high != call.ids[i].high || results.list[i].source_id.low != call.ids[i].low) return false;
  return true;
}

// What is known of a call of which the report does not tell the job.
enum class Found { kNone, kJob, kPerhaps };

// Settles the open calls of an earlier run.
class Settler {
 public:
  Settler(const Client& client, EarlierRun& earlier, uint32_t timeout_ms)
      : client_(client), earlier_(earlier), timeout_ms_(timeout_ms) {}

  // Asks the call's source until its job has ended, or for as long as is bearable.
  void settle(OpenCall call);

 private:
  Found find_job(OpenCall& call);

  const Client& client_;
  EarlierRun& earlier_;
  const uint32_t timeout_ms_;
  std::unordered_set<std::string> taken_;  // The jobs that were found: each is one call's.
};

// Looks for the job among those of the source that the report does not name: there are few, if any.
Found Settler::find_job(OpenCall& call) {
  const bool is_copy = earlier_.is_copy();
  godwit_job_info* infos = nullptr;
  size_t count = 0;
  if (godwit_job_list(client_.get(), call.source.c_str(), &infos, &count) != GODWIT_OK) return Found::kPerhaps;
  const List<godwit_job_info> owner(infos);
  size_t oldest_named = 0;  // The list begins with the newest: what is before this one was begun during that run, or later.
  for (size_t i = 0; i < count; ++i)
    if (earlier_.knows_job(infos[i].id)) oldest_named = i;
  Found found = Found::kNone;
  for (size_t i = 0; i < count; ++i) {
    const std::string id = infos[i].id;
    if ((infos[i].copy != 0) != is_copy || call.destination != infos[i].destination) continue;
    if (earlier_.knows_job(id) || taken_.contains(id)) continue;
    const bool had_ended = infos[i].ended != 0;
    const bool is_worth_waiting = !had_ended && call.kind != Kind::kFiles;
    Results results;
    const int error = results_of(client_, call.source, id, is_worth_waiting ? timeout_ms_ : kLookMs, results);
    if (error != GODWIT_OK) found = Found::kPerhaps;
    if (error != GODWIT_OK || !may_be_of(call, results)) continue;
    // Paths in the same number are no proof, and the same regions may have been copied by a run of the night before.
    if (call.kind == Kind::kFiles || (is_copy && had_ended && i >= oldest_named)) {
      found = Found::kPerhaps;
      continue;
    }
    call.job = id;
    taken_.insert(id);
    return Found::kJob;
  }
  return found;
}

void Settler::settle(OpenCall call) {
  // What a move has not taken away is still at the source, and there to be moved: its list is enough. Not so of files: their
  // paths come from the command line.
  const bool is_listed = !earlier_.is_copy() && call.kind != Kind::kFiles;
  const Found found = call.job.empty() ? find_job(call) : Found::kJob;
  if (found == Found::kNone || (found == Found::kPerhaps && is_listed)) return;
  Results results;
  const int error =
      found == Found::kPerhaps ? GODWIT_ERR_BUSY : results_of(client_, call.source, call.job, timeout_ms_, results);
  if (error == GODWIT_ERR_NOT_FOUND && !earlier_.is_copy()) return;
  const bool is_told = error == GODWIT_OK && results.count == call.ids.size();
  for (size_t i = 0; i < call.ids.size(); ++i) {
    if (!is_told)
      earlier_.settle_in_doubt(call.kind, call.ids[i], call.names[i]);
    else if (results.list[i].error == GODWIT_OK)
      earlier_.settle_arrived(call.kind, call.ids[i], call.names[i]);
  }
}

}  // namespace

EarlierRun read_earlier(const Options& options) {
  if (options.resume_file.empty()) return {};
  const std::string path = lines_of_report(options.resume_file);
  std::ifstream file(path);
  if (!file) throw Refused(GODWIT_ERR_IO, fmt::format("--resume {}: {}", path, std::strerror(errno)));
  EarlierRun earlier(file, path);
  if (earlier.is_copy() != options.copy)
    throw Refused(GODWIT_ERR_INVALID, fmt::format("--resume: {} is of a run with{} --copy", path, options.copy ? "out" : ""));
  const Client client = open_client();
  const uint32_t timeout_ms = options.dry_run ? 1 : options.stall_seconds * 1000;
  Settler settler(client, earlier, timeout_ms);
  for (OpenCall& call : earlier.take_open_calls()) settler.settle(std::move(call));
  earlier.settled();
  return earlier;
}

}  // namespace godwit::bulk
