/* What the C translation units offer to the GoogleTest program: each returns 0, or -1 and says why on standard error. */
#ifndef GODWIT_TESTS_C_CALLS_H
#define GODWIT_TESTS_C_CALLS_H

#include <godwit/godwit.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Ends the function with -1 unless the condition holds. */
#define EXPECT(condition)                                                                                           \
  do {                                                                                                              \
    if (!(condition)) {                                                                                             \
      fprintf(stderr, "%s:%d: not so: %s (last error: %s)\n", __FILE__, __LINE__, #condition, godwit_last_error()); \
      return -1;                                                                                                    \
    }                                                                                                               \
  } while (0)
#define EXPECT_OK(call) EXPECT((call) == GODWIT_OK)
/* The error, and a text that holds `part`. */
#define EXPECT_ERROR(error, part, call) EXPECT((call) == (error) && strstr(godwit_last_error(), (part)) != NULL)

/* No daemon. */
int c_errors_have_texts(void);
int c_ids_are_parsed_and_formatted(void);
int c_client_options_are_checked(void);
int c_null_client_and_outputs_are_refused(void);
int c_dead_address_fails(const char* address);

/* With daemons that have the targets "fast" (dram) and "keep" (pmem), 64 MiB each. */
int c_node_is_described(const char* address);
int c_target_arguments_are_checked(const char* address);
int c_region_arguments_are_checked(const char* address);
int c_migration_arguments_are_checked(const char* source, const char* destination);
int c_regions_live(const char* address);
int c_regions_are_told_one_by_one(const char* address);
int c_regions_have_names(const char* address);
int c_ranges_are_checked(const char* address);
int c_large_data_travels(const char* address);
int c_region_is_moved(const char* source, const char* destination);
int c_regions_are_copied(const char* source, const char* destination);
int c_migration_is_watched(const char* source, const char* destination);
int c_migration_is_partial(const char* source, const char* destination);

#ifdef __cplusplus
}
#endif

#endif
