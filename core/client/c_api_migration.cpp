// godwit.h: migrations.
#include <cstring>
#include <memory>

#include "client/c_boundary.hpp"
#include "client/handles.hpp"
#include "client/rules.hpp"
#include "client/to_c.hpp"

using namespace godwit;
using namespace godwit::client;
using fabric::Address;

namespace {

constexpr size_t kRegionsMax = 100'000;

// The numbers of the one are those of the other.
static_assert(GODWIT_COMPRESSION_LZ4 == static_cast<int>(model::Compression::kLz4));
static_assert(GODWIT_COMPRESSION_ZSTD == static_cast<int>(model::Compression::kZstd));
static_assert(GODWIT_PRIORITY_LOW == static_cast<int>(model::Priority::kLow));
static_assert(GODWIT_PRIORITY_HIGH == static_cast<int>(model::Priority::kHigh));
static_assert(GODWIT_PRIORITY_EMERGENCY == static_cast<int>(model::Priority::kEmergency));

Result<> apply(const godwit_migrate_options& options, MigrationPlan& plan) {
  plan.copy = options.copy != 0;
  auto transfer = transfer_of(options, options.block_bytes);
  if (!transfer) return std::move(transfer).error();
  plan.transfer = *transfer;
  if (options.name == nullptr) return Done{};
  if (plan.regions.size() != 1)
    return Error{Errc::kInvalid, "a name at the destination is for one region, not for " + std::to_string(plan.regions.size())};
  plan.name = options.name;
  return check_region_name(plan.name);
}

// Errors: kInvalid, an argument is NULL or breaks a rule; kLimit, too many regions.
Result<MigrationPlan> plan_from(const godwit_region_id* regions, size_t count, const char* destination,
                                const char* destination_target, const godwit_migrate_options* options) {
  if (regions == nullptr) return is_null("regions");
  if (count == 0) return Error{Errc::kInvalid, "there is no region to migrate: the count is 0"};
  if (count > kRegionsMax)
    return Error{Errc::kLimit, std::to_string(count) + " regions are more than one migration takes: 100000"};
  if (destination == nullptr) return is_null("destination");
  if (destination_target == nullptr) return is_null("destination_target");
  const Result<Address> where = address_from(destination);
  if (!where) return where.error();
  if (const Result<> valid = check_target_name(destination_target); !valid) return valid.error();
  MigrationPlan plan;
  plan.destination = destination;
  plan.destination_target = destination_target;
  for (size_t i = 0; i < count; ++i) plan.regions.push_back(from_c(regions[i]));
  if (options != nullptr)
    if (const Result<> valid = apply(*options, plan); !valid) return valid.error();
  return plan;
}

Migration migration_of(Client& client, const Address& source, const Id& job, const godwit_migrate_options* options) {
  return Migration(client, source, job, options == nullptr ? nullptr : options->progress,
                   options == nullptr ? nullptr : options->progress_context);
}

}  // namespace

int godwit_migrate_start(godwit_client* client, const char* source, const godwit_region_id* regions, size_t count,
                         const char* destination, const char* destination_target, const godwit_migrate_options* options,
                         godwit_migration** migration) {
  return at_c_boundary([&]() -> Result<> {
    if (client == nullptr) return is_null("client");
    if (migration == nullptr) return is_null("migration");
    const Result<Address> where = address_from(source);
    if (!where) return where.error();
    const Result<MigrationPlan> plan = plan_from(regions, count, destination, destination_target, options);
    if (!plan) return plan.error();
    const Result<Id> job = Migration::start(client->client, *where, *plan);
    if (!job) return job.error();
    *migration = new godwit_migration{migration_of(client->client, *where, *job, options)};
    return Done{};
  });
}

int godwit_migration_open(godwit_client* client, const char* source, const char* job_id, godwit_migration** migration) {
  return at_c_boundary([&]() -> Result<> {
    if (client == nullptr) return is_null("client");
    if (migration == nullptr) return is_null("migration");
    const Result<Address> where = address_from(source);
    if (!where) return where.error();
    const Result<Id> job = id_from(job_id, "the job's id");
    if (!job) return job.error();
    auto handle = std::unique_ptr<godwit_migration>(new godwit_migration{migration_of(client->client, *where, *job, nullptr)});
    if (const auto state = handle->migration.test(); !state) return state.error();
    *migration = handle.release();
    return Done{};
  });
}

void godwit_migration_close(godwit_migration* migration) { delete migration; }

int godwit_migration_test(godwit_migration* migration, int* done, godwit_progress* progress) {
  return at_c_boundary([&]() -> Result<> {
    if (migration == nullptr) return is_null("migration");
    if (done == nullptr) return is_null("done");
    const auto state = migration->migration.test();
    if (!state) return state.error();
    *done = state->info.ended;
    if (progress != nullptr) *progress = state->info.progress;
    return Done{};
  });
}

int godwit_migration_wait(godwit_migration* migration, uint32_t timeout_ms) {
  return at_c_boundary([&]() -> Result<> {
    if (migration == nullptr) return is_null("migration");
    return migration->migration.wait(milliseconds(timeout_ms));
  });
}

int godwit_migration_cancel(godwit_migration* migration) {
  return at_c_boundary([&]() -> Result<> {
    if (migration == nullptr) return is_null("migration");
    return migration->migration.cancel();
  });
}

int godwit_migration_pause(godwit_migration* migration) {
  return at_c_boundary([&]() -> Result<> {
    if (migration == nullptr) return is_null("migration");
    return migration->migration.pause();
  });
}

int godwit_migration_approve(godwit_migration* migration) {
  return at_c_boundary([&]() -> Result<> {
    if (migration == nullptr) return is_null("migration");
    return migration->migration.approve();
  });
}

int godwit_migration_cutover(godwit_migration* migration) {
  return at_c_boundary([&]() -> Result<> {
    if (migration == nullptr) return is_null("migration");
    return migration->migration.cut_over();
  });
}

int godwit_migration_checkpoint(godwit_migration* migration) {
  return at_c_boundary([&]() -> Result<> {
    if (migration == nullptr) return is_null("migration");
    return migration->migration.checkpoint();
  });
}

int godwit_migration_rollback(godwit_migration* migration) {
  return at_c_boundary([&]() -> Result<> {
    if (migration == nullptr) return is_null("migration");
    return migration->migration.roll_back();
  });
}

int godwit_migration_rollback_to_checkpoint(godwit_migration* migration) {
  return at_c_boundary([&]() -> Result<> {
    if (migration == nullptr) return is_null("migration");
    return migration->migration.roll_back_to_checkpoint();
  });
}

int godwit_migration_resume(godwit_migration* migration) {
  return at_c_boundary([&]() -> Result<> {
    if (migration == nullptr) return is_null("migration");
    return migration->migration.resume();
  });
}

int godwit_migration_limit(godwit_migration* migration, uint64_t bandwidth) {
  return at_c_boundary([&]() -> Result<> {
    if (migration == nullptr) return is_null("migration");
    return migration->migration.limit(bandwidth);
  });
}

int godwit_migration_results(godwit_migration* migration, godwit_migrate_result** results, size_t* count) {
  return at_c_boundary([&]() -> Result<> {
    if (migration == nullptr) return is_null("migration");
    if (results == nullptr) return is_null("results");
    if (count == nullptr) return is_null("count");
    const auto all = migration->migration.results();
    if (!all) return all.error();
    const auto copy = copy_for_c(*all);
    if (!copy) return copy.error();
    *results = *copy;
    *count = all->size();
    return Done{};
  });
}

int godwit_migration_get_id(const godwit_migration* migration, char text[33]) {
  return at_c_boundary([&]() -> Result<> {
    if (migration == nullptr) return is_null("migration");
    if (text == nullptr) return is_null("text");
    std::memcpy(text, to_string(migration->migration.id()).c_str(), 33);
    return Done{};
  });
}

int godwit_migration_report(godwit_migration* migration, char** json) {
  return at_c_boundary([&]() -> Result<> {
    if (migration == nullptr) return is_null("migration");
    if (json == nullptr) return is_null("json");
    const Result<std::string> text = migration->migration.report();
    if (!text) return text.error();
    const Result<char*> copy = copy_for_c(*text);
    if (!copy) return copy.error();
    *json = *copy;
    return Done{};
  });
}

int godwit_region_migrate(godwit_region* region, godwit_target* destination, const godwit_migrate_options* options,
                          godwit_region** migrated) {
  return at_c_boundary([&]() -> Result<> {
    if (region == nullptr) return is_null("region");
    if (destination == nullptr) return is_null("destination");
    Region& here = region->region;
    const godwit_region_id id = to_c(here.id());
    const std::string where = to_string(destination->address);
    const Result<MigrationPlan> plan = plan_from(&id, 1, where.c_str(), destination->name.c_str(), options);
    if (!plan) return plan.error();
    if (const auto info = here.stat(); !info) return info.error();  // Where it is now: the job's source.
    const Address source = here.address();
    const Result<Id> job = Migration::start(here.client(), source, *plan);
    if (!job) return job.error();
    Migration migration = migration_of(here.client(), source, *job, options);
    if (const Result<> ended = migration.wait(milliseconds(0)); !ended) return ended.error();
    const auto results = migration.results();
    if (!results) return results.error();
    if (results->size() != 1)
      return Error{Errc::kProtocol, to_string(source) + ": the job has not one result but another number"};
    if (migrated != nullptr)
      *migrated = new godwit_region{Region(destination->client, from_c(results->front().destination_id), destination->address)};
    if (!plan->copy && here.client().settings().follow) here.move_to(destination->address);
    return Done{};
  });
}

int godwit_migrate(godwit_client* client, const char* source, const godwit_region_id* regions, size_t count,
                   const char* destination, const char* destination_target, const godwit_migrate_options* options,
                   godwit_migrate_result** results, size_t* result_count) {
  return at_c_boundary([&]() -> Result<> {
    if (client == nullptr) return is_null("client");
    if ((results == nullptr) != (result_count == nullptr)) return is_null(results == nullptr ? "results" : "result_count");
    const Result<Address> where = address_from(source);
    if (!where) return where.error();
    const Result<MigrationPlan> plan = plan_from(regions, count, destination, destination_target, options);
    if (!plan) return plan.error();
    const Result<Id> job = Migration::start(client->client, *where, *plan);
    if (!job) return job.error();
    Migration migration = migration_of(client->client, *where, *job, options);
    return wait_for_results(migration, results, result_count);
  });
}

// ---------------------------------------------------------------- databases

namespace {

Result<Migration> start_database(godwit_database* database, const char* destination,
                                 const godwit_database_migrate_options* options) {
  if (database == nullptr) return is_null("database");
  if (destination == nullptr) return is_null("destination");
  if (const Result<Address> where = address_from(destination); !where) return where.error();
  godwit_database_migrate_options how = GODWIT_DATABASE_MIGRATE_OPTIONS_INIT;
  if (options != nullptr) how = *options;
  const auto transfer = transfer_of(how, how.xfer_size, "xfer_size");
  if (!transfer) return transfer.error();
  Address source;
  const Result<Id> job = database->database.start_migration(destination, how, *transfer, source);
  if (!job) return job.error();
  return Migration(database->database.client(), source, *job, how.progress, how.progress_context);
}

}  // namespace

int godwit_database_migrate_start(godwit_database* database, const char* destination,
                                  const godwit_database_migrate_options* options, godwit_migration** migration) {
  return at_c_boundary([&]() -> Result<> {
    if (migration == nullptr) return is_null("migration");
    auto started = start_database(database, destination, options);
    if (!started) return std::move(started).error();
    *migration = new godwit_migration{*std::move(started)};
    return Done{};
  });
}

int godwit_database_migrate(godwit_database* database, const char* destination,
                            const godwit_database_migrate_options* options) {
  return at_c_boundary([&]() -> Result<> {
    auto started = start_database(database, destination, options);
    if (!started) return std::move(started).error();
    return started->wait(milliseconds(0));
  });
}
