/**
 * Traces: the allocations and frees of some work, one 32-bit number each, so that every allocator can be given the same.
 *
 *   event >= 0   take a block: its size in bytes, and in bits 28 and 29 by which call (Kind)
 *   event < 0    give block -1 - event back, where blocks are numbered as they are taken
 *
 * A trace is such numbers in the byte order of the machine; a file of it is those and nothing else.
 */

import { Random } from "../../check/support/seed.js";

/** By which call a block is taken. */
export const Kind = { KMALLOC: 0, CACHE: 1, PAGES: 2 } as const;

const KIND_BITS = 28;
const SIZE_MASK = 2 ** KIND_BITS - 1;

export const taken = (kind: number, bytes: number): number => (kind << KIND_BITS) | bytes;
export const given = (block: number): number => -1 - block;
export const kindOf = (event: number): number => event >>> KIND_BITS;
export const bytesOf = (event: number): number => event & SIZE_MASK;
export const blockOf = (event: number): number => -1 - event;

export interface Trace {
  readonly name: string;
  readonly events: Int32Array;
  /** Blocks that are taken in all. */
  readonly blocks: number;
  /** Events after which the most bytes are asked for and not given back. */
  readonly peak: number;
  /** Those bytes. */
  readonly peakBytes: number;
}

/** What can be told of a trace, in shared memory so that threads need no copy of it. */
export function traceOf(name: string, events: ArrayLike<number>): Trace {
  const shared = new Int32Array(new SharedArrayBuffer(events.length * 4));
  shared.set(events);
  const sizes: number[] = [];
  let asked = 0;
  let peak = 0;
  let peakBytes = 0;
  for (const [index, event] of shared.entries()) {
    if (event >= 0) {
      sizes.push(bytesOf(event));
      asked += bytesOf(event);
    } else asked -= sizes[blockOf(event)] as number;
    if (asked <= peakBytes) continue;
    peakBytes = asked;
    peak = index + 1;
  }
  return { name, events: shared, blocks: sizes.length, peak, peakBytes };
}

/** A trace's blocks, all taken by kmalloc. */
export function byKmalloc({ name, events }: Trace): Trace {
  return traceOf(
    `${name}, kmalloc only`,
    events.map((event) => (event >= 0 ? bytesOf(event) : event)),
  );
}

/** Sizes in bytes, at random. */
export type Sizes = (random: Random) => number;

const uniform: Sizes = (random) => random.from(1, 4096);

/** P(size > s) = 8/s, up to 64 KiB: many small ones, few large ones, as programs' requests are. */
const powerLaw: Sizes = (random) => Math.min(65536, Math.floor(8 / ((random.bits() + 1) / 2 ** 32)));

const small: Sizes = (random) => random.from(16, 512);

/** By name, for what needs no lifetimes. */
export const SIZES: Readonly<Record<string, Sizes>> = { "1..4096 bytes": uniform, "power law to 64 KiB": powerLaw, "16..512 bytes": small };

/** So many events on about so many live blocks, of which a random one is given back each time. */
function churn(name: string, random: Random, sizes: Sizes, live: number, events: number): Trace {
  const trace: number[] = [];
  const held: number[] = [];
  for (let block = 0; trace.length < events; ) {
    const take = held.length < live ? held.length < live / 2 || random.below(2) === 0 : false;
    if (take) {
      trace.push(taken(Kind.KMALLOC, sizes(random)));
      held.push(block++);
    } else {
      const at = random.below(held.length);
      trace.push(given(held[at] as number));
      held[at] = held.at(-1) as number;
      held.pop();
    }
  }
  return traceOf(name, trace);
}

/** Generations of blocks: at the end of each a random half of it is given back, the other half stays until the end. */
function survivors(name: string, random: Random, sizes: Sizes, generation: number, events: number): Trace {
  const trace: number[] = [];
  let block = 0;
  while (trace.length < events) {
    const first = block;
    for (let i = 0; i < generation; i++, block++) trace.push(taken(Kind.KMALLOC, sizes(random)));
    for (let i = first; i < block; i++) if (random.below(2) === 0) trace.push(given(i));
  }
  return traceOf(name, trace);
}

/** Traces of random sizes and lifetimes, which the seed determines. */
export function randomTraces(seed: number, events: number): Trace[] {
  return [
    churn("uniform 1..4096 bytes", new Random(seed, 1), uniform, events / 20, events),
    churn("power law to 64 KiB", new Random(seed, 2), powerLaw, events / 4, events),
    survivors("16..512 bytes, half survive", new Random(seed, 3), small, Math.ceil(events / 60), events),
  ];
}
