/* godwit.h: the C API of Godwit, which moves memory regions and files between the nodes of a cluster while code uses them.
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
  int do_not_follow;             /* nonzero: GODWIT_ERR_MOVED instead of following a region to its new node */
} godwit_client_options;
#define GODWIT_CLIENT_OPTIONS_INIT \
  { 0, 0, 0, 0 }

/* Connects to nobody yet. Several clients in one process are independent. options may be NULL. Errors: INVALID. */
GODWIT_API int godwit_client_open(const godwit_client_options* options, godwit_client** client);
/* Closes all connections. Regions, targets and migrations of the client must have been closed. NULL is allowed. */
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
/* The id; no communication. Errors: INVALID. */
GODWIT_API int godwit_region_get_id(const godwit_region* region, godwit_region_id* id);
/* All regions of a node, or of one of its targets (NULL: all); *infos is freed with godwit_free(). Errors: NOT_FOUND. */
GODWIT_API int godwit_region_list(godwit_client* client, const char* address, const char* target, godwit_region_info** infos,
                                  size_t* count);

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

typedef struct godwit_migrate_options {
  int copy;                          /* nonzero: keep the source; the copy gets a new id. Default: move */
  uint64_t block_bytes;              /* 4 KiB to 64 MiB; 0: as the source's daemon is configured (512 KiB) */
  uint32_t streams;                  /* connections that carry bytes side by side; 0: as the source's daemon is configured */
  const char* name;                  /* for one region only: its name at the destination; NULL keeps it */
  godwit_progress_callback progress; /* may be NULL */
  void* progress_context;
} godwit_migrate_options;
#define GODWIT_MIGRATE_OPTIONS_INIT \
  { 0, 0, 0, 0, 0, 0 }

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
/* The same for the job with this id (32 hexadecimal digits) at its source node. Errors: NOT_FOUND. */
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
/* What became of each region, in the order of the call; *results is freed with godwit_free(). Errors: BUSY, not ended yet. */
GODWIT_API int godwit_migration_results(godwit_migration* migration, godwit_migrate_result** results, size_t* count);
GODWIT_API int godwit_migration_get_id(const godwit_migration* migration, char text[33]);
/* What the job did, as a JSON text (ways taken, blocks, retries, digests, seconds by phase); free with godwit_free(). */
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
  int move;         /* remove the source once the destination has it durably. Default: copy */
  int update;       /* what is at the destination already is brought up to date: only files of another size, time of modification
                       or mode travel; what is only there stays. Default: EXISTS */
  int verify;       /* the destination reads back from its medium what it stored, before the cutover */
  int dry_run;      /* only look, at both ends; godwit_fileset_planned() then says what would be done */
  int force;        /* also read files that somebody has open for writing. Default: CHANGED */
  int xattrs;       /* user.* extended attributes and POSIX ACLs travel too */
  int skip_special; /* leave out devices, sockets and FIFOs. Default: UNSUPPORTED */
  const godwit_file_rule* rules;
  size_t rule_count;
  uint64_t block_bytes; /* as in godwit_migrate_options */
  uint32_t streams;
  godwit_progress_callback progress;
  void* progress_context;
} godwit_fileset_options;
#define GODWIT_FILESET_OPTIONS_INIT \
  { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/* Starts to copy (or move) `count` files and directory trees of the node at `source` into `directory` of the node at
 * `destination`, and returns; each path becomes directory/its-last-component there. A tree is made out of sight and becomes
 * visible by one rename when every byte has been verified and is durable: all of it, or nothing, also after a crash. Modes
 * (without set-user-id and set-group-id), times of modification, symbolic links, hard links within a tree and holes are kept;
 * owners if the destination's daemon is root. Paths that cannot go are reported each; the others go. Wait, cancel and ask for
 * results with the godwit_migration_* functions. Errors: INVALID; LIMIT (more than 100,000 paths). Of the job and its results:
 * DENIED, below no root, or no permission; NOT_FOUND; EXISTS; NO_SPACE; CHANGED, a file changed while it was read, or is open for
 * writing; UNSUPPORTED, a special file; IO. options may be NULL. */
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
} godwit_job_info;

/* The jobs whose source is this node, newest first; the last 1,000 ended ones are remembered. *infos: godwit_free(). */
GODWIT_API int godwit_job_list(godwit_client* client, const char* address, godwit_job_info** infos, size_t* count);

#ifdef __cplusplus
}
#endif

#endif
