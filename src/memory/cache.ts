/**
 * A cache: objects of one size as one thread sees them. The three page-based allocators are three classes of this one shape, and
 * interchangeable (L8): slab-cache.ts, slub-cache.ts, slob-cache.ts.
 *
 * Law table: this file owns no word.
 */

import type { Address } from "./address.js";

/** What a cache needs of the arena it is in. */
export interface ArenaLock {
  /** Runs `fn` with the arena lock, after repairing the arena if the last owner died. */
  withArenaLock<T>(fn: () => T, timeout?: number): T;
  /** With the lock: give back pages that are kept only for speed. */
  shrink(): void;
}

/** Objects of one size. */
export interface Cache {
  /** Its place in the cache table, the same in every thread. */
  readonly index: number;
  /** Words of an object. */
  readonly objectWords: number;
  /** Whether recovery finds its live objects. */
  readonly isTracked: boolean;
  /** Whether it writes into objects that are in its blocks; default false. Debug mode then looks at their poison before they go there only. */
  readonly writesFreeObjects?: boolean;

  /**
   * Take an object; its words hold anything (of a cache with a constructor: what that, or its last user, left).
   * @param tag of a tracked cache, what its side word says at first; 0 unless given
   * @returns its address, NULL when the arena is full
   */
  alloc(tag?: number): Address;
  /**
   * Give a live object back at once: no reader can reach it (it was never published, or its grace period is over).
   * @throws DoubleFreeError, InvalidAddressError
   */
  free(object: Address): void;
  /** @throws InvalidAddressError when the address is not the start of an object */
  checkAddress(object: Address): void;
  /** Index of the cache that an object in one of this cache's blocks is of: its own, unless caches share their blocks (slob). */
  cacheIndexOf(object: Address): number;
  /** Word of a tracked cache that belongs to the object's owner while it is live, off the lines that readers touch. */
  sideOf(object: Address): Address;
  /** Whether an object is live: for its owner to ask, and for anyone in a tracked cache. */
  isLive(object: Address): boolean;

  // For limbo (no lock) ------------------------------------------------------------------------------

  /** Take a live object from its users: its side word becomes `side`. Gives whether it was live; of several who try, one is told so. */
  retire(object: Address, side: number): boolean;

  // With the arena lock ------------------------------------------------------------------------------

  /** Give an object back that is nobody's: its grace period is over, or its thread died. Nothing happens when that was done before. */
  putBack(object: Address): void;
  /** Whether it has been put back. */
  isPutBack(object: Address): boolean;
  /** Take over a sheaf of objects whose grace period is over. */
  adopt(sheaf: Address): void;
  /** This thread has left: whatever it does with the cache from here on goes the slow way, which refuses it. */
  forget(): void;
  /** Give back what a slot has of the cache, but for its sheaves. May be repeated. */
  drain(slot: number): void;
  /** Give back pages that are kept only for speed. */
  shrink(): void;
  /** Forget what is derived from its blocks of pages, before `recoverBlock` of each. */
  recoverCounts(): void;
  /** Rebuild what is derived, after a thread died with the arena lock. */
  recoverBlock(page: number): void;
  /** Every object of a block, live or not. */
  objects(page: number): Iterable<Address>;
  /** Live objects in a block; of a cache that is not tracked, while nobody else takes or gives any. */
  live(page: number): Iterable<Address>;
  /** Objects in a block that are neither live nor free in it, likewise: in a sheaf or in limbo. */
  outNotLive(page: number): Iterable<Address>;
  /** Violated invariants, given its blocks of pages. */
  check(pages: readonly number[]): string[];
  /** What it holds. */
  info(): CacheInfo;
}

/** What a cache holds (the kernel's /proc/slabinfo). */
export interface CacheInfo {
  readonly name: string;
  /** Bytes of an object. */
  readonly objectBytes: number;
  /** Objects that are out of the shared blocks: live, in magazines and in limbo. */
  readonly out: number;
  /** Objects that its blocks have room for. */
  readonly objects: number;
  readonly objectsPerBlock: number;
  readonly pagesPerBlock: number;
  readonly blocks: number;
  /** Objects in the depot: neither live nor in limbo, and ready for any thread. */
  readonly inDepot: number;
}
