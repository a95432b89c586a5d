// godwit.h: filesets.
#include <memory>

#include "client/c_boundary.hpp"
#include "client/fileset.hpp"
#include "client/handles.hpp"
#include "client/rules.hpp"
#include "client/to_c.hpp"

using namespace godwit;
using namespace godwit::client;
using fabric::Address;

namespace {

constexpr size_t kPathsMax = 100'000;

// Errors: kInvalid, an argument is NULL or breaks a rule; kLimit, too many paths.
Result<FilesetPlan> plan_from(const char* const* paths, size_t count, const char* destination, const char* directory,
                              const godwit_fileset_options* options) {
  if (paths == nullptr) return is_null("paths");
  if (count == 0) return Error{Errc::kInvalid, "there is no file to migrate: the count is 0"};
  if (count > kPathsMax) return Error{Errc::kLimit, std::to_string(count) + " paths are more than one migration takes: 100000"};
  if (destination == nullptr) return is_null("destination");
  if (directory == nullptr) return is_null("directory");
  if (const Result<Address> where = address_from(destination); !where) return where.error();
  FilesetPlan plan{{}, destination, directory, GODWIT_FILESET_OPTIONS_INIT, {}};
  for (size_t i = 0; i < count; ++i) {
    if (paths[i] == nullptr) return is_null("paths[" + std::to_string(i) + "]");
    if (paths[i][0] != '/')
      return Error{Errc::kInvalid, "the path '" + std::string(paths[i]) + "' is not absolute: it is one of the source's node"};
    plan.paths.emplace_back(paths[i]);
  }
  if (options == nullptr) return plan;
  plan.options = *options;
  if (options->rule_count > 0 && options->rules == nullptr) return is_null("rules");
  for (size_t i = 0; i < options->rule_count; ++i)
    if (options->rules[i].pattern == nullptr) return is_null("rules[" + std::to_string(i) + "].pattern");
  auto transfer = transfer_of(*options, options->block_bytes);
  if (!transfer) return std::move(transfer).error();
  plan.transfer = *transfer;
  return plan;
}

Result<Migration> start(godwit_client* client, const char* source, const char* const* paths, size_t count,
                        const char* destination, const char* directory, const godwit_fileset_options* options) {
  if (client == nullptr) return is_null("client");
  const Result<Address> where = address_from(source);
  if (!where) return where.error();
  const Result<FilesetPlan> plan = plan_from(paths, count, destination, directory, options);
  if (!plan) return plan.error();
  const godwit_fileset_options& how = plan->options;
  if (how.before != nullptr && how.before(how.hook_context) != 0)
    return Error{Errc::kCancelled, "the caller's hook refuses the migration before it begins"};
  const Result<Id> job = start_filesets(client->client, *where, *plan);
  if (!job) return job.error();
  Migration migration(client->client, *where, *job, how.progress, how.progress_context);
  migration.ask_before_cutover(how.after, how.hook_context);
  return migration;
}

}  // namespace

int godwit_fileset_migrate_start(godwit_client* client, const char* source, const char* const* paths, size_t count,
                                 const char* destination, const char* directory, const godwit_fileset_options* options,
                                 godwit_migration** migration) {
  return at_c_boundary([&]() -> Result<> {
    if (migration == nullptr) return is_null("migration");
    auto started = start(client, source, paths, count, destination, directory, options);
    if (!started) return std::move(started).error();
    *migration = new godwit_migration{*std::move(started)};
    return Done{};
  });
}

int godwit_fileset_migrate(godwit_client* client, const char* source, const char* const* paths, size_t count,
                           const char* destination, const char* directory, const godwit_fileset_options* options,
                           godwit_migrate_result** results, size_t* result_count) {
  return at_c_boundary([&]() -> Result<> {
    if ((results == nullptr) != (result_count == nullptr)) return is_null(results == nullptr ? "results" : "result_count");
    auto started = start(client, source, paths, count, destination, directory, options);
    if (!started) return std::move(started).error();
    return wait_for_results(*started, results, result_count);
  });
}

int godwit_fileset_planned(godwit_migration* migration, int (*each)(const godwit_planned_file* file, void* context),
                           void* context, uint64_t* total) {
  return at_c_boundary([&]() -> Result<> {
    if (migration == nullptr) return is_null("migration");
    if (each == nullptr) return is_null("each");
    const auto state = migration->migration.test();
    if (!state) return state.error();
    if (state->info.ended == 0) return Error{Errc::kBusy, "the dry run has not ended yet"};
    auto all = migration->migration.planned([&](const godwit_planned_file& file) { return each(&file, context) == 0; });
    if (!all) return std::move(all).error();
    if (total != nullptr) *total = *all;
    return Done{};
  });
}
