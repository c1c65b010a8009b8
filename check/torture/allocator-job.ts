/** What the threads of a torture of the allocators are told, and what they use together. */

import type { Shared } from "../../src/index.js";
import { type Address, field } from "../../src/memory/address.js";
import type { Heap } from "../../src/memory/heap.js";
import type { Layout } from "../../src/memory/layout.js";
import { Mempool } from "../../src/memory/mempool.js";
import { Vmalloc } from "../../src/memory/vmalloc/vmalloc.js";

/** When a life reaches its end by itself: inside a call, so many accesses to shared memory from its first one. */
export interface Appointment {
  /** Calls before the one in which the accesses are counted. */
  readonly calls: number;
  readonly accesses: number;
}

/** One worker's orders. */
export interface AllocatorJob {
  /** Which thread of the run this is, from 1. */
  readonly life: number;
  readonly seed: number;
  /** Not killed: it holds blocks without a tag, and frees what the dead left. */
  readonly survives: boolean;
  readonly appointment: Appointment | undefined;
  readonly caches: CacheIndexes;
  readonly pools: readonly Address[];
  /** Words that blocks are exchanged by. */
  readonly cells: SharedArrayBuffer;
  /** See calls.ts. */
  readonly lives: SharedArrayBuffer;
  /** How many have died and been reaped, and the lives' numbers. */
  readonly graves: SharedArrayBuffer;
  readonly tally: SharedArrayBuffer;
}

/** Cells by which blocks change their owner. */
export const CELLS = 64;
/** Of a block that is, or was, in a cell. */
export const PUBLIC_TAG = 7;
/** What is written into blocks begins with these, so that no two threads write the same number. */
export const NUMBERS_A_LIFE = 1 << 16;

const FIRST_TAG = 0x100_0000;
/** A life's tag for what it takes from the heap, and for what it takes from mempools: these go back another way. */
export const tagOf = (life: number): number => FIRST_TAG + 2 * life;
export const poolTagOf = (life: number): number => FIRST_TAG + 2 * life + 1;

/** Named caches of a run, all tracked but `plain`. */
export interface CacheIndexes {
  readonly aligned: number;
  readonly coloured: number;
  readonly plain: number;
  /** Elements of a mempool only. */
  readonly pooled: number;
  /** Not of slob, which has none of these. */
  readonly constructed: number | undefined;
  readonly typesafe: number | undefined;
}

const CONSTRUCTED_WORDS = 32;
/** What a constructed object holds while nobody has it. */
export const constructedWord = (index: number): number => 0x600d0000 + index;

/** The constructor of `constructed`, and what its objects' users do before they free one. */
export const constructorOf =
  ({ memory }: Pick<Heap, "memory">) =>
  (object: Address): void => {
    for (let i = 0; i < CONSTRUCTED_WORDS; i++) memory.write(field(object, i), constructedWord(i));
  };

/** Whether a constructed object is as its constructor, or its last user, left it. */
export const isConstructed = ({ memory }: Pick<Heap, "memory">, object: Address): boolean =>
  Array.from({ length: CONSTRUCTED_WORDS }, (_, i) => memory.read(field(object, i)) === constructedWord(i)).every((same) => same);

export function makeCaches(heap: Heap, { allocator }: Layout): CacheIndexes {
  const whole = allocator !== "slob";
  return {
    aligned: heap.createCache("aligned", 200, { tracked: true, align: 64 }),
    coloured: heap.createCache("coloured", 320, { tracked: true, colour: true }),
    plain: heap.createCache("plain", 40),
    pooled: heap.createCache("pooled", 96, { tracked: true }),
    constructed: whole ? heap.createCache("constructed", 4 * CONSTRUCTED_WORDS, { tracked: true, construct: constructorOf(heap) }) : undefined,
    typesafe: whole ? heap.createCache("typesafe", 72, { tracked: true, typesafeByRcu: true }) : undefined,
  };
}

/** One thread's view of all that is tortured. */
export class Allocators {
  readonly shared: Shared;
  readonly heap: Heap;
  readonly vm: Vmalloc;
  readonly pools: readonly Mempool[];
  readonly caches: CacheIndexes;
  /** Caches whose objects have their owner's tag. */
  readonly named: readonly number[];

  constructor(shared: Shared, caches: CacheIndexes, pools: readonly Address[]) {
    const { heap } = shared.domain.arena;
    this.shared = shared;
    this.heap = heap;
    this.vm = new Vmalloc(heap);
    this.pools = pools.map((pool) => new Mempool(heap, pool));
    this.caches = caches;
    if (caches.constructed !== undefined) heap.openCache(caches.constructed, constructorOf(heap));
    this.named = [caches.aligned, caches.coloured, caches.constructed, caches.typesafe].filter((index) => index !== undefined);
  }

  /** Before an object of a named cache is freed or retired: make it what its next user expects. */
  leaveNamed(object: Address, index: number): void {
    if (index === this.caches.constructed) constructorOf(this.heap)(object);
  }

  /**
   * Free all that a life, which has ended and been reaped, left; gives how many blocks.
   * May be repeated, and by somebody else if this thread dies meanwhile.
   */
  bury(life: number): number {
    const { heap, vm } = this;
    let count = 0;
    const freeAll = <Block>(blocks: readonly Block[], free: (block: Block) => void): void => {
      for (const block of blocks) free(block);
      count += blocks.length;
    };
    for (const pool of this.pools) freeAll(pool.ownedBy(poolTagOf(life)), (element) => pool.free(element));
    freeAll(vm.ownedBy(tagOf(life)), (area) => vm.vfree(area));
    for (const index of this.named) {
      const cache = heap.cache(index);
      const left = heap.liveObjects(index).filter((object) => heap.memory.load(cache.sideOf(object)) === tagOf(life));
      freeAll(left, (object) => {
        this.leaveNamed(object, index);
        cache.free(object);
      });
    }
    freeAll(heap.ownedBy(tagOf(life)), (block) => heap.kfree(block));
    return count;
  }
}
