/**
 * The interval map: values by disjoint ranges of keys, both bounds inclusive, on a Bonsai tree.
 *
 *   set(20, 49, B) on      [10 ........ 39 A]      [50 .. 69 B]
 *   makes                  [10 19 A][20 .............. 69 B]        in one step
 *
 * `set` takes the keys of its range from whatever had them (trimming it, splitting it in two, or replacing it) and joins
 * neighbours of equal value. All that changes lies in one run of the order; the smallest subtree that holds the run is built anew
 * without it and with what replaces it, and is published by one store (see bonsai.ts).
 *
 * Law table
 *   word                      class
 *   header ROOT               atomic (bonsai.ts)
 *   header LOCK               atomic (robust mutex); the writers' lock (K2)
 *   header SIZE               atomic; stored only with the lock
 *   node LO, HI, value        immutable once published
 *   value block               immutable once published; owned by the one entry that names it, and by its trimmed successor
 *
 * Guarantees
 *   A  get and at are linearizable: they see every `set` and `delete` wholly or not at all, and a key that is covered all the
 *      while is always found, also while its range is split, trimmed, joined or moved in the tree.
 *   B  entries() takes no lock and is no snapshot: it visits, in ascending order and without overlap, every range that
 *      is there from its beginning to its end; of others it may show some. Each step is a section of its own.
 *   C  a failed call (bad input, no memory) leaves the map as it was.
 *   D  a writer that dies leaves the map as before its call or as after it; the next writer mends the tree and frees what was left.
 */

import { type Address, field, NULL } from "../memory/address.js";
import { QuiesceError } from "../memory/errors.js";
import type { Memory } from "../memory/memory.js";
import { RobustMutex } from "../memory/robust-mutex.js";
import type { Domain } from "../rcu/domain.js";
import { inSection } from "../rcu/in-section.js";
import { type CodecBase, type View, viewOf } from "../values/codec.js";
import { Bonsai, LEFT, RIGHT, type Side } from "./bonsai.js";
import { type NodeOffsets, nodeOffsets } from "./bounds.js";
import { Entry, type EntryView } from "./entry-view.js";
import { KeyError } from "./errors.js";
import { type Range, RangeList } from "./range-list.js";
import { type AnyBounds, type BoundsName, boundsOf, type GivenKey, type IntervalMapSchema, type Key } from "./schema.js";
import { HEADER_BYTES, type Place } from "./structure.js";

/** Words of the header; each line is touched by others than the next. */
const HeaderWord = { ROOT: 0, LOCK: 16, SIZE: 32 } as const;
if (HeaderWord.SIZE * 4 >= HEADER_BYTES) throw new Error("the header is too small");

/** A piece of the run that an update puts in: a range, and where its value comes from. */
interface Piece {
  lo: unknown;
  hi: unknown;
  /** The node whose value it keeps, or NULL for the new value. */
  from: Address;
  /** Prepared by the codec. */
  value: unknown;
}

/** Ranges of keys with values. B names the bounds, T is the type of values, V what a view shows of one. */
export class IntervalMap<B extends BoundsName, T, V = T> {
  readonly #name: string;
  readonly #memory: Memory;
  readonly #domain: Domain;
  readonly #place: Place;
  readonly #bounds: AnyBounds;
  readonly #offsets: NodeOffsets;
  readonly #codec: CodecBase<T>;
  readonly #newValueView: () => View<V>;
  readonly #root: Address;
  readonly #sizeWord: Address;
  readonly #lock: RobustMutex;
  readonly #tree: Bonsai;
  readonly #views: Entry<V>[] = [];
  #viewDepth = 0;
  /** Value blocks of the update under way that no reader can reach yet. */
  readonly #freshBlocks: Address[] = [];
  /** Nodes whose entries the update under way takes out. */
  readonly #dropped: Address[] = [];

  constructor(place: Place, schema: IntervalMapSchema<B, T, V>) {
    const { domain, header } = place;
    const { memory, heap } = domain.arena;
    this.#name = place.name;
    this.#memory = memory;
    this.#domain = domain;
    this.#place = place;
    this.#bounds = boundsOf[schema.bounds];
    this.#offsets = nodeOffsets(this.#bounds.words);
    const { value } = schema;
    this.#codec = value;
    this.#newValueView = () => viewOf(value);
    this.#root = field(header, HeaderWord.ROOT);
    this.#sizeWord = field(header, HeaderWord.SIZE);
    this.#lock = new RobustMutex(memory, field(header, HeaderWord.LOCK), heap.slot);
    const cache = heap.cache(place.cache);
    const takeNode = (): Address => cache.alloc();
    this.#tree = new Bonsai(memory, cache, this.#root, this.#offsets.left, () => domain.allocate(cache.objectWords * 4, takeNode), this.#discard);
  }

  // Reading ------------------------------------------------------------------------------------------

  /** Ranges held. */
  get size(): number {
    return this.#memory.load(this.#sizeWord);
  }

  /**
   * A copy of the value at a key, or undefined.
   * @throws KeyError (ERR_KEY), ClosedError
   */
  get(key: GivenKey<B>): T | undefined {
    const parsed = this.#bounds.parseScratch(key);
    const { reader } = this.#domain;
    const nesting = reader.begin(); // and not `enter`: a codec may be the user's, and do anything
    try {
      const node = this.#bounds.find(this.#memory, this.#root, parsed);
      return node === NULL ? undefined : this.#codec.read(this.#memory, this.#valueOf(node));
    } finally {
      reader.endTo(nesting);
    }
  }

  /** Whether a range covers the key. */
  has(key: GivenKey<B>): boolean {
    const parsed = this.#bounds.parseScratch(key);
    const { reader } = this.#domain;
    reader.enter();
    const node = this.#bounds.find(this.#memory, this.#root, parsed);
    reader.exit();
    return node !== NULL;
  }

  /**
   * Look at the entry that covers a key, in place: `fn` runs in a read-side section and gets a view that ends with it. The view
   * must not be kept: afterwards it throws, or shows what a later call looks at.
   * @returns what `fn` gives, or undefined (without calling it) when no range covers the key
   */
  at<R>(key: GivenKey<B>, fn: (view: EntryView<Key<B>, V>) => R): R | undefined {
    const parsed = this.#bounds.parseScratch(key);
    const { reader } = this.#domain;
    const nesting = reader.begin();
    // Calls nest, so each depth has a view of its own.
    const depth = this.#viewDepth;
    try {
      const view = this.#views[depth] ?? this.#newView();
      this.#viewDepth = depth + 1;
      const node = this.#bounds.find(this.#memory, this.#root, parsed);
      view.show(node);
      return node === NULL ? undefined : fn(view as unknown as EntryView<Key<B>, V>);
    } finally {
      // First what must not be missed: when the stack has overflowed, the calls below may fail.
      this.#viewDepth = depth;
      reader.endTo(nesting);
      this.#views[depth]?.end();
    }
  }

  #newView(): Entry<V> {
    const view = new Entry(this.#memory, this.#bounds, this.#offsets, this.#codec.words === undefined, this.#newValueView());
    this.#views.push(view);
    return view;
  }

  /**
   * The ranges that meet [lo, hi], ascending, clipped to nothing: each as [lo, hi, value]. What may be seen of changes made
   * meanwhile: guarantee B at the head of this file.
   */
  *entries(lo: GivenKey<B> = this.#bounds.least as Key<B>, hi: GivenKey<B> = this.#bounds.most as Key<B>): Generator<[lo: Key<B>, hi: Key<B>, value: T]> {
    const bounds = this.#bounds;
    const last = this.#range(lo, hi).hi;
    let next: unknown = bounds.parse(lo);
    let first = true;
    while (next !== undefined) {
      const entry = this.#entryFrom(next);
      if (entry === undefined || bounds.compareKeys(entry.lo, last) > 0) return;
      // A range that a writer has meanwhile joined to what was shown before begins after it here.
      if (!first && bounds.compareKeys(entry.lo, next) < 0) entry.lo = next;
      yield [bounds.present(entry.lo) as Key<B>, bounds.present(entry.hi) as Key<B>, entry.value];
      first = false;
      next = bounds.compareKeys(entry.hi, last) >= 0 ? undefined : bounds.after(entry.hi);
    }
  }

  [Symbol.iterator](): Generator<[lo: Key<B>, hi: Key<B>, value: T]> {
    return this.entries();
  }

  /** A copy of the first entry that ends at the key or after it. */
  #entryFrom(key: unknown): { lo: unknown; hi: unknown; value: T } | undefined {
    return inSection(this.#domain.reader, () => this.#firstEndingFrom(key));
  }

  #firstEndingFrom(key: unknown): { lo: unknown; hi: unknown; value: T } | undefined {
    const memory = this.#memory;
    let found = NULL;
    for (let node = memory.load(this.#root) as Address; node !== NULL; ) {
      const before = this.#bounds.compare(memory, field(node, this.#offsets.hi), key) < 0;
      if (!before) found = node;
      node = memory.load(field(node, this.#offsets.left + (before ? RIGHT : LEFT))) as Address;
    }
    return found === NULL ? undefined : { lo: this.#lo(found), hi: this.#hi(found), value: this.#codec.read(memory, this.#valueOf(found)) };
  }

  #lo(node: Address): unknown {
    return this.#bounds.read(this.#memory, node);
  }

  #hi(node: Address): unknown {
    return this.#bounds.read(this.#memory, field(node, this.#offsets.hi));
  }

  /** Where a node's value stands. */
  #valueOf(node: Address): Address {
    const value = field(node, this.#offsets.value);
    return this.#codec.words === undefined ? (this.#memory.read(value) as Address) : value;
  }

  // Updating -----------------------------------------------------------------------------------------

  #range(lo: GivenKey<B>, hi: GivenKey<B>): { lo: unknown; hi: unknown } {
    const range = { lo: this.#bounds.parse(lo), hi: this.#bounds.parse(hi) };
    if (this.#bounds.compareKeys(range.lo, range.hi) > 0) {
      throw new KeyError(
        "ERR_RANGE",
        `a range goes from its lower to its upper bound, both included; got ${this.#bounds.present(range.lo)} to ${this.#bounds.present(range.hi)}.`,
      );
    }
    return range;
  }

  /**
   * Give all keys from `lo` to `hi` a value.
   * @throws KeyError (ERR_KEY, ERR_RANGE), ValueError (and what a codec of your own throws), OutOfMemoryError, LockTimeoutError, ContextError (in a section), ClosedError
   */
  set(lo: GivenKey<B>, hi: GivenKey<B>, value: T): void {
    const range = this.#range(lo, hi);
    const prepared = this.#codec.prepare(value);
    this.#underLock("set()", () => this.#change(range.lo, range.hi, { lo: range.lo, hi: range.hi, from: NULL, value: prepared }));
  }

  /**
   * Take the value from all keys from `lo` to `hi`.
   * @returns whether any of them had one
   * @throws as `set`: a range that is split in two takes memory. What takes ranges away or trims them has a reserve (memory/reserve.ts), which is used up only
   *   while readers hold up grace periods
   */
  delete(lo: GivenKey<B>, hi: GivenKey<B>): boolean {
    const range = this.#range(lo, hi);
    return this.#underLock("delete()", () => this.#change(range.lo, range.hi, undefined));
  }

  /** Take all values. */
  clear(): void {
    this.delete(this.#bounds.least as Key<B>, this.#bounds.most as Key<B>);
  }

  /**
   * Make the map hold exactly these ranges, where later ones win: all readers go from the old contents to the new at one
   * instant. The way to fill a map, and to refresh it: many times faster than `set` by `set`, and laid out for faster lookups.
   * Old and new contents stand side by side until the grace period is over.
   * @throws as `set`; the map then holds what it held
   */
  load(rows: Iterable<readonly [lo: GivenKey<B>, hi: GivenKey<B>, value: T]>): void {
    const list = new RangeList<unknown, unknown>(this.#bounds, this.#codec.same);
    for (const [lo, hi, value] of rows) {
      const range = this.#range(lo, hi);
      list.add(range.lo, range.hi, this.#codec.prepare(value));
    }
    this.#underLock("load()", () => this.#replaceAll(list.ranges));
  }

  /** Lay the map out anew, for faster lookups after many updates; readers and contents are not affected. */
  compact(): void {
    this.#underLock("compact()", () => {
      const ranges = Array.from(this.#tree.nodes(), (node) => ({
        lo: this.#lo(node),
        hi: this.#hi(node),
        value: this.#codec.stored(this.#memory, this.#valueOf(node)),
      }));
      this.#replaceAll(ranges);
    });
  }

  #replaceAll(ranges: readonly Range<unknown, unknown>[]): void {
    const tree = this.#tree;
    const root = tree.build(ranges.length, (index) => {
      const { lo, hi, value } = ranges[index] as Range<unknown, unknown>;
      const node = tree.allocate();
      try {
        this.#fillNode(node, { lo, hi, from: NULL, value }, false);
      } catch (error) {
        this.#discard(node);
        throw error;
      }
      return node;
    });
    const old = tree.replaceAll(root); // commits
    this.#freshBlocks.length = 0;
    this.#memory.store(this.#sizeWord, ranges.length);
    for (const node of old) {
      if (this.#codec.words === undefined) this.#domain.retire(this.#valueOf(node));
      this.#domain.retire(node);
    }
  }

  // What was never published could be freed at once, but that may have to wait for the arena lock; retiring never waits.
  readonly #discard = (object: Address): void => this.#domain.retire(object);

  /** Run an update, which commits all of it or throws. */
  #underLock<R>(operation: string, update: () => R): R {
    this.#domain.beforeUpdate(`${this.#name}.${operation}`);
    this.#lockForUpdate();
    let result: R;
    let failed = true;
    try {
      result = update();
      failed = false;
    } catch (error) {
      this.#tree.rollBack();
      for (const block of this.#freshBlocks.splice(0)) this.#discard(block);
      this.#dropped.length = 0;
      // Our own refusals come before anything is published. Anything else (a stack overflow) may come at any point: then the next
      // writer goes over the map as if this one had died.
      failed = !(error instanceof QuiesceError);
      throw error;
    } finally {
      this.#lock.unlock(failed);
    }
    this.#domain.afterUpdate();
    return result;
  }

  /** The last node that begins at the key or before it. */
  #floor(key: unknown): Address {
    let found = NULL;
    for (let node = this.#tree.root; node !== NULL; ) {
      const after = this.#bounds.compare(this.#memory, node, key) > 0;
      if (!after) found = node;
      node = this.#tree.child(node, after ? LEFT : RIGHT);
    }
    return found;
  }

  #change(lo: unknown, hi: unknown, piece: Piece | undefined): boolean {
    const bounds = this.#bounds;
    const memory = this.#memory;
    const reaches = (node: Address, key: unknown): boolean => node !== NULL && bounds.compare(memory, field(node, this.#offsets.hi), key) >= 0;
    const same = (node: Address): boolean => piece !== undefined && this.#codec.equals(memory, this.#valueOf(node), piece.value);

    // The run that changes: from the range that has `lo` (or, joined to it, the one before) to the one that has `hi` (or the one after).
    let from = lo;
    let to = hi;
    const first = this.#floor(lo);
    const last = this.#floor(hi);
    const pieces: Piece[] = piece === undefined ? [] : [piece];
    const overlapsAny = reaches(last, lo);

    if (reaches(first, hi) && same(first)) return true; // all of it has the value already
    const beforeLo = bounds.before(lo);
    if (beforeLo !== undefined && reaches(first, lo) && bounds.compareKeys(this.#lo(first), lo) < 0) {
      from = this.#lo(first);
      if (same(first)) (piece as Piece).lo = from;
      else pieces.unshift({ lo: from, hi: beforeLo, from: first, value: undefined });
    } else if (beforeLo !== undefined) {
      const previous = bounds.find(memory, this.#root, beforeLo);
      if (previous !== NULL && same(previous)) {
        from = this.#lo(previous);
        (piece as Piece).lo = from;
      }
    }

    const afterHi = bounds.after(hi);
    if (afterHi !== undefined && reaches(last, afterHi)) {
      to = this.#hi(last);
      if (same(last)) (piece as Piece).hi = to;
      else pieces.push({ lo: afterHi, hi: to, from: last, value: undefined });
    } else if (afterHi !== undefined) {
      const next = bounds.find(memory, this.#root, afterHi);
      if (next !== NULL && same(next)) {
        to = this.#hi(next);
        (piece as Piece).hi = to;
      }
    }
    if (piece === undefined && !overlapsAny) return false;
    // What takes an entry away, or trims it, ends with no more nodes than before; splitting one in two does not.
    const gives = piece === undefined && (pieces.length < 2 || first !== last);
    if (gives) this.#domain.arena.heap.withReserve(() => this.#replaceRun(from, to, pieces));
    else this.#replaceRun(from, to, pieces);
    return true;
  }

  /** Put `pieces` in the place of all entries from `from` to `to`, whose bounds are those of entries or of pieces. */
  #replaceRun(from: unknown, to: unknown, pieces: readonly Piece[]): void {
    const tree = this.#tree;
    const bounds = this.#bounds;
    const memory = this.#memory;
    const isBefore = (node: Address): boolean => bounds.compare(memory, field(node, this.#offsets.hi), from) < 0;
    const isAfter = (node: Address): boolean => bounds.compare(memory, node, to) > 0;
    const dropped = (node: Address): void => {
      this.#dropped.push(node);
    };

    const path: Address[] = [];
    const sides: Side[] = [];
    let top = tree.root;
    while (top !== NULL) {
      const side = isBefore(top) ? RIGHT : isAfter(top) ? LEFT : undefined;
      if (side === undefined) break;
      path.push(top);
      sides.push(side);
      top = tree.child(top, side);
    }

    const before = tree.size(top);
    let left: Address = NULL;
    let right: Address = NULL;
    if (top !== NULL) {
      left = tree.trim(tree.child(top, LEFT), RIGHT, isBefore, dropped);
      right = tree.trim(tree.child(top, RIGHT), LEFT, isAfter, dropped);
      tree.drop(top, dropped);
    }
    let built = left;
    for (const [i, piece] of pieces.entries()) {
      built = tree.link(this.#makeNode(piece, pieces.slice(0, i)), built, i === pieces.length - 1 ? right : NULL);
    }
    if (pieces.length === 0) built = tree.glue(left, right);
    const blocks = this.#blocksToRetire(pieces);

    tree.replace(path, sides, built, before); // commits
    this.#freshBlocks.length = 0;
    memory.store(this.#sizeWord, tree.size(tree.root));
    for (const block of blocks) this.#domain.retire(block);
    for (const node of tree.takeReplaced()) this.#domain.retire(node);
    this.#dropped.length = 0;
  }

  #makeNode(piece: Piece, earlier: readonly Piece[]): Address {
    const node = this.#tree.create();
    // A range that is split leaves its block to the first part; the second gets a copy.
    this.#fillNode(node, piece, piece.from !== NULL && !earlier.some(({ from }) => from === piece.from));
    return node;
  }

  #fillNode(node: Address, { lo, hi, from, value }: Piece, keepsBlock: boolean): void {
    const memory = this.#memory;
    const codec = this.#codec;
    this.#bounds.write(memory, node, lo);
    this.#bounds.write(memory, field(node, this.#offsets.hi), hi);
    const word = field(node, this.#offsets.value);
    if (codec.words !== undefined) {
      if (from === NULL) codec.write(memory, word, value);
      else memory.copy(word, field(from, this.#offsets.value), codec.words);
    } else if (keepsBlock) memory.write(word, this.#valueOf(from));
    else memory.write(word, this.#makeBlock(from === NULL ? value : codec.stored(memory, this.#valueOf(from))));
  }

  #makeBlock(value: unknown): Address {
    const codec = this.#codec;
    if (codec.words !== undefined) return NULL;
    const bytes = codec.bytes(value);
    const block = this.#domain.allocate(bytes, () => this.#domain.arena.heap.kmalloc(bytes, this.#place.tag));
    this.#freshBlocks.push(block);
    codec.write(this.#memory, block, value);
    return block;
  }

  /** Blocks of dropped entries that no piece goes on using. */
  #blocksToRetire(pieces: readonly Piece[]): Address[] {
    if (this.#codec.words !== undefined) return [];
    return this.#dropped.filter((node) => !pieces.some(({ from }) => from === node)).map((node) => this.#valueOf(node));
  }

  // Recovery and checks --------------------------------------------------------------------------------

  #lockForUpdate(): void {
    this.#lock.lockRepaired(this.#recover);
  }

  /** After a writer died with the lock: free the nodes and blocks that no reader can reach, and mend the tree. May be repeated. */
  readonly #recover = (): void => {
    const { heap } = this.#domain.arena;
    const tree = this.#tree;
    tree.rollBack(); // of an update of this thread that ended in the middle
    const reachable = new Set<Address>();
    for (const node of tree.nodes()) {
      reachable.add(node);
      if (this.#codec.words === undefined) reachable.add(this.#valueOf(node));
    }
    this.#memory.store(this.#sizeWord, this.#codec.words === undefined ? reachable.size / 2 : reachable.size);
    // First this, which takes no memory: the mending may need what it gives back.
    for (const node of heap.liveObjects(this.#place.cache)) if (!reachable.has(node)) this.#domain.retire(node);
    for (const block of heap.ownedBy(this.#place.tag)) if (!reachable.has(block)) this.#domain.retire(block);
    try {
      heap.withReserve(() => tree.repair());
    } catch (error) {
      tree.rollBack(); // while the lock is held: the next owner frees what was replaced so far
      throw error;
    }
    for (const node of tree.takeReplaced()) this.#domain.retire(node);
  };

  /** Violated invariants: order, disjointness, joined neighbours, sizes, balance, blocks, nothing left over. Takes the writers' lock. */
  check(): string[] {
    this.#domain.beforeUpdate(`${this.#name}.check()`);
    this.#lockForUpdate();
    try {
      return this.#check();
    } finally {
      this.#lock.unlock();
    }
  }

  #check(): string[] {
    const bounds = this.#bounds;
    const { heap } = this.#domain.arena;
    const violations = this.#tree.check();
    const say = (violation: string): void => {
      violations.push(`${this.#name}: ${violation}`);
    };
    const reachable = new Set<Address>();
    let before: Address = NULL;
    for (const node of this.#tree.nodes()) {
      if (reachable.has(node)) {
        say(`node ${node} is reached twice`);
        return violations;
      }
      reachable.add(node);
      if (!heap.isLive(node)) say(`node ${node} is reachable but not live`);
      if (this.#codec.words === undefined && !heap.isLive(this.#valueOf(node))) say(`the value block of node ${node} is not live`);
      if (bounds.compareKeys(this.#lo(node), this.#hi(node)) > 0) say(`node ${node} ends before it begins`);
      if (before !== NULL) {
        const gap = bounds.compareKeys(this.#lo(node), this.#hi(before));
        if (gap <= 0) say(`node ${node} overlaps the one before it`);
        const value = this.#codec.stored(this.#memory, this.#valueOf(node));
        const touches = bounds.compareKeys(bounds.after(this.#hi(before)), this.#lo(node)) === 0;
        if (touches && this.#codec.equals(this.#memory, this.#valueOf(before), value)) say(`node ${node} touches one of equal value and was not joined to it`);
      }
      before = node;
    }
    if (reachable.size !== this.size) say(`${reachable.size} entries, its size says ${this.size}`);
    const live = heap.liveObjects(this.#place.cache).length;
    if (live !== reachable.size) say(`${live} nodes are live, ${reachable.size} are reachable`);
    const blocks = this.#codec.words === undefined ? reachable.size : 0;
    const owned = heap.ownedBy(this.#place.tag).length;
    if (owned !== blocks) say(`${owned} value blocks are live, ${blocks} are reachable`);
    return violations;
  }

  /** Nodes on the longest path from the root; for tests and benchmarks. Takes the writers' lock. */
  height(): number {
    this.#domain.beforeUpdate(`${this.#name}.height()`);
    this.#lockForUpdate();
    try {
      return this.#tree.height();
    } finally {
      this.#lock.unlock();
    }
  }
}
