/**
 * The timed loops, the same for every allocator (native/bench.c has them for C).
 *
 *   pairs    take a block and give it back
 *   burst    take 1000, then give them back: last first, first first, in random order
 *   remote   one thread takes blocks and hands them over, the other gives them back
 *
 * Each runs for a given time and gives ns a block. A thread measures one allocator, so V8 compiles the loops for it alone.
 */

import { Random } from "../../check/support/seed.js";
import type { Ring } from "./ring.js";

/** What is compared. Addresses are not 0. */
export interface Allocator {
  alloc(bytes: number): number;
  free(address: number): void;
}

export const ORDERS = ["lifo", "fifo", "random"] as const;
export type BurstOrder = (typeof ORDERS)[number];

/** Blocks of a burst. */
export const BURST = 1000;
/** Pairs between two looks at the clock. */
const BATCH = 512;

export function pairs(allocator: Allocator, bytes: number, ms: number): number {
  const start = performance.now();
  let at = start;
  let done = 0;
  do {
    for (let i = 0; i < BATCH; i++) {
      const block = allocator.alloc(bytes);
      if (block === 0) throw new Error(`no memory for ${bytes} bytes`);
      allocator.free(block);
    }
    done += BATCH;
    at = performance.now();
  } while (at - start < ms);
  return ((at - start) * 1e6) / done;
}

/** Places 0..999 in the order in which they are given back. */
export function orderOf(order: BurstOrder): Int32Array {
  const places = Int32Array.from({ length: BURST }, (_, i) => (order === "lifo" ? BURST - 1 - i : i));
  const random = new Random(1);
  for (let i = BURST - 1; order === "random" && i > 0; i--) {
    const other = random.below(i + 1);
    [places[i], places[other]] = [places[other] as number, places[i] as number];
  }
  return places;
}

export function burst(allocator: Allocator, bytes: number, places: Int32Array, ms: number): number {
  const blocks = new Int32Array(BURST);
  const start = performance.now();
  let at = start;
  let done = 0;
  do {
    for (let i = 0; i < BURST; i++) {
      const block = allocator.alloc(bytes);
      if (block === 0) throw new Error(`no memory for ${bytes} bytes`);
      blocks[i] = block;
    }
    for (let i = 0; i < BURST; i++) allocator.free(blocks[places[i] as number] as number);
    done += BURST;
    at = performance.now();
  } while (at - start < ms);
  return ((at - start) * 1e6) / done;
}

/** Take blocks and hand them over until the time is up; 0 bytes: numbers that are no blocks. */
export function take(allocator: Allocator, ring: Ring, bytes: number, ms: number): void {
  const start = performance.now();
  do {
    for (let i = 0; i < BATCH; i++) {
      const block = bytes === 0 ? 1 : allocator.alloc(bytes);
      if (block === 0) throw new Error(`no memory for ${bytes} bytes`);
      ring.push(block);
    }
  } while (performance.now() - start < ms);
  ring.end();
}

/** Give back what the other thread hands over. */
export function give(allocator: Allocator, ring: Ring, bytes: number): number {
  const start = performance.now();
  let done = 0;
  for (let block = ring.pop(); block !== 0; block = ring.pop(), done++) if (bytes > 0) allocator.free(block);
  return ((performance.now() - start) * 1e6) / done;
}
