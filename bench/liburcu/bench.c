/*
 * The scenarios of ../rcu/ for liburcu, built twice: -DQSBR (liburcu-qsbr) and without (liburcu-mb). The sections are of the
 * same length, the quiescent states as often, and between two turns a thread looks for events as an event loop does (poll, 0 ms).
 *
 *   bench sections CALLS
 *   bench grace READERS BUSY MS SECTIONS NANOSECONDS
 *
 * Prints one JSON object.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#ifdef QSBR
#include <urcu-qsbr.h>
#define quiescent() rcu_quiescent_state()
#define online() rcu_thread_online()
#define offline() rcu_thread_offline()
#else
#define RCU_MB
#include <urcu.h>
#define quiescent() ((void)0)
#define online() ((void)0)
#define offline() ((void)0)
#endif

#define WORDS 64
#define OPERATIONS 32 /* sections between two quiescent states, as in src/rcu/event-loop.ts */
#define MOST_SAMPLES 20000
#define SPREAD 30e6 /* ns of spinning until the scheduler has spread the threads over the cores */
#define MOST_READERS 64

static volatile int *block;
static int stop;
static int busy;
static long sections;
static long reads;
static int turns[MOST_READERS * 32]; /* each in a cache line of its own */
static pthread_barrier_t attached;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e9 + t.tv_nsec;
}

static inline int read_block(volatile int *p, long n) {
  int sum = 0;
  for (long i = 0; i < n; i++) sum += p[i & (WORDS - 1)];
  return sum;
}

static void *reader(void *argument) {
  int *mine = &turns[(intptr_t)argument * 32];
  int sum = 0, operations = 0;
  rcu_register_thread();
  offline();
  pthread_barrier_wait(&attached);
  while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
    if (!busy) {
      poll(NULL, 0, 20);
      continue;
    }
    online();
    for (long i = 0; i < sections; i++) {
      rcu_read_lock();
      sum += read_block(rcu_dereference(block), reads);
      rcu_read_unlock();
      if ((++operations & (OPERATIONS - 1)) == 0) quiescent();
    }
    offline();
    __atomic_add_fetch(mine, 1, __ATOMIC_RELAXED);
    poll(NULL, 0, 0);
  }
  rcu_unregister_thread();
  return (void *)(intptr_t)sum;
}

static double reads_per_nanosecond(void) {
  double best = 0;
  for (int round = 0; round < 20; round++) {
    double start = now();
    read_block(block, 100000);
    double rate = 100000 / (now() - start);
    if (rate > best) best = rate;
  }
  return best;
}

static int grace(int argc, char **argv) {
  if (argc < 7) return 2;
  int readers = atoi(argv[2]);
  busy = atoi(argv[3]);
  double ms = atof(argv[4]);
  sections = atol(argv[5]);
  reads = atof(argv[6]) * reads_per_nanosecond();
  if (reads < 1) reads = 1;
  pthread_t threads[MOST_READERS];
  if (readers > MOST_READERS) return 2;
  pthread_barrier_init(&attached, NULL, readers + 1);
  for (int i = 0; i < readers; i++) pthread_create(&threads[i], NULL, reader, (void *)(intptr_t)i);
  pthread_barrier_wait(&attached);
  for (int i = 0; busy && i < readers; i++)
    while (__atomic_load_n(&turns[i * 32], __ATOMIC_RELAXED) < 3) poll(NULL, 0, 1);

  static double samples[MOST_SAMPLES];
  int count = 0;
  unsigned seed = 1;
  for (double spread = now() + SPREAD; now() < spread;) caa_cpu_relax();
  double end = now() + ms * 1e6;
  while (count < MOST_SAMPLES && (count == 0 || now() < end)) {
    double pause = now() + rand_r(&seed) % 50000; /* so that the readers are anywhere in their turns */
    while (now() < pause) caa_cpu_relax();
    double start = now();
    synchronize_rcu();
    samples[count++] = now() - start;
  }
  __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
  for (int i = 0; i < readers; i++) pthread_join(threads[i], NULL);
  printf("{\"microseconds\":[");
  for (int i = 0; i < count; i++) printf("%s%.2f", i ? "," : "", samples[i] / 1000);
  printf("]}\n");
  return 0;
}

#define TIME(name, calls, body)                                                      \
  do {                                                                               \
    double begun_ = now();                                                           \
    for (long i = 0; i < (calls); i++) { body; }                                     \
    printf("%s\"%s\":%.3f", comma, name, (now() - begun_) / (calls));                \
    comma = ",";                                                                     \
  } while (0)

static int measure_sections(long calls) {
  const char *comma = "{";
  int sum = 0;
  rcu_register_thread();
  offline();
  online();
  TIME("load", calls, sum += *CMM_LOAD_SHARED(block));
  TIME("section", calls, {
    rcu_read_lock();
    sum += *rcu_dereference(block);
    rcu_read_unlock();
    if ((i & (OPERATIONS - 1)) == 0) quiescent();
  });
  TIME("turn", calls / 8, {
    online();
    rcu_read_lock();
    sum += *rcu_dereference(block);
    rcu_read_unlock();
    offline();
  });
  offline();
  rcu_unregister_thread();
  printf("}\n");
  return sum == 1;
}

int main(int argc, char **argv) {
  int *memory = calloc(WORDS, sizeof(int));
  for (int i = 0; i < WORDS; i++) memory[i] = i + 2;
  block = memory;
  if (argc > 2 && strcmp(argv[1], "sections") == 0) {
    measure_sections(atol(argv[2]));
    return 0;
  }
  if (argc > 1 && strcmp(argv[1], "grace") == 0) return grace(argc, argv);
  fprintf(stderr, "usage: sections CALLS | grace READERS BUSY MS SECTIONS NANOSECONDS\n");
  return 2;
}
