/* spank_godwit: a plugin of Slurm that gives srun the options
 *
 *   --godwit-stage-in=SOURCE:DIRECTORY     before the tasks of a node begin, SOURCE of the storage node is copied to DIRECTORY
 * there
 *   --godwit-stage-out=SOURCE:DIRECTORY    after the last task of a node, SOURCE is copied to DIRECTORY of the storage node
 *
 * In plugstack.conf:   optional spank_godwit.so storage=tcp://storage:7411 helper=/etc/godwit/slurm/godwit-node
 *
 * All it does is to run the helper at the right moment, as the job's user; docs/howto/slurm.md tells what SOURCE and DIRECTORY
 * may be. When files do not come the tasks do not begin, and their exit status is the helper's; no node is drained for it. When
 * results do not go, srun prints why. */
#define _GNU_SOURCE /* setresuid */
#include <errno.h>
#include <grp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <slurm/spank.h> /* Needs <stdint.h> before it. */

SPANK_PLUGIN(godwit, 1)

/* Values of spank_option, and places in `asked`. */
enum { STAGE_IN, STAGE_OUT, VERBS };
enum { VALUE_BYTES = 4096, TOLD_BYTES = 2048, FIRST_SPECIAL_STEP = 0xfffffff0u, NOT_RUN = 127 };

static const char* const verbs[VERBS] = {"stage-in", "stage-out"};

/* Of this process: srun, or the slurmstepd of one step on one node, whose tasks inherit it. Constant after the options are
 * read. */
static struct {
  const char* storage;
  const char* helper;
  char* source[VERBS]; /* NULL: not asked for */
  const char* directory[VERBS];
} asked;

static int take_option(int verb, const char* value, int remote) {
  (void)remote;
  const char* colon = value != NULL ? strrchr(value, ':') : NULL;
  if (colon == NULL || colon == value || strlen(value) >= VALUE_BYTES || (verb == STAGE_OUT && colon[1] != '/')) {
    slurm_error("--godwit-%s=%s: it takes SOURCE:DIRECTORY%s", verbs[verb], value != NULL ? value : "",
                verb == STAGE_OUT ? ", the directory absolute" : "");
    return -1;
  }
  free(asked.source[verb]);
  asked.source[verb] = strdup(value);
  if (asked.source[verb] == NULL) return -1;
  asked.source[verb][colon - value] = '\0';
  asked.directory[verb] = asked.source[verb] + (colon - value) + 1;
  return 0;
}

static struct spank_option options[VERBS] = {
    {"godwit-stage-in", "SOURCE:DIRECTORY", "copy files to each node before its tasks begin", 1, STAGE_IN, take_option},
    {"godwit-stage-out", "SOURCE:DIRECTORY", "copy files from each node after its tasks ended", 1, STAGE_OUT, take_option},
};

int slurm_spank_init(spank_t spank, int count, char** arguments) {
  const spank_context_t context = spank_context();
  if (context != S_CTX_LOCAL && context != S_CTX_REMOTE) return 0; /* srun, and what it starts. */
  for (int i = 0; i < count; ++i) {
    if (strncmp(arguments[i], "storage=", 8) == 0)
      asked.storage = arguments[i] + 8;
    else if (strncmp(arguments[i], "helper=", 7) == 0)
      asked.helper = arguments[i] + 7;
    else
      slurm_error("spank_godwit: plugstack.conf: unknown argument %s", arguments[i]);
  }
  if (asked.storage == NULL || asked.helper == NULL) {
    slurm_error("spank_godwit: plugstack.conf must give storage= and helper=");
    return -1;
  }
  for (int verb = 0; verb < VERBS; ++verb)
    if (spank_option_register(spank, &options[verb]) != ESPANK_SUCCESS) return -1;
  return 0;
}

/* ---- the helper's environment: what godwit.conf may use, and nothing of the user's */

struct environment {
  char text[6][VALUE_BYTES];
  char* pointers[7];
  size_t count;
};

static void add(struct environment* e, const char* name, const char* value) {
  snprintf(e->text[e->count], VALUE_BYTES, "%s=%s", name, value);
  e->pointers[e->count] = e->text[e->count];
  e->pointers[++e->count] = NULL;
}

/* A variable of the job, or "". */
static void add_jobs(struct environment* e, spank_t spank, const char* name) {
  char value[VALUE_BYTES];
  add(e, name, spank_getenv(spank, name, value, sizeof value) == ESPANK_SUCCESS ? value : "");
}

static void fill(struct environment* e, spank_t spank) {
  uint32_t job = 0, step = 0;
  char number[16], node[256] = "";
  memset(e, 0, sizeof *e);
  spank_get_item(spank, S_JOB_ID, &job);
  spank_get_item(spank, S_JOB_STEPID, &step);
  snprintf(number, sizeof number, "%u", job);
  add(e, "SLURM_JOB_ID", number);
  snprintf(number, sizeof number, "%u", step);
  add(e, "SLURM_STEP_ID", number);
  if (spank_getenv(spank, "SLURMD_NODENAME", node, sizeof node) != ESPANK_SUCCESS) gethostname(node, sizeof node - 1);
  add(e, "SLURMD_NODENAME", node);
  add_jobs(e, spank, "SLURM_JOB_USER");
  add_jobs(e, spank, "SLURM_JOB_PARTITION");
}

/* ---- running it */

/* Gives up what slurmstepd may do and the job's user may not, in the child. Nonzero: that failed, and nothing may be run. */
static int become_user(spank_t spank) {
  uid_t uid;
  gid_t gid;
  gid_t* groups = NULL;
  int count = 0;
  if (geteuid() != 0) return 0;
  if (spank_get_item(spank, S_JOB_UID, &uid) != ESPANK_SUCCESS || spank_get_item(spank, S_JOB_GID, &gid) != ESPANK_SUCCESS)
    return -1;
  if (spank_get_item(spank, S_JOB_SUPPLEMENTARY_GIDS, &groups, &count) != ESPANK_SUCCESS) count = 0;
  if (setgroups((size_t)count, groups) != 0) return -1;
  return setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0 ? -1 : 0;
}

/* Runs the helper to its end, and keeps the beginning of what it prints in told, which is ended by NUL. Its exit status. */
static int run_helper(spank_t spank, int verb, char told[TOLD_BYTES]) {
  struct environment environment;
  fill(&environment, spank);
  told[0] = '\0';
  int ends[2];
  if (pipe(ends) != 0) return NOT_RUN;
  const pid_t child = fork();
  if (child == 0) {
    char* const command[] = {(char*)asked.helper, (char*)verbs[verb],           (char*)asked.storage,
                             asked.source[verb],  (char*)asked.directory[verb], NULL};
    dup2(ends[1], STDOUT_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
    if (become_user(spank) == 0) execve(asked.helper, command, environment.pointers);
    dprintf(STDERR_FILENO, "cannot run %s: %s", asked.helper, strerror(errno));
    _exit(NOT_RUN);
  }
  close(ends[1]);
  size_t kept = 0;
  char part[512];
  for (ssize_t got; child > 0 && ((got = read(ends[0], part, sizeof part)) > 0 || (got < 0 && errno == EINTR));) {
    const size_t length = got > 0 ? (size_t)got : 0, room = TOLD_BYTES - 1 - kept;
    memcpy(told + kept, part, length < room ? length : room);
    kept += length < room ? length : room;
  }
  told[kept] = '\0';
  close(ends[0]);
  int status = 0;
  while (child > 0 && waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return NOT_RUN;
  return child > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : NOT_RUN;
}

/* Neither the batch script nor what holds a job together: those get the options of nobody. */
static int is_for(spank_t spank, int verb) {
  uint32_t step = FIRST_SPECIAL_STEP;
  return spank_remote(spank) == 1 && asked.source[verb] != NULL &&
         spank_get_item(spank, S_JOB_STEPID, &step) == ESPANK_SUCCESS && step < FIRST_SPECIAL_STEP;
}

/* In each task, as the user, before its program begins. The helper copies once, and makes the node's other tasks wait. */
int slurm_spank_task_init(spank_t spank, int count, char** arguments) {
  (void)count;
  (void)arguments;
  if (!is_for(spank, STAGE_IN)) return 0;
  char told[TOLD_BYTES];
  const int status = run_helper(spank, STAGE_IN, told);
  if (status != 0) {
    dprintf(STDERR_FILENO, "--godwit-stage-in=%s:%s failed: %s\n", asked.source[STAGE_IN], asked.directory[STAGE_IN], told);
    _exit(status); /* Of the task. An error returned here would be Slurm's own. */
  }
  return 0;
}

/* In slurmstepd, for each task that has ended; srun learns of it afterwards, and so waits. */
int slurm_spank_task_exit(spank_t spank, int count, char** arguments) {
  static uint32_t ended = 0;
  uint32_t tasks = 0;
  (void)count;
  (void)arguments;
  if (!is_for(spank, STAGE_OUT) || spank_get_item(spank, S_JOB_LOCAL_TASK_COUNT, &tasks) != ESPANK_SUCCESS || ++ended != tasks)
    return 0;
  char told[TOLD_BYTES];
  if (run_helper(spank, STAGE_OUT, told) != 0)
    slurm_error("--godwit-stage-out=%s:%s failed: %s", asked.source[STAGE_OUT], asked.directory[STAGE_OUT], told);
  return 0;
}
