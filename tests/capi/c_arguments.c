/* Arguments that are wrong: each gets its error, and leaves the outputs as they were. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "c_calls.h"

static int never_called(const godwit_region_info* info, void* context) {
  (void)info;
  (void)context;
  abort();
}

int c_errors_have_texts(void) {
  EXPECT(strcmp(godwit_error_name(GODWIT_OK), "GODWIT_OK") == 0);
  EXPECT(strcmp(godwit_error_name(GODWIT_ERR_RANGE), "GODWIT_ERR_RANGE") == 0);
  EXPECT(strcmp(godwit_error_name(-12345), "GODWIT_ERR_UNKNOWN") == 0);
  EXPECT(strcmp(godwit_error_name(7), "GODWIT_ERR_UNKNOWN") == 0);
  EXPECT(godwit_error_exit_code(GODWIT_OK) == 0);
  for (int error = GODWIT_ERR_INVALID; error >= GODWIT_ERR_CHANGED; --error) {
    EXPECT(strncmp(godwit_error_name(error), "GODWIT_ERR_", 11) == 0);
    EXPECT(strcmp(godwit_error_name(error), "GODWIT_ERR_UNKNOWN") != 0);
    EXPECT(strlen(godwit_error_meaning(error)) > 0);
    EXPECT(strlen(godwit_error_remedy(error)) > 0);
    EXPECT(godwit_error_exit_code(error) > 0);
  }
  EXPECT(strlen(godwit_error_meaning(-12345)) > 0 && strlen(godwit_error_remedy(-12345)) > 0);
  EXPECT(godwit_error_exit_code(-12345) > 0);
  char version[32];
  snprintf(version, sizeof version, "%d.%d.%d", GODWIT_VERSION_MAJOR, GODWIT_VERSION_MINOR, GODWIT_VERSION_PATCH);
  EXPECT(strcmp(godwit_version(), version) == 0);
  return 0;
}

int c_ids_are_parsed_and_formatted(void) {
  godwit_region_id id = {1, 2};
  EXPECT(godwit_region_id_parse(NULL, &id) == GODWIT_ERR_INVALID);
  EXPECT(godwit_region_id_parse("0123", &id) == GODWIT_ERR_INVALID);
  EXPECT(godwit_region_id_parse("0123456789abcdef0123456789abcdeg", &id) == GODWIT_ERR_INVALID);
  EXPECT(godwit_region_id_parse("0123456789abcdef0123456789abcdef0", &id) == GODWIT_ERR_INVALID);
  EXPECT(id.high == 1 && id.low == 2);
  EXPECT(godwit_region_id_parse("0123456789abcdeffedcba9876543210", NULL) == GODWIT_ERR_INVALID);
  EXPECT_OK(godwit_region_id_parse("0123456789abcdeffedcba9876543210", &id));
  EXPECT(id.high == 0x0123456789abcdefu && id.low == 0xfedcba9876543210u);
  char text[33];
  godwit_region_id_format(id, text);
  EXPECT(strcmp(text, "0123456789abcdeffedcba9876543210") == 0);
  godwit_region_id_format(id, NULL);
  return 0;
}

int c_client_options_are_checked(void) {
  godwit_client* client = NULL;
  godwit_client_options options = GODWIT_CLIENT_OPTIONS_INIT;
  options.inline_bytes = 16385;
  EXPECT_ERROR(GODWIT_ERR_INVALID, "inline_bytes", godwit_client_open(&options, &client));
  EXPECT(client == NULL);
  EXPECT_ERROR(GODWIT_ERR_INVALID, "client is NULL", godwit_client_open(NULL, NULL));
  EXPECT_OK(godwit_client_open(NULL, &client));
  godwit_client_close(client);
  godwit_client_close(NULL);
  godwit_free(NULL);
  return 0;
}

int c_null_client_and_outputs_are_refused(void) {
  const char* at = "tcp://127.0.0.1:1";
  godwit_client* client = NULL;
  godwit_region_id id = {1, 2};
  godwit_target* target = NULL;
  godwit_region* region = NULL;
  godwit_migration* migration = NULL;
  godwit_target_info* targets = NULL;
  godwit_region_info* regions = NULL;
  godwit_job_info* jobs = NULL;
  char* json = NULL;
  godwit_job_info job = {0};
  godwit_member* members = NULL;
  godwit_place place = {0};
  size_t count = 77;
  EXPECT(godwit_ping(NULL, at, NULL) == GODWIT_ERR_INVALID);
  EXPECT(godwit_doctor(NULL, at, &json) == GODWIT_ERR_INVALID);
  EXPECT(godwit_target_open(NULL, at, "fast", &target) == GODWIT_ERR_INVALID);
  EXPECT(godwit_target_list(NULL, at, &targets, &count) == GODWIT_ERR_INVALID);
  EXPECT(godwit_region_open(NULL, at, "name", &region) == GODWIT_ERR_INVALID);
  EXPECT(godwit_region_list(NULL, at, NULL, &regions, &count) == GODWIT_ERR_INVALID);
  EXPECT(godwit_region_each(NULL, at, NULL, never_called, NULL) == GODWIT_ERR_INVALID);
  EXPECT(godwit_job_list(NULL, at, &jobs, &count) == GODWIT_ERR_INVALID);
  EXPECT(godwit_job_events(NULL, at, "0123456789abcdef0123456789abcdef", &json) == GODWIT_ERR_INVALID);
  EXPECT(godwit_job_stat(NULL, at, "0123456789abcdef0123456789abcdef", &job) == GODWIT_ERR_INVALID);
  EXPECT(godwit_group_list(NULL, at, &members, &count) == GODWIT_ERR_INVALID);
  EXPECT(godwit_group_jobs(NULL, at, &jobs, &count, &members, &count) == GODWIT_ERR_INVALID);
  EXPECT(godwit_locate(NULL, at, "name", &place) == GODWIT_ERR_INVALID);
  EXPECT(godwit_migrate_start(NULL, at, &id, 1, at, "keep", NULL, &migration) == GODWIT_ERR_INVALID);
  EXPECT(godwit_migrate(NULL, at, &id, 1, at, "keep", NULL, NULL, NULL) == GODWIT_ERR_INVALID);
  EXPECT(godwit_migration_open(NULL, at, "0123456789abcdef0123456789abcdef", &migration) == GODWIT_ERR_INVALID);

  EXPECT_OK(godwit_client_open(NULL, &client));
  const char* wrong[] = {NULL, "", "127.0.0.1:1", "tcp://", "://x", "tcp://a\nb"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i) {
    EXPECT(godwit_ping(client, wrong[i], NULL) == GODWIT_ERR_INVALID);
    EXPECT(godwit_doctor(client, wrong[i], &json) == GODWIT_ERR_INVALID);
    EXPECT(godwit_target_open(client, wrong[i], "fast", &target) == GODWIT_ERR_INVALID);
    EXPECT(godwit_target_list(client, wrong[i], &targets, &count) == GODWIT_ERR_INVALID);
    EXPECT(godwit_region_open(client, wrong[i], "name", &region) == GODWIT_ERR_INVALID);
    EXPECT(godwit_region_list(client, wrong[i], NULL, &regions, &count) == GODWIT_ERR_INVALID);
    EXPECT(godwit_region_each(client, wrong[i], NULL, never_called, NULL) == GODWIT_ERR_INVALID);
    EXPECT(godwit_job_list(client, wrong[i], &jobs, &count) == GODWIT_ERR_INVALID);
    EXPECT(godwit_job_events(client, wrong[i], "0123456789abcdef0123456789abcdef", &json) == GODWIT_ERR_INVALID);
    EXPECT(godwit_job_stat(client, wrong[i], "0123456789abcdef0123456789abcdef", &job) == GODWIT_ERR_INVALID);
    EXPECT(godwit_group_list(client, wrong[i], &members, &count) == GODWIT_ERR_INVALID);
    EXPECT(godwit_group_jobs(client, wrong[i], &jobs, &count, &members, &count) == GODWIT_ERR_INVALID);
    EXPECT(godwit_locate(client, wrong[i], "name", &place) == GODWIT_ERR_INVALID);
    EXPECT(godwit_migrate_start(client, wrong[i], &id, 1, at, "keep", NULL, &migration) == GODWIT_ERR_INVALID);
    EXPECT(godwit_migrate_start(client, at, &id, 1, wrong[i], "keep", NULL, &migration) == GODWIT_ERR_INVALID);
    EXPECT(godwit_migrate(client, wrong[i], &id, 1, at, "keep", NULL, NULL, NULL) == GODWIT_ERR_INVALID);
    EXPECT(godwit_migration_open(client, wrong[i], "0123456789abcdef0123456789abcdef", &migration) == GODWIT_ERR_INVALID);
  }
  EXPECT(godwit_doctor(client, at, NULL) == GODWIT_ERR_INVALID);
  EXPECT(godwit_target_open(client, at, NULL, &target) == GODWIT_ERR_INVALID);
  EXPECT(godwit_target_open(client, at, "", &target) == GODWIT_ERR_INVALID);
  EXPECT(godwit_target_open(client, at, "fast", NULL) == GODWIT_ERR_INVALID);
  EXPECT(godwit_target_list(client, at, NULL, &count) == GODWIT_ERR_INVALID);
  EXPECT(godwit_target_list(client, at, &targets, NULL) == GODWIT_ERR_INVALID);
  EXPECT(godwit_region_open(client, at, NULL, &region) == GODWIT_ERR_INVALID);
  EXPECT(godwit_region_open(client, at, "", &region) == GODWIT_ERR_INVALID);
  EXPECT(godwit_region_open(client, at, "name", NULL) == GODWIT_ERR_INVALID);
  EXPECT(godwit_region_list(client, at, NULL, NULL, &count) == GODWIT_ERR_INVALID);
  EXPECT(godwit_region_list(client, at, NULL, &regions, NULL) == GODWIT_ERR_INVALID);
  EXPECT(godwit_region_list(client, at, "", &regions, &count) == GODWIT_ERR_INVALID);
  EXPECT(godwit_region_each(client, at, NULL, NULL, NULL) == GODWIT_ERR_INVALID);
  EXPECT(godwit_region_each(client, at, "", never_called, NULL) == GODWIT_ERR_INVALID);
  EXPECT(godwit_job_list(client, at, NULL, &count) == GODWIT_ERR_INVALID);
  EXPECT(godwit_job_list(client, at, &jobs, NULL) == GODWIT_ERR_INVALID);
  EXPECT(godwit_job_events(client, at, NULL, &json) == GODWIT_ERR_INVALID);
  EXPECT(godwit_job_events(client, at, "0123", &json) == GODWIT_ERR_INVALID);
  EXPECT(godwit_job_events(client, at, "0123456789abcdef0123456789abcdef", NULL) == GODWIT_ERR_INVALID);
  EXPECT(godwit_job_stat(client, at, "0123", &job) == GODWIT_ERR_INVALID);
  EXPECT(godwit_job_stat(client, at, "0123456789abcdef0123456789abcdef", NULL) == GODWIT_ERR_INVALID);
  EXPECT(godwit_group_list(client, at, NULL, &count) == GODWIT_ERR_INVALID);
  EXPECT(godwit_group_list(client, at, &members, NULL) == GODWIT_ERR_INVALID);
  EXPECT(godwit_group_jobs(client, at, NULL, &count, &members, &count) == GODWIT_ERR_INVALID);
  EXPECT(godwit_group_jobs(client, at, &jobs, &count, &members, NULL) == GODWIT_ERR_INVALID);
  EXPECT(godwit_locate(client, at, "", &place) == GODWIT_ERR_INVALID);
  EXPECT(godwit_locate(client, at, "name", NULL) == GODWIT_ERR_INVALID);
  godwit_client_close(client);
  EXPECT(members == NULL && place.kind[0] == 0 && job.id[0] == 0);
  EXPECT(target == NULL && region == NULL && migration == NULL && targets == NULL && regions == NULL && jobs == NULL);
  EXPECT(json == NULL && count == 77);
  return 0;
}

int c_target_arguments_are_checked(const char* address) {
  godwit_client* client = NULL;
  godwit_target* target = NULL;
  godwit_target_info info;
  char long_name[66];
  memset(long_name, 'x', 65);
  long_name[65] = '\0';
  EXPECT_OK(godwit_client_open(NULL, &client));
  EXPECT_ERROR(GODWIT_ERR_NOT_FOUND, "nowhere", godwit_target_open(client, address, "nowhere", &target));
  EXPECT(strstr(godwit_last_error(), address) != NULL);
  EXPECT(godwit_target_open(client, address, long_name, &target) == GODWIT_ERR_INVALID);
  EXPECT(target == NULL);
  EXPECT_OK(godwit_target_open(client, address, "fast", &target));
  EXPECT(godwit_target_stat(NULL, &info) == GODWIT_ERR_INVALID);
  EXPECT(godwit_target_stat(target, NULL) == GODWIT_ERR_INVALID);
  godwit_target_close(target);
  godwit_target_close(NULL);
  godwit_client_close(client);
  return 0;
}

int c_region_arguments_are_checked(const char* address) {
  godwit_client* client = NULL;
  godwit_target* target = NULL;
  godwit_region* region = NULL;
  godwit_region* other = NULL;
  godwit_region_id id;
  godwit_region_info info;
  uint64_t size = 77;
  char byte = 0;
  char long_name[130];
  memset(long_name, 'x', 129);
  long_name[129] = '\0';
  const char* wrong_names[] = {"",     "a\nb",     "\x7f",         "0123456789abcdef0123456789abcdef",
                               "\xff", "\xc0\xaf", "\xed\xa0\x80", long_name};
  EXPECT_OK(godwit_client_open(NULL, &client));
  EXPECT_OK(godwit_target_open(client, address, "fast", &target));
  for (size_t i = 0; i < sizeof wrong_names / sizeof *wrong_names; ++i) {
    EXPECT_ERROR(GODWIT_ERR_INVALID, "name", godwit_region_create(target, wrong_names[i], 1, &region));
    EXPECT_ERROR(GODWIT_ERR_INVALID, "name", godwit_region_create_write(target, wrong_names[i], &byte, 1, &region));
  }
  EXPECT(godwit_region_create(NULL, NULL, 1, &region) == GODWIT_ERR_INVALID);
  EXPECT(godwit_region_create(target, NULL, 1, NULL) == GODWIT_ERR_INVALID);
  EXPECT(godwit_region_create_write(NULL, NULL, &byte, 1, &region) == GODWIT_ERR_INVALID);
  EXPECT(godwit_region_create_write(target, NULL, NULL, 1, &region) == GODWIT_ERR_INVALID);
  EXPECT(godwit_region_create_write(target, NULL, &byte, UINT64_MAX, &region) == GODWIT_ERR_INVALID);
  EXPECT(godwit_region_create_write(target, NULL, &byte, 1, NULL) == GODWIT_ERR_INVALID);
  EXPECT(region == NULL);

  EXPECT_OK(godwit_region_create(target, NULL, 1, &region));
  EXPECT(godwit_region_write(NULL, 0, &byte, 1) == GODWIT_ERR_INVALID);
  EXPECT(godwit_region_write(region, 0, NULL, 1) == GODWIT_ERR_INVALID);
  EXPECT(godwit_region_write(region, 0, &byte, UINT64_MAX) == GODWIT_ERR_INVALID);
  EXPECT(godwit_region_read(NULL, 0, &byte, 1) == GODWIT_ERR_INVALID);
  EXPECT(godwit_region_read(region, 0, NULL, 1) == GODWIT_ERR_INVALID);
  EXPECT(godwit_region_persist(NULL, 0, 1) == GODWIT_ERR_INVALID);
  EXPECT(godwit_region_size(NULL, &size) == GODWIT_ERR_INVALID);
  EXPECT(godwit_region_size(region, NULL) == GODWIT_ERR_INVALID);
  EXPECT(godwit_region_stat(NULL, &info) == GODWIT_ERR_INVALID);
  EXPECT(godwit_region_stat(region, NULL) == GODWIT_ERR_INVALID);
  EXPECT(godwit_region_erase(NULL) == GODWIT_ERR_INVALID);
  EXPECT(godwit_region_get_id(NULL, &id) == GODWIT_ERR_INVALID);
  EXPECT(godwit_region_get_id(region, NULL) == GODWIT_ERR_INVALID);
  EXPECT(godwit_region_migrate(NULL, target, NULL, &other) == GODWIT_ERR_INVALID);
  EXPECT(godwit_region_migrate(region, NULL, NULL, &other) == GODWIT_ERR_INVALID);
  EXPECT(other == NULL && size == 77);

  EXPECT_ERROR(GODWIT_ERR_NOT_FOUND, "nobody", godwit_region_open(client, address, "nobody", &other));
  EXPECT(strstr(godwit_last_error(), address) != NULL);
  EXPECT_ERROR(GODWIT_ERR_NOT_FOUND, "00000000000000000000000000000001",
               godwit_region_open(client, address, "00000000000000000000000000000001", &other));
  EXPECT(godwit_region_open(client, address, "00000000000000000000000000000000", &other) == GODWIT_ERR_NOT_FOUND);
  godwit_region_info* infos = NULL;
  size_t count = 0;
  EXPECT_ERROR(GODWIT_ERR_NOT_FOUND, "nowhere", godwit_region_list(client, address, "nowhere", &infos, &count));
  EXPECT_ERROR(GODWIT_ERR_NOT_FOUND, "nowhere", godwit_region_each(client, address, "nowhere", never_called, NULL));
  EXPECT_OK(godwit_region_erase(region));
  godwit_region_close(region);
  godwit_region_close(NULL);
  godwit_target_close(target);
  godwit_client_close(client);
  return 0;
}

int c_migration_arguments_are_checked(const char* source, const char* destination) {
  godwit_client* client = NULL;
  godwit_target* target = NULL;
  godwit_region* region = NULL;
  godwit_migration* migration = NULL;
  godwit_migrate_result* results = NULL;
  size_t count = 77;
  godwit_region_id ids[2];
  godwit_migrate_options options = GODWIT_MIGRATE_OPTIONS_INIT;
  EXPECT_OK(godwit_client_open(NULL, &client));
  EXPECT_OK(godwit_target_open(client, source, "fast", &target));
  EXPECT_OK(godwit_region_create(target, NULL, 100, &region));
  EXPECT_OK(godwit_region_get_id(region, &ids[0]));
  ids[1] = ids[0];
  EXPECT(godwit_migrate_start(client, source, NULL, 1, destination, "keep", NULL, &migration) == GODWIT_ERR_INVALID);
  EXPECT(godwit_migrate_start(client, source, ids, 0, destination, "keep", NULL, &migration) == GODWIT_ERR_INVALID);
  EXPECT_ERROR(GODWIT_ERR_LIMIT, "100000",
               godwit_migrate_start(client, source, ids, 100001, destination, "keep", NULL, &migration));
  EXPECT(godwit_migrate_start(client, source, ids, 1, destination, NULL, NULL, &migration) == GODWIT_ERR_INVALID);
  EXPECT(godwit_migrate_start(client, source, ids, 1, destination, "", NULL, &migration) == GODWIT_ERR_INVALID);
  EXPECT(godwit_migrate_start(client, source, ids, 1, destination, "keep", NULL, NULL) == GODWIT_ERR_INVALID);
  options.block_bytes = 4095;
  EXPECT_ERROR(GODWIT_ERR_INVALID, "block_bytes",
               godwit_migrate_start(client, source, ids, 1, destination, "keep", &options, &migration));
  options.block_bytes = (64u << 20) + 1;
  EXPECT_ERROR(GODWIT_ERR_INVALID, "block_bytes",
               godwit_migrate_start(client, source, ids, 1, destination, "keep", &options, &migration));
  options.block_bytes = 0;
  options.name = "a\tb";
  EXPECT_ERROR(GODWIT_ERR_INVALID, "name",
               godwit_migrate_start(client, source, ids, 1, destination, "keep", &options, &migration));
  options.name = "two";
  EXPECT_ERROR(GODWIT_ERR_INVALID, "name",
               godwit_migrate_start(client, source, ids, 2, destination, "keep", &options, &migration));
  EXPECT(godwit_migrate(client, source, ids, 1, destination, "keep", NULL, &results, NULL) == GODWIT_ERR_INVALID);
  EXPECT(godwit_migrate(client, source, ids, 1, destination, "keep", NULL, NULL, &count) == GODWIT_ERR_INVALID);
  EXPECT_ERROR(GODWIT_ERR_NOT_FOUND, "nowhere",
               godwit_migrate(client, source, ids, 1, destination, "nowhere", NULL, &results, &count));

  EXPECT(godwit_migration_open(client, source, NULL, &migration) == GODWIT_ERR_INVALID);
  EXPECT(godwit_migration_open(client, source, "job", &migration) == GODWIT_ERR_INVALID);
  EXPECT(godwit_migration_open(client, source, "00000000000000000000000000000001", NULL) == GODWIT_ERR_INVALID);
  EXPECT_ERROR(GODWIT_ERR_NOT_FOUND, "00000000000000000000000000000001",
               godwit_migration_open(client, source, "00000000000000000000000000000001", &migration));
  EXPECT(migration == NULL && results == NULL && count == 77);

  int done = 77;
  char text[33];
  char* json = NULL;
  EXPECT(godwit_migration_test(NULL, &done, NULL) == GODWIT_ERR_INVALID);
  EXPECT(godwit_migration_wait(NULL, 1) == GODWIT_ERR_INVALID);
  EXPECT(godwit_migration_cancel(NULL) == GODWIT_ERR_INVALID);
  EXPECT(godwit_migration_results(NULL, &results, &count) == GODWIT_ERR_INVALID);
  EXPECT(godwit_migration_get_id(NULL, text) == GODWIT_ERR_INVALID);
  EXPECT(godwit_migration_report(NULL, &json) == GODWIT_ERR_INVALID);
  EXPECT_OK(godwit_migrate_start(client, source, ids, 1, destination, "keep", NULL, &migration));
  EXPECT(godwit_migration_test(migration, NULL, NULL) == GODWIT_ERR_INVALID);
  EXPECT(godwit_migration_results(migration, NULL, &count) == GODWIT_ERR_INVALID);
  EXPECT(godwit_migration_results(migration, &results, NULL) == GODWIT_ERR_INVALID);
  EXPECT(godwit_migration_get_id(migration, NULL) == GODWIT_ERR_INVALID);
  EXPECT(godwit_migration_report(migration, NULL) == GODWIT_ERR_INVALID);
  EXPECT_OK(godwit_migration_wait(migration, 0));
  godwit_migration_close(migration);
  godwit_migration_close(NULL);
  EXPECT_OK(godwit_region_erase(region));
  godwit_region_close(region);
  godwit_target_close(target);
  godwit_client_close(client);
  EXPECT(done == 77 && json == NULL && results == NULL && count == 77);
  return 0;
}
