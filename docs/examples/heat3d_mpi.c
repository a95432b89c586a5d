/* heat3d_mpi: heat spreads through a cube of doubles, shared out over MPI ranks by planes. Each rank keeps its planes in a
 * region of the Godwit node beside it, from which it goes on when it is started again: on other nodes, too, if the regions were
 * moved there.
 *
 *   mpirun -n 4 heat3d_mpi --points 64 --steps 100 --output FILE        without Godwit: the field goes to a file
 *   srun heat3d_mpi --points 64 --steps 100 --prefix heat               regions heat.0, heat.1, ... at $GODWIT_ADDR, target
 * fast
 *
 *   --input FILE     the field at step 0: points^3 doubles. Without it: some pattern
 *   --target NAME    where the regions are made
 *
 * SIGUSR1 stops it after the step under way: all ranks save their planes as of the same step, and exit with 75 (try again
 * later). slurm/templates has the job scripts around it. */
#include <godwit/godwit.h>
#include <inttypes.h>
#include <mpi.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STOPPED = 75, TAG_UP = 1, TAG_DOWN = 2 };

/* The beginning of a region; the planes follow. */
struct header {
  uint64_t step; /* The planes are as of here. */
  uint64_t points;
  uint64_t first;
  uint64_t planes;
};

struct simulation {
  int rank, ranks;
  uint64_t n;     /* Points along an edge. */
  uint64_t plane; /* n * n */
  struct header now;
  double* field; /* A neighbour's plane, our planes, a neighbour's plane. */
  double* next;
};

static volatile sig_atomic_t stop_asked = 0;
static void ask_to_stop(int number) {
  (void)number;
  stop_asked = 1;
}

static void fail(const struct simulation* s, int code, const char* what, const char* why) {
  fprintf(stderr, "heat3d_mpi: rank %d: %s: %s\n", s->rank, what, why);
  MPI_Abort(MPI_COMM_WORLD, code);
}

static void check(const struct simulation* s, int code, const char* what) {
  if (code != GODWIT_OK) fail(s, godwit_error_exit_code(code), what, godwit_last_error());
}

static double* planes(const struct simulation* s) { return s->field + s->plane; }
static size_t planes_bytes(const struct simulation* s) { return s->now.planes * s->plane * sizeof(double); }

/* ---- the field in a file, each rank its part */

static void heat_up(struct simulation* s, const char* input) {
  const uint64_t begin = s->now.first * s->plane, count = s->now.planes * s->plane;
  if (input == NULL) {
    for (uint64_t i = 0; i < count; ++i) planes(s)[i] = (double)(((begin + i) * 2654435761u) % 100003u) / 1000.0;
    return;
  }
  FILE* file = fopen(input, "rb");
  if (file == NULL || fseek(file, (long)(begin * sizeof(double)), SEEK_SET) != 0 ||
      fread(planes(s), sizeof(double), count, file) != count)
    fail(s, 11, input, "cannot be read, or is too short");
  fclose(file);
}

static void write_output(struct simulation* s, const char* output) {
  MPI_File file;
  if (MPI_File_open(MPI_COMM_WORLD, output, MPI_MODE_CREATE | MPI_MODE_WRONLY, MPI_INFO_NULL, &file) != MPI_SUCCESS)
    fail(s, 11, output, "cannot be written");
  const MPI_Offset begin = (MPI_Offset)(s->now.first * s->plane * sizeof(double));
  if (MPI_File_write_at_all(file, begin, planes(s), (int)(s->now.planes * s->plane), MPI_DOUBLE, MPI_STATUS_IGNORE) !=
      MPI_SUCCESS)
    fail(s, 11, output, "cannot be written");
  MPI_File_close(&file);
}

/* ---- the field in regions, one a rank */

/* Opens the rank's region and reads it, or makes it and begins with the input. */
static godwit_region* open_region(struct simulation* s, godwit_client* client, const char* prefix, const char* target_name,
                                  const char* input) {
  const char* address = getenv("GODWIT_ADDR");
  if (address == NULL) fail(s, 2, "GODWIT_ADDR", "is not set: no daemon on this node?");
  char name[129];
  snprintf(name, sizeof name, "%s.%d", prefix, s->rank);
  godwit_region* region;
  const int found = godwit_region_open(client, address, name, &region);
  if (found == GODWIT_OK) {
    struct header was;
    check(s, godwit_region_read(region, 0, &was, sizeof was), "read the region's header");
    if (was.points != s->n || was.first != s->now.first || was.planes != s->now.planes)
      fail(s, 2, name, "was made with other --points, or by another number of ranks");
    check(s, godwit_region_read(region, sizeof was, planes(s), planes_bytes(s)), "read the region");
    s->now.step = was.step;
    return region;
  }
  if (found != GODWIT_ERR_NOT_FOUND) check(s, found, "open the region");
  heat_up(s, input);
  godwit_target* target;
  check(s, godwit_target_open(client, address, target_name, &target), "open the target");
  check(s, godwit_region_create(target, name, sizeof(struct header) + planes_bytes(s), &region), "create the region");
  godwit_target_close(target);
  return region;
}

static void save(const struct simulation* s, godwit_region* region) {
  check(s, godwit_region_write(region, sizeof s->now, planes(s), planes_bytes(s)), "write the region");
  check(s, godwit_region_write(region, 0, &s->now, sizeof s->now), "write the region's header");
  check(s, godwit_region_persist(region, 0, sizeof s->now + planes_bytes(s)), "persist the region");
}

/* ---- computing */

static void exchange(struct simulation* s) {
  const int below = s->rank > 0 ? s->rank - 1 : MPI_PROC_NULL, above = s->rank + 1 < s->ranks ? s->rank + 1 : MPI_PROC_NULL;
  double* last = s->field + s->now.planes * s->plane;
  MPI_Sendrecv(last, (int)s->plane, MPI_DOUBLE, above, TAG_UP, s->field, (int)s->plane, MPI_DOUBLE, below, TAG_UP,
               MPI_COMM_WORLD, MPI_STATUS_IGNORE);
  MPI_Sendrecv(planes(s), (int)s->plane, MPI_DOUBLE, below, TAG_DOWN, last + s->plane, (int)s->plane, MPI_DOUBLE, above,
               TAG_DOWN, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
}

/* One explicit Euler step; the faces of the cube keep their temperature. */
static void step(struct simulation* s) {
  const ptrdiff_t n = (ptrdiff_t)s->n, plane = (ptrdiff_t)s->plane, first = (ptrdiff_t)s->now.first;
  exchange(s);
  memcpy(s->next + plane, planes(s), planes_bytes(s));
  for (ptrdiff_t i = 1; i <= (ptrdiff_t)s->now.planes; ++i) {
    const ptrdiff_t x = first + i - 1;
    if (x == 0 || x == n - 1) continue;
    for (ptrdiff_t y = 1; y + 1 < n; ++y) {
      const double* u = s->field + i * plane + y * n;
      double* v = s->next + i * plane + y * n;
      for (ptrdiff_t z = 1; z + 1 < n; ++z)
        v[z] = u[z] + 0.125 * (u[z - 1] + u[z + 1] + u[z - n] + u[z + n] + u[z - plane] + u[z + plane] - 6.0 * u[z]);
    }
  }
  double* old = s->field;
  s->field = s->next;
  s->next = old;
  ++s->now.step;
}

/* Until `steps` are done, or any rank was asked to stop: then all stop after the same step. Returns whether they are done. */
static int run(struct simulation* s, uint64_t steps) {
  while (s->now.step < steps) {
    step(s);
    int stop = stop_asked;
    MPI_Allreduce(MPI_IN_PLACE, &stop, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
    if (stop) break;
  }
  return s->now.step >= steps;
}

int main(int argc, char** argv) {
  struct simulation s = {.n = 64};
  uint64_t steps = 100;
  const char *input = NULL, *output = NULL, *prefix = NULL, *target = "fast";
  signal(SIGUSR1, ask_to_stop);
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &s.rank);
  MPI_Comm_size(MPI_COMM_WORLD, &s.ranks);
  for (int i = 1; i < argc; i += 2) {
    const char* value = i + 1 < argc ? argv[i + 1] : "";
    if (strcmp(argv[i], "--points") == 0)
      s.n = strtoull(value, NULL, 10);
    else if (strcmp(argv[i], "--steps") == 0)
      steps = strtoull(value, NULL, 10);
    else if (strcmp(argv[i], "--input") == 0)
      input = value;
    else if (strcmp(argv[i], "--output") == 0)
      output = value;
    else if (strcmp(argv[i], "--prefix") == 0)
      prefix = value;
    else if (strcmp(argv[i], "--target") == 0)
      target = value;
    else
      fail(&s, 2, argv[i], "unknown option");
  }
  if (s.n < 3 || s.n > 4096 || s.n < (uint64_t)s.ranks) fail(&s, 2, "--points", "from 3 to 4096, and not fewer than ranks");
  const uint64_t rank = (uint64_t)s.rank, ranks = (uint64_t)s.ranks;
  s.plane = s.n * s.n;
  s.now = (struct header){.points = s.n, .first = s.n * rank / ranks, .planes = s.n * (rank + 1) / ranks - s.n * rank / ranks};
  s.field = calloc((s.now.planes + 2) * s.plane, sizeof(double));
  s.next = calloc((s.now.planes + 2) * s.plane, sizeof(double));
  if (s.field == NULL || s.next == NULL) fail(&s, 5, "field", "out of memory");

  godwit_client* client = NULL;
  godwit_region* region = NULL;
  if (prefix != NULL) {
    check(&s, godwit_client_open(NULL, &client), "client");
    region = open_region(&s, client, prefix, target, input);
  } else {
    heat_up(&s, input);
  }
  const uint64_t began = s.now.step;
  const int done = run(&s, steps);
  if (region != NULL) save(&s, region);
  if (output != NULL) write_output(&s, output);
  godwit_region_close(region);
  godwit_client_close(client);
  if (s.rank == 0) printf("%s at step %" PRIu64 ", begun at %" PRIu64 "\n", done ? "done" : "stopped", s.now.step, began);
  free(s.field);
  free(s.next);
  MPI_Finalize();
  return done ? 0 : STOPPED;
}
