/**
 * The tables of a map: where a hash's bucket is, also while entries are moved to a larger or smaller table.
 *
 * A bucket is moved by whoever comes by, in steps that may be repeated by others at any time (as in Cliff Click's lock-free hash map, 2007, and the
 * forwarding nodes of java.util.concurrent's ConcurrentHashMap):
 *
 *   1  its word is marked MOVING: no writer can change it any more; readers go on reading it
 *   2  copies of its entries are put into the next table's buckets, if these are UNMADE still
 *   3  its word is marked MOVED: readers and writers go to the next table
 *
 *   grow     b -> 2b, 2b + 1          (buckets are numbered by the highest bits of the hash)
 *   shrink   b, b ^ 1 -> b >> 1       (both are marked MOVING before either is copied)
 *
 * The next table is published, and becomes ROOT once all is moved, by whoever has the map's lock and did not wait for it; a thread that dies with it leaves at worst a table that
 * nobody reaches, which the next who waits for the lock gives back.
 *
 * A thread keeps the address of the table it found at ROOT for as long as an epoch of its reader lasts: so a lookup takes one atomic load. In a table
 * that is no longer ROOT every bucket is MOVED, or HELD with a next table (clear).
 *
 * Law table: words.ts.
 *
 * Guarantees
 *   A  a key that is present all the while is found at every instant, by one look.
 *   B  what find() gives was the bucket's block at the instant of the load that found it.
 *   C  a bucket of the next table is changed by a writer only after the one it came from is MOVED: so what readers find in a MOVING bucket is current.
 *   D  no step waits for another thread.
 */

import { type Address, field, NULL } from "../../memory/address.js";
import type { Heap } from "../../memory/heap.js";
import type { Memory } from "../../memory/memory.js";
import type { Publication } from "../../memory/publication.js";
import { RobustMutex } from "../../memory/robust-mutex.js";
import type { Domain } from "../../rcu/domain.js";
import type { Reader } from "../../rcu/flavors/flavor.js";
import type { Place } from "../structure.js";
import { type Buckets, isLater } from "./bucket.js";
import { Stock } from "./stock.js";
import { segmentsOf, Table } from "./table.js";
import {
  blockOf,
  countOf,
  EMPTY,
  LEAST_BITS,
  MARK_SHIFT,
  MapWord,
  Mark,
  MOST_BITS,
  marked,
  markOf,
  SEGMENT_BITS,
  SEGMENT_MASK,
  TableWord,
  UNMADE,
} from "./words.js";

/** Buckets that a writer moves at each update while there are some to be moved, a thousandth of them within these: lookups take longer until all are. */
const LEAST_MOVES = 16;
const MOST_MOVES = 128;
const MOVES_SHIFT = 10;

/** Where a writer found a bucket. */
export type Found =
  /** Its word says `block` (or EMPTY), and may be changed. */
  | "open"
  /** Somebody holds the whole map: wait for its lock. */
  | "held"
  /** There is no memory for moving it: `stock` says how much. */
  | "no memory";

/** One thread's hold on a map's tables. */
export class Tables {
  readonly lock: RobustMutex;
  readonly #memory: Memory;
  readonly #heap: Heap;
  readonly #domain: Domain;
  readonly #reader: Reader;
  readonly #publication: Publication;
  readonly #retire = (block: Address): void => this.#domain.retire(block);
  readonly #buckets: Buckets<unknown>;
  readonly #place: Place;
  readonly #root: Address;
  #table!: Table;
  /** Of `#table`. */
  #segments!: Int32Array;
  #shift = 0;
  /** Epoch in which `#table` was seen at ROOT. */
  #epoch = -1;
  #next: Table | undefined;
  /** Buckets of a table that this thread has seen MOVED, from one of its own on. */
  #cursor = { generation: 0, seen: 0 };
  #found!: Table;
  /** Where `locate` found the bucket. */
  word: Address = NULL;
  block: Address = NULL;
  readonly stock: Stock;
  /** Buckets that `hold` could not move. */
  unmoved = 0;
  /** The lock's last owner died with it: somebody must mend what it left, who may wait. */
  needsRepair = false;

  constructor(place: Place, publication: Publication, buckets: Buckets<unknown>) {
    const { domain, header } = place;
    const { memory, heap } = domain.arena;
    this.#memory = memory;
    this.#heap = heap;
    this.#domain = domain;
    this.#reader = domain.reader;
    this.#publication = publication;
    this.stock = new Stock(heap, domain, publication);
    this.#buckets = buckets;
    this.#place = place;
    this.#root = field(header, MapWord.ROOT);
    this.lock = new RobustMutex(memory, field(header, MapWord.LOCK), heap.slot);
  }

  // In a section ---------------------------------------------------------------------------------------

  /** The table at ROOT; perhaps one that was there earlier in this epoch. */
  get current(): Table {
    if (this.#reader.epoch !== this.#epoch) this.#renew();
    return this.#table;
  }

  #renew(): void {
    this.#reader.enter(); // nothing, in a section
    this.#refresh();
  }

  #refresh(): void {
    const root = this.#memory.load(this.#root) as Address;
    this.#table = this.#known(this.#epoch < 0 ? undefined : this.#table, root);
    this.#segments = this.#table.segments;
    this.#shift = this.#table.shift;
    this.#epoch = this.#reader.epoch;
  }

  // An address may be another table's since; its generation tells.
  #known(table: Table | undefined, address: Address): Table {
    const isSame = table?.address === address && table.generation === this.#memory.read(field(address, TableWord.GENERATION));
    return isSame ? table : new Table(this.#memory, address);
  }

  /** The table that entries are moved to, undefined when there is none. */
  nextOf(table: Table): Table | undefined {
    const next = this.#memory.load(table.next) as Address;
    if (next === NULL) return undefined;
    this.#next = this.#known(this.#next, next);
    return this.#next;
  }

  /**
   * The block that a hash's entries are in, or EMPTY. Enters a section, as Reader.enter does, when this thread is in none: who is in none `exit`s it.
   *
   * All in one function, since V8 takes only so much into one: with calls a lookup in a small table takes twice the time.
   */
  find(hash: number): Address {
    if (this.#reader.epoch !== this.#epoch) this.#renew();
    const index = hash >>> this.#shift;
    const word = this.#memory.load(((this.#segments[index >>> SEGMENT_BITS] as number) + (index & SEGMENT_MASK)) as Address);
    return word >>> MARK_SHIFT === Mark.NONE ? (word as Address) : this.#findMarked(this.#table, word, hash).block;
  }

  /** As `find`, and which bucket of which table it is: the bits of a hash below its number. */
  findBucket(hash: number): { block: Address; shift: number } {
    const table = this.current;
    return this.#findMarked(table, this.#memory.load(table.wordOf(hash)), hash);
  }

  #findMarked(first: Table, firstWord: number, hash: number): { block: Address; shift: number } {
    let table = first;
    let word = firstWord;
    for (;;) {
      const mark = markOf(word);
      if (mark === Mark.NONE || mark === Mark.MOVING) return { block: blockOf(word), shift: table.shift };
      const next = this.nextOf(table);
      // HELD, and not to be replaced by another table: at the instant of the load it was current.
      if (next === undefined) return { block: blockOf(word), shift: table.shift };
      const now = mark === Mark.HELD ? this.#memory.load(table.wordOf(hash)) : word;
      if (now !== word) {
        // It was HELD, and was let go before there was a next table, where the bucket may be UNMADE still. One that still is HELD, is for ever (clear).
        word = now;
        continue;
      }
      table = next;
      this.#refresh(); // for the lookups to come
      word = this.#memory.load(table.wordOf(hash));
    }
  }

  /**
   * Where a hash's bucket is to be changed; moves it first, if it is to be moved. Leaves `word` and `block`.
   */
  locate(hash: number): Found {
    let table = this.current;
    for (;;) {
      const at = table.wordOf(hash);
      const word = this.#memory.load(at);
      const mark = markOf(word);
      if (mark === Mark.NONE) {
        this.word = at;
        this.block = word as Address;
        this.#found = table;
        return "open";
      }
      const next = this.nextOf(table);
      if (mark === Mark.HELD) {
        if (next === undefined) return "held";
        if (this.#memory.load(at) !== word) continue; // let go before there was a next table: as in #findMarked
      }
      if (mark === Mark.MOVING && !this.#move(table, next as Table, hash >>> table.shift)) return "no memory";
      table = next as Table;
    }
  }

  /** The highest version that entries of the bucket which `locate` found have, or had. */
  get version(): number {
    return this.#buckets.latest(this.block, this.#memory.load(this.#found.base) >>> 0);
  }

  /** Before an entry of the bucket which `locate` found is deleted: it may come again, and must have another version then. */
  outdate(version: number): void {
    this.#raise(this.#found, version);
  }

  /** The blocks of all buckets, if nothing has changed between two looks at them; undefined when something has, or they cannot be told apart (shrinking). */
  collectTwice(): Address[] | undefined {
    this.#refresh(); // the table of this epoch may be another's since
    const table = this.#table;
    const next = this.nextOf(table);
    if (next !== undefined && next.bits < table.bits) return undefined;
    const words = this.#collect(table, next);
    const again = this.#collect(table, next);
    if (words === undefined || words.length !== again?.length || words.some((word, i) => word !== again[i])) return undefined;
    return words.map(blockOf).filter((block) => block !== EMPTY);
  }

  /** What every bucket says, here or, once it is MOVED, in the next table; undefined when one is held, or is moved on from there. */
  #collect(table: Table, next: Table | undefined): number[] | undefined {
    const words: number[] = [];
    for (let index = 0; index < table.buckets; index++) {
      const word = this.#memory.load(table.bucket(index));
      const mark = markOf(word);
      if (mark === Mark.NONE || mark === Mark.MOVING) words.push(word);
      else if (mark === Mark.HELD || next === undefined) return undefined;
      else {
        const bits = next.bits - table.bits;
        for (let target = index << bits; target < (index + 1) << bits; target++) {
          const moved = this.#memory.load(next.bucket(target));
          if (markOf(moved) !== Mark.NONE) return undefined;
          words.push(moved);
        }
      }
    }
    return words;
  }

  // Moving ---------------------------------------------------------------------------------------------

  /** In a section, at each update: move a few buckets, if there are some to be moved; and if all are, let ROOT say so. */
  help(all = false): void {
    const table = this.current;
    const most = all ? table.buckets : Math.min(MOST_MOVES, Math.max(LEAST_MOVES, table.buckets >>> MOVES_SHIFT));
    const next = this.nextOf(table);
    if (next === undefined || !this.#moveSome(table, next, most)) return;
    this.#withLockNow(() => this.#finish(table, next));
  }

  /** Move up to `most` buckets. Gives whether all of the table are MOVED. */
  #moveSome(table: Table, next: Table, most: number): boolean {
    if (this.#cursor.generation !== table.generation) this.#cursor = { generation: table.generation, seen: 0 };
    const cursor = this.#cursor;
    // Each thread begins at another, so that several share the work; each has to see all.
    const start = Math.imul(this.#heap.slot.index, 0x9e3779b1) >>> table.shift;
    for (let moves = 0; moves < most && cursor.seen < table.buckets; moves++, cursor.seen++) {
      if (!this.#move(table, next, (start + cursor.seen) & (table.buckets - 1))) return false;
    }
    return cursor.seen === table.buckets;
  }

  /** See to it that a bucket is MOVED. Gives false, and leaves `needed`, when there is no memory. */
  #move(table: Table, next: Table, index: number): boolean {
    const at = table.bucket(index);
    const word = this.#freeze(at);
    if (markOf(word) !== Mark.MOVING) return true;
    const block = blockOf(word);
    const isCopied = next.bits > table.bits ? this.#split(block, next, index, next.bits - table.bits) : this.#join(table, next, index, block);
    if (isCopied === undefined) return false;
    this.#markMoved(table, at, word, next, isCopied);
    return true;
  }

  /** From here on a bucket is in the next table. `isCopied`: its block is nobody's any more. */
  #markMoved(table: Table, at: Address, word: number, next: Table, isCopied: boolean): void {
    const block = blockOf(word);
    const moved = marked(Mark.MOVED, this.#heap.slot.index);
    if (block !== EMPTY) this.#publication.settle(block);
    this.#raise(next, this.#memory.load(table.base) >>> 0); // what was deleted here is older than what comes there
    if (!isCopied) {
      this.#memory.compareExchange(at, word, moved);
      return;
    }
    const change = { word: at, from: word, to: moved, block: NULL, value: NULL, oldBlock: block, oldValue: NULL, counter: NULL, added: 0 };
    if (this.#publication.publish(change)) this.#publication.retireOld(change, this.#retire);
  }

  /** Entries that come to a table get versions above this one. */
  #raise(table: Table, version: number): void {
    for (let base = this.#memory.load(table.base); isLater(version, base); base = this.#memory.load(table.base)) {
      this.#memory.compareExchange(table.base, base, version | 0);
    }
  }

  /** Mark a bucket MOVING. Gives its word, which may be MOVED. */
  #freeze(at: Address): number {
    for (;;) {
      const word = this.#memory.load(at);
      if (markOf(word) !== Mark.NONE) return word;
      const moving = marked(Mark.MOVING, word);
      if (this.#memory.compareExchange(at, word, moving) === word) return moving;
    }
  }

  /**
   * Copy a MOVING bucket into those that it becomes, 2^bits of them.
   * @returns whether its block is not used any more; undefined when there is no memory
   */
  #split(block: Address, next: Table, index: number, bits: number): boolean | undefined {
    const memory = this.#memory;
    const buckets = this.#buckets;
    const first = index << bits;
    const count = buckets.count(block);
    const targetOf = (i: number): number => buckets.hash(block, i) >>> next.shift;
    let whole = count > 0;
    for (let i = 1; i < count; i++) whole &&= targetOf(i) === targetOf(0);
    for (let target = first; target < first + (1 << bits); target++) {
      const at = next.bucket(target);
      if (memory.load(at) !== UNMADE) continue;
      buckets.begin();
      for (let i = 0; i < count; i++) if (targetOf(i) === target) buckets.keep(block, i);
      if (buckets.entries === 0) memory.compareExchange(at, UNMADE, EMPTY);
      // A block whose entries all go to one bucket goes there itself.
      else if (whole) memory.compareExchange(at, UNMADE, block);
      else if (!this.#make(at)) return undefined;
    }
    return block !== EMPTY && !whole;
  }

  /** As `#split`, of two buckets that become one. */
  #join(table: Table, next: Table, index: number, block: Address): boolean | undefined {
    const memory = this.#memory;
    const buckets = this.#buckets;
    const at = next.bucket(index >>> 1);
    const partnerAt = table.bucket(index ^ 1);
    const partnerWord = this.#freeze(partnerAt);
    // One that goes there itself is marked before an EMPTY partner is (below): else its new bucket could be changed while readers still find it here.
    if (markOf(partnerWord) === Mark.MOVED) return block !== EMPTY;
    const partner = blockOf(partnerWord);
    const isAlone = block === EMPTY || partner === EMPTY;
    if (memory.load(at) === UNMADE) {
      if (isAlone) memory.compareExchange(at, UNMADE, block === EMPTY ? partner : block);
      else {
        buckets.begin();
        buckets.keepAll(block);
        buckets.keepAll(partner);
        if (!this.#make(at)) return undefined;
      }
    }
    if (block === EMPTY && partner !== EMPTY) this.#markMoved(table, partnerAt, partnerWord, next, false);
    return !isAlone;
  }

  /** Publish the block that `#buckets` was given in an UNMADE bucket. Gives false when there is no memory. */
  #make(target: Address): boolean {
    const bytes = this.#buckets.words() * 4;
    const block = this.stock.take(bytes);
    if (block === NULL) return false;
    this.#buckets.write(block);
    const change = { word: target, from: UNMADE, to: block, block, value: NULL, oldBlock: NULL, oldValue: NULL, counter: NULL, added: 0 };
    if (this.#publication.publish(change)) this.#publication.done();
    else this.#heap.kfree(block);
    return true;
  }

  // Tables ---------------------------------------------------------------------------------------------

  /** Run `fn` with the lock, if it can be had at once. */
  #withLockNow(fn: () => void): void {
    const died = this.lock.tryLock();
    if (died === undefined) return;
    let failed = true;
    try {
      this.needsRepair ||= died;
      if (!died) fn();
      failed = died;
    } finally {
      this.lock.unlock(failed);
    }
  }

  /** In a section: let entries be moved to a table of so many bits, if nobody has begun such a thing. */
  resize(bits: number): void {
    const table = this.current;
    if (bits === table.bits || bits < LEAST_BITS || bits > MOST_BITS || this.nextOf(table) !== undefined) return;
    this.#withLockNow(() => {
      if (this.#memory.load(this.#root) !== table.address || this.nextOf(table) !== undefined) return;
      const next = this.#create(bits, UNMADE, this.#memory.load(table.base));
      if (next !== NULL) this.#memory.store(table.next, next);
    });
  }

  // With the lock, in a section.
  #finish(table: Table, next: Table): void {
    if (this.#memory.load(this.#root) === table.address) {
      this.#memory.store(this.#root, next.address);
      for (const part of table.parts()) this.#domain.retire(part);
    }
    this.#refresh(); // also when another thread has done it, which this one has not seen in this epoch
  }

  /** Make a table; NULL when there is no memory. With the lock. */
  #create(bits: number, fill: number, base: number): Address {
    const { tableTag, header } = this.#place;
    const memory = this.#memory;
    const heap = this.#heap;
    const segments: Address[] = [];
    const words = 1 << Math.min(bits, SEGMENT_BITS);
    const table = heap.kmalloc((TableWord.SEGMENTS + segmentsOf(bits)) * 4, tableTag);
    while (table !== NULL && segments.length < segmentsOf(bits)) {
      const segment = heap.kmalloc(words * 4, tableTag);
      if (segment === NULL) {
        for (const part of [...segments, table]) heap.kfree(part);
        return NULL;
      }
      memory.fill(segment, words, fill);
      memory.write(field(table, TableWord.SEGMENTS + segments.length), segment);
      segments.push(segment);
    }
    if (table === NULL) return NULL;
    const generations = field(header, MapWord.GENERATIONS);
    const generation = memory.read(generations) + 1;
    memory.write(generations, generation);
    memory.write(field(table, TableWord.BITS), bits);
    memory.write(field(table, TableWord.GENERATION), generation);
    memory.store(field(table, TableWord.NEXT), NULL);
    memory.store(field(table, TableWord.BASE), base);
    return table;
  }

  /**
   * Outside a section: see to it that there is a table.
   * @param created the time of day in s
   * @throws OutOfMemoryError, LockTimeoutError
   */
  open(bits: number, created: number): void {
    if (this.#memory.load(this.#root) !== NULL) return;
    let died = this.lock.lock();
    try {
      if (this.#memory.load(this.#root) !== NULL) return; // and whoever knows the whole map mends what its maker left
      if (died) this.retireUnreachable(undefined);
      died = false;
      this.#memory.write(field(this.#place.header, MapWord.CREATED), created);
      const bytes = 4 << bits;
      this.#memory.store(
        this.#root,
        this.#domain.allocate(bytes, () => this.#create(bits, EMPTY, 0)),
      );
    } finally {
      this.lock.unlock(died);
    }
  }

  /** With the lock, after its last owner died: retire the tables that nobody reaches from here. */
  retireUnreachable(table: Table | undefined): void {
    const reachable = new Set(table?.parts());
    for (const part of this.#heap.ownedBy(this.#place.tableTag)) if (!reachable.has(part)) this.#domain.retire(part);
  }

  // With the lock, which was waited for ------------------------------------------------------------------

  /**
   * In a section: hold every bucket of the one table there is then: until `release`, nothing changes.
   * @returns the table; undefined, and nothing is held, when entries are being moved and there is no memory for the `unmoved`: `stock` says how much it lacked
   */
  hold(): Table | undefined {
    this.#refresh(); // a table of earlier in this epoch may have been replaced since, by whoever had the lock: then #finish does nothing
    for (let table = this.current; ; table = this.current) {
      const next = this.nextOf(table);
      if (next === undefined) break;
      if (!this.#moveSome(table, next, table.buckets)) {
        this.unmoved = table.buckets - this.#cursor.seen;
        return undefined;
      }
      this.#finish(table, next);
    }
    const table = this.current;
    for (let index = 0; index < table.buckets; index++) this.#holdBucket(table.bucket(index));
    return table;
  }

  #holdBucket(at: Address): void {
    for (;;) {
      const word = this.#memory.load(at);
      if (markOf(word) === Mark.HELD || this.#memory.compareExchange(at, word, marked(Mark.HELD, word)) === word) return;
    }
  }

  /** Let go of what `hold` still holds. */
  release(table: Table): void {
    for (let index = 0; index < table.buckets; index++) {
      const at = table.bucket(index);
      const word = this.#memory.load(at);
      if (markOf(word) === Mark.HELD) this.#memory.store(at, blockOf(word)); // only who has the lock changes it
    }
  }

  /** The blocks of a table that is held. */
  *blocks(table: Table): Generator<Address> {
    for (let index = 0; index < table.buckets; index++) {
      const block = blockOf(this.#memory.load(table.bucket(index)));
      if (block !== EMPTY) yield block;
    }
  }

  /**
   * Put an empty table in the place of one that is held: all of it is gone at one instant.
   * @param gone its blocks, and those they name
   * @param entries how many there are in them
   * @throws OutOfMemoryError, and nothing has changed
   */
  replaceHeld(table: Table, gone: readonly Address[], entries: number): void {
    let base = this.#memory.load(table.base) >>> 0;
    for (const block of this.blocks(table)) base = this.#buckets.latest(block, base);
    const bytes = 4 << LEAST_BITS;
    const next = this.#domain.allocate(bytes, () => this.#create(LEAST_BITS, EMPTY, base | 0));
    for (const block of gone) this.#publication.settle(block);
    const counter = countOf(this.#place.header, this.#heap.slot.index);
    // Commits: in a bucket that is HELD, readers and writers look for this. Published, so that a reaper who finds it done sets the count.
    const change = { word: table.next, from: NULL, to: next, block: NULL, value: NULL, oldBlock: NULL, oldValue: NULL, counter, added: -entries };
    this.#publication.publish(change);
    this.#publication.done();
    this.#memory.store(this.#root, next);
    for (const block of gone) this.#domain.retire(block);
    for (const part of table.parts()) this.#domain.retire(part);
    this.#refresh();
  }
}
