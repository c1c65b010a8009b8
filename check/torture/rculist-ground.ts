/**
 * The lists with embedded links (the kernel's rculist.h) that a torture run is about: where they are, what an entry holds, and what is mended after a death.
 *
 *   own words   GROUND: address | CACHE | items
 *   ground      LOCK | four words, head (two words) | four words, head | ...     the four are no entry's: a reader who takes a head for an entry sees it
 *   entry       KEY | VERSION | PLACE | CHECK | link (two words)
 *
 *   lists   MAIN, into which FEEDER is spliced | BOTH_WAYS: walked backwards, too | two chains, whose heads are swapped | chains with numbered ends (nulls)
 *
 * All but the last have entries that are retired; those of the last are of a typesafeByRcu cache, and are moved, or freed and used again, at once.
 *
 * Law table: LOCK atomic (robust mutex); links by list.ts and hash-chain.ts; the words of an entry private until it is added, immutable then, but in the last: atomic.
 */

import type { Shared } from "../../src/index.js";
import { type Address, field, NULL } from "../../src/memory/address.js";
import type { Cache } from "../../src/memory/cache.js";
import type { Memory } from "../../src/memory/memory.js";
import { RobustMutex } from "../../src/memory/robust-mutex.js";
import { RcuHlist } from "../../src/structures/list/hlist.js";
import { RcuHlistNulls } from "../../src/structures/list/hlist-nulls.js";
import { RcuList } from "../../src/structures/list/list.js";
import { checkOf } from "../support/seed.js";
import { LIMIT } from "../support/watchdog.js";
import { Items } from "./items.js";

const Word = { KEY: 0, VERSION: 1, PLACE: 2, CHECK: 3, LINK: 4 } as const;
/** From an entry to its link, in words. */
export const MEMBER = Word.LINK;
const ENTRY_WORDS = 6;
const ENTRY_BYTES = 4 * ENTRY_WORDS;
/** Of the entries that are retired: whoever dies, they belong to the lists. */
const TAG = 7;

/** Lists by number; of the two chains these are the heads, and, in PLACE, the chains, which heads exchange. */
export const MAIN = 0;
export const FEEDER = 1;
export const BOTH_WAYS = 2;
export const CHAIN = 3;
export const CHAINS = 2;
export const NULLS = CHAIN + CHAINS;
export const NULLS_CHAINS = 4;
export const LISTS = NULLS + NULLS_CHAINS;

/** Entries with keys below it are never removed; others have their item's number above it. */
export const COMING = 1000;
/** So many of them in each list. */
export const anchorsIn = (list: number): number => (list === FEEDER ? 0 : list < CHAIN ? 6 : 3);

/** Segments (anchors before it) a list may have. */
const SEGMENTS = 16;
/** Own words. */
const AT = 0;
const CACHE = 1;
const ITEMS = 2;

/** What an entry is. */
export interface Told {
  readonly key: number;
  /** Of an anchor: goes up when it is replaced. */
  readonly version: number;
  readonly list: number;
  /** Anchors before it, where it was put in. */
  readonly segment: number;
}

const checkFor = (key: number, version: number, place: number): number => checkOf(key ^ checkOf(version ^ checkOf(place))) | 0;

/** One thread's view of it all. */
export class Ground {
  readonly items: Items;
  readonly list: RcuList;
  readonly hash: RcuHlist;
  readonly nulls: RcuHlistNulls;
  readonly #shared: Shared;
  readonly #memory: Memory;
  readonly #at: Address;
  readonly #lock: RobustMutex;
  readonly #cache: Cache;

  constructor(shared: Shared, own: SharedArrayBuffer) {
    const { domain } = shared;
    const { heap, memory } = domain.arena;
    const words = new Int32Array(own);
    if (Atomics.load(words, AT) === NULL) {
      const block = heap.kmalloc(4 * (1 + LISTS * ENTRY_WORDS));
      memory.fill(block, 1 + LISTS * ENTRY_WORDS, 0);
      Atomics.store(words, AT, block);
      Atomics.store(words, CACHE, heap.createCache("rculist", ENTRY_BYTES, { typesafeByRcu: true, tracked: true }));
    }
    this.#shared = shared;
    this.#memory = memory;
    this.#at = Atomics.load(words, AT) as Address;
    this.#cache = heap.cache(Atomics.load(words, CACHE));
    this.#lock = new RobustMutex(memory, this.#at, heap.slot);
    const options = { lock: this.#lock, name: "torture" };
    this.list = new RcuList(domain, options);
    this.hash = new RcuHlist(domain, options);
    this.nulls = new RcuHlistNulls(domain, options);
    this.items = new Items(own, ITEMS);
  }

  head(list: number): Address {
    return field(this.#at, 1 + list * ENTRY_WORDS + Word.LINK);
  }

  /** The number of a chain with a numbered end. */
  readonly nullsOf = (list: number): number => list * 7;

  // Entries -----------------------------------------------------------------------------------------------

  /** A new entry that no reader finds yet; NULL when there is no memory. @param more bytes, so that size classes differ */
  make({ key, version, list, segment }: Told, more: number): Address {
    const entry = this.#shared.domain.arena.heap.kmalloc(ENTRY_BYTES + more, TAG);
    if (entry === NULL) return NULL;
    const place = list * SEGMENTS + segment;
    for (const [i, word] of [key, version, place, checkFor(key, version, place)].entries()) this.#memory.write(field(entry, i), word);
    return entry;
  }

  /** What an entry says it is; undefined when nobody wrote it so. */
  read(entry: Address): Told | undefined {
    const [key = 0, version = 0, place = 0, check = 0] = Array.from({ length: 4 }, (_, i) => this.#memory.read(field(entry, i)));
    return check === checkFor(key, version, place) ? { key, version, list: Math.floor(place / SEGMENTS), segment: place % SEGMENTS } : undefined;
  }

  /** Whether it is back in its slab. */
  isPutBack(entry: Address): boolean {
    return this.#shared.domain.arena.heap.isPutBack(entry);
  }

  /** Of a chain with a numbered end: an object of the cache; NULL when there is no memory. */
  takeObject(): Address {
    return this.#cache.alloc();
  }

  /** Make it the one of a key, that readers may be on. */
  sayKey(object: Address, key: number, version: number): void {
    const memory = this.#memory;
    memory.store(field(object, Word.KEY), 0); // whoever reads what follows looks at it again
    memory.store(field(object, Word.VERSION), version);
    memory.store(field(object, Word.CHECK), checkFor(key, version, 0));
    memory.store(field(object, Word.KEY), key);
  }

  keyOf(object: Address): number {
    return this.#memory.load(field(object, Word.KEY));
  }

  /** Whether what belongs to a key is whole; undefined when the object is not the one of this key any more. */
  isWhole(object: Address, key: number): boolean | undefined {
    const memory = this.#memory;
    const version = memory.load(field(object, Word.VERSION));
    const check = memory.load(field(object, Word.CHECK));
    return this.keyOf(object) === key ? check === checkFor(key, version, 0) : undefined;
  }

  /** Readers may be on it still; it is free, and may be given out again at once. */
  freeObject(object: Address): void {
    this.#memory.store(field(object, Word.KEY), 0);
    this.#cache.free(object);
  }

  // Updates -------------------------------------------------------------------------------------------------

  /** Take the lock, and mend the lists when its last owner died. */
  lock(): void {
    this.#lock.lockRepaired(this.#recover, LIMIT);
  }

  unlock(failed = false): void {
    this.#lock.unlock(failed);
  }

  /** With the lock, or alone: the entries of a list. */
  entriesOf(list: number): Address[] {
    const entries: Address[] = [];
    const see = (entry: Address): void => {
      if (entries.push(entry) > this.items.count + 100) throw new Error(`list ${list} goes round`);
    };
    this.#shared.domain.read(() => {
      if (list < CHAIN) this.list.forEachEntryRcu(this.head(list), MEMBER, see);
      else if (list < NULLS) this.hash.forEachEntryRcu(this.head(list), MEMBER, see);
      else this.nulls.forEachEntryRcu(this.head(list), MEMBER, see);
    });
    return entries;
  }

  /** After a writer died with the lock: the ways back, and what was taken out and not retired, or made and not put in. May be repeated. */
  readonly #recover = (): void => {
    const { domain } = this.#shared;
    const { heap } = domain.arena;
    const heads = (from: number, to: number): Address[] => Array.from({ length: to - from }, (_, i) => this.head(from + i));
    this.list.repair(...heads(0, CHAIN));
    this.hash.repair(...heads(CHAIN, NULLS));
    this.nulls.repair(...heads(NULLS, LISTS));
    for (const entry of this.unreachable(heap.ownedBy(TAG))) domain.retire(entry);
    for (const object of this.unreachable(heap.liveObjects(this.#cache.index))) this.freeObject(object);
  };

  /** With the lock: those that are in no list. */
  unreachable(entries: readonly Address[]): Address[] {
    const reachable = new Set(Array.from({ length: LISTS }, (_, list) => this.entriesOf(list)).flat());
    return entries.filter((entry) => !reachable.has(entry));
  }

  // Main's, alone --------------------------------------------------------------------------------------------

  /** Make the lists, of anchors only. */
  fill(): void {
    this.lock();
    for (let list = 0; list < LISTS; list++) {
      const head = this.head(list);
      if (list < CHAIN) this.list.initHead(head);
      if (list >= NULLS) this.nulls.initHead(head, this.nullsOf(list));
      for (let anchor = 0; anchor < anchorsIn(list); anchor++) {
        if (list >= NULLS) {
          const object = this.takeObject();
          this.sayKey(object, anchorKey(list, anchor), 1);
          this.nulls.addHeadRcu(field(object, MEMBER), head);
          continue;
        }
        const link = field(this.make({ key: anchorKey(list, anchor), version: 0, list, segment: anchor }, 0), MEMBER);
        if (list < CHAIN) this.list.addTailRcu(link, head);
        else this.hash.addTailRcu(link, head);
      }
    }
    this.unlock();
  }

  clear(): void {
    const { heap } = this.#shared.domain.arena;
    for (let list = 0; list < LISTS; list++) this.#memory.fill(this.head(list), 2, 0);
    for (const entry of heap.ownedBy(TAG)) heap.kfree(entry);
    for (const object of heap.liveObjects(this.#cache.index)) this.#cache.free(object);
  }

  /** Ways back that do not lead to where one comes from, and what is in no list and was not given back. With the lock. */
  *violations(): Generator<string> {
    const { heap } = this.#shared.domain.arena;
    for (const entry of this.unreachable(heap.ownedBy(TAG))) yield `the entry ${entry} was neither retired nor is it in a list`;
    for (const object of this.unreachable(heap.liveObjects(this.#cache.index))) yield `the object ${object} was neither freed nor is it in a chain`;
    for (let list = 0; list < LISTS; list++) {
      const head = this.head(list);
      let before = head;
      for (const entry of this.entriesOf(list)) {
        const link = field(entry, MEMBER);
        const back = list < CHAIN ? this.#memory.load(field(link, 1)) : this.#memory.read(field(link, 1));
        if (back !== before) yield `the way back of entry ${entry} of list ${list} leads to ${back}, not to ${before}`;
        before = link;
      }
      const last = list < CHAIN ? this.#memory.load(field(head, 1)) : before;
      if (last !== before) yield `the way back of the head of list ${list} leads to ${last}, not to ${before}`;
    }
  }
}

/** The key of an anchor: of all lists different, never 0. */
export const anchorKey = (list: number, anchor: number): number => 1 + list * SEGMENTS + anchor;
