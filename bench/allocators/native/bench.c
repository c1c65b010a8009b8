/*
 * The scenarios of ../jobs.ts and ../replay.ts for a C allocator, built twice: as it is (the C library's malloc), and with
 * -DMIMALLOC (mi_malloc). The same loops, the same ring between two threads, the same trace files.
 *
 *   bench pairs SIZE MS THREADS            ns of each thread for malloc and free of one block
 *   bench burst SIZE lifo|fifo|random MS THREADS   the same when 1000 blocks are taken, then given back
 *   bench remote SIZE MS                   ns a block that one thread takes and another gives back; SIZE 0: the ring alone
 *   bench replay FILE PASSES               ns an event of a trace, for each pass but the first
 *   bench waste FILE PEAK                  bytes asked for, usable and resident after PEAK events and at the end
 *
 * Prints one JSON object.
 */
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#ifdef MIMALLOC
#include <mimalloc.h>
#define take(bytes) mi_malloc(bytes)
#define give(block) mi_free(block)
#define usable(block) mi_usable_size(block)
#else
#define take(bytes) malloc(bytes)
#define give(block) free(block)
#define usable(block) malloc_usable_size(block)
#endif
/* The compiler may leave out a malloc whose block nobody looks at. */
#define KEEP(block) __asm__ volatile("" : "+r"(block) : : "memory")

#define BURST 1000
#define BATCH 512 /* pairs between two looks at the clock */
#define RING 1024
#define PUBLISH 32
#define KIND_BITS 28
#define SIZE_MASK ((1 << KIND_BITS) - 1)

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e9 + t.tv_nsec;
}

struct job {
  size_t bytes;
  const char *order;
  double ms;
  double result;
};

static pthread_barrier_t gate;

static void *pairs(void *argument) {
  struct job *job = argument;
  long done = 0;
  pthread_barrier_wait(&gate);
  double start = now(), end = start + job->ms * 1e6, at;
  do {
    for (int i = 0; i < BATCH; i++) {
      void *block = take(job->bytes);
      KEEP(block);
      give(block);
    }
    done += BATCH;
  } while ((at = now()) < end);
  job->result = (at - start) / done;
  return NULL;
}

static void *burst(void *argument) {
  struct job *job = argument;
  void *blocks[BURST];
  int order[BURST];
  unsigned seed = 1;
  for (int i = 0; i < BURST; i++) order[i] = job->order[0] == 'l' ? BURST - 1 - i : i;
  for (int i = BURST - 1; job->order[0] == 'r' && i > 0; i--) {
    int other = rand_r(&seed) % (i + 1), kept = order[i];
    order[i] = order[other];
    order[other] = kept;
  }
  long done = 0;
  pthread_barrier_wait(&gate);
  double start = now(), end = start + job->ms * 1e6, at;
  do {
    for (int i = 0; i < BURST; i++) {
      void *block = take(job->bytes);
      KEEP(block);
      blocks[i] = block;
    }
    for (int i = 0; i < BURST; i++) give(blocks[order[i]]);
    done += BURST;
  } while ((at = now()) < end);
  job->result = (at - start) / done;
  return NULL;
}

static int threads(void *(*body)(void *), struct job job, int count) {
  struct job jobs[16];
  pthread_t ids[16];
  if (count < 1 || count > 16) return 2;
  pthread_barrier_init(&gate, NULL, count);
  for (int i = 0; i < count; i++) {
    jobs[i] = job;
    pthread_create(&ids[i], NULL, body, &jobs[i]);
  }
  printf("{\"ns\":[");
  for (int i = 0; i < count; i++) {
    pthread_join(ids[i], NULL);
    printf("%s%.3f", i ? "," : "", jobs[i].result);
  }
  printf("]}\n");
  return 0;
}

static void *ring[RING];
static _Alignas(128) unsigned long ring_head;
static _Alignas(128) unsigned long ring_tail;
static int over; /* a value of the ring that is no block */

static void pause_a_little(int *spins) {
  if (++*spins > 2000) {
    sched_yield();
    *spins = 0;
  }
}

static void *giver(void *argument) {
  struct job *job = argument;
  unsigned long head = 0;
  pthread_barrier_wait(&gate);
  double start = now();
  int spins = 0;
  for (;;) {
    unsigned long tail = __atomic_load_n(&ring_tail, __ATOMIC_ACQUIRE);
    if (tail == head) {
      pause_a_little(&spins);
      continue;
    }
    for (; head != tail; head++) {
      void *block = ring[head % RING];
      if (block == &over) {
        job->result = (now() - start) / head;
        return NULL;
      }
      if (job->bytes > 0) give(block);
    }
    __atomic_store_n(&ring_head, head, __ATOMIC_SEQ_CST);
  }
}

static void *taker(void *argument) {
  struct job *job = argument;
  unsigned long tail = 0;
  int spins = 0;
  pthread_barrier_wait(&gate);
  double end = now() + job->ms * 1e6;
  do {
    while (tail - __atomic_load_n(&ring_head, __ATOMIC_ACQUIRE) > RING - PUBLISH) pause_a_little(&spins);
    for (int i = 0; i < PUBLISH; i++, tail++) {
      void *block = job->bytes > 0 ? take(job->bytes) : (void *)ring;
      KEEP(block);
      ring[tail % RING] = block;
    }
    __atomic_store_n(&ring_tail, tail, __ATOMIC_SEQ_CST);
  } while (now() < end);
  while (tail - __atomic_load_n(&ring_head, __ATOMIC_ACQUIRE) > RING - PUBLISH) pause_a_little(&spins);
  ring[tail++ % RING] = &over;
  __atomic_store_n(&ring_tail, tail, __ATOMIC_SEQ_CST);
  return NULL;
}

static int remote(struct job job) {
  pthread_t one, other;
  struct job theirs = job;
  pthread_barrier_init(&gate, NULL, 2);
  pthread_create(&one, NULL, taker, &job);
  pthread_create(&other, NULL, giver, &theirs);
  pthread_join(one, NULL);
  pthread_join(other, NULL);
  printf("{\"ns\":%.3f}\n", theirs.result);
  return 0;
}

static int32_t *events;
static long count;
static void **blocks;
static long allocations;

static int read_trace(const char *name) {
  FILE *file = fopen(name, "rb");
  if (file == NULL) return 2;
  fseek(file, 0, SEEK_END);
  count = ftell(file) / 4;
  rewind(file);
  events = malloc(count * 4 + 4);
  if (fread(events, 4, count, file) != (size_t)count) return 2;
  fclose(file);
  for (long i = 0; i < count; i++) allocations += events[i] >= 0;
  blocks = malloc(allocations * sizeof *blocks + 8);
  memset(blocks, 0, allocations * sizeof *blocks + 8); /* resident before the first measurement */
  return 0;
}

static int replay(int passes) {
  printf("{\"ns\":[");
  for (int pass = 0; pass <= passes; pass++) {
    long next = 0;
    double start = now();
    for (long i = 0; i < count; i++) {
      int32_t event = events[i];
      if (event >= 0) {
        blocks[next++] = take(event & SIZE_MASK);
      } else {
        give(blocks[-1 - event]);
        blocks[-1 - event] = NULL;
      }
    }
    double ns = (now() - start) / count;
    for (long i = 0; i < next; i++)
      if (blocks[i] != NULL) give(blocks[i]);
    if (pass > 0) printf("%s%.3f", pass > 1 ? "," : "", ns);
  }
  printf("]}\n");
  return 0;
}

static double resident(void) {
  FILE *file = fopen("/proc/self/statm", "r");
  long all, pages;
  if (file == NULL || fscanf(file, "%ld %ld", &all, &pages) != 2) return -1;
  fclose(file);
  return (double)pages * sysconf(_SC_PAGESIZE);
}

static int waste(long peak) {
  double before, asked = 0, can_use = 0;
  long next = 0;
  int32_t *sizes = calloc(allocations + 1, 4);
  memset(sizes, 1, allocations * 4 + 4);
  resident(); /* its own buffers */
  before = resident();
  printf("{");
  for (long i = 0; i < count; i++) {
    int32_t event = events[i];
    if (event >= 0) {
      int32_t bytes = event & SIZE_MASK;
      void *block = take(bytes);
      memset(block, 1, bytes); /* its pages count only when they are touched */
      blocks[next] = block;
      sizes[next++] = bytes;
      asked += bytes;
      can_use += usable(block);
    } else {
      long id = -1 - event;
      asked -= sizes[id];
      can_use -= usable(blocks[id]);
      give(blocks[id]);
    }
    if (i + 1 == peak) printf("\"peak\":{\"asked\":%.0f,\"usable\":%.0f,\"handedOut\":%.0f},", asked, can_use, resident() - before);
  }
  printf("\"end\":{\"asked\":%.0f,\"usable\":%.0f,\"handedOut\":%.0f}}\n", asked, can_use, resident() - before);
  return 0;
}

int main(int argc, char **argv) {
  struct job job = {argc > 2 ? (size_t)atol(argv[2]) : 0, "lifo", 0, 0};
  if (argc == 5 && strcmp(argv[1], "pairs") == 0) {
    job.ms = atof(argv[3]);
    return threads(pairs, job, atoi(argv[4]));
  }
  if (argc == 6 && strcmp(argv[1], "burst") == 0) {
    job.order = argv[3];
    job.ms = atof(argv[4]);
    return threads(burst, job, atoi(argv[5]));
  }
  if (argc == 4 && strcmp(argv[1], "remote") == 0) {
    job.ms = atof(argv[3]);
    return remote(job);
  }
  if (argc == 4 && strcmp(argv[1], "replay") == 0 && read_trace(argv[2]) == 0) return replay(atoi(argv[3]));
  if (argc == 4 && strcmp(argv[1], "waste") == 0 && read_trace(argv[2]) == 0) return waste(atol(argv[3]));
  fprintf(stderr, "usage: pairs SIZE MS THREADS | burst SIZE ORDER MS THREADS | remote SIZE MS | replay FILE PASSES | waste FILE PEAK\n");
  return 2;
}
