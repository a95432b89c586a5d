/* heat3d: heat spreads through a cube of doubles. The field lives in regions of a Godwit node, and half way through the run
 * moves to another node.
 *
 *   heat3d --size BYTES --steps N                                            computes alone: 2 N steps
 *   heat3d --size BYTES --steps N --from ADDR TARGET --to ADDR TARGET        N steps, move, N steps
 *
 * After the move it says "moved ..." and waits for a line on standard input: the first node may be gone by then. It forgets its
 * own copy of the field, reopens the regions by name at the second node, and runs on. The last line is the field's digest. */
#include <godwit/godwit.h>
#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SLABS = 8 }; /* Regions that the field is cut into, along its first axis. */

struct place {
  const char* address;
  const char* target;
};

struct simulation {
  size_t n;      /* Points along an edge. */
  double* field; /* n * n * n */
  double* next;
  godwit_client* client; /* NULL: computes alone. */
  godwit_region* slabs[SLABS];
};

/* Ends the program with Godwit's own account of what failed. */
static void check(int code, const char* what) {
  if (code == GODWIT_OK) return;
  fprintf(stderr, "heat3d: %s: %s (%s)\n", what, godwit_last_error(), godwit_error_name(code));
  exit(godwit_error_exit_code(code));
}

static double seconds_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static size_t first_plane(const struct simulation* s, size_t slab) { return s->n * slab / SLABS; }
static double* slab_start(const struct simulation* s, size_t slab) { return s->field + first_plane(s, slab) * s->n * s->n; }
static uint64_t slab_bytes(const struct simulation* s, size_t slab) {
  return (first_plane(s, slab + 1) - first_plane(s, slab)) * s->n * s->n * sizeof(double);
}
static const char* slab_name(size_t slab) {
  static char name[32];
  snprintf(name, sizeof name, "heat3d.slab.%zu", slab);
  return name;
}

static void heat_up(struct simulation* s) {
  for (size_t i = 0; i < s->n * s->n * s->n; ++i) s->field[i] = (double)((i * 2654435761u) % 100003u) / 1000.0;
}

/* One explicit Euler step; the faces of the cube keep their temperature. */
static void step(struct simulation* s) {
  const ptrdiff_t n = (ptrdiff_t)s->n;
  const ptrdiff_t plane = n * n;
  memcpy(s->next, s->field, s->n * s->n * s->n * sizeof(double));
  for (ptrdiff_t x = 1; x + 1 < n; ++x)
    for (ptrdiff_t y = 1; y + 1 < n; ++y) {
      const double* u = s->field + x * plane + y * n;
      double* v = s->next + x * plane + y * n;
      for (ptrdiff_t z = 1; z + 1 < n; ++z)
        v[z] = u[z] + 0.125 * (u[z - 1] + u[z + 1] + u[z - n] + u[z + n] + u[z - plane] + u[z + plane] - 6.0 * u[z]);
    }
  double* old = s->field;
  s->field = s->next;
  s->next = old;
}

static uint64_t digest(const struct simulation* s) {
  uint64_t hash = 14695981039346656037u;
  for (size_t i = 0; i < s->n * s->n * s->n; ++i) {
    uint64_t bits;
    memcpy(&bits, &s->field[i], sizeof bits);
    hash = (hash ^ bits) * 1099511628211u;
    hash ^= hash >> 29;
  }
  return hash;
}

static void create_slabs(struct simulation* s, struct place at) {
  godwit_target* target;
  check(godwit_target_open(s->client, at.address, at.target, &target), "open the target");
  for (size_t i = 0; i < SLABS; ++i)
    check(godwit_region_create(target, slab_name(i), slab_bytes(s, i), &s->slabs[i]), "create a region");
  godwit_target_close(target);
}

/* A checkpoint: what a crash of this program would leave. */
static void save(struct simulation* s) {
  for (size_t i = 0; i < SLABS && s->client; ++i) {
    check(godwit_region_write(s->slabs[i], 0, slab_start(s, i), slab_bytes(s, i)), "write a region");
    check(godwit_region_persist(s->slabs[i], 0, slab_bytes(s, i)), "persist a region");
  }
}

static void load(struct simulation* s) {
  memset(s->field, 0xff, s->n * s->n * s->n * sizeof(double)); /* Not one bit from our own copy. */
  for (size_t i = 0; i < SLABS; ++i)
    check(godwit_region_read(s->slabs[i], 0, slab_start(s, i), slab_bytes(s, i)), "read a region");
}

/* Moves all slabs in one job. From here on they are the second node's. */
static void move(struct simulation* s, struct place from, struct place to) {
  godwit_region_id ids[SLABS];
  uint64_t bytes = 0;
  for (size_t i = 0; i < SLABS; ++i) {
    check(godwit_region_get_id(s->slabs[i], &ids[i]), "id of a region");
    bytes += slab_bytes(s, i);
  }
  const double begin = seconds_now();
  check(godwit_migrate(s->client, from.address, ids, SLABS, to.address, to.target, NULL, NULL, NULL), "migrate");
  const double seconds = seconds_now() - begin;
  for (size_t i = 0; i < SLABS; ++i) godwit_region_close(s->slabs[i]);
  printf("moved regions=%d bytes=%" PRIu64 " seconds=%.6f\n", SLABS, bytes, seconds);
  fflush(stdout);
}

static void reopen(struct simulation* s, struct place at) {
  for (size_t i = 0; i < SLABS; ++i)
    check(godwit_region_open(s->client, at.address, slab_name(i), &s->slabs[i]), "reopen a region");
}

static void run(struct simulation* s, unsigned steps) {
  for (unsigned i = 0; i < steps; ++i) step(s);
  save(s);
}

int main(int argc, char** argv) {
  uint64_t size = (uint64_t)1 << 30;
  unsigned steps = 4;
  struct place from = {NULL, NULL}, to = {NULL, NULL};
  for (int i = 1; i < argc; ++i) {
    if (strcmp(argv[i], "--size") == 0 && i + 1 < argc)
      size = strtoull(argv[++i], NULL, 10);
    else if (strcmp(argv[i], "--steps") == 0 && i + 1 < argc)
      steps = (unsigned)strtoul(argv[++i], NULL, 10);
    else if (strcmp(argv[i], "--from") == 0 && i + 2 < argc)
      from = (struct place){argv[i + 1], argv[i + 2]}, i += 2;
    else if (strcmp(argv[i], "--to") == 0 && i + 2 < argc)
      to = (struct place){argv[i + 1], argv[i + 2]}, i += 2;
    else
      return fprintf(stderr, "heat3d: what is '%s'?\n", argv[i]), 2;
  }
  struct simulation s = {.n = (size_t)(cbrt((double)size / sizeof(double)) + 1e-6)};
  if (s.n < SLABS || (from.address == NULL) != (to.address == NULL))
    return fputs("heat3d: --size of at least 4096, and --from with --to\n", stderr), 2;
  s.field = malloc(s.n * s.n * s.n * sizeof(double));
  s.next = malloc(s.n * s.n * s.n * sizeof(double));
  if (s.field == NULL || s.next == NULL) return fputs("heat3d: out of memory\n", stderr), 5;
  heat_up(&s);
  if (from.address != NULL) {
    check(godwit_client_open(NULL, &s.client), "client");
    create_slabs(&s, from);
  }
  run(&s, steps);
  if (s.client != NULL) {
    move(&s, from, to);
    getchar(); /* Whoever started us may now take the first node down. */
    reopen(&s, to);
    load(&s);
  }
  run(&s, steps);
  if (s.client != NULL) {
    load(&s); /* The digest is of what the node holds. */
    for (size_t i = 0; i < SLABS; ++i) godwit_region_close(s.slabs[i]);
    godwit_client_close(s.client);
  }
  printf("digest %016" PRIx64 "\n", digest(&s));
  free(s.field);
  free(s.next);
  return 0;
}
