/* Migrations and jobs, from C. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "c_calls.h"

static int same_id(godwit_region_id a, godwit_region_id b) { return a.high == b.high && a.low == b.low; }

int c_region_is_moved(const char* source, const char* destination) {
  godwit_client* client = NULL;
  godwit_target* fast = NULL;
  godwit_target* keep = NULL;
  godwit_region* region = NULL;
  godwit_region* moved = NULL;
  godwit_region_info info;
  godwit_region_info moved_info;
  char text[5];
  EXPECT_OK(godwit_client_open(NULL, &client));
  EXPECT_OK(godwit_target_open(client, source, "fast", &fast));
  EXPECT_OK(godwit_target_open(client, destination, "keep", &keep));
  EXPECT_OK(godwit_region_create_write(fast, "field", "field", 5, &region));
  EXPECT_OK(godwit_region_stat(region, &info));
  EXPECT_OK(godwit_region_migrate(region, keep, NULL, &moved));
  EXPECT_OK(godwit_region_stat(moved, &moved_info));
  EXPECT(same_id(info.id, moved_info.id) && moved_info.epoch == info.epoch + 1);
  EXPECT(strcmp(moved_info.address, destination) == 0 && strcmp(moved_info.target, "keep") == 0);
  EXPECT(strcmp(moved_info.name, "field") == 0);
  EXPECT_OK(godwit_region_read(moved, 0, text, 5));
  EXPECT(memcmp(text, "field", 5) == 0);
  /* The old handle leads there too. */
  EXPECT_OK(godwit_region_write(region, 0, "FIELD", 5));
  EXPECT_OK(godwit_region_read(moved, 0, text, 5));
  EXPECT(memcmp(text, "FIELD", 5) == 0);
  EXPECT_OK(godwit_region_stat(region, &info));
  EXPECT(strcmp(info.address, destination) == 0);
  EXPECT_OK(godwit_region_erase(region));
  EXPECT(godwit_region_size(moved, &info.size_bytes) == GODWIT_ERR_NOT_FOUND);
  godwit_region_close(moved);
  godwit_region_close(region);
  godwit_target_close(keep);
  godwit_target_close(fast);
  godwit_client_close(client);
  return 0;
}

int c_regions_are_copied(const char* source, const char* destination) {
  enum { kCount = 50 };
  godwit_client* client = NULL;
  godwit_target* fast = NULL;
  godwit_region* regions[kCount];
  godwit_region_id ids[kCount];
  godwit_migrate_result* results = NULL;
  size_t count = 0;
  char bytes[kCount];
  godwit_migrate_options options = GODWIT_MIGRATE_OPTIONS_INIT;
  options.copy = 1;
  options.block_bytes = 4096;
  options.streams = 2;
  EXPECT_OK(godwit_client_open(NULL, &client));
  EXPECT_OK(godwit_target_open(client, source, "fast", &fast));
  for (size_t i = 0; i < kCount; ++i) {
    memset(bytes, (int)i, sizeof bytes);
    EXPECT_OK(godwit_region_create_write(fast, NULL, bytes, i, &regions[i]));
    EXPECT_OK(godwit_region_get_id(regions[i], &ids[i]));
  }
  EXPECT_OK(godwit_migrate(client, source, ids, kCount, destination, "keep", &options, &results, &count));
  EXPECT(count == kCount);
  for (size_t i = 0; i < kCount; ++i) {
    godwit_region* copy = NULL;
    char text[33];
    EXPECT(results[i].error == GODWIT_OK && results[i].size_bytes == i);
    EXPECT(same_id(results[i].source_id, ids[i]) && !same_id(results[i].destination_id, ids[i]));
    godwit_region_id_format(results[i].destination_id, text);
    EXPECT_OK(godwit_region_open(client, destination, text, &copy));
    EXPECT_OK(godwit_region_read(copy, 0, bytes, i));
    for (size_t k = 0; k < i; ++k) EXPECT(bytes[k] == (char)i);
    EXPECT_OK(godwit_region_read(regions[i], 0, bytes, i)); /* The source stays. */
    EXPECT_OK(godwit_region_erase(copy));
    EXPECT_OK(godwit_region_erase(regions[i]));
    godwit_region_close(copy);
    godwit_region_close(regions[i]);
  }
  godwit_free(results);
  godwit_target_close(fast);
  godwit_client_close(client);
  return 0;
}

struct calls {
  int count;
  godwit_progress last;
};

static int on_progress(const godwit_progress* progress, void* context) {
  struct calls* calls = context;
  ++calls->count;
  calls->last = *progress;
  return 0;
}

int c_migration_is_watched(const char* source, const char* destination) {
  const uint64_t size = 32u << 20;
  godwit_client* client = NULL;
  godwit_target* fast = NULL;
  godwit_region* region = NULL;
  godwit_region_id id;
  godwit_migration* migration = NULL;
  godwit_migration* again = NULL;
  struct calls calls = {0, {0}};
  godwit_migrate_options options = GODWIT_MIGRATE_OPTIONS_INIT;
  options.progress = on_progress;
  options.progress_context = &calls;
  options.name = "arrived";
  EXPECT_OK(godwit_client_open(NULL, &client));
  EXPECT_OK(godwit_target_open(client, source, "fast", &fast));
  EXPECT_OK(godwit_region_create(fast, "leaving", size, &region));
  EXPECT_OK(godwit_region_get_id(region, &id));
  EXPECT_OK(godwit_migrate_start(client, source, &id, 1, destination, "fast", &options, &migration));
  EXPECT_OK(godwit_migration_wait(migration, 60000));
  EXPECT(calls.count >= 1 && calls.last.bytes_total == size && calls.last.bytes_done == size);
  EXPECT(calls.last.objects_done == 1 && calls.last.objects_total == 1 && strcmp(calls.last.phase, "done") == 0);

  char job[33];
  int done = 0;
  godwit_progress progress;
  EXPECT_OK(godwit_migration_get_id(migration, job));
  EXPECT_OK(godwit_migration_open(client, source, job, &again));
  EXPECT_OK(godwit_migration_test(again, &done, NULL));
  EXPECT_OK(godwit_migration_test(again, &done, &progress));
  EXPECT(done == 1 && progress.bytes_done == size && progress.eta_seconds == 0);
  EXPECT_OK(godwit_migration_wait(again, 0));
  EXPECT_OK(godwit_migration_cancel(again)); /* Too late: nothing happens. */
  EXPECT_OK(godwit_migration_wait(again, 1));
  char* report = NULL;
  EXPECT_OK(godwit_migration_report(again, &report));
  EXPECT(report[0] == '{');
  godwit_free(report);
  godwit_job_info* jobs = NULL;
  size_t count = 0;
  EXPECT_OK(godwit_job_list(client, source, &jobs, &count));
  EXPECT(count >= 1 && strcmp(jobs[0].id, job) == 0 && jobs[0].ended == 1 && jobs[0].error == GODWIT_OK);
  EXPECT(strcmp(jobs[0].source, source) == 0 && strcmp(jobs[0].destination, destination) == 0);
  EXPECT(strcmp(jobs[0].destination_target, "fast") == 0 && jobs[0].copy == 0);
  godwit_free(jobs);
  char* lines = NULL;
  EXPECT_OK(godwit_job_events(client, source, job, &lines));
  EXPECT(strstr(lines, "\"event\":\"queued\"") != NULL && strstr(lines, "\"event\":\"ended\"") != NULL);
  EXPECT(lines[strlen(lines) - 1] == '\n');
  godwit_free(lines);
  lines = NULL;
  EXPECT(godwit_job_events(client, source, "0123456789abcdef0123456789abcdef", &lines) == GODWIT_ERR_NOT_FOUND);
  EXPECT(lines == NULL);

  godwit_region* arrived = NULL;
  EXPECT_OK(godwit_region_open(client, destination, "arrived", &arrived));
  EXPECT(godwit_region_open(client, destination, "leaving", &region) == GODWIT_ERR_NOT_FOUND);
  EXPECT_OK(godwit_region_erase(arrived));
  godwit_region_close(arrived);
  godwit_region_close(region);
  godwit_migration_close(again);
  godwit_migration_close(migration);
  godwit_target_close(fast);
  godwit_client_close(client);
  return 0;
}

int c_migration_is_partial(const char* source, const char* destination) {
  godwit_client* client = NULL;
  godwit_target* fast = NULL;
  godwit_region* region = NULL;
  godwit_region_id ids[2] = {{1, 2}, {0, 0}}; /* The first is nowhere. */
  godwit_migrate_result* results = NULL;
  size_t count = 0;
  EXPECT_OK(godwit_client_open(NULL, &client));
  EXPECT_OK(godwit_target_open(client, source, "fast", &fast));
  EXPECT_OK(godwit_region_create(fast, NULL, 10, &region));
  EXPECT_OK(godwit_region_get_id(region, &ids[1]));
  EXPECT(godwit_migrate(client, source, ids, 1, destination, "keep", NULL, &results, &count) == GODWIT_ERR_NOT_FOUND);
  EXPECT(results == NULL && count == 0);
  EXPECT(godwit_migrate(client, source, ids, 2, destination, "keep", NULL, &results, &count) == GODWIT_ERR_PARTIAL);
  EXPECT(count == 2 && results[0].error == GODWIT_ERR_NOT_FOUND && results[1].error == GODWIT_OK);
  EXPECT(same_id(results[1].destination_id, ids[1]));
  godwit_free(results);
  EXPECT_OK(godwit_region_erase(region)); /* Follows. */
  godwit_region_close(region);
  godwit_target_close(fast);
  godwit_client_close(client);
  return 0;
}
