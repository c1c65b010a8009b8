/**
 * What concerns a map as a whole: it is held, by whoever has its lock, and meanwhile nobody changes any bucket. For `clear`, for a snapshot that found writers at work,
 * for `check`, and for mending what a thread left that died with the lock.
 *
 * Law table: words.ts.
 */

import { type Address, NULL } from "../../memory/address.js";
import { OutOfMemoryError, QuiesceError } from "../../memory/errors.js";
import type { Heap } from "../../memory/heap.js";
import type { Memory } from "../../memory/memory.js";
import { slotsUsed } from "../../memory/slot.js";
import type { Domain } from "../../rcu/domain.js";
import { inSection } from "../../rcu/in-section.js";
import type { Place } from "../structure.js";
import type { Buckets } from "./bucket.js";
import type { Table } from "./table.js";
import type { Tables } from "./tables.js";
import { blockOf, countOf } from "./words.js";

/** Violations after which a check ends. */
const MOST_SAID = 1000;
/** How long holding a map waits, each time, for what moving on gives back, in ms. */
const FLUSH_WAIT = 200;

/** One thread's hold on one map as a whole. */
export class WholeMap {
  readonly #place: Place;
  readonly #memory: Memory;
  readonly #heap: Heap;
  readonly #domain: Domain;
  readonly #buckets: Buckets<unknown>;
  readonly #tables: Tables;
  /** Whether a value has a block of its own. */
  readonly #hasValueBlocks: boolean;

  constructor(place: Place, buckets: Buckets<unknown>, tables: Tables, hasValueBlocks: boolean) {
    const { domain } = place;
    this.#place = place;
    this.#memory = domain.arena.memory;
    this.#heap = domain.arena.heap;
    this.#domain = domain;
    this.#buckets = buckets;
    this.#tables = tables;
    this.#hasValueBlocks = hasValueBlocks;
  }

  /** Entries, as all slots together have counted them. While others update, not of one instant: an entry may be counted out before it is counted in. */
  get size(): number {
    return Math.max(0, this.#counted);
  }

  /** A slot's count goes below 0, and round, where another's goes up: their sum modulo 2^32 is right. */
  get #counted(): number {
    let size = 0;
    for (let slot = slotsUsed(this.#memory) - 1; slot >= 0; slot--) size += this.#memory.load(countOf(this.#place.header, slot));
    return size | 0;
  }

  /** Give `fn` the blocks of all buckets at one instant; they stay whole until it ends, and nobody waits for it. @throws LockTimeoutError, OutOfMemoryError */
  withBlocks<R>(fn: (blocks: readonly Address[]) => R): R {
    return this.#underLock((table, unlock) => {
      const blocks = [...this.#tables.blocks(table)];
      this.#tables.release(table);
      unlock();
      return fn(blocks);
    });
  }

  /** Take all entries. @throws LockTimeoutError, OutOfMemoryError */
  clear(): void {
    const clear = (): void => this.#underLock((table) => this.#clearHeld(table), true);
    try {
      clear();
    } catch (error) {
      if (!(error instanceof OutOfMemoryError)) throw error;
      // What holding it moved, and so retired, comes back first.
      this.#domain.flushSync(FLUSH_WAIT);
      clear();
    }
  }

  #clearHeld(table: Table): void {
    const buckets = this.#buckets;
    const blocks = [...this.#tables.blocks(table)];
    const gone = blocks.flatMap((block) => [...this.#valueBlocks(block), block]);
    let count = 0;
    for (const block of blocks) count += buckets.count(block);
    this.#heap.withReserve(() => this.#tables.replaceHeld(table, gone, count));
  }

  /** The blocks that a block's values are in. */
  *#valueBlocks(block: Address): Generator<Address> {
    if (!this.#hasValueBlocks) return;
    const count = this.#buckets.count(block);
    for (let i = 0; i < count; i++) yield this.#memory.read(this.#buckets.valueOf(this.#buckets.entry(block, i))) as Address;
  }

  /**
   * Run `fn`, in a section, with the lock and every bucket held. What it has not let go of is, unless it has put another table in its place; what it has let go of it may
   * unlock, and go on in its section.
   */
  #underLock<R>(fn: (table: Table, unlock: () => void) => R, givesBack = false): R {
    const { lock } = this.#tables;
    lock.lockRepaired(this.mend);
    let table: Table;
    try {
      table = this.#hold(givesBack);
    } catch (error) {
      lock.unlock(!(error instanceof QuiesceError)); // our own refusals come before anything is held
      throw error;
    }
    let isDone = false;
    try {
      const result = inSection(this.#domain.reader, () => fn(table, () => lock.unlock()));
      isDone = true;
      return result;
    } finally {
      if (lock.held) this.#endLock(table, isDone);
    }
  }

  #endLock(table: Table, isDone: boolean): void {
    let isWhole = false;
    try {
      const isLetGo = inSection(this.#domain.reader, () => this.#letGo(table));
      isWhole = isDone || isLetGo;
    } finally {
      this.#tables.lock.unlock(!isWhole);
    }
  }

  /**
   * With the lock: hold every bucket. Where moving on lacks memory, what was moved so far is waited for.
   * @param givesBack all will be given back: it may take of the reserve. Else moving on must not: deleting lives on that
   * @throws OutOfMemoryError, and nothing is held
   */
  #hold(givesBack = false): Table {
    this.#tables.stock.givesBack = givesBack;
    const hold = (): Table | undefined => this.#tables.hold();
    for (let left = Number.POSITIVE_INFINITY; ; ) {
      const table = inSection(this.#domain.reader, () => (givesBack ? this.#heap.withReserve(hold) : hold()));
      if (table !== undefined) return table;
      const { unmoved } = this.#tables;
      if (unmoved >= left) {
        const { total, used } = this.#heap.bytes();
        throw new OutOfMemoryError(this.#tables.stock.needed, total - used, total);
      }
      left = unmoved;
      this.#domain.flushSync(FLUSH_WAIT);
    }
  }

  /** Gives whether the table still is the map's. */
  #letGo(table: Table): boolean {
    if (this.#tables.nextOf(table) !== undefined) return false;
    this.#tables.release(table);
    return true;
  }

  /** After a thread died with the lock: let go of what it held, retire what nobody can reach, count anew. May be repeated. */
  readonly mend = (): void => {
    const tables = this.#tables;
    const table = this.#hold();
    try {
      this.#domain.synchronizeSync(); // updates that were under way when all was held are over
      this.#domain.drainDead(); // also those of the dead, whose counts their reapers set
      inSection(this.#domain.reader, () => {
        let size = 0;
        const reachable = new Set<Address>();
        for (const block of tables.blocks(table)) {
          size += this.#buckets.count(block);
          reachable.add(block);
          for (const value of this.#valueBlocks(block)) reachable.add(value);
        }
        for (const block of this.#heap.ownedBy(this.#place.tag)) if (!reachable.has(block)) this.#domain.retire(block);
        tables.retireUnreachable(table);
        const own = countOf(this.#place.header, this.#heap.slot.index);
        this.#memory.store(own, (this.#memory.load(own) + size - this.#counted) | 0);
      });
    } finally {
      inSection(this.#domain.reader, () => tables.release(table));
    }
  };

  /** Violated invariants: places, versions, counts, blocks, nothing left over. Complete only while no other thread is attached. Holds up writers meanwhile. @throws LockTimeoutError, OutOfMemoryError */
  check(): string[] {
    return this.#underLock((table) => this.#check(table));
  }

  #check(table: Table): string[] {
    const buckets = this.#buckets;
    const violations: string[] = [];
    const say = (violation: string): void => {
      violations.push(`${this.#place.name}: ${violation}`);
    };
    const reachable = new Set<Address>();
    const see = (block: Address, what: string): void => {
      if (reachable.has(block)) say(`${what} ${block} is reached twice`);
      else if (!this.#heap.isLive(block)) say(`${what} ${block} is reachable but not live`);
      reachable.add(block);
    };
    let size = 0;
    for (let index = 0; index < table.buckets; index++) {
      const block = blockOf(this.#memory.load(table.bucket(index)));
      if (block <= 1) {
        if (block === NULL) say(`bucket ${index} was never made`);
        continue;
      }
      if (violations.length > MOST_SAID) return violations; // what is broken altogether may say anything of its size
      see(block, "block");
      const seen = new Set<string>();
      for (let i = 0; i < buckets.count(block); i++) {
        size++;
        const hash = buckets.hash(block, i);
        if (hash >>> table.shift !== index) say(`an entry of bucket ${index} belongs into ${hash >>> table.shift}`);
        const version = buckets.entryVersion(buckets.entry(block, i));
        if (version === 0) say(`an entry of bucket ${index} has version 0`);
        const key = `${hash} ${String(buckets.key(block, i))}`;
        if (seen.has(key)) say(`key ${key} is twice in bucket ${index}`);
        seen.add(key);
      }
      for (const value of this.#valueBlocks(block)) see(value, "value block");
    }
    if (size !== this.#counted) say(`${size} entries, its size says ${this.#counted}`);
    const owned = this.#heap.ownedBy(this.#place.tag).length;
    if (owned !== reachable.size) say(`${owned} blocks are live, ${reachable.size} are reachable`);
    const parts = [...table.parts()].length;
    const tables = this.#heap.ownedBy(this.#place.tableTag).length;
    if (tables !== parts) say(`${tables} parts of tables are live, ${parts} are reachable`);
    return violations;
  }
}
