/**
 * Quarantine: a thread keeps what it gives back for a while before it is used anew, so that a write after free meets poison and not somebody else's data
 * (KASAN's quarantine, Linux mm/kasan/quarantine.c).
 *
 *   free  -> open sheaf of its cache -> closed sheaves, oldest first -> (over the limit) poison looked at -> the cache's depot
 *   limbo -> a sheaf, whole          -> closed sheaves
 *
 * Each thread has its own, of sheaves that are its slot's, as its magazines are; so a dead thread's is emptied by the reaper as they are. It is
 * emptied when its thread leaves, when the arena shrinks (memory is short), and in part whenever a sheaf is closed and little memory is free.
 *
 * Law table: this file owns no word; see sheaf.ts.
 */

import { type Address, NULL } from "./address.js";
import { LockTimeoutError } from "./errors.js";
import { ownedBySlot, SHEAF_CAPACITY, type Sheaves } from "./sheaf.js";

/** What a quarantine asks of a cache. */
export interface Quarantined {
  /** Bytes that one object takes. */
  readonly bytesEach: number;
  /** Give a sheaf's objects back, after a look at their poison. With the arena lock. */
  endQuarantine(sheaf: Address): void;
}

/** What it asks of the heap. */
export interface QuarantineArena {
  readonly sheaves: Sheaves;
  readonly slot: { readonly index: number };
  withArenaLock<T>(fn: () => T): T;
  /** Whether so little memory is free that none should be kept back. With the arena lock. */
  isShort(): boolean;
}

interface Held {
  readonly cache: Quarantined;
  readonly sheaf: Address;
}

/** What share of the limit one open sheaf may take. */
const SHARE = 8;

/** One thread's quarantine. */
export class Quarantine {
  /** Bytes kept back at most. */
  limit: number;
  /** Bytes kept back. */
  bytes = 0;
  readonly #arena: QuarantineArena;
  readonly #open = new Map<Quarantined, Address>();
  #closed: Held[] = [];

  constructor(arena: QuarantineArena, limit: number) {
    this.#arena = arena;
    this.limit = limit;
  }

  /** A sheaf for one more object, NULL when there is no page for one, or nothing is kept back. */
  sheafFor(cache: Quarantined): Address {
    const open = this.#open.get(cache);
    if (open !== undefined || this.limit === 0) return open ?? NULL;
    const { sheaves, slot } = this.#arena;
    const sheaf = this.#arena.withArenaLock(() => sheaves.take(ownedBySlot(slot.index)));
    if (sheaf !== NULL) this.#open.set(cache, sheaf);
    return sheaf;
  }

  /** An object was put into the sheaf of its cache. */
  added(cache: Quarantined): void {
    this.bytes += cache.bytesEach;
    const sheaf = this.#open.get(cache) as Address;
    const most = Math.min(SHEAF_CAPACITY, this.limit / SHARE / cache.bytesEach);
    if (this.#arena.sheaves.count(sheaf) < most && this.bytes <= this.limit) return;
    this.#open.delete(cache);
    this.#closed.push({ cache, sheaf });
    try {
      this.#arena.withArenaLock(() => this.#trim());
    } catch (error) {
      if (!(error instanceof LockTimeoutError)) throw error; // the object is given back; what is kept too long is trimmed next time
    }
  }

  /** Take over a sheaf that was in limbo. With the arena lock. */
  adopt(cache: Quarantined, sheaf: Address): void {
    const { sheaves, slot } = this.#arena;
    sheaves.setOwner(sheaf, ownedBySlot(slot.index));
    this.bytes += sheaves.count(sheaf) * cache.bytesEach;
    this.#closed.push({ cache, sheaf });
    this.#trim();
  }

  #trim(): void {
    const limit = this.#arena.isShort() ? 0 : this.limit;
    while (this.bytes > limit) {
      const oldest = this.#closed.shift() ?? this.#takeOpen();
      if (oldest === undefined) return;
      this.#end(oldest);
    }
  }

  #takeOpen(): Held | undefined {
    for (const [cache, sheaf] of this.#open) {
      this.#open.delete(cache);
      return { cache, sheaf };
    }
    return undefined;
  }

  #end({ cache, sheaf }: Held): void {
    const { sheaves } = this.#arena;
    const count = sheaves.count(sheaf);
    this.bytes -= count * cache.bytesEach;
    if (count > 0) cache.endQuarantine(sheaf);
    else sheaves.give(sheaf);
  }

  /** Keep nothing of a cache. With the arena lock. */
  drain(cache: Quarantined): void {
    const open = this.#open.get(cache);
    this.#open.delete(cache);
    const mine = this.#closed.filter((held) => held.cache === cache);
    this.#closed = this.#closed.filter((held) => held.cache !== cache);
    if (open !== undefined) mine.push({ cache, sheaf: open });
    for (const held of mine) this.#end(held);
  }

  /** This thread has left: its sheaves are the reaper's. */
  forget(): void {
    this.#open.clear();
    this.#closed = [];
    this.bytes = 0;
  }
}
