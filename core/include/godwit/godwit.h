/* godwit.h: the C API of Godwit, which moves memory regions, files and databases between the nodes of a cluster
 * while code uses them.
 *
 * Conventions, for every function unless it says otherwise:
 * - Returns GODWIT_OK (0) or a negative GODWIT_ERR_*; on failure outputs are untouched, and godwit_last_error() tells the
 *   calling thread what failed, on which node, on which object, and what to do.
 * - Blocks until done or until the client's deadlines pass. Safe to call from any thread, also on the same handle at once;
 *   closing a handle must be its last use.
 * - Strings are UTF-8, ended by NUL, and copied. Sizes and offsets are in bytes. NULL handles are GODWIT_ERR_INVALID.
 * - Any call that reaches a daemon can also return GODWIT_ERR_UNREACHABLE, _TIMEOUT, _PEER_LOST, _VERSION, _PROTOCOL, _FABRIC,
 *   _MEMORY and _INTERNAL.
 */
#ifndef GODWIT_H
#define GODWIT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(GODWIT_BUILD)
#define GODWIT_API __attribute__((visibility("default")))
#else
#define GODWIT_API
#endif

#define GODWIT_VERSION_MAJOR 0
#define GODWIT_VERSION_MINOR 1
#define GODWIT_VERSION_PATCH 0

/* Append-only. docs/reference/errors.md says what each means, what to do, and the exit code of the command line tools. */
enum {
  GODWIT_OK = 0,
  GODWIT_ERR_INVALID = -1,
  GODWIT_ERR_NOT_FOUND = -2,
  GODWIT_ERR_EXISTS = -3,
  GODWIT_ERR_NO_SPACE = -4,
  GODWIT_ERR_RANGE = -5,
  GODWIT_ERR_MOVED = -6,
  GODWIT_ERR_BUSY = -7,
  GODWIT_ERR_TIMEOUT = -8,
  GODWIT_ERR_UNREACHABLE = -9,
  GODWIT_ERR_PEER_LOST = -10,
  GODWIT_ERR_VERSION = -11,
  GODWIT_ERR_PROTOCOL = -12,
  GODWIT_ERR_DIGEST = -13,
  GODWIT_ERR_IO = -14,
  GODWIT_ERR_PMEM = -15,
  GODWIT_ERR_FABRIC = -16,
  GODWIT_ERR_MEMORY = -17,
  GODWIT_ERR_CONFIG = -18,
  GODWIT_ERR_CANCELLED = -19,
  GODWIT_ERR_UNSUPPORTED = -20,
  GODWIT_ERR_CORRUPT = -21,
  GODWIT_ERR_LIMIT = -22,
  GODWIT_ERR_PARTIAL = -23,
  GODWIT_ERR_INTERNAL = -24,
  GODWIT_ERR_IN_DOUBT = -25,
  GODWIT_ERR_DENIED = -26,
  GODWIT_ERR_CHANGED = -27
};

/* The last failure of this thread: "" if there was none. Valid until the thread's next call. */
GODWIT_API const char* godwit_last_error(void);
/* "GODWIT_ERR_RANGE"; "GODWIT_ERR_UNKNOWN" for a number this version does not know. Never NULL. */
GODWIT_API const char* godwit_error_name(int error);
/* One clause: what the code means. Never NULL. */
GODWIT_API const char* godwit_error_meaning(int error);
/* What the user can do. Never NULL. */
GODWIT_API const char* godwit_error_remedy(int error);
/* The exit code of the command line tools for this error; 0 for GODWIT_OK. */
GODWIT_API int godwit_error_exit_code(int error);
/* "0.1.0". */
GODWIT_API const char* godwit_version(void);

/* ------------------------------------------------------------------ client */

typedef struct godwit_client godwit_client;

/* Zero in a field: its default. Start from GODWIT_CLIENT_OPTIONS_INIT. */
typedef struct godwit_client_options {
  uint32_t connect_timeout_ms;   /* default 5,000 */
  uint32_t operation_timeout_ms; /* of one call, longest silence of a peer excluded; default 60,000 */
  uint32_t inline_bytes;         /* at most so many bytes travel inside the message, more by RMA; default and maximum 16,384 */
  int do_not_follow;             /* nonzero: GODWIT_ERR_MOVED instead of following a region or database to its new node */
} godwit_client_options;
#define GODWIT_CLIENT_OPTIONS_INIT \
  { 0, 0, 0, 0 }

/* Connects to nobody yet. Several clients in one process are independent. options may be NULL. Errors: INVALID. */
GODWIT_API int godwit_client_open(const godwit_client_options* options, godwit_client** client);
/* Closes all connections. Regions, targets, databases and migrations of the client must have been closed. NULL is allowed. */
GODWIT_API void godwit_client_close(godwit_client* client);

/* Round trip to the daemon at `address` ("tcp://10.0.0.1:7411", "shm://name"); *microseconds may be NULL. */
GODWIT_API int godwit_ping(godwit_client* client, const char* address, double* microseconds);
/* The node's own account of its topology, pinning, providers, limits and targets, as a JSON text; free with godwit_free(). */
GODWIT_API int godwit_doctor(godwit_client* client, const char* address, char** json);
/* Frees what an API call allocated and said so. NULL is allowed. */
GODWIT_API void godwit_free(void* memory);

/* ------------------------------------------------------------------ targets */

typedef struct godwit_target godwit_target;

typedef struct godwit_target_info {
  char name[65];
  char kind[8];         /* "dram", "pmem" or "file" */
  char granularity[64]; /* of a flush */
  uint64_t capacity_bytes;
  uint64_t used_bytes;
  uint64_t largest_free_bytes; /* the largest region that still fits */
  uint64_t regions;
} godwit_target_info;

/* A handle to a target by name. Errors: NOT_FOUND, no such target there. */
GODWIT_API int godwit_target_open(godwit_client* client, const char* address, const char* name, godwit_target** target);
GODWIT_API void godwit_target_close(godwit_target* target);
GODWIT_API int godwit_target_stat(godwit_target* target, godwit_target_info* info);
/* All targets of a node; *infos is freed with godwit_free(). */
GODWIT_API int godwit_target_list(godwit_client* client, const char* address, godwit_target_info** infos, size_t* count);

/* ------------------------------------------------------------------ regions */

typedef struct godwit_region godwit_region;

/* A region's name for ever: it keeps it when it moves. A copy gets a new one. */
typedef struct godwit_region_id {
  uint64_t high;
  uint64_t low;
} godwit_region_id;

typedef struct godwit_region_info {
  godwit_region_id id;
  uint64_t epoch; /* grows by one each time the region changes its owner */
  uint64_t size_bytes;
  char name[129]; /* "" if it has none */
  char target[65];
  char address[257]; /* of the node that owns it */
  uint32_t owner;    /* user and group it belongs to, by number, and who may read (0444) and write (0222) it, as of a file: */
  uint32_t group;    /* docs/howto/identity.md */
  uint32_t mode;
} godwit_region_info;

/* 32 hexadecimal digits and NUL. */
GODWIT_API void godwit_region_id_format(godwit_region_id id, char text[33]);
/* Errors: INVALID, not 32 hexadecimal digits. */
GODWIT_API int godwit_region_id_parse(const char* text, godwit_region_id* id);

/* A new region of `size` zero bytes (0 is allowed). name: NULL, or unique on its node, 1 to 128 bytes without control
 * characters, and not 32 hexadecimal digits. Errors: NO_SPACE, EXISTS, NOT_FOUND (the target), INVALID. */
GODWIT_API int godwit_region_create(godwit_target* target, const char* name, uint64_t size, godwit_region** region);
/* The same, holding `data`: the region exists with all its bytes, or not at all. Durable on pmem and file targets. */
GODWIT_API int godwit_region_create_write(godwit_target* target, const char* name, const void* data, uint64_t size,
                                          godwit_region** region);
/* A handle by id (32 hexadecimal digits) or name. Errors: NOT_FOUND. */
GODWIT_API int godwit_region_open(godwit_client* client, const char* address, const char* id_or_name, godwit_region** region);
GODWIT_API void godwit_region_close(godwit_region* region);

/* Writes or reads [offset, offset + length); length 0 checks the range only. A write that has returned is seen by every later
 * read; it is durable after godwit_region_persist(). Concurrent accesses to the same bytes are the caller's to order.
 * Errors: RANGE, NOT_FOUND (erased), MOVED (only with do_not_follow), BUSY (writes: quiesced by a migration for longer than
 * operation_timeout_ms). */
GODWIT_API int godwit_region_write(godwit_region* region, uint64_t offset, const void* data, uint64_t length);
GODWIT_API int godwit_region_read(godwit_region* region, uint64_t offset, void* data, uint64_t length);
/* Makes the range durable (pmem: flushed, file: fdatasync; dram: succeeds and promises nothing). Errors: RANGE, PMEM, IO. */
GODWIT_API int godwit_region_persist(godwit_region* region, uint64_t offset, uint64_t length);
GODWIT_API int godwit_region_size(godwit_region* region, uint64_t* size);
GODWIT_API int godwit_region_stat(godwit_region* region, godwit_region_info* info);
/* Erases the region; other handles then get NOT_FOUND. Errors: BUSY, it is being migrated. */
GODWIT_API int godwit_region_erase(godwit_region* region);
/* Who else may read (0440, 0404) and write (0220, 0202) it; for its owner and administrators. Where its target lasts it is
 * durable on return. Errors: INVALID, a bit that is none of 0666; DENIED, somebody else owns it; BUSY, it is being migrated. */
GODWIT_API int godwit_region_chmod(godwit_region* region, uint32_t mode);
/* The id; no communication. Errors: INVALID. */
GODWIT_API int godwit_region_get_id(const godwit_region* region, godwit_region_id* id);
/* All regions of a node, or of one of its targets (NULL: all); *infos is freed with godwit_free(). Errors: NOT_FOUND. */
GODWIT_API int godwit_region_list(godwit_client* client, const char* address, const char* target, godwit_region_info** infos,
                                  size_t* count);
/* Called for each region, by the thread that asks; a nonzero return ends the list. *info is valid until it returns. */
typedef int (*godwit_region_callback)(const godwit_region_info* info, void* context);
/* The same without keeping all of them in memory: some 1000 at a time, in the order of their ids. What is created or erased
 * meanwhile may be among them. The callback may use the client. Errors: NOT_FOUND. */
GODWIT_API int godwit_region_each(godwit_client* client, const char* address, const char* target,
                                  godwit_region_callback callback, void* context);

/* ------------------------------------------------------------------ databases */

/* A key/value store that a daemon hosts. Keys are 1 byte to 64 KiB (backend "lmdb": 511 bytes), values 0 bytes to 64 MiB; both
 * are any bytes. Keys are ordered by their bytes, as unsigned.
 *
 * What has returned GODWIT_OK is seen by every later call. On a backend that lasts ("rocksdb", "leveldb", "lmdb") it survives
 * the death of the daemon (kill -9), and after godwit_database_persist() also the loss of power; "map" is in memory and
 * survives neither.
 *
 * Every call with a database can also return NOT_FOUND (destroyed), MOVED (only with do_not_follow), BUSY (being migrated for
 * longer than operation_timeout_ms), CORRUPT (damaged on its disk), NO_SPACE and IO.
 * A batch (the *_multi calls) has at most 65 MiB, with 12 bytes for each key, and 1,000,000 keys: LIMIT. A batch that writes is
 * done whole or not at all. */
typedef struct godwit_database godwit_database;

/* A database's name for ever: it keeps it when it moves. godwit_region_id_format() and _parse() are for it too. */
typedef godwit_region_id godwit_database_id;

typedef struct godwit_database_info {
  godwit_database_id id;
  uint64_t epoch; /* grows by one each time the database changes its owner */
  char name[129];
  char backend[16];   /* "map", "rocksdb", "leveldb" or "lmdb" */
  char path[1025];    /* its directory on its node; "" in memory; cut where it is longer */
  char options[1025]; /* JSON; cut where it is longer */
  uint64_t bytes;     /* what it takes in memory or on disk, roughly */
  char address[257];  /* of the node that owns it */
  uint32_t owner;     /* user and group it belongs to, by number, and who may read (0444) and write (0222) it, as of a file: */
  uint32_t group;     /* docs/howto/identity.md */
  uint32_t mode;
} godwit_database_info;

/* The size of a value that is not there, in the *_multi calls. */
#define GODWIT_NO_VALUE UINT64_MAX

/* A new, empty database. name: unique on its node, 1 to 128 bytes without control characters, and not 32 hexadecimal digits.
 * options_json: NULL, or a JSON object (docs/howto/databases.md). On backends that last it lies below the daemon's
 * database_root. Errors: INVALID (also: no such backend or option), EXISTS, UNSUPPORTED (the daemon has no database_root),
 * NO_SPACE, IO. */
GODWIT_API int godwit_database_create(godwit_client* client, const char* address, const char* name, const char* backend,
                                      const char* options_json, godwit_database** database);
/* A handle by id (32 hexadecimal digits) or name. Errors: NOT_FOUND. */
GODWIT_API int godwit_database_open(godwit_client* client, const char* address, const char* id_or_name,
                                    godwit_database** database);
/* The database stays. NULL is allowed. */
GODWIT_API void godwit_database_close(godwit_database* database);
GODWIT_API int godwit_database_stat(godwit_database* database, godwit_database_info* info);
/* All databases of a node; *infos is freed with godwit_free(). */
GODWIT_API int godwit_database_list(godwit_client* client, const char* address, godwit_database_info** infos, size_t* count);
/* Erases the database with all that is in it; other handles then get NOT_FOUND. Errors: BUSY, it is being migrated;
 * UNSUPPORTED, it belongs to the daemon's configuration. */
GODWIT_API int godwit_database_destroy(godwit_database* database);

/* As godwit_region_chmod(). */
GODWIT_API int godwit_database_chmod(godwit_database* database, uint32_t mode);

/* Errors: INVALID (an empty key), LIMIT (a key or value that is too long). */
GODWIT_API int godwit_database_put(godwit_database* database, const void* key, size_t key_size, const void* value,
                                   uint64_t value_size);
/* *value_size: on entry the room at `value` (which may be NULL if that is 0), then the value's size. Errors: NOT_FOUND, no such
 * key; RANGE, there is too little room: *value_size is what is needed, and nothing is written to `value`; INVALID, LIMIT. */
GODWIT_API int godwit_database_get(godwit_database* database, const void* key, size_t key_size, void* value,
                                   uint64_t* value_size);
/* *exists is set to 1 or 0. Errors: INVALID, LIMIT. */
GODWIT_API int godwit_database_exists(godwit_database* database, const void* key, size_t key_size, int* exists);
/* The size of the key's value. Errors: NOT_FOUND, no such key; INVALID, LIMIT. */
GODWIT_API int godwit_database_length(godwit_database* database, const void* key, size_t key_size, uint64_t* length);
/* A key that is not there is no error. Errors: INVALID, LIMIT. */
GODWIT_API int godwit_database_erase(godwit_database* database, const void* key, size_t key_size);

/* The same for `count` keys at once. Errors: as above; of put_multi and erase_multi nothing is then done. */
GODWIT_API int godwit_database_put_multi(godwit_database* database, size_t count, const void* const* keys,
                                         const size_t* key_sizes, const void* const* values, const uint64_t* value_sizes);
/* value_sizes[i]: on entry the room at values[i], then the value's size, or GODWIT_NO_VALUE for a key that is not there (which
 * is no error here). Errors: RANGE, at least one value has too little room: its size is what is needed, the others are given;
 * LIMIT, the values together have more than 65 MiB; INVALID. */
GODWIT_API int godwit_database_get_multi(godwit_database* database, size_t count, const void* const* keys,
                                         const size_t* key_sizes, void* const* values, uint64_t* value_sizes);
GODWIT_API int godwit_database_exists_multi(godwit_database* database, size_t count, const void* const* keys,
                                            const size_t* key_sizes, int* exist);
/* lengths[i] is GODWIT_NO_VALUE for a key that is not there. */
GODWIT_API int godwit_database_length_multi(godwit_database* database, size_t count, const void* const* keys,
                                            const size_t* key_sizes, uint64_t* lengths);
GODWIT_API int godwit_database_erase_multi(godwit_database* database, size_t count, const void* const* keys,
                                           const size_t* key_sizes);

typedef struct godwit_key_value {
  const void* key;
  size_t key_size;
  const void* value; /* NULL where only keys were asked for */
  uint64_t value_size;
} godwit_key_value;

/* Keys in their order: those that begin with `prefix` (size 0: all) and come after `from_key` (size 0: from the first), at most
 * `max` (0: all). Keys that are put or erased meanwhile may or may not be seen. *list with all that it points to is one
 * allocation: godwit_free(). Errors: INVALID. */
GODWIT_API int godwit_database_list_keys(godwit_database* database, const void* prefix, size_t prefix_size,
                                         const void* from_key, size_t from_size, uint64_t max, godwit_key_value** list,
                                         size_t* count);
/* The same with the values. */
GODWIT_API int godwit_database_list_key_values(godwit_database* database, const void* prefix, size_t prefix_size,
                                               const void* from_key, size_t from_size, uint64_t max, godwit_key_value** list,
                                               size_t* count);
/* How many keys begin with `prefix` (size 0: all). Looks at each of them. */
GODWIT_API int godwit_database_count(godwit_database* database, const void* prefix, size_t prefix_size, uint64_t* count);
/* Makes durable what was done before: it then survives the loss of power. "map": succeeds and promises nothing. */
GODWIT_API int godwit_database_persist(godwit_database* database);

/* ------------------------------------------------------------------ documents */

/* A database also holds collections of documents: values of 0 bytes to 64 MiB with ids 0, 1, 2, ..., which are never used
 * again. They share nothing with the database's keys, in listings and counts neither. Names of collections are as those of
 * databases. Every call with a collection can also return INVALID (its name) and NOT_FOUND (no such collection), and what a
 * database's calls can. */

typedef struct godwit_collection_name {
  char name[129];
} godwit_collection_name;

/* Errors: EXISTS. After _PEER_LOST and _TIMEOUT nobody knows whether it was made, nor whether a document was stored. */
GODWIT_API int godwit_collection_create(godwit_database* database, const char* collection);
/* Erases the collection with its documents. */
GODWIT_API int godwit_collection_drop(godwit_database* database, const char* collection);
/* The names of all collections, in the order of their bytes; *names is freed with godwit_free(). */
GODWIT_API int godwit_collection_list(godwit_database* database, godwit_collection_name** names, size_t* count);
/* How many documents it has. */
GODWIT_API int godwit_collection_size(godwit_database* database, const char* collection, uint64_t* size);
/* The id that was given last, whether or not its document is still there. Errors: NOT_FOUND, also: none was ever stored. */
GODWIT_API int godwit_collection_last_id(godwit_database* database, const char* collection, uint64_t* id);

/* id may be NULL. Errors: LIMIT. */
GODWIT_API int godwit_document_store(godwit_database* database, const char* collection, const void* document, uint64_t size,
                                     uint64_t* id);
/* Stores all of them, with ids in a row from *first_id (may be NULL) on, or none. Errors: LIMIT. */
GODWIT_API int godwit_document_store_multi(godwit_database* database, const char* collection, size_t count,
                                           const void* const* documents, const uint64_t* sizes, uint64_t* first_id);
/* As godwit_database_get() and _get_multi(). */
GODWIT_API int godwit_document_load(godwit_database* database, const char* collection, uint64_t id, void* document,
                                    uint64_t* size);
GODWIT_API int godwit_document_load_multi(godwit_database* database, const char* collection, size_t count, const uint64_t* ids,
                                          void* const* documents, uint64_t* sizes);
/* Errors: NOT_FOUND, no such document. */
GODWIT_API int godwit_document_length(godwit_database* database, const char* collection, uint64_t id, uint64_t* length);
/* lengths[i] is GODWIT_NO_VALUE for a document that is not there. */
GODWIT_API int godwit_document_length_multi(godwit_database* database, const char* collection, size_t count,
                                            const uint64_t* ids, uint64_t* lengths);
/* Replaces a document, or all of several or none. Errors: NOT_FOUND, no such document; LIMIT. */
GODWIT_API int godwit_document_update(godwit_database* database, const char* collection, uint64_t id, const void* document,
                                      uint64_t size);
GODWIT_API int godwit_document_update_multi(godwit_database* database, const char* collection, size_t count,
                                            const uint64_t* ids, const void* const* documents, const uint64_t* sizes);
/* A document that is not there is no error. */
GODWIT_API int godwit_document_erase(godwit_database* database, const char* collection, uint64_t id);
GODWIT_API int godwit_document_erase_multi(godwit_database* database, const char* collection, size_t count,
                                           const uint64_t* ids);

typedef struct godwit_document {
  uint64_t id;
  const void* data;
  uint64_t size;
} godwit_document;

/* Documents in the order of their ids, from `first_id` on, at most `max` (0: all). *list with all that it points to is one
 * allocation: godwit_free(). */
GODWIT_API int godwit_document_list(godwit_database* database, const char* collection, uint64_t first_id, uint64_t max,
                                    godwit_document** list, size_t* count);

/* ------------------------------------------------------------------ migration */

typedef struct godwit_progress {
  uint64_t bytes_done;
  uint64_t bytes_total;
  uint64_t objects_done; /* cut over */
  uint64_t objects_total;
  double bytes_per_second; /* over the last second or so */
  double eta_seconds;      /* negative: unknown */
  char phase[16];          /* "planning", "pre-sync", "sync", "cutover", "validation", "cleanup", "done", "failed", ... */
} godwit_progress;

/* Called by the thread that waits (godwit_migration_wait or a synchronous call), about every 100 ms and once at the end.
 * A nonzero return cancels the migration. */
typedef int (*godwit_progress_callback)(const godwit_progress* progress, void* context);

/* How blocks are compressed on their way. A block that gains too little travels as it is. */
#define GODWIT_COMPRESSION_NONE 0
#define GODWIT_COMPRESSION_LZ4 1  /* fast */
#define GODWIT_COMPRESSION_ZSTD 2 /* smaller */

/* Which of the jobs that wait begins first; jobs that run are not interrupted. */
#define GODWIT_PRIORITY_NORMAL 0
#define GODWIT_PRIORITY_LOW 1
#define GODWIT_PRIORITY_HIGH 2
#define GODWIT_PRIORITY_EMERGENCY 3 /* begins at once, beside whatever runs; the node's limit of bandwidth is not for it */

typedef struct godwit_migrate_options {
  int copy;                          /* nonzero: keep the source; the copy gets a new id. Default: move */
  uint64_t block_bytes;              /* 4 KiB to 64 MiB; 0: as the source's daemon is configured (512 KiB) */
  uint32_t streams;                  /* connections that carry bytes side by side; 0: as the source's daemon is configured */
  const char* name;                  /* for one region only: its name at the destination; NULL keeps it */
  godwit_progress_callback progress; /* may be NULL */
  void* progress_context;
  uint64_t bandwidth;       /* at most so many bytes a second; 0: no limit; see godwit_migration_limit() */
  int compression;          /* GODWIT_COMPRESSION_* */
  int verify;               /* the destination reads back from its target what it stored, before the cutover */
  int priority;             /* GODWIT_PRIORITY_* */
  const char* time_window;  /* "22:00-06:00", local time of the source: outside of it the job is paused; NULL: none */
  int approval;             /* when all has arrived the job waits for godwit_migration_approve() before its cutover */
  uint64_t max_downtime_ms; /* writers that are stopped for longer, before the cutover is decided, end the job (LIMIT), and
                               go on at the source; 0: no limit. Writers of files are never stopped */
} godwit_migrate_options;
#define GODWIT_MIGRATE_OPTIONS_INIT \
  { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/* What became of one region of a migration. */
typedef struct godwit_migrate_result {
  godwit_region_id source_id;
  godwit_region_id destination_id;
  uint64_t size_bytes;
  int error; /* GODWIT_OK, or why this one stayed */
} godwit_migrate_result;

typedef struct godwit_migration godwit_migration;

/* Starts to migrate `count` regions of the node at `source` to a target of the node at `destination` (which may be the same
 * node, but not the same target), and returns. The job goes on whether or not anyone waits for it, also after this process
 * ended. Every block's digest is checked at the destination before the cutover. Regions that cannot go (unknown, no room, a
 * name that is taken) stay as they are and are reported each; the others go. Errors: INVALID, LIMIT (more than 100,000
 * regions), NOT_FOUND (the only region), BUSY (too many jobs). options may be NULL. */
GODWIT_API int godwit_migrate_start(godwit_client* client, const char* source, const godwit_region_id* regions, size_t count,
                                    const char* destination, const char* destination_target,
                                    const godwit_migrate_options* options, godwit_migration** migration);
/* The same for the job with this id (32 hexadecimal digits); `source` may be any member of its source's group. Errors:
 * NOT_FOUND. */
GODWIT_API int godwit_migration_open(godwit_client* client, const char* source, const char* job_id,
                                     godwit_migration** migration);
/* The job goes on. NULL is allowed. */
GODWIT_API void godwit_migration_close(godwit_migration* migration);
/* *done is set to 1 once the job has ended, to 0 before; does not wait for it. progress may be NULL. */
GODWIT_API int godwit_migration_test(godwit_migration* migration, int* done, godwit_progress* progress);
/* Waits until the job has ended, at most timeout_ms (0: without limit); runs the progress callback.
 * GODWIT_OK: every region arrived. Errors: PARTIAL, some did not; the one region's error, or the first of them if none arrived;
 * CANCELLED; IN_DOUBT, the cutover's outcome waits for a peer: the job goes on, and godwit_migration_test() tells when it has
 * ended; TIMEOUT, the job goes on. */
GODWIT_API int godwit_migration_wait(godwit_migration* migration, uint32_t timeout_ms);
/* Asks the job to stop; what is not cut over stays at the source, unharmed. Does not wait. */
GODWIT_API int godwit_migration_cancel(godwit_migration* migration);
/* Between the start and the cutover: no block is sent any more (those on their way arrive, within 100 ms as a rule) until
 * godwit_migration_resume(), and nothing that has arrived is sent again. What the job has stopped stays stopped: writes to its
 * regions wait. A second call changes nothing. Errors: BUSY, the cutover has begun, or the job has ended. */
GODWIT_API int godwit_migration_pause(godwit_migration* migration);
/* Goes on, and from now on also outside its time window; a job that is not paused does so anyway. Errors: BUSY, the job has
 * ended. */
GODWIT_API int godwit_migration_resume(godwit_migration* migration);
/* The cutover of a job with `approval` may begin; also before all has arrived. Others have no need of it. */
GODWIT_API int godwit_migration_approve(godwit_migration* migration);
/* Takes away all that keeps the job from its cutover: a missing approval, a pause, its time window. Errors: BUSY, it has ended.
 */
GODWIT_API int godwit_migration_cutover(godwit_migration* migration);
/* Makes what has arrived at the destination durable, and noted, now: after a crash it is not sent again. Waits for the disk
 * there. Of objects that do not go on block by block (databases, memory) there is nothing to note. Errors: BUSY, the job has
 * ended; PEER_LOST, UNREACHABLE: the destination; IO, NO_SPACE. */
GODWIT_API int godwit_migration_checkpoint(godwit_migration* migration);
/* Takes everything back before the decision of the cutover: the source serves what it served, the destination's space is free,
 * and the job ends as "rolled back". Does not wait. Errors: BUSY, the cutover is decided, or the job has ended. */
GODWIT_API int godwit_migration_rollback(godwit_migration* migration);
/* The same, to the job's checkpoint, of which there is one, the last: what has arrived is noted and stays at the destination,
 * the source serves what it served, and the job waits, paused; an approval does not hold any more. godwit_migration_resume()
 * then sends only what has changed, or was not there. Errors: BUSY, also when nothing has arrived yet; UNSUPPORTED, the job
 * could not go on (resume_timeout_ms is 0). */
GODWIT_API int godwit_migration_rollback_to_checkpoint(godwit_migration* migration);
/* From now on at most `bandwidth` bytes a second of the job travel (where it compresses, more than that arrive); 0: no limit.
 * Errors: BUSY, the job has ended. */
GODWIT_API int godwit_migration_limit(godwit_migration* migration, uint64_t bandwidth);
/* What became of each region, in the order of the call; *results is freed with godwit_free(). Errors: BUSY, not ended yet. */
GODWIT_API int godwit_migration_results(godwit_migration* migration, godwit_migrate_result** results, size_t* count);
GODWIT_API int godwit_migration_get_id(const godwit_migration* migration, char text[33]);
/* What the job did, as a JSON text (ways taken, blocks, what travelled, retries, digests, seconds by phase); free with
 * godwit_free(). */
GODWIT_API int godwit_migration_report(godwit_migration* migration, char** json);

/* Starts, waits, and gives a handle to the region at its new place in *migrated (may be NULL). After a move, `region` too
 * leads there, if the client follows. Errors: as start and wait. */
GODWIT_API int godwit_region_migrate(godwit_region* region, godwit_target* destination, const godwit_migrate_options* options,
                                     godwit_region** migrated);
/* Starts, waits; results as godwit_migration_results, or NULL with a NULL result_count. All regions must be on one node.
 * The results are given for GODWIT_OK and also for GODWIT_ERR_PARTIAL: free them after both. */
GODWIT_API int godwit_migrate(godwit_client* client, const char* source, const godwit_region_id* regions, size_t count,
                              const char* destination, const char* destination_target, const godwit_migrate_options* options,
                              godwit_migrate_result** results, size_t* result_count);

/* ---- migration of databases */

typedef struct godwit_database_migrate_options {
  const char* new_root; /* directory there in which the database's own is made: below that node's database_root, or where its
                           file_roots let it be written; NULL or "": the database_root. Without meaning for "map" */
  const char* extra_config; /* JSON object: options there, in the place of those here; NULL or "": none */
  uint64_t xfer_size;       /* bytes of one block, 4 KiB to 64 MiB; 0: as the source's daemon is configured */
  uint32_t streams;         /* as in godwit_migrate_options */
  godwit_progress_callback progress;
  void* progress_context;
  uint64_t bandwidth; /* these as in godwit_migrate_options */
  int compression;
  int verify;
  int priority;
  const char* time_window;
  int approval;
  uint64_t max_downtime_ms;
} godwit_database_migrate_options;
#define GODWIT_DATABASE_MIGRATE_OPTIONS_INIT \
  { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/* Starts to move the database to the node at `destination`, and returns. It serves meanwhile: RocksDB and LevelDB also serve
 * writes until only what changed last is left to go; writes then wait, and go to its new node. All or nothing: after a success
 * the destination serves it and the source answers GODWIT_ERR_MOVED, which handles follow unless their client was opened with
 * do_not_follow; after a failure the source serves as before. Wait with godwit_migration_wait(). Errors: INVALID; BUSY, another
 * job works on it; CORRUPT, it cannot be read. Of the job: EXISTS, its name is taken there; DENIED, new_root; UNSUPPORTED, no
 * database_root there, or a backend that cannot be moved; NO_SPACE; IO; INVALID, extra_config. options may be NULL. */
GODWIT_API int godwit_database_migrate_start(godwit_database* database, const char* destination,
                                             const godwit_database_migrate_options* options, godwit_migration** migration);
/* Starts and waits. Errors: as start, and as godwit_migration_wait(). */
GODWIT_API int godwit_database_migrate(godwit_database* database, const char* destination,
                                       const godwit_database_migrate_options* options);

/* ------------------------------------------------------------------ filesets */

/* Paths are absolute paths of a node, NUL-ended bytes of any encoding; "." components are dropped, ".." is refused. Both nodes'
 * operators say below which directories files may be read and written (`file_roots` in the daemon's configuration). */

/* The first rule that matches decides; what none matches is taken. A pattern as of fnmatch(3): with a '/' for the whole path
 * below the migrated directory ("cache/x*"), without one for the name alone ("*.tmp"). */
typedef struct godwit_file_rule {
  int take; /* 0: leave it out, and all that is below it */
  const char* pattern;
} godwit_file_rule;

typedef struct godwit_fileset_options {
  int move;    /* remove the source once the destination has it durably. Default: copy */
  int update;  /* what is at the destination already is brought up to date: only files of another size, time of modification
                  or mode travel; what is only there stays. Default: EXISTS */
  int verify;  /* the destination reads back from its medium what it stored, before the cutover */
  int dry_run; /* only look, at both ends; godwit_fileset_planned() then says what would be done */
  int force;   /* also read files that somebody has open for writing. Default: CHANGED */
  int xattrs;  /* user.* extended attributes and POSIX ACLs travel too */
  int skip_special; /* leave out devices, sockets and FIFOs. Default: UNSUPPORTED */
  const godwit_file_rule* rules;
  size_t rule_count;
  uint64_t block_bytes; /* as in godwit_migrate_options */
  uint32_t streams;
  godwit_progress_callback progress;
  void* progress_context;
  /* Hooks of the caller; NULL: none. `before` is called by the function that starts the job, before it; `after` by the thread
   * that waits for it, when all has arrived, is verified and not yet visible (a job that nobody waits for fails after 10
   * minutes). Nonzero ends the migration as CANCELLED; nothing has then changed at either end. */
  int (*before)(void* hook_context);
  int (*after)(void* hook_context);
  void* hook_context;
  uint64_t bandwidth; /* these as in godwit_migrate_options */
  int compression;
  int priority;
  const char* time_window;
  int approval;
  uint64_t max_downtime_ms;
} godwit_fileset_options;
#define GODWIT_FILESET_OPTIONS_INIT \
  { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/* Starts to copy (or move) `count` files and directory trees of the node at `source` into `directory` of the node at
 * `destination`, and returns; each path becomes directory/its-last-component there. A tree is made out of sight and becomes
 * visible by one rename when every byte has been verified and is durable: all of it, or nothing, also after a crash. Modes
 * (without set-user-id and set-group-id), times of modification, symbolic links, hard links within a tree and holes are kept;
 * owners if the destination's daemon is root. Paths that cannot go are reported each; the others go. Wait, cancel and ask for
 * results with the godwit_migration_* functions. Errors: INVALID; LIMIT (more than 100,000 paths). Of the job and its results:
 * DENIED, below no root, or no permission; NOT_FOUND; EXISTS; NO_SPACE; CHANGED, a file changed while it was read, or is open
 * for writing; UNSUPPORTED, a special file; IO. options may be NULL. */
GODWIT_API int godwit_fileset_migrate_start(godwit_client* client, const char* source, const char* const* paths, size_t count,
                                            const char* destination, const char* directory,
                                            const godwit_fileset_options* options, godwit_migration** migration);
/* Starts, waits; results as godwit_migrate(), in the order of the paths. Errors: as start, and as godwit_migration_wait(). */
GODWIT_API int godwit_fileset_migrate(godwit_client* client, const char* source, const char* const* paths, size_t count,
                                      const char* destination, const char* directory, const godwit_fileset_options* options,
                                      godwit_migrate_result** results, size_t* result_count);

typedef struct godwit_planned_file {
  const char* path; /* below `directory`; valid during the call */
  char kind[16];    /* "directory", "file", "symlink" or "hard link" */
  int comes;        /* 0: it is there already, and the same */
  uint64_t bytes;   /* of data (holes do not count) */
} godwit_planned_file;
/* Calls `each` for the first 100,000 files of a dry run that has ended; a nonzero return ends that. *total: how many there are;
 * may be NULL. Errors: BUSY, not ended yet. */
GODWIT_API int godwit_fileset_planned(godwit_migration* migration, int (*each)(const godwit_planned_file* file, void* context),
                                      void* context, uint64_t* total);

/* ------------------------------------------------------------------ jobs */

typedef struct godwit_job_info {
  char id[33];
  char source[257];
  char destination[257];
  char destination_target[65];
  int copy;
  int error; /* GODWIT_OK, or why it failed; meaningful once ended */
  int ended;
  godwit_progress progress;
  uint64_t bandwidth; /* its limit in bytes a second; 0: none */
  int priority;
  char time_window[16]; /* "22:00-06:00", or "" */
  char error_text[256]; /* why it failed, or what it waits for; what does not fit is cut off; or "" */
} godwit_job_info;

/* The jobs whose source is this node, newest first; the last 1,000 ended ones are remembered. *infos: godwit_free(). */
GODWIT_API int godwit_job_list(godwit_client* client, const char* address, godwit_job_info** infos, size_t* count);
/* One job, asked of its source or of any member of its group. Errors: INVALID, job_id is not 32 hexadecimal digits; NOT_FOUND.
 */
GODWIT_API int godwit_job_stat(godwit_client* client, const char* address, const char* job_id, godwit_job_info* info);

/* What happened to a job, and why, asked of its source or of any member of its group: JSON objects, the oldest first, each on a
 * line of its own that ends with '\n'. Every object has "time" (UTC, ISO 8601 with milliseconds) and "event"; the last one of a
 * job that has ended is "ended". The source keeps the events of its last 1,000 jobs, also when it restarts. *lines:
 * godwit_free(). Blocks for the source's disk. Errors: INVALID, job_id is not 32 hexadecimal digits; NOT_FOUND, nobody knows of
 * the job; IO. */
GODWIT_API int godwit_job_events(godwit_client* client, const char* address, const char* job_id, char** lines);

/* ------------------------------------------------------------------ groups */

/* The nodes that the configuration of each names as members of its group (docs/howto/group.md) know of each other's jobs and
 * objects: every call about one job, and godwit_region_open() and godwit_database_open(), may be asked of any of them, and goes
 * on at the one that has it (an object: unless do_not_follow is set). A node without a group is its only member. */
typedef struct godwit_member {
  char address[257];
  godwit_region_id node; /* stays the same when the daemon restarts; zero if it did not answer */
  int error;             /* GODWIT_OK, or why it did not answer */
  char error_text[256];  /* what does not fit is cut off; or "" */
} godwit_member;

/* The members of the node's group, itself first, and who of them answers it; takes at most some seconds, however many do not.
 * *members: godwit_free(). */
GODWIT_API int godwit_group_list(godwit_client* client, const char* address, godwit_member** members, size_t* count);
/* The jobs of all members that answer, member by member, newest first; `source` names the node of each. *members tells who they
 * are, and who did not answer: that is no error of this call. Both are freed with godwit_free(). */
GODWIT_API int godwit_group_jobs(godwit_client* client, const char* address, godwit_job_info** infos, size_t* count,
                                 godwit_member** members, size_t* member_count);

typedef struct godwit_place {
  char kind[16]; /* "region", "database", "job", "fileset" or "plan" */
  godwit_region_id id;
  uint64_t epoch;    /* 0 of a job or a plan; 1 of a fileset */
  char name[129];    /* "" if it has none */
  char target[65];   /* of a region; else "" */
  char address[257]; /* of the member that has it, as the asked node reaches it */
  char path[4096];   /* of a fileset, at that member; else "" */
} godwit_place;

/* Where the region, database, job or plan with this id (32 hexadecimal digits), or the region or database of this name, is now:
 * asks every member of the node's group. And where a job has put a fileset: by the fileset's id (the destination_id of the
 * job's results), by its path at the destination, or by the job's id once the job itself is known no more. Nobody looks whether
 * the files are there still; each node remembers the last 10000 that came to it. Errors: NOT_FOUND; EXISTS, several have that
 * name (the text says which and where: ask for an id); UNREACHABLE, no member that answered has it, and some did not answer
 * (the text names them); INVALID. */
GODWIT_API int godwit_locate(godwit_client* client, const char* address, const char* id_or_name, godwit_place* place);

/* ------------------------------------------------------------------ limits */

/* What the node sends as the source of all its jobs together is at most `bandwidth` bytes a second, until it is changed again
 * or the daemon restarts (then: its configuration); 0: no limit. */
GODWIT_API int godwit_node_limit(godwit_client* client, const char* address, uint64_t bandwidth);
GODWIT_API int godwit_node_get_limit(godwit_client* client, const char* address, uint64_t* bandwidth);
/* A rate as people write it, in bytes a second: "50mbps" (bits), "100MB/s", "2GiB/s", "4096". Errors: INVALID. */
GODWIT_API int godwit_rate_parse(const char* text, uint64_t* bytes_per_second);

/* ------------------------------------------------------------------ plans */

/* Several migrations of objects of one node, in stages with an order between them. The node that has the objects keeps the plan
 * and runs it: it goes on whether or not anyone waits for it, also after the daemon was restarted, with the rights of
 * whoever made it, whose it is. Who may not read it hears NOT_FOUND; who may read and not write it hears DENIED when he wants
 * to steer it. A plan that another node of the group keeps is found through any of them. What a document says, and what the
 * JSON of a plan tells: docs/howto/plan.md. */

/* Resolves every object of the document (JSON), asks every destination whether it would take them, measures the way there, and
 * keeps the plan; nothing else changes at either end. *plan: its JSON, with "id" and "ok"; what would not work is in it
 * ("errors"), and no error of this call. Free with godwit_free(). Blocks for at most ten minutes. Errors: INVALID, the document
 * has an unknown key, a value that is none, or a contradiction (the text says where); LIMIT, more than 8 MiB, 256 stages, or
 * objects than a job may have; or 100 plans run, 20 of one user. */
GODWIT_API int godwit_plan_make(godwit_client* client, const char* address, const char* document, char** plan);
/* Starts the plan, and returns; one that failed or was cancelled goes on with what is not done. *plan as above; may be NULL.
 * Errors: NOT_FOUND; DENIED; INVALID, id is not 32 hexadecimal digits, or the plan has errors; BUSY, it runs, or is done. */
GODWIT_API int godwit_plan_execute(godwit_client* client, const char* address, const char* id, char** plan);
/* The plan as it stands; "state" is "planned", "running", "done", "failed" or "cancelled". Errors: INVALID; NOT_FOUND. */
GODWIT_API int godwit_plan_show(godwit_client* client, const char* address, const char* id, char** plan);
/* The node's plans that the caller may read, the newest first, as a JSON array without their stages; at most 100 are
 * remembered, 20 of one user. Free with godwit_free(). */
GODWIT_API int godwit_plan_list(godwit_client* client, const char* address, char** plans);
/* Starts no more jobs of the plan, and asks those that run to stop. Does not wait: its state is "cancelled" when all have
 * ended. Errors: INVALID; NOT_FOUND; DENIED; BUSY, it does not run. */
GODWIT_API int godwit_plan_cancel(godwit_client* client, const char* address, const char* id);
/* Forgets the plan; what it has moved stays where it is. Errors: INVALID; NOT_FOUND; DENIED; BUSY, it runs. */
GODWIT_API int godwit_plan_remove(godwit_client* client, const char* address, const char* id);
/* Who else may see it (0440, 0404) and steer it (0220, 0202), which then acts with its owner's rights; for its owner and
 * administrators. Durable on return. Errors: INVALID, a bit that is none of 0666; NOT_FOUND; DENIED, somebody else owns it. */
GODWIT_API int godwit_plan_chmod(godwit_client* client, const char* address, const char* id, uint32_t mode);

#ifdef __cplusplus
}
#endif

#endif
