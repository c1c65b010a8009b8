/*
 * liburcu's rculfhash with the QSBR flavor, u32 keys and values in nodes from malloc: what the map's lookups and sets are measured beside.
 *
 *   rculfhash KEYS DRAWS      files of 32-bit numbers: the keys, and the keys in the order they are looked up
 *
 * Reads commands, answers each with one number a line:
 *   bytes                     that malloc gave for the filled table, a key
 *   get COUNT                 ns of a lookup, in a section each, a quiescent state every 32
 *   set MS WRITERS            sets a second of a writer: a new node each, the old one freed by call_rcu, which is waited for
 */
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <urcu-qsbr.h>
#include <urcu/rculfhash.h>

#define OPERATIONS 32
#define SETS_A_TURN 1024
#define MOST_WRITERS 16

struct entry {
  struct cds_lfht_node node;
  uint32_t key, value;
  struct rcu_head head;
};

static struct cds_lfht *table;
static int32_t *keys, *draws;
static long size, drawn;
static double until;
static double rates[MOST_WRITERS];

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e9 + t.tv_nsec;
}

/* Of this thread's own running, as the lookups in JavaScript are timed. */
static double ran(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return t.tv_sec * 1e9 + t.tv_nsec;
}

/* MurmurHash3's finalizer: cheap, and good enough for a table of a power of two. */
static inline unsigned long hash(uint32_t x) {
  x ^= x >> 16;
  x *= 0x85ebca6b;
  x ^= x >> 13;
  x *= 0xc2b2ae35;
  return x ^ (x >> 16);
}

static int match(struct cds_lfht_node *node, const void *key) {
  return caa_container_of(node, struct entry, node)->key == *(const uint32_t *)key;
}

static void give_back(struct rcu_head *head) { free(caa_container_of(head, struct entry, head)); }

static inline void set(uint32_t key, uint32_t value) {
  struct entry *entry = malloc(sizeof *entry);
  cds_lfht_node_init(&entry->node);
  entry->key = key;
  entry->value = value;
  rcu_read_lock();
  struct cds_lfht_node *old = cds_lfht_add_replace(table, hash(key), match, &key, &entry->node);
  if (old) call_rcu(&caa_container_of(old, struct entry, node)->head, give_back);
  rcu_read_unlock();
}

static inline uint32_t get(uint32_t key) {
  struct cds_lfht_iter iter;
  rcu_read_lock();
  cds_lfht_lookup(table, hash(key), match, &key, &iter);
  struct cds_lfht_node *node = cds_lfht_iter_get_node(&iter);
  uint32_t value = node ? caa_container_of(node, struct entry, node)->value : 0;
  rcu_read_unlock();
  return value;
}

static int32_t *load(const char *path, long *count) {
  FILE *file = fopen(path, "rb");
  if (!file) exit(3);
  fseek(file, 0, SEEK_END);
  long bytes = ftell(file);
  rewind(file);
  int32_t *numbers = malloc(bytes);
  if (fread(numbers, 1, bytes, file) != (size_t)bytes) exit(3);
  fclose(file);
  *count = bytes / 4;
  return numbers;
}

static size_t allocated(void) {
  struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

static void *writer(void *argument) {
  long number = (intptr_t)argument, at = number * (drawn / MOST_WRITERS), sets = 0;
  rcu_register_thread();
  double start = now();
  while (now() < until) {
    for (int i = 0; i < SETS_A_TURN; i++, sets++) {
      if (at >= drawn) at = 0;
      set(draws[at++], (uint32_t)sets | 1);
      if ((i & (OPERATIONS - 1)) == 0) rcu_quiescent_state();
    }
  }
  rcu_thread_offline();
  rcu_barrier();
  rates[number] = sets / ((now() - start) / 1e9);
  rcu_unregister_thread();
  return NULL;
}

static double set_rate(double ms, int writers) {
  pthread_t threads[MOST_WRITERS];
  double sum = 0;
  until = now() + ms * 1e6;
  rcu_thread_offline();
  for (int i = 0; i < writers; i++) pthread_create(&threads[i], NULL, writer, (void *)(intptr_t)i);
  for (int i = 0; i < writers; i++) {
    pthread_join(threads[i], NULL);
    sum += rates[i];
  }
  rcu_thread_online();
  return sum / writers;
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  keys = load(argv[1], &size);
  draws = load(argv[2], &drawn);
  size_t before = allocated();
  unsigned long buckets = 1;
  while (buckets < (unsigned long)size) buckets *= 2;
  rcu_register_thread();
  table = cds_lfht_new(buckets, 1, 0, CDS_LFHT_AUTO_RESIZE | CDS_LFHT_ACCOUNTING, NULL);
  for (long i = 0; i < size; i++) {
    set(keys[i], i + 1);
    if ((i & (OPERATIONS - 1)) == 0) rcu_quiescent_state();
  }
  double bytes = (double)(allocated() - before) / size;
  long at = 0, found = 0;
  char line[128];
  printf("ready\n");
  fflush(stdout);
  for (;;) {
    long count;
    double ms;
    int writers;
    rcu_thread_offline();
    if (!fgets(line, sizeof line, stdin)) break;
    rcu_thread_online();
    if (strcmp(line, "bytes\n") == 0) {
      printf("%.3f\n", bytes);
    } else if (sscanf(line, "get %ld", &count) == 1) {
      if (at + count > drawn) at = 0;
      double start = ran();
      for (long i = 0; i < count; i++) {
        found += get(draws[at + i]) != 0;
        if ((i & (OPERATIONS - 1)) == 0) rcu_quiescent_state();
      }
      printf("%.3f\n", (ran() - start) / count);
      at += count;
      if (found != count) return 4;
      found = 0;
    } else if (sscanf(line, "set %lf %d", &ms, &writers) == 2 && writers <= MOST_WRITERS) {
      printf("%.3f\n", set_rate(ms, writers));
    } else {
      return 2;
    }
    fflush(stdout);
  }
  rcu_thread_online();
  rcu_unregister_thread();
  return 0;
}
