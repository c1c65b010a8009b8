/**
 * The cell: one value with a version, which threads copy, work on for as long as they like, and commit (the lecture on RCU, sources L1-L4).
 *
 *   header   POINTER ----> block  VERSION 7 | value          copy()    base and private copy of version 7; no lock, nothing shared is held
 *                                                            commit()  still version 7: POINTER is swapped
 *            POINTER ----> block  VERSION 9 | value                    else: merge(base, mine, theirs of 9), and swapped if it still is 9
 *
 * A commit builds a block and publishes it with one compareExchange of POINTER (publication.ts): no writer waits for another, and a killed one blocks nobody.
 *
 * Law table
 *   word                  class
 *   header POINTER        atomic; NULL until the first value
 *   header WATCHERS, CHANGES   atomic (changes.ts)
 *   header statistics     atomic (stats.ts)
 *   block VERSION, value  private until published, then immutable
 *
 * Guarantees
 *   A  linearizable: set, commit and update take place at their compareExchange, get and copy at their load of POINTER. VERSION goes up by one each time
 *      (modulo 2^32), so a value is told by its version.
 *   B  a commit publishes only in the place of the version that it was made of: of what others had published before none is lost but by a merge that saw it.
 *   C  a commit, set or update that throws has changed nothing, but the statistics.
 *   D  a copy holds nothing shared: it may be kept for ever, never committed, changed at will. Committed it can be for 2^31 versions.
 *   E  get gives the same frozen value for as long as there is no newer one: it costs a load and two compares. An address is used again after a grace period, so
 *      the same address says "the same block" only within an epoch of the reader (flavor.ts); with a new epoch, VERSION is compared.
 *   F  a writer that dies leaves the value as before its call or as after it, and once it is reaped nothing else.
 *   G  of a watch: changes.ts.
 */

import { type Address, field, NULL } from "../../memory/address.js";
import { InvalidSizeError, QuiesceError } from "../../memory/errors.js";
import { MAX_KMALLOC_BYTES } from "../../memory/heap.js";
import type { Memory } from "../../memory/memory.js";
import { Publication } from "../../memory/publication.js";
import type { Domain } from "../../rcu/domain.js";
import type { Reader } from "../../rcu/flavors/flavor.js";
import { inSection } from "../../rcu/in-section.js";
import { type CodecBase, isCodec } from "../../values/codec.js";
import { show, ValueError } from "../../values/errors.js";
import { Changes, type WatchOptions } from "../changes.js";
import { HEADER_BYTES, type Place } from "../structure.js";
import { ConflictError, MergeConflict } from "./errors.js";
import type { Merge } from "./merge.js";
import { CellCounters, type CellStats, STATS_WORDS } from "./stats.js";

/** Words of the header; each line is touched by others than the next. */
const HeaderWord = { POINTER: 0, CHANGES: 16, STATS: 32 } as const;
if ((HeaderWord.STATS + STATS_WORDS) * 4 > HEADER_BYTES) throw new Error("the header is too small");

/** Words of a block. */
const BlockWord = { VERSION: 0, VALUE: 1 } as const;

/** Versions between a copy and the newest: beyond that older and newer cannot be told apart. */
const MOST_DISTANCE = 2 ** 31;

/** A private copy of a cell's value, and what it was made of. */
export interface Copy<T> {
  /** Yours: change it, or put another in its place. */
  value: T;
  /** The value that was copied; frozen where its codec can. */
  readonly base: T;
  /** Of `base`. */
  readonly version: number;
}

/** How to commit a copy of an older version. */
export interface CommitOptions<T> {
  /**
   * Makes one value of base, mine and theirs, the first and last of which are frozen (where their codec can): `mergeAny`, `mergeLists`, ... or your own. May be
   * called several times, and must be synchronous. Default: there are no merges.
   */
  readonly merge?: Merge<T> | undefined;
  /** Give up when more versions than this have come between; default Infinity. */
  readonly maxDistance?: number | undefined;
}

/** What a commit did. */
export interface Committed {
  /** The version that it made. */
  readonly version: number;
  /** Versions that it was merged with; 0 is a swap. */
  readonly distance: number;
}

/** What a cell is of. */
export interface CellOptions<T> {
  /** Given to the cell when it is opened and has no value yet. */
  readonly initial?: T;
}

/** Text of a cell's schema. @throws QuiesceError (ERR_SCHEMA) for what is no codec */
export function cellSchema(codec: unknown): string {
  if (!isCodec(codec)) throw new QuiesceError("ERR_SCHEMA", `a cell is of a codec, such as json or u32; got ${show(codec)}.`);
  return `cell(${codec.name})`;
}

/** One value with a version. None is what it holds before the first value: undefined, or never with an initial value. */
export class Cell<T, None = undefined> {
  readonly #name: string;
  readonly #memory: Memory;
  readonly #domain: Domain;
  readonly #reader: Reader;
  readonly #tag: number;
  readonly #codec: CodecBase<T>;
  readonly #pointer: Address;
  readonly #publication: Publication;
  readonly #retire = (block: Address): void => this.#domain.retire(block);
  readonly #changes: Changes;
  readonly #counters: CellCounters;
  /** The value of `#version`, frozen; found at `#foundAt` in `#epoch`. */
  #value: T | None = undefined as None;
  /** -1 for none. */
  #version = -1;
  #foundAt = -1;
  #epoch = -1;
  /** A function of the user's runs, which must not change what it is called for. */
  #inFunction = false;

  constructor({ domain, header, tag, name }: Place, codec: CodecBase<T>) {
    const { memory, heap } = domain.arena;
    this.#name = name;
    this.#memory = memory;
    this.#domain = domain;
    this.#reader = domain.reader;
    this.#tag = tag;
    this.#codec = codec;
    this.#pointer = field(header, HeaderWord.POINTER);
    this.#publication = new Publication(heap, tag, domain.index);
    this.#changes = new Changes(domain, field(header, HeaderWord.CHANGES), name);
    this.#counters = new CellCounters(memory, field(header, HeaderWord.STATS));
  }

  /** Give it its first value, if it has none. @throws as `set` */
  begin(initial: T): void {
    const prepared = this.#codec.prepare(initial);
    if (this.#memory.load(this.#pointer) !== NULL) return; // where one may not update, a cell that has a value may be opened all the same
    this.#mayUpdate("begin()");
    this.#put(prepared, 0);
  }

  // Reading ------------------------------------------------------------------------------------------

  /**
   * The value, frozen and the same object for all who ask in this thread; where its codec cannot freeze (bytes), a copy.
   * @throws ClosedError
   */
  get(): T | None {
    const reader = this.#reader;
    reader.enter();
    const block = this.#memory.load(this.#pointer) as Address; // pairs with the compareExchange of Publication
    if (block === this.#foundAt && reader.epoch === this.#epoch) {
      reader.exit();
      return this.#value;
    }
    if (block !== NULL && this.#versionOf(block) === this.#version) {
      this.#foundAt = block;
      this.#epoch = reader.epoch;
      reader.exit();
      return this.#value;
    }
    reader.exit();
    return this.#inSection((found) => this.#decoded(found)); // runs the codec's code, which may be the user's
  }

  /** A copy of the value that its receiver may change. */
  getCopy(): T | None {
    return this.#inSection((block) => this.#decode(block));
  }

  /** How many values there have been, modulo 2^32; 0 before the first. */
  get version(): number {
    const reader = this.#reader;
    reader.enter();
    const version = this.#versionOf(this.#memory.load(this.#pointer) as Address);
    reader.exit();
    return version;
  }

  /** A private copy, to work on without a lock for as long as you like (L1: "no time limit, NO LOCK"), and to commit, or not. */
  copy(): Copy<T | None> {
    return this.#inSection((block) => ({ value: this.#decode(block), base: this.#decoded(block), version: this.#versionOf(block) }));
  }

  /** Each value since now, but those that were replaced before somebody looked: a slow watcher finds the latest. */
  watch(options?: WatchOptions): AsyncIterableIterator<T> {
    let last = this.version;
    return this.#changes.watch(() => {
      if (this.version === last) return undefined;
      const { version, value } = this.#current();
      last = version;
      return { value: value as T };
    }, options);
  }

  /** How often commits were swaps, merges and conflicts, by distance; of all threads. */
  stats(): CellStats {
    return this.#counters.read();
  }

  #inSection<R>(look: (block: Address) => R): R {
    return inSection(this.#reader, () => look(this.#memory.load(this.#pointer) as Address));
  }

  #current(): { version: number; value: T | None } {
    return this.#inSection((block) => ({ version: this.#versionOf(block), value: this.#decoded(block) }));
  }

  #versionOf(block: Address): number {
    return block === NULL ? 0 : this.#memory.read(field(block, BlockWord.VERSION)) >>> 0;
  }

  #decode(block: Address): T | None {
    return block === NULL ? (undefined as None) : this.#codec.read(this.#memory, field(block, BlockWord.VALUE));
  }

  /** The value of a block, frozen, and kept for `get`. In the section in which the block was found. */
  #decoded(block: Address): T | None {
    const version = block === NULL ? -1 : this.#versionOf(block);
    if (version < 0 || version !== this.#version) {
      const value = this.#decode(block);
      if (block !== NULL && !this.#codec.canFreeze) return value;
      this.#value = block === NULL ? value : this.#codec.freeze(value as T);
      this.#version = version;
    }
    this.#foundAt = block;
    this.#epoch = this.#reader.epoch;
    return this.#value;
  }

  // Updating -----------------------------------------------------------------------------------------

  /**
   * Put a value in the place of whatever is there.
   * @throws ValueError, OutOfMemoryError, ContextError (in a section), ClosedError
   */
  set(value: T): void {
    this.#mayUpdate("set()");
    this.#put(this.#codec.prepare(value), undefined);
    this.#domain.afterUpdate();
  }

  /**
   * Put what `fn` makes of the value in its place, in one step: nobody's update comes between. `fn` gets a copy of its own, which it may change, and is called
   * again, with a newer one, when somebody was faster; it must be synchronous.
   * @returns what was stored
   * @throws as `set`; what `fn` throws
   */
  update(fn: (value: T | None) => T): T {
    this.#mayUpdate("update()");
    for (;;) {
      const { value, version } = this.copy();
      const made = this.#call("update()", () => fn(value));
      if (this.#put(this.#prepared(made), version) === undefined) continue;
      this.#domain.afterUpdate();
      return made;
    }
  }

  /**
   * Publish a copy (L3). If no newer version than the copied one is there, it takes its place. Else it is merged, when there is a merge function, with the newest,
   * and takes that one's place.
   * @throws ConflictError: newer versions are there, and no merge, or too many, or the merge threw a MergeConflict; ValueError, OutOfMemoryError, ContextError
   *   (in a section), ClosedError; QuiesceError (ERR_COPY) for what is no copy, or one of a version that is yet to come, (ERR_MERGE) for a `merge` that is no function; what `merge` throws
   */
  commit(copy: Copy<T | None>, { merge, maxDistance = Number.POSITIVE_INFINITY }: CommitOptions<T> = {}): Committed {
    this.#mayUpdate("commit()");
    checkCopy(copy);
    if (merge !== undefined && typeof merge !== "function")
      throw new QuiesceError("ERR_MERGE", `merge is a function of (base, mine, theirs); got ${show(merge)}.`);
    if (!(maxDistance >= 0)) throw new InvalidSizeError("maxDistance", maxDistance, "a number that is not negative");
    const { value: mine, base, version: before } = copy as Copy<T>;
    const prepared = this.#codec.prepare(mine);
    let committed = this.#put(prepared, before);
    let distance = 0;
    while (committed === undefined) {
      const { version, value: theirs } = this.#current() as { version: number; value: T };
      distance = (version - before) >>> 0;
      if (distance > MOST_DISTANCE)
        throw new QuiesceError(
          "ERR_COPY",
          `commit() was given a copy of version ${before}; ${this.#name} is at ${version}: it is of another cell, its version was changed, or it is 2^31 versions old.`,
        );
      const conflict = (why: string | MergeConflict): ConflictError => {
        this.#counters.conflict(distance);
        return new ConflictError(this.#name, base, mine, theirs, distance, why);
      };
      if (merge === undefined) throw conflict("commit() was given no merge function.");
      if (distance > maxDistance) throw conflict(`commit() was to merge at most ${maxDistance}.`);
      if (base === undefined) throw conflict("the copy was taken before the first, so there is no base to merge by.");
      let merged: T;
      try {
        merged = this.#call("commit()", () => merge(base, mine, theirs));
      } catch (error) {
        throw error instanceof MergeConflict ? conflict(error) : error;
      }
      committed = this.#put(this.#prepared(merged), version, distance);
    }
    this.#domain.afterUpdate();
    return { version: committed, distance };
  }

  #mayUpdate(operation: string): void {
    this.#domain.beforeUpdate(`${this.#name}.${operation}`);
    if (this.#inFunction)
      throw new QuiesceError(
        "ERR_IN_UPDATE",
        `${this.#name}.${operation} in a function that an update of ${this.#name} calls, which would never come to an end.`,
      );
  }

  #call<R>(operation: string, fn: () => R): R {
    const result = this.#inside(fn);
    if (typeof (result as { then?: unknown } | null | undefined)?.then === "function") {
      Promise.resolve(result).catch(() => {}); // what is reported is this misuse
      throw new QuiesceError("ERR_ASYNC_UPDATE", `${this.#name}.${operation} was given an async function. Use copy(), await what you like, then commit().`);
    }
    return result;
  }

  /** What is to be stored of a loop that begins again when somebody was faster: the codec's code may be the user's, too. */
  #prepared(value: T): unknown {
    return this.#inside(() => this.#codec.prepare(value));
  }

  #inside<R>(fn: () => R): R {
    this.#inFunction = true;
    try {
      return fn();
    } finally {
      this.#inFunction = false;
    }
  }

  /**
   * Publish a value in the place of a version, or of any.
   * @param distance versions that it was merged with
   * @returns its version; undefined when another version is there
   */
  #put(prepared: unknown, before: number | undefined, distance = 0): number | undefined {
    const block = this.#makeBlock(prepared);
    const version = this.#publish(block, before);
    if (version === undefined) {
      this.#domain.retire(block); // freeing may wait for the arena lock, retiring never does
      return undefined;
    }
    this.#changes.tell();
    this.#counters.published(distance);
    return version;
  }

  #makeBlock(prepared: unknown): Address {
    const bytes = BlockWord.VALUE * 4 + this.#codec.bytes(prepared);
    if (bytes > MAX_KMALLOC_BYTES)
      throw new ValueError("ERR_VALUE_TOO_LARGE", `a cell's value takes at most ${MAX_KMALLOC_BYTES - BlockWord.VALUE * 4} bytes; got one of ${bytes - 4}.`);
    const block = this.#domain.allocate(bytes, () => this.#publication.take(bytes));
    this.#codec.write(this.#memory, field(block, BlockWord.VALUE), prepared);
    return block;
  }

  // Whatever else is thrown in here (a stack overflow) leaves a note, and a block that is freed with this thread: see publication.ts.
  #publish(block: Address, before: number | undefined): number | undefined {
    const memory = this.#memory;
    // What is replaced is retired in the section in which it was found (guarantee C of publication.ts).
    return this.#inSection((first) => {
      for (let old = first; ; old = memory.load(this.#pointer) as Address) {
        const version = this.#versionOf(old);
        if (before !== undefined && version !== before) return undefined;
        memory.write(field(block, BlockWord.VERSION), (version + 1) | 0);
        if (old !== NULL) this.#publication.settle(old);
        // Spelled out: a spread of what is always NULL took most of the time of a set.
        const change = { word: this.#pointer, from: old, to: block, block, value: NULL, oldBlock: old, oldValue: NULL, counter: NULL, added: 0 };
        if (!this.#publication.publish(change)) continue;
        this.#publication.retireOld(change, this.#retire);
        return (version + 1) >>> 0;
      }
    });
  }

  // Checks -------------------------------------------------------------------------------------------

  /** Violated invariants: the value's block is live, and the only one. While no other thread updates the cell. */
  check(): string[] {
    this.#domain.beforeUpdate(`${this.#name}.check()`);
    const { heap } = this.#domain.arena;
    return this.#inSection((block) => {
      const violations: string[] = [];
      if (block !== NULL && !heap.isLive(block)) violations.push(`${this.#name}: the value's block ${block} is not live`);
      const owned = heap.ownedBy(this.#tag);
      if (block !== NULL && !owned.includes(block)) violations.push(`${this.#name}: the value's block ${block} is not the cell's`);
      for (const left of owned) if (left !== block) violations.push(`${this.#name}: block ${left} is live, and is not the value's`);
      return violations;
    });
  }
}

function checkCopy(copy: unknown): void {
  const { version } = (copy ?? {}) as Partial<Copy<unknown>>;
  if (typeof copy !== "object" || typeof version !== "number" || version >>> 0 !== version)
    throw new QuiesceError("ERR_COPY", `commit() takes what copy() gave: { value, base, version }; got ${show(copy)}, of version ${show(version)}.`);
}
