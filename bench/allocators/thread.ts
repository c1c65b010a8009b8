/** A thread that measures one allocator: one of this build on an arena that it may share with another thread, or @thi.ng/malloc. */

import { parentPort, workerData } from "node:worker_threads";
import { Random } from "../../check/support/seed.js";
import { type Address, Arena, createArena, type Heap, KMALLOC_BYTES, SharedMemory } from "../../src/memory/index.js";
import { type Answer, CACHE_BYTES, type Job, type ThreadData } from "./jobs.js";
import { optionsFor, THING } from "./names.js";
import { type Allocator, burst, give, orderOf, pairs, take } from "./patterns.js";
import { fill, HeapPlayer, measureWaste, type Player, replay } from "./replay.js";
import { Ring } from "./ring.js";
import { Thing } from "./thing.js";
import { SIZES, type Sizes, type Trace } from "./trace.js";

/** Bytes of the pool of @thi.ng/malloc for the patterns. */
const POOL_BYTES = 2 ** 25;
const THREADS = 2;

const { allocator: name, program, buffer, ring: ringBuffer, thread } = workerData as ThreadData;
const ring = new Ring(ringBuffer);
const allocator = await openAllocator();
/** What the timed replays of a trace play on: the same each time, so that its pages have been touched. */
const players = new Map<string, Player>();

async function openAllocator(): Promise<Allocator> {
  if (name === THING) return (await Thing.open(POOL_BYTES)) as Thing;
  const { heap } = new Arena(new SharedMemory(buffer as SharedArrayBuffer), thread);
  if (program === "cache") {
    const cache = heap.cache(sharedCache(heap));
    return { alloc: () => cache.alloc(), free: (address) => cache.free(address as Address) };
  }
  return { alloc: (bytes) => heap.kmalloc(bytes), free: (address) => heap.kfree(address as Address) };
}

/** The cache of the program `cache`, which the first of its threads makes. */
function sharedCache(heap: Heap): number {
  for (const index of heap.cacheIndexes()) if (index >= 2 * KMALLOC_BYTES.length) return index; // the first ones are kmalloc's, without tags and with
  return heap.createCache("bench", CACHE_BYTES);
}

/** An allocator of its own for a trace: with room for half as much again as is asked for, 16 bytes more for each block, and the tables. */
function playerFor({ peakBytes, blocks }: Trace): Promise<Player> {
  return newPlayer(Math.ceil((peakBytes * 1.5 + blocks * 16 + 2 ** 24) / 4096) * 4096);
}

async function newPlayer(bytes: number): Promise<Player> {
  if (name === THING) return (await Thing.open(bytes)) as Thing;
  return new HeapPlayer(new Arena(new SharedMemory(createArena(bytes, optionsFor(name, { slots: 2 }))), thread).heap);
}

function begin(threads: number): void {
  if (threads > 1) ring.gate(threads);
}

async function work(job: Job): Promise<Answer> {
  if (job.type === "pairs") {
    begin(job.threads);
    return { ns: pairs(allocator, job.bytes, job.ms) };
  }
  if (job.type === "burst") {
    const places = orderOf(job.order);
    begin(job.threads);
    return { ns: burst(allocator, job.bytes, places, job.ms) };
  }
  if (job.type === "remote") {
    ring.reset();
    begin(THREADS);
    if (job.role === "give") return { ns: give(allocator, ring, job.bytes) };
    take(allocator, ring, job.bytes, job.ms);
    return {};
  }
  if (job.type === "waste") {
    const waste = measureWaste(await playerFor(job.trace), job.trace, job.limit);
    return waste === undefined ? { whole: false } : { waste };
  }
  if (job.type === "fill") {
    const filled = fill(await newPlayer(job.bytes), new Random(job.seed), SIZES[job.sizes] as Sizes, job.limit);
    return filled === undefined ? { whole: false } : { filled };
  }
  const player = players.get(job.trace.name) ?? (await playerFor(job.trace));
  players.set(job.trace.name, player);
  return replay(player, job.trace, job.limit);
}

parentPort?.on("message", async (job: Job) => parentPort?.postMessage(await work(job)));
parentPort?.postMessage({});
