/**
 * The map: values by keys, read by every thread without locks, updated by several at once without locks, grown and shrunk meanwhile.
 *
 *   get     hash -> bucket's word (one atomic load) -> block (plain reads)
 *   set     copy of the block with the entry in it -> compareExchange of the bucket's word -> the old block is retired
 *
 * It is a hash table with copied buckets: a bucket's entries stand in one small immutable block, so whatever a reader sees of a bucket is of one instant. Tables are
 * in tables.ts, blocks in bucket.ts, updates in entries.ts, what holds it as a whole in whole-map.ts.
 *
 * Law table: words.ts, bucket.ts.
 *
 * Guarantees
 *   A  get, has, read, getVersion, set, delete, setIfAbsent, compareAndSet and update are linearizable; a key that is present all the while is always found.
 *   B  entries(), keys(), values(), forEach and iteration take no lock and are no snapshot: they show every key that is there from beginning to end exactly once, whatever
 *      moves meanwhile; of keys that come or go they may show some. A value is that of the instant when its bucket was looked at.
 *   C  snapshot() and clear() are of one instant. They hold up writers, never readers, when writers are at work meanwhile.
 *   D  a failed call (bad input, no memory) leaves the map as it was; of setMany, the entries before the one that failed are set.
 *   E  a writer that dies blocks nobody, and leaves nothing half done (entries.ts).
 */

import { type Address, field, NULL, PAGE_BYTES } from "../../memory/address.js";
import { QuiesceError } from "../../memory/errors.js";
import { Header } from "../../memory/layout.js";
import type { Memory } from "../../memory/memory.js";
import { Publication } from "../../memory/publication.js";
import type { Domain } from "../../rcu/domain.js";
import type { Reader } from "../../rcu/flavors/flavor.js";
import { inSection } from "../../rcu/in-section.js";
import { bytesOf } from "../../values/block.js";
import { type CodecBase, type View, viewOf } from "../../values/codec.js";
import { show } from "../../values/errors.js";
import { Changes, type Found, type WatchOptions } from "../changes.js";
import type { Place } from "../structure.js";
import { Buckets } from "./bucket.js";
import { Clock } from "./clock.js";
import { Decoded } from "./decoded.js";
import { Entries } from "./entries.js";
import { type Keys, keysOf, WordKeys } from "./keys.js";
import { checkTtl, type MapSchema } from "./schema.js";
import { Sweeper } from "./sweep.js";
import { Tables } from "./tables.js";
import { countChange, type Seen, Watching } from "./watching.js";
import { WholeMap } from "./whole-map.js";
import { wordLookup } from "./word-lookup.js";
import { LEAST_BITS, MapWord, MOST_BITS, REGIONS } from "./words.js";

/** Entries a bucket has on the average: more let the table grow, fewer let it shrink. As the kernel's rhashtable: most lookups then compare one key, and the processor foresees how they end. */
const MOST_LOAD = 0.75;
const LEAST_LOAD = 0.3;
/** Updates that change the number of entries between two looks at it. */
const UPDATES_A_LOOK = 16;
/** Values that a thread keeps decoded at most, unless it says otherwise. */
const MOST_DECODED = 1 << 18;
/** A snapshot that holds nobody up is tried so often. */
const SNAPSHOT_TRIES = 3;

/** A key's value at one instant, and its version: undefined and 0 when it has none. */
export interface EntryState<T> {
  readonly value: T | undefined;
  readonly version: number;
}

/** How `set` puts a value in. */
export interface SetOptions {
  /** ms that the entry stays; default: the schema's. Only in a map whose schema has `ttl`. */
  readonly ttl?: number;
}

/** Values of type T by keys of type K; V is what a view shows of a value. */
export class SharedMap<K, T, V = T> {
  readonly #name: string;
  readonly #place: Place;
  readonly #memory: Memory;
  readonly #domain: Domain;
  readonly #reader: Reader;
  readonly #keyCodec: CodecBase<K>;
  readonly #codec: CodecBase<T>;
  readonly #keys: Keys<K>;
  readonly #buckets: Buckets<K>;
  readonly #tables: Tables;
  readonly #entries: Entries<K>;
  readonly #whole: WholeMap;
  readonly #schema: MapSchema<K, T, V>;
  readonly #isPlain: boolean;
  /** Of a map of words by words. */
  readonly #wordLookup: ((key: number) => number | undefined) | undefined;
  /** Of a value that is decoded at each reading: a number, or what cannot be frozen. */
  readonly #decoded: Decoded<T> | undefined;
  readonly #hasLimits: boolean;
  /** Of a map whose entries expire or are bounded. */
  readonly #sweeper: Sweeper<K> | undefined;
  readonly #clock: Clock;
  readonly #changes: Changes;
  #sinceLook = 0;
  #isSettingMany = false;
  /** Hashes of the keys whose `update` is under way. */
  readonly #updating: number[] = [];
  readonly #views: View<V>[] = [];
  #viewDepth = 0;

  /** @param now the time of day in ms, for entries that expire */
  constructor(place: Place, schema: MapSchema<K, T, V>, now: () => number = Date.now) {
    const { domain, header } = place;
    const { memory, heap } = domain.arena;
    this.#name = place.name;
    this.#place = place;
    this.#memory = memory;
    this.#domain = domain;
    this.#reader = domain.reader;
    this.#schema = schema;
    this.#keyCodec = schema.key;
    this.#codec = schema.value;
    const { ttl, maxEntries } = schema;
    // Whoever sends keys does not know the arena's identity.
    this.#keys = keysOf(schema.key, memory.read(Header.ID) ^ memory.read(field(Header.ID, 1)) ^ header);
    const format = { valueWords: schema.value.words ?? 1, expires: ttl !== undefined, used: maxEntries !== undefined };
    this.#buckets = new Buckets(memory, this.#keys, format);
    const publication = new Publication(heap, place.tag, domain.index);
    this.#tables = new Tables(place, publication, this.#buckets as Buckets<unknown>);
    this.#whole = new WholeMap(place, this.#buckets as Buckets<unknown>, this.#tables, schema.value.words === undefined);
    this.#tables.open(LEAST_BITS, Math.floor(now() / 1000));
    this.#changes = new Changes(domain, field(header, MapWord.WATCHERS), place.name);
    this.#clock = new Clock(memory, header, now);
    this.#hasLimits = format.expires || format.used;
    const hasExpired = format.expires ? (entry: Address) => this.#hasExpired(entry) : () => false;
    this.#entries = new Entries(
      place,
      publication,
      this.#keys,
      this.#buckets as Buckets<unknown>,
      this.#tables,
      this.#codec as CodecBase<unknown>,
      hasExpired,
      this.#whole.mend,
    );
    if (this.#hasLimits)
      this.#sweeper = new Sweeper(place, this.#buckets, this.#tables, this.#entries, {
        maxEntries,
        hasExpired,
        size: () => this.size,
        swept: () => this.#tellOf(true),
      });
    this.#isPlain = schema.value.words !== undefined && !("offsets" in schema.value);
    const isWordMap = this.#keys instanceof WordKeys && keysOf(schema.value, 0) instanceof WordKeys;
    if (isWordMap && !this.#hasLimits)
      this.#wordLookup = wordLookup({
        memory,
        reader: this.#reader,
        tables: this.#tables,
        keys: this.#keys as unknown as WordKeys,
        isSigned: schema.value.name === "i32",
      });
    this.#decoded =
      this.#isPlain || !schema.value.canFreeze || schema.decoded === 0
        ? undefined
        : new Decoded(schema.decoded ?? MOST_DECODED, PAGE_BYTES * heap.layout.pages);
  }

  // Reading --------------------------------------------------------------------------------------------

  /** The entry of the parsed key, NULL for none. Enters a section as Tables.find does. */
  #find(hash: number): Address {
    const block = this.#tables.find(hash);
    const entry = this.#buckets.find(block);
    return entry !== NULL && this.#hasLimits && !this.#isThere(block, entry) ? NULL : entry;
  }

  // Notes the reading, too.
  #isThere(block: Address, entry: Address): boolean {
    if (this.#schema.ttl !== undefined && this.#hasExpired(entry)) return false;
    if (this.#schema.maxEntries !== undefined) this.#buckets.use(block, this.#buckets.indexOf(block, entry));
    return true;
  }

  #hasExpired(entry: Address): boolean {
    return this.#buckets.expires(entry) <= this.#clock.now();
  }

  /** Bytes that an entry's value takes. */
  #bytesAt(entry: Address): number {
    const { words } = this.#codec;
    return words === undefined ? bytesOf(this.#memory, this.#valueOf(entry)) : 4 * words;
  }

  /** Where an entry's value stands. */
  #valueOf(entry: Address): Address {
    const value = this.#buckets.valueOf(entry);
    return this.#codec.words === undefined ? (this.#memory.read(value) as Address) : value;
  }

  /**
   * The value of a key, or undefined. Objects are frozen, and decoded once for as long as the entry is the same: `getCopy` gives one that can be changed.
   * @throws KeyError (ERR_KEY), ClosedError
   */
  get(key: K): T | undefined {
    const lookup = this.#wordLookup;
    return lookup === undefined ? this.#get(this.#keys.parse(key)) : (lookup(key as number) as T | undefined);
  }

  /**
   * As `get`, for the key that these bytes are in UTF-8 (or, in a map of `bytes`, are), from `start` to before `end`: straight from a request, no string is made.
   * @throws KeyError (ERR_KEY; also where keys are neither utf8 nor bytes), ClosedError
   */
  getBytes(bytes: Uint8Array, start = 0, end: number = bytes.length): T | undefined {
    return this.#get(this.#keys.parseBytes(bytes, start, end));
  }

  #get(hash: number): T | undefined {
    const decoded = this.#decoded;
    // What the built-in codecs of numbers read, or what is decoded already: no foreign code runs in between, and a section need not be opened for it.
    if (decoded === undefined && !this.#isPlain) return this.#read(hash);
    const entry = this.#find(hash);
    let value: T | undefined;
    if (entry !== NULL) {
      value = decoded === undefined ? this.#codec.read(this.#memory, this.#buckets.valueOf(entry)) : decoded.get(hash, this.#buckets.entryVersion(entry));
      if (value === undefined) return this.#getAnew(hash);
    }
    this.#reader.exit();
    return value;
  }

  /** What is not decoded yet. Ends the section after it, in whose course the user's code may look up another key. */
  #getAnew(hash: number): T | undefined {
    try {
      return this.#state(hash).value;
    } finally {
      this.#reader.exit();
    }
  }

  #read(hash: number): T | undefined {
    const nesting = this.#reader.begin();
    try {
      const entry = this.#find(hash);
      return entry === NULL ? undefined : this.#codec.read(this.#memory, this.#valueOf(entry));
    } finally {
      this.#reader.endTo(nesting);
    }
  }

  /** As `get`, a value of the caller's own. */
  getCopy(key: K): T | undefined {
    return this.#read(this.#keys.parse(key));
  }

  /** Whether the key has a value. */
  has(key: K): boolean {
    return this.getVersion(key) !== 0;
  }

  /** The version of the key's entry: a number that changes with each update of it, never comes back (but after 2^31 updates of its bucket, or deletions in the map), and is 0 when there is no entry. */
  getVersion(key: K): number {
    const hash = this.#keys.parse(key);
    const entry = this.#find(hash);
    const version = entry === NULL ? 0 : this.#buckets.entryVersion(entry);
    this.#reader.exit();
    return version;
  }

  /**
   * Look at the value in place: `fn` runs in a read-side section and gets a view that ends with it. Of a value of variable size it gets a copy.
   * @returns what `fn` gives, or undefined (without calling it) when there is no such key
   */
  read<R>(key: K, fn: (view: V, version: number) => R): R | undefined {
    const hash = this.#keys.parse(key);
    const nesting = this.#reader.begin();
    // Calls nest, so each depth has a view of its own.
    const depth = this.#viewDepth;
    try {
      const entry = this.#find(hash);
      if (entry === NULL) return undefined;
      const version = this.#buckets.entryVersion(entry);
      const address = this.#valueOf(entry);
      const view = this.#views[depth] ?? this.#newView();
      this.#viewDepth = depth + 1;
      return fn(view.at(this.#memory, address), version);
    } finally {
      // First what must not be missed: when the stack has overflowed, the calls below may fail.
      this.#viewDepth = depth;
      this.#reader.endTo(nesting);
      this.#views[depth]?.end();
    }
  }

  #newView(): View<V> {
    const view = viewOf(this.#schema.value);
    this.#views.push(view);
    return view;
  }

  /** Entries held; those that have expired and not been swept yet with them. */
  get size(): number {
    return this.#whole.size;
  }

  // Iterating ------------------------------------------------------------------------------------------

  /** All entries, in no order. Guarantee B at the head of this file. Each step is a section of its own. */
  *entries(): Generator<[key: K, value: T]> {
    // By hash, and a bucket is a range of hashes whatever the table's size: so what was shown and what not is told by one number.
    for (let next = 0; next < 2 ** 32; ) {
      const { end, found } = this.#bucketFrom(next);
      yield* found;
      next = end;
    }
  }

  keys(): Generator<K> {
    return firsts(this.entries());
  }

  values(): Generator<T> {
    return seconds(this.entries());
  }

  [Symbol.iterator](): Generator<[key: K, value: T]> {
    return this.entries();
  }

  /** @param thisArg what `fn` is called on, as of a Map */
  forEach(fn: (value: T, key: K, map: this) => void, thisArg?: unknown): void {
    for (const [key, value] of this.entries()) fn.call(thisArg, value, key, this);
  }

  /** Entries of the bucket that a hash is in, from that hash on, and where the next bucket begins. */
  #bucketFrom(from: number): { end: number; found: [K, T][] } {
    return inSection(this.#reader, () => {
      const { block, after } = this.#bucketAt(from);
      return { end: after, found: [...this.#decodeBlock(block, from)] };
    });
  }

  /** In a section: the block that a hash's entries are in, and the first hash that is not of its bucket. */
  #bucketAt(hash: number): { block: Address; after: number } {
    const { block, shift } = this.#tables.findBucket(hash | 0);
    // The table may be another for the next: what counts is the range that this block stands for.
    const span = 2 ** shift;
    return { block, after: (Math.floor(hash / span) + 1) * span };
  }

  *#decodeBlock(block: Address, from = 0): Generator<[K, T]> {
    const buckets = this.#buckets;
    const count = buckets.count(block);
    for (let i = 0; i < count; i++) {
      const hash = buckets.hash(block, i);
      const entry = buckets.entry(block, i);
      if (hash >>> 0 < from || (this.#schema.ttl !== undefined && this.#hasExpired(entry))) continue;
      yield [buckets.key(block, i), this.#valueAt(hash, entry)];
    }
  }

  #valueAt(hash: number, entry: Address): T {
    const version = this.#buckets.entryVersion(entry);
    const known = this.#decoded?.get(hash, version);
    if (known !== undefined) return known;
    const value = this.#codec.read(this.#memory, this.#valueOf(entry));
    if (this.#decoded === undefined) return value;
    const frozen = this.#codec.freeze(value);
    this.#decoded.set(hash, version, frozen, this.#bytesAt(entry));
    return frozen;
  }

  /**
   * All entries as they were at one instant. Looks at every bucket twice; when writers are at work meanwhile, and three tries were in vain, it holds them up while it looks once
   * (some ns for each bucket), so what it costs them grows with the table. Readers never wait.
   * @throws ContextError (in a section), LockTimeoutError, ClosedError
   */
  snapshot(): Map<K, T> {
    this.#domain.beforeUpdate(`${this.#name}.snapshot()`);
    return this.#snapshotNow() ?? this.#whole.withBlocks((blocks) => this.#mapOf(blocks));
  }

  /** A snapshot that holds nobody up; undefined when writers were at work each time. */
  #snapshotNow(): Map<K, T> | undefined {
    // In one section: what is found stays whole until it is decoded.
    return inSection(this.#reader, () => {
      for (let tries = 0; tries < SNAPSHOT_TRIES; tries++) {
        const blocks = this.#tables.collectTwice();
        if (blocks !== undefined) return this.#mapOf(blocks);
      }
      return undefined;
    });
  }

  #mapOf(blocks: Iterable<Address>): Map<K, T> {
    const map = new Map<K, T>();
    for (const block of blocks) for (const [key, value] of this.#decodeBlock(block)) map.set(key, value);
    return map;
  }

  // Updating -------------------------------------------------------------------------------------------

  /**
   * Give a key a value.
   * @throws KeyError (ERR_KEY), ValueError, OutOfMemoryError, LockTimeoutError, ContextError (in a section), ClosedError
   */
  set(key: K, value: T, options?: SetOptions): this {
    this.#update("set()", key, this.#codec.prepare(value), undefined, options);
    return this;
  }

  /**
   * Take a key's value.
   * @returns whether it had one
   * @throws as `set`; but in a full arena it works as long as the reserve lasts (memory/reserve.ts)
   */
  delete(key: K): boolean {
    return this.#update("delete()", key, undefined, undefined);
  }

  /** Give a key a value if it has none. Gives whether it was done. @throws as `set` */
  setIfAbsent(key: K, value: T, options?: SetOptions): boolean {
    this.#domain.beforeUpdate(`${this.#name}.setIfAbsent()`);
    if (this.has(key)) return false;
    return this.#update("setIfAbsent()", key, this.#codec.prepare(value), 0, options);
  }

  /** Give a key a value if its version (0: none) is still the expected one. Gives whether it was done. @throws as `set`; QuiesceError (ERR_VERSION) for what is no version */
  compareAndSet(key: K, expectedVersion: number, value: T, options?: SetOptions): boolean {
    checkVersion("compareAndSet()", expectedVersion);
    return this.#update("compareAndSet()", key, this.#codec.prepare(value), expectedVersion, options);
  }

  /** Take a key's value if its version is still the expected one. Gives whether it was done. @throws as `compareAndSet` */
  compareAndDelete(key: K, expectedVersion: number): boolean {
    checkVersion("compareAndDelete()", expectedVersion);
    return expectedVersion !== 0 && this.#update("compareAndDelete()", key, undefined, expectedVersion);
  }

  /**
   * Give a key the value that `fn` makes of its value (undefined: it has none; frozen, when it is an object); undefined takes it. When another thread has changed it
   * meanwhile, `fn` is called again.
   * @returns what `fn` gave
   * @throws as `set`, and what `fn` throws; QuiesceError (ERR_IN_UPDATE) when that changes the key itself
   */
  update(key: K, fn: (value: T | undefined) => T | undefined, options?: SetOptions): T | undefined {
    this.#domain.beforeUpdate(`${this.#name}.update()`);
    for (;;) {
      const { hash, value, version } = this.#stateOf(key);
      const { next, prepared } = this.#inUpdate(hash, () => {
        const made = fn(value);
        return { next: made, prepared: made === undefined ? undefined : this.#codec.prepare(made) };
      });
      if (next === undefined && version === 0) return undefined;
      if (this.#update("update()", key, prepared, version, next === undefined ? undefined : options)) return next;
    }
  }

  /** Run code of the user's that an update of a key begins again with, until no other was faster. */
  #inUpdate<R>(hash: number, fn: () => R): R {
    const depth = this.#updating.length;
    this.#updating.push(hash);
    try {
      return fn();
    } finally {
      this.#updating.length = depth; // no call, which could fail when the stack has overflowed
    }
  }

  /** Of a key, and its hash. */
  #stateOf(key: K): EntryState<T> & { readonly hash: number } {
    return inSection(this.#reader, () => {
      const hash = this.#keys.parse(key);
      return { hash, ...this.#state(hash) };
    });
  }

  /** Of the parsed key. */
  #state(hash: number): EntryState<T> {
    return inSection(this.#reader, () => {
      const entry = this.#find(hash);
      return entry === NULL ? { value: undefined, version: 0 } : { value: this.#valueAt(hash, entry), version: this.#buckets.entryVersion(entry) };
    });
  }

  /**
   * Set many: all that they replace waits for one grace period, and the table grows once. Each is set for itself.
   * @throws as `set`: a bad key or value before any is set
   */
  setMany(entries: Iterable<readonly [key: K, value: T]>, options?: SetOptions): void {
    const prepared: (readonly [K, unknown])[] = [];
    for (const [key, value] of entries) {
      this.#keys.parse(key);
      prepared.push([this.#keyCodec.copy(key), this.#codec.prepare(value)]);
    }
    this.#domain.beforeUpdate(`${this.#name}.setMany()`);
    this.#resizeFor(Math.min(this.size + prepared.length, this.#schema.maxEntries ?? Number.POSITIVE_INFINITY));
    this.#isSettingMany = true; // also where more expire than come
    try {
      for (const [key, value] of prepared) this.#update("setMany()", key, value, undefined, options);
    } finally {
      this.#isSettingMany = false;
    }
    inSection(this.#reader, () => this.#tables.help(true)); // who sets many reads more: lookups are fastest in one table
  }

  /** Take all entries, at one instant. Gives memory back. @throws as `set` */
  clear(): void {
    this.#domain.beforeUpdate(`${this.#name}.clear()`);
    this.#whole.clear();
    this.#decoded?.clear();
    if (this.#changes.watched) for (let region = 0; region < REGIONS; region++) this.#tell(Math.floor((region * 2 ** 32) / REGIONS));
    this.#domain.afterUpdate();
  }

  #update(operation: string, key: K, value: unknown, expected: number | undefined, options?: SetOptions): boolean {
    this.#domain.beforeUpdate(operation);
    const ttl = options?.ttl ?? this.#schema.ttl;
    checkTtl(ttl);
    if (ttl !== undefined && this.#schema.ttl === undefined)
      throw new QuiesceError("ERR_SCHEMA", `entries of this map do not expire, and one was to stay for ${ttl} ms: give its schema a ttl.`);
    if (this.#updating.length > 0 && this.#updating.includes(this.#keys.parse(key)))
      throw new QuiesceError("ERR_IN_UPDATE", `${this.#name}.${operation} of the key whose update() calls this function, which would never come to an end.`);
    const expires = this.#schema.ttl === undefined ? 0 : this.#clock.after(ttl as number);
    if (!this.#entries.update(key, { value, expected, expires, isSweep: false })) return false;
    const { added } = this.#entries;
    this.#tellOf(value === undefined);
    const more = added > 0 ? added - (this.#sweeper?.sweep() ?? 0) : added;
    if (more !== 0 && ++this.#sinceLook >= UPDATES_A_LOOK) this.#lookAtSize(more);
    this.#domain.afterUpdate();
    return true;
  }

  /** What the entries' update that was just done entails. */
  #tellOf(isRemoval: boolean): void {
    const { hash } = this.#entries;
    if (isRemoval) this.#decoded?.forget(hash);
    if (this.#changes.watched) this.#tell(hash);
  }

  #tell(hash: number): void {
    countChange(this.#memory, this.#place.header, hash);
    this.#changes.tell();
  }

  // Each in its own direction: a table that was made for many entries to come must not shrink while they come.
  #lookAtSize(more: number): void {
    this.#sinceLook = 0;
    const { size } = this;
    inSection(this.#reader, () => {
      const { bits, buckets } = this.#tables.current;
      if (more > 0 && size > buckets * MOST_LOAD) this.#tables.resize(bits + 1);
      if (more < 0 && !this.#isSettingMany && size < buckets * LEAST_LOAD) this.#tables.resize(bits - 1);
    });
  }

  #resizeFor(entries: number): void {
    const bits = Math.min(MOST_BITS, Math.ceil(Math.log2(entries / MOST_LOAD)));
    inSection(this.#reader, () => {
      if (bits > this.#tables.current.bits) this.#tables.resize(bits);
    });
  }

  // Watching -------------------------------------------------------------------------------------------

  /**
   * The keys that have changed since the last look, from now on, an array at a time; or, given a key, its state whenever it has changed. Never misses the latest state; what changes while nobody asks
   * is not queued. Ends with `break`, with the signal, and when this thread closes (ClosedError). Keeps the process alive only while somebody awaits it.
   *
   * Without a key, the thread that watches remembers all keys and their versions.
   */
  watch(key?: undefined, options?: WatchOptions): AsyncIterableIterator<K[]>;
  watch(key: K, options?: WatchOptions): AsyncIterableIterator<EntryState<T>>;
  watch(key?: K, options?: WatchOptions): AsyncIterableIterator<K[]> | AsyncIterableIterator<EntryState<T>> {
    if (key !== undefined) return this.#watchKey(key, options);
    let watching: Watching<K> | undefined;
    const watch = this.#changes.watch(() => watching?.look(), options);
    // Only now, since writers tell only those who watch.
    try {
      watching = new Watching(this.#memory, this.#place.header, (from, end) => this.#seenFrom(from, end));
    } catch (error) {
      void watch.return?.();
      throw error;
    }
    return watch;
  }

  #watchKey(given: K, options?: WatchOptions): AsyncIterableIterator<EntryState<T>> {
    this.#keys.parse(given);
    const key = this.#keyCodec.copy(given);
    let version = 0;
    const look = (): Found<EntryState<T>> | undefined => {
      const { value, version: found } = this.#stateOf(key);
      if (found === version) return undefined;
      version = found;
      return { value: { value, version } };
    };
    const watch = this.#changes.watch(look, options);
    version = this.getVersion(key); // of a copy of a key that was parsed before: it throws nothing
    return watch;
  }

  *#seenFrom(from: number, end: number): Generator<Seen<K>> {
    for (let next = from; next < end; ) {
      const { after, seen } = inSection(this.#reader, () => {
        const { block, after } = this.#bucketAt(next);
        const buckets = this.#buckets;
        const seen: Seen<K>[] = [];
        for (let i = 0; i < buckets.count(block); i++) {
          const hash = buckets.hash(block, i) >>> 0;
          const entry = buckets.entry(block, i);
          if (hash < next || hash >= end || (this.#schema.ttl !== undefined && this.#hasExpired(entry))) continue;
          seen.push({ id: buckets.id(block, i), key: buckets.key(block, i), version: buckets.entryVersion(entry) });
        }
        return { after, seen };
      });
      yield* seen;
      next = after;
    }
  }

  /** Violated invariants. Complete only while no other thread is attached. Holds up writers meanwhile. @throws LockTimeoutError, OutOfMemoryError */
  check(): string[] {
    this.#domain.beforeUpdate(`${this.#name}.check()`);
    return this.#whole.check();
  }

  /** Buckets of its table; for tests and benchmarks. */
  get buckets(): number {
    return inSection(this.#reader, () => this.#tables.current.buckets);
  }
}

/** @throws QuiesceError (ERR_VERSION) */
function checkVersion(operation: string, version: unknown): void {
  if (typeof version !== "number" || version >>> 0 !== version)
    throw new QuiesceError("ERR_VERSION", `${operation} expects a version that getVersion() gave, or 0 for none; got ${show(version)}.`);
}

function* firsts<A>(pairs: Iterable<readonly [A, unknown]>): Generator<A> {
  for (const [first] of pairs) yield first;
}

function* seconds<B>(pairs: Iterable<readonly [unknown, B]>): Generator<B> {
  for (const [, second] of pairs) yield second;
}
