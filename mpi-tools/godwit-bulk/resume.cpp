#include "godwit-bulk/resume.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "godwit-bulk/client.hpp"
#include "godwit-bulk/find_job.hpp"

namespace godwit::bulk {
namespace {

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

class AskedJobs final : public SourceJobs {
 public:
  explicit AskedJobs(const Client& client) : client_(client) {}

  std::optional<std::vector<SourceJob>> list(const std::string& source) override {
    godwit_job_info* infos = nullptr;
    size_t count = 0;
    if (godwit_job_list(client_.get(), source.c_str(), &infos, &count) != GODWIT_OK) return std::nullopt;
    const List<godwit_job_info> owner(infos);
    std::vector<SourceJob> jobs;
    for (size_t i = 0; i < count; ++i)
      jobs.push_back({infos[i].id, infos[i].destination, infos[i].copy != 0, infos[i].ended != 0});
    return jobs;
  }
  std::optional<std::vector<godwit_region_id>> objects(const std::string& source, const std::string& job,
                                                       uint32_t timeout_ms) override {
    Results results;
    if (results_of(client_, source, job, timeout_ms, results) != GODWIT_OK) return std::nullopt;
    std::vector<godwit_region_id> objects;
    for (size_t i = 0; i < results.count; ++i) objects.push_back(results.list[i].source_id);
    return objects;
  }

 private:
  const Client& client_;
};

// Settles the open calls of an earlier run.
class Settler {
 public:
  Settler(const Client& client, EarlierRun& earlier, uint32_t timeout_ms)
      : client_(client), earlier_(earlier), timeout_ms_(timeout_ms) {}

  // Asks the call's source until its job has ended, or for as long as is bearable.
  void settle(OpenCall call);

 private:
  const Client& client_;
  AskedJobs jobs_{client_};
  EarlierRun& earlier_;
  const uint32_t timeout_ms_;
  std::unordered_set<std::string> taken_;  // The jobs that were found: each is one call's.
};

void Settler::settle(OpenCall call) {
  // What a move has not taken away is still at the source, and there to be moved: its list is enough. Not so of files: their
  // paths come from the command line.
  const bool is_listed = !earlier_.is_copy() && call.kind != Kind::kFiles;
  const Found found = call.job.empty() ? find_job(call, earlier_, taken_, jobs_, timeout_ms_) : Found::kJob;
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
