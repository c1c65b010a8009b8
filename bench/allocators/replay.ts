/** A trace played on an allocator: how long it takes, and how much memory it is for how much that was asked for. */

import type { Random } from "../../check/support/seed.js";
import type { Address, Cache, Heap, Order } from "../../src/memory/index.js";
import { MAX_ORDER, PAGE_BYTES } from "../../src/memory/index.js";
import { blockOf, bytesOf, Kind, kindOf, type Sizes, type Trace, taken } from "./trace.js";

/** An allocator that traces can be played on. */
export interface Player {
  /** A block for an event of the trace; 0 when there is none. */
  take(event: number): number;
  give(address: number, event: number): void;
  /** Bytes that can be used there. */
  usable(address: number, event: number): number;
  /** Bytes that the allocator has taken for its blocks. */
  handedOut(): number;
  fragmentation?(): Fragmentation;
}

/** What is free, and in what pieces. */
export interface Fragmentation {
  readonly freePages: number;
  /** Order of the largest free block, -1 when there is none. */
  readonly largestOrder: number;
  /** Free pages in blocks of less than 8 pages. */
  readonly belowOrder3: number;
}

/** Bytes at some moment of a trace. */
export interface Usage {
  readonly asked: number;
  readonly usable: number;
  readonly handedOut: number;
}

export interface Waste {
  readonly peak: Usage;
  readonly end: Usage;
  readonly fragmentation?: Fragmentation;
}

/** Events between two looks at the clock. */
const LOOK = 256;

/**
 * Play the trace and give back what is left (which is not timed).
 * @param limit ms after which it stops
 * @returns ns an event, and whether it came to the end
 */
export function replay(player: Player, { events, blocks }: Trace, limit: number): { ns: number; whole: boolean } {
  const addresses = new Int32Array(blocks);
  const kinds = new Int32Array(blocks);
  const start = performance.now();
  let next = 0;
  let done = 0;
  for (; done < events.length; done++) {
    if (done % LOOK === 0 && performance.now() - start > limit) break;
    const event = events[done] as number;
    if (event >= 0) {
      const address = player.take(event);
      if (address === 0) throw new Error(`no memory for event ${done} of ${events.length}`);
      addresses[next] = address;
      kinds[next] = event;
      next++;
    } else {
      const block = blockOf(event);
      player.give(addresses[block] as number, kinds[block] as number);
      addresses[block] = 0;
    }
  }
  const ns = ((performance.now() - start) * 1e6) / done;
  if (done < events.length) return { ns, whole: false }; // too slow to be given all back, too
  for (let block = next - 1; block >= 0; block--) if (addresses[block] !== 0) player.give(addresses[block] as number, kinds[block] as number);
  return { ns, whole: true };
}

/** Play the trace with books beside it; leaves at the end what the trace leaves. Undefined when it takes longer than `limit` ms. */
export function measureWaste(player: Player, { events, blocks, peak }: Trace, limit: number): Waste | undefined {
  const addresses = new Int32Array(blocks);
  const kinds = new Int32Array(blocks);
  const before = player.handedOut();
  const stop = performance.now() + limit;
  let asked = 0;
  let usable = 0;
  let next = 0;
  let atPeak: Usage = { asked, usable, handedOut: 0 };
  const usage = (): Usage => ({ asked, usable, handedOut: player.handedOut() - before });
  for (const [index, event] of events.entries()) {
    if (index % LOOK === 0 && performance.now() > stop) return undefined;
    if (event >= 0) {
      const address = player.take(event);
      if (address === 0) throw new Error(`no memory for event ${index} of ${events.length}`);
      addresses[next] = address;
      kinds[next] = event;
      next++;
      asked += bytesOf(event);
      usable += player.usable(address, event);
    } else {
      const block = blockOf(event);
      const kind = kinds[block] as number;
      asked -= bytesOf(kind);
      usable -= player.usable(addresses[block] as number, kind);
      player.give(addresses[block] as number, kind);
    }
    if (index + 1 === peak) atPeak = usage();
  }
  const fragmentation = player.fragmentation?.();
  return { peak: atPeak, end: usage(), ...(fragmentation === undefined ? {} : { fragmentation }) };
}

/** Requests refused one after another before an allocator is called full. */
const REFUSALS = 50;

/** What a full allocator holds, and what it has again when a random half of the blocks have been given back. */
export interface Filled {
  /** Bytes asked for and held when it was full. */
  readonly asked: number;
  /** Bytes asked for that were then given back. */
  readonly returned: number;
  /** Of the pages, after that. */
  readonly fragmentation?: Fragmentation;
}

/** Fill an allocator with blocks of random sizes, then give half of them back. Undefined when it takes longer than `limit` ms. */
export function fill(player: Player, random: Random, sizes: Sizes, limit: number): Filled | undefined {
  const stop = performance.now() + limit;
  const addresses: number[] = [];
  const events: number[] = [];
  let asked = 0;
  for (let refused = 0; refused < REFUSALS; ) {
    if (addresses.length % LOOK === 0 && performance.now() > stop) return undefined;
    const event = taken(Kind.KMALLOC, sizes(random));
    const address = player.take(event);
    if (address === 0) {
      refused++;
      continue;
    }
    refused = 0;
    addresses.push(address);
    events.push(event);
    asked += bytesOf(event);
  }
  let returned = 0;
  for (const [block, address] of addresses.entries()) {
    if (random.below(2) === 0) continue;
    if (block % LOOK === 0 && performance.now() > stop) return undefined;
    player.give(address, events[block] as number);
    returned += bytesOf(events[block] as number);
  }
  const fragmentation = player.fragmentation?.();
  return { asked, returned, ...(fragmentation === undefined ? {} : { fragmentation }) };
}

/** Plays on a heap: each block by the call that the trace names, objects of caches from a cache of their size. */
export class HeapPlayer implements Player {
  readonly #heap: Heap;
  /** Index of the cache of each size. */
  readonly #caches = new Map<number, number>();

  constructor(heap: Heap) {
    this.#heap = heap;
  }

  #cache(bytes: number): Cache {
    let index = this.#caches.get(bytes);
    if (index === undefined) {
      index = this.#heap.createCache(`trace-${bytes}`, bytes);
      this.#caches.set(bytes, index);
    }
    return this.#heap.cache(index);
  }

  take(event: number): number {
    const bytes = bytesOf(event);
    const kind = kindOf(event);
    if (kind === Kind.CACHE) return this.#cache(bytes).alloc();
    if (kind === Kind.KMALLOC) return this.#heap.kmalloc(bytes);
    return this.#heap.allocPages(Math.log2(bytes / PAGE_BYTES) as Order);
  }

  give(address: number, event: number): void {
    const heap = this.#heap;
    const kind = kindOf(event);
    if (kind === Kind.CACHE) this.#cache(bytesOf(event)).free(address as Address);
    else if (kind === Kind.KMALLOC) heap.kfree(address as Address);
    else heap.freePages(address as Address);
  }

  usable(address: number): number {
    return this.#heap.usableBytes(address as Address);
  }

  handedOut(): number {
    return this.#heap.bytes().used;
  }

  fragmentation(): Fragmentation {
    const counts = this.#heap.withArenaLock(() => this.#heap.pages.freeBlocks());
    const pages = counts.map((count, order) => count << order);
    const sum = (some: readonly number[]): number => some.reduce((a, b) => a + b, 0);
    let largestOrder: number = MAX_ORDER;
    while (largestOrder >= 0 && counts[largestOrder] === 0) largestOrder--;
    return { freePages: sum(pages), largestOrder, belowOrder3: sum(pages.slice(0, 3)) };
  }
}
