/* Nodes, targets and regions, from C. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "c_calls.h"

int c_dead_address_fails(const char* address) {
  godwit_client* client = NULL;
  godwit_target* target = NULL;
  double microseconds = -1;
  EXPECT_OK(godwit_client_open(NULL, &client));
  EXPECT_ERROR(GODWIT_ERR_UNREACHABLE, address, godwit_ping(client, address, &microseconds));
  EXPECT_ERROR(GODWIT_ERR_UNREACHABLE, address, godwit_target_open(client, address, "fast", &target));
  EXPECT(microseconds < 0 && target == NULL);
  godwit_client_close(client);
  return 0;
}

int c_node_is_described(const char* address) {
  godwit_client* client = NULL;
  double microseconds = -1;
  char* json = NULL;
  godwit_target_info* infos = NULL;
  size_t count = 0;
  EXPECT_OK(godwit_client_open(NULL, &client));
  EXPECT_OK(godwit_ping(client, address, &microseconds));
  EXPECT(microseconds > 0);
  EXPECT_OK(godwit_ping(client, address, NULL));
  EXPECT_OK(godwit_doctor(client, address, &json));
  EXPECT(json[0] == '{' && strstr(json, "tcp") != NULL);
  godwit_free(json);
  EXPECT_OK(godwit_target_list(client, address, &infos, &count));
  EXPECT(count == 2);
  for (size_t i = 0; i < count; ++i) {
    const int is_fast = strcmp(infos[i].name, "fast") == 0;
    EXPECT(is_fast || strcmp(infos[i].name, "keep") == 0);
    EXPECT(strcmp(infos[i].kind, is_fast ? "dram" : "pmem") == 0);
    EXPECT(strlen(infos[i].granularity) > 0);
    EXPECT(infos[i].capacity_bytes == 64u << 20);
    EXPECT(infos[i].largest_free_bytes <= infos[i].capacity_bytes - infos[i].used_bytes);
  }
  godwit_free(infos);
  godwit_client_close(client);
  return 0;
}

int c_regions_live(const char* address) {
  godwit_client* client = NULL;
  EXPECT_OK(godwit_client_open(NULL, &client));
  const char* targets[] = {"fast", "keep"};
  for (size_t t = 0; t < 2; ++t) {
    godwit_target* target = NULL;
    godwit_target_info before;
    godwit_target_info after;
    godwit_region* region = NULL;
    godwit_region_id id;
    godwit_region_info info;
    uint64_t size = 0;
    char bytes[1000];
    EXPECT_OK(godwit_target_open(client, address, targets[t], &target));
    EXPECT_OK(godwit_target_stat(target, &before));
    EXPECT_OK(godwit_region_create(target, NULL, sizeof bytes, &region));
    memset(bytes, 1, sizeof bytes);
    EXPECT_OK(godwit_region_read(region, 0, bytes, sizeof bytes));
    for (size_t i = 0; i < sizeof bytes; ++i) EXPECT(bytes[i] == 0);
    EXPECT_OK(godwit_region_write(region, 7, "field", 5)); /* Unaligned. */
    EXPECT_OK(godwit_region_persist(region, 0, sizeof bytes));
    EXPECT_OK(godwit_region_read(region, 6, bytes, 7));
    EXPECT(memcmp(bytes, "\0field\0", 7) == 0);
    EXPECT_OK(godwit_region_size(region, &size));
    EXPECT(size == sizeof bytes);
    EXPECT_OK(godwit_region_get_id(region, &id));
    EXPECT(id.high != 0 || id.low != 0);
    EXPECT_OK(godwit_region_stat(region, &info));
    EXPECT(info.id.high == id.high && info.id.low == id.low && info.size_bytes == size);
    EXPECT(strcmp(info.name, "") == 0 && strcmp(info.target, targets[t]) == 0 && strcmp(info.address, address) == 0);
    EXPECT_OK(godwit_target_stat(target, &after));
    EXPECT(after.regions == before.regions + 1 && after.used_bytes > before.used_bytes);

    godwit_region* again = NULL;
    char text[33];
    godwit_region_id_format(id, text);
    EXPECT_OK(godwit_region_open(client, address, text, &again));
    EXPECT_OK(godwit_region_read(again, 7, bytes, 5));
    EXPECT(memcmp(bytes, "field", 5) == 0);
    EXPECT_OK(godwit_region_erase(region));
    EXPECT(godwit_region_read(again, 0, bytes, 1) == GODWIT_ERR_NOT_FOUND);
    EXPECT(godwit_region_write(again, 0, bytes, 1) == GODWIT_ERR_NOT_FOUND);
    EXPECT(godwit_region_persist(again, 0, 1) == GODWIT_ERR_NOT_FOUND);
    EXPECT(godwit_region_size(again, &size) == GODWIT_ERR_NOT_FOUND);
    EXPECT(godwit_region_erase(again) == GODWIT_ERR_NOT_FOUND);
    EXPECT(strstr(godwit_last_error(), text) != NULL && strstr(godwit_last_error(), address) != NULL);
    EXPECT_OK(godwit_target_stat(target, &after));
    EXPECT(after.regions == before.regions && after.used_bytes == before.used_bytes);
    godwit_region_close(again);
    godwit_region_close(region);
    godwit_target_close(target);
  }
  godwit_client_close(client);
  return 0;
}

int c_regions_have_names(const char* address) {
  godwit_client* client = NULL;
  godwit_target* target = NULL;
  godwit_region* named = NULL;
  godwit_region* other = NULL;
  godwit_region* found = NULL;
  godwit_region_id id;
  godwit_region_id found_id;
  godwit_region_info* infos = NULL;
  size_t count = 0;
  const char* name = "temp\xc3\xa9rature / step 10";
  EXPECT_OK(godwit_client_open(NULL, &client));
  EXPECT_OK(godwit_target_open(client, address, "fast", &target));
  EXPECT_OK(godwit_region_create_write(target, name, "warm", 4, &named));
  EXPECT_ERROR(GODWIT_ERR_EXISTS, address, godwit_region_create(target, name, 4, &other));
  EXPECT(other == NULL);
  EXPECT_OK(godwit_region_create(target, NULL, 0, &other));
  EXPECT_OK(godwit_region_open(client, address, name, &found));
  EXPECT_OK(godwit_region_get_id(named, &id));
  EXPECT_OK(godwit_region_get_id(found, &found_id));
  EXPECT(id.high == found_id.high && id.low == found_id.low);
  EXPECT_OK(godwit_region_list(client, address, "fast", &infos, &count));
  size_t seen = 0;
  for (size_t i = 0; i < count; ++i) seen += strcmp(infos[i].name, name) == 0 && infos[i].size_bytes == 4;
  EXPECT(seen == 1 && count >= 2);
  godwit_free(infos);
  EXPECT_OK(godwit_region_list(client, address, NULL, &infos, &count));
  EXPECT(count >= 2);
  godwit_free(infos);
  EXPECT_OK(godwit_region_list(client, address, "keep", &infos, &count));
  EXPECT(count == 0);
  godwit_free(infos);
  EXPECT_OK(godwit_region_erase(named));
  EXPECT_OK(godwit_region_erase(other));
  godwit_region_close(found);
  godwit_region_close(named);
  godwit_region_close(other);
  godwit_target_close(target);
  godwit_client_close(client);
  return 0;
}

int c_ranges_are_checked(const char* address) {
  static char bytes[20000];
  godwit_client* client = NULL;
  godwit_target* target = NULL;
  godwit_region* region = NULL;
  godwit_region* empty = NULL;
  godwit_region* none = NULL;
  EXPECT_OK(godwit_client_open(NULL, &client));
  EXPECT_OK(godwit_target_open(client, address, "fast", &target));
  EXPECT_ERROR(GODWIT_ERR_NO_SPACE, "fast", godwit_region_create(target, NULL, UINT64_C(1) << 63, &none));
  EXPECT(godwit_region_create(target, NULL, UINT64_MAX, &none) == GODWIT_ERR_NO_SPACE);
  EXPECT(godwit_region_create(target, NULL, (64u << 20) + 1, &none) == GODWIT_ERR_NO_SPACE);
  EXPECT(none == NULL);
  EXPECT_OK(godwit_region_create(target, NULL, 100, &region));
  const struct {
    uint64_t offset;
    uint64_t length;
    int error;
  } cases[] = {
      {0, 100, GODWIT_OK},
      {100, 0, GODWIT_OK},
      {99, 1, GODWIT_OK},
      {0, 101, GODWIT_ERR_RANGE},
      {100, 1, GODWIT_ERR_RANGE},
      {101, 0, GODWIT_ERR_RANGE},
      {UINT64_MAX, 2, GODWIT_ERR_RANGE}, /* The sum wraps to 1. */
      {0, 20000, GODWIT_ERR_RANGE},      /* By RMA. */
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
    EXPECT(godwit_region_write(region, cases[i].offset, bytes, cases[i].length) == cases[i].error);
    EXPECT(godwit_region_read(region, cases[i].offset, bytes, cases[i].length) == cases[i].error);
    EXPECT(godwit_region_persist(region, cases[i].offset, cases[i].length) == cases[i].error);
  }
  EXPECT(godwit_region_persist(region, 1, UINT64_MAX) == GODWIT_ERR_RANGE);
  EXPECT_OK(godwit_region_read(region, 50, NULL, 0));
  EXPECT_OK(godwit_region_write(region, 50, NULL, 0));

  EXPECT_OK(godwit_region_create_write(target, NULL, NULL, 0, &empty));
  EXPECT_OK(godwit_region_write(empty, 0, NULL, 0));
  EXPECT(godwit_region_read(empty, 0, bytes, 1) == GODWIT_ERR_RANGE);
  EXPECT_OK(godwit_region_erase(empty));
  EXPECT_OK(godwit_region_erase(region));
  godwit_region_close(empty);
  godwit_region_close(region);
  godwit_target_close(target);
  godwit_client_close(client);
  return 0;
}

/* The byte at `index` of a pattern without a short period. */
static unsigned char pattern(size_t index) { return (unsigned char)(index * 2654435761u >> 13); }

int c_large_data_travels(const char* address) {
  const size_t size = (20u << 20) + 12345;
  unsigned char* data = malloc(size);
  unsigned char* back = calloc(1, size);
  EXPECT(data != NULL && back != NULL);
  for (size_t i = 0; i < size; ++i) data[i] = pattern(i);
  godwit_client* client = NULL;
  EXPECT_OK(godwit_client_open(NULL, &client));
  const char* targets[] = {"fast", "keep"};
  for (size_t t = 0; t < 2; ++t) {
    godwit_target* target = NULL;
    godwit_region* region = NULL;
    EXPECT_OK(godwit_target_open(client, address, targets[t], &target));
    EXPECT_OK(godwit_region_create_write(target, NULL, data, size, &region));
    memset(back, 0, size);
    EXPECT_OK(godwit_region_read(region, 0, back, size));
    EXPECT(memcmp(data, back, size) == 0);
    /* An unaligned range, from an unaligned buffer. */
    EXPECT_OK(godwit_region_write(region, 4097, data + 1, (3u << 20) + 1));
    EXPECT_OK(godwit_region_read(region, 4097, back + 3, (3u << 20) + 1));
    EXPECT(memcmp(data + 1, back + 3, (3u << 20) + 1) == 0);
    /* On both sides of what travels inside a message. */
    for (size_t length = 16383; length <= 16385; ++length) {
      EXPECT_OK(godwit_region_write(region, 5, data, length));
      memset(back, 0, length);
      EXPECT_OK(godwit_region_read(region, 5, back, length));
      EXPECT(memcmp(data, back, length) == 0);
    }
    EXPECT_OK(godwit_region_erase(region));
    godwit_region_close(region);
    godwit_target_close(target);
  }
  godwit_client_close(client);
  free(data);
  free(back);
  return 0;
}

struct told {
  size_t count, stop_at;
  int is_in_order;
  godwit_region_id last;
};

static int note(const godwit_region_info* info, void* context) {
  struct told* told = context;
  const godwit_region_id last = told->last;
  if (told->count > 0 && (info->id.high < last.high || (info->id.high == last.high && info->id.low <= last.low)))
    told->is_in_order = 0;
  told->last = info->id;
  return ++told->count == told->stop_at;
}

int c_regions_are_told_one_by_one(const char* address) {
  enum { kMany = 2001 }; /* More than two pages. */
  godwit_client* client = NULL;
  godwit_target* target = NULL;
  static godwit_region* regions[kMany];
  EXPECT_OK(godwit_client_open(NULL, &client));
  EXPECT_OK(godwit_target_open(client, address, "fast", &target));
  for (size_t i = 0; i < kMany; ++i) EXPECT_OK(godwit_region_create(target, NULL, 0, &regions[i]));
  struct told all = {0, 0, 1, {0, 0}};
  EXPECT_OK(godwit_region_each(client, address, "fast", note, &all));
  EXPECT(all.count == kMany && all.is_in_order);
  struct told some = {0, 1500, 1, {0, 0}};
  EXPECT_OK(godwit_region_each(client, address, NULL, note, &some));
  EXPECT(some.count == 1500);
  struct told none = {0, 0, 1, {0, 0}};
  EXPECT_OK(godwit_region_each(client, address, "keep", note, &none));
  EXPECT(none.count == 0);
  for (size_t i = 0; i < kMany; ++i) {
    EXPECT_OK(godwit_region_erase(regions[i]));
    godwit_region_close(regions[i]);
  }
  godwit_target_close(target);
  godwit_client_close(client);
  return 0;
}
