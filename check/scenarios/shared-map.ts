/** What the scenarios of `shared.map` share: a map of few keys, whose buckets are chosen, in a table of four; and a look at it when all is over. */

import assert from "node:assert/strict";
import { type Address, field } from "../../src/memory/address.js";
import { Header } from "../../src/memory/layout.js";
import { Publication } from "../../src/memory/publication.js";
import { Buckets } from "../../src/structures/map/bucket.js";
import { keysOf } from "../../src/structures/map/keys.js";
import { SharedMap } from "../../src/structures/map/map.js";
import type { MapSchema } from "../../src/structures/map/schema.js";
import { Tables } from "../../src/structures/map/tables.js";
import { Mark, marked, markOf } from "../../src/structures/map/words.js";
import type { Codec } from "../../src/values/codec.js";
import { u32 } from "../../src/values/scalars.js";
import { Actor, placeOf, user, whole } from "./support.js";

/** The header of a scenario's map: where placeOf puts it. */
export const MAP: Address = user(32);
/** Of its blocks. */
export const MAP_TAG = -0x10000;
/** Of the parts of its tables. */
export const TABLE_TAG = -0x30000;
const KEYS = keysOf(u32, 1 ^ 2 ^ MAP);

/** A key in a bucket of a table of 2^bits. */
export function keyIn(bits: number, bucket: number, nth = 0): number {
  let left = nth;
  for (let key = 1; ; key++) if (hashOf(key) >>> (32 - bits) === bucket && left-- === 0) return key;
}
const hashOf = (key: number): number => KEYS.parse(key);

/** In bucket 1 of four; of eight A and C in 2, B and D in 3. */
export const [A, B, C, D] = [keyIn(3, 2), keyIn(3, 3), keyIn(3, 2, 1), keyIn(3, 3, 1)] as const;
/** In the other buckets of four. */
export const [E, F, G] = [keyIn(3, 0), keyIn(3, 4), keyIn(3, 6)] as const;
/** In bucket 17 of 32, which a writer that moves 16 buckets does not come by (`moveAll`); of 64 P in 34, Q in 35. */
export const [P, Q] = [keyIn(6, 34), keyIn(6, 35)] as const;

/** The map, opened without the directory. */
export function mapOf(a: Actor): SharedMap<number, number>;
export function mapOf<T, V>(a: Actor, value: Codec<T, V>, limits?: Partial<MapSchema<number, T, V>>): SharedMap<number, T, V>;
export function mapOf(a: Actor, value: Codec<unknown, unknown> = u32, limits: object = {}): SharedMap<number, unknown> {
  assert.equal(a.memory.read(Header.ID) ^ a.memory.read(field(Header.ID, 1)) ^ MAP, 1 ^ 2 ^ MAP, "keys are where they are said to be");
  if (a.tools.thread >= 0) takeFromHand(a);
  return new SharedMap(placeOf(a), { key: u32, value, ...limits }, () => 0);
}

/** This thread's hold on the tables of a map of numbers: single steps of moving. */
export function tablesOf(a: Actor): Tables {
  const { domain, heap } = a;
  if (a.tools.thread >= 0) takeFromHand(a);
  const place = placeOf(a);
  const buckets = new Buckets(a.memory, KEYS, { valueWords: 1, expires: false, used: false });
  return new Tables(place, new Publication(heap, place.tag, domain.index), buckets as Buckets<unknown>);
}

/** Run in a section. */
function inSection(a: Actor, fn: () => void): void {
  const { reader } = a.domain;
  const nesting = reader.begin();
  fn();
  reader.endTo(nesting);
}

/** Begin to move the entries to a table of so many bits: nothing is moved yet. */
export function beginMove(a: Actor, bits: number): void {
  inSection(a, () => tablesOf(a).resize(bits));
}

/** Move the bucket of a hash, and no other: the library does so too, but marks it only where it moves some more. Nothing, when no table is moved. */
export function moveHash(a: Actor, hash: number): void {
  const { memory } = a;
  const tables = tablesOf(a);
  inSection(a, () => {
    const table = tables.current;
    if (tables.nextOf(table) === undefined) return;
    const at = table.wordOf(hash);
    for (let word = memory.load(at); markOf(word) === Mark.NONE; word = memory.load(at)) memory.compareExchange(at, word, marked(Mark.MOVING, word));
    tables.locate(hash);
  });
}

export const moveBucket = (a: Actor, key: number): void => moveHash(a, hashOf(key));

/** In setup: a table of 2^bits in place of what there is. */
export function resized(a: Actor, bits: number): void {
  beginMove(a, bits);
  const tables = tablesOf(a);
  inSection(a, () => {
    while (tables.current.bits !== bits) tables.help();
  });
}

/** In setup: all entries move to a table of 2^to, and all have but those in the buckets of some keys. */
export function nearlyMoved(a: Actor, to: number, keys: readonly number[]): void {
  const tables = tablesOf(a);
  let shift = 0;
  inSection(a, () => {
    shift = tables.current.shift;
    tables.resize(to);
  });
  const left = keys.map((key) => hashOf(key) >>> shift);
  for (let bucket = 0; bucket < 2 ** (32 - shift); bucket++) if (!left.includes(bucket)) moveHash(a, bucket << shift);
}

/** Move what is left, and let ROOT say so. */
export function moveAll(a: Actor): void {
  const tables = tablesOf(a);
  inSection(a, () => tables.help());
}

const SIZES = [8, 16, 32, 64];
/** Blocks of each size that a thread has at hand. */
const AT_HAND = 3;
const handOf = (slot: number): Address => user(224 + slot * SIZES.length);

/**
 * In setup: blocks that each thread has taken already, and an open sheaf for what it will retire. What a heap keeps for speed is lost between setup and
 * the threads, and each would begin with the arena lock: that is not what these scenarios are about.
 */
export function warm(actors: readonly Actor[]): void {
  for (const { heap, domain, memory, index } of actors) {
    for (const [i, bytes] of SIZES.entries()) {
      let first = 0;
      for (let taken = 0; taken < AT_HAND; taken++) {
        const block = heap.kmalloc(bytes, heap.unpublished);
        memory.write(block, first);
        first = block;
      }
      memory.write(field(handOf(index), i), first);
      domain.retire(heap.kmalloc(bytes, heap.unpublished));
    }
  }
}

/** What the threads have at hand, by their heaps; and the heaps' own way to take a block. */
const hands = new WeakMap<object, { readonly hand: Address[]; readonly kmalloc: Actor["heap"]["kmalloc"] }>();

/** Let a thread take the blocks that it has at hand. */
function takeFromHand({ heap, memory, index }: Actor): void {
  if (hands.has(heap)) return;
  const hand = SIZES.map((_, i) => memory.read(field(handOf(index), i)) as Address);
  const kmalloc = heap.kmalloc.bind(heap);
  hands.set(heap, { hand, kmalloc });
  heap.kmalloc = (bytes, tag = 0) => {
    const i = SIZES.findIndex((size) => bytes <= size);
    const block = tag === 0 || i < 0 ? 0 : (hand[i] as Address);
    if (block === 0) return kmalloc(bytes, tag);
    hand[i] = memory.read(block) as Address;
    if (tag !== heap.unpublished) memory.store(heap.linkOf(block), tag);
    return block;
  };
}

/** Make a map of numbers, in setup. */
export function formatEntries(actors: readonly Actor[], entries: readonly (readonly [key: number, value: number])[]): void {
  const map = mapOf(actors[0] as Actor);
  for (const [key, value] of entries) map.set(key, value);
  warm(actors);
}

/** What others own has this tag. */
const OTHERS_TAG = -0x50000;

/** Blocks that are free, and no more at hand. */
function take(a: Actor, bytes: number, most: number): Address[] {
  const kmalloc = hands.get(a.heap)?.kmalloc ?? a.heap.kmalloc.bind(a.heap);
  return Array.from({ length: most }, () => kmalloc(bytes, OTHERS_TAG));
}

/** See to it that a certain block, which is free, is the only one of its size that this thread has at hand. Gives whether it could be had. */
export function obtain(a: Actor, wanted: number, bytes: number): boolean {
  if (!take(a, bytes, 8).includes(wanted as Address)) return false;
  a.memory.write(wanted as Address, 0);
  const { hand } = hands.get(a.heap) as { hand: Address[] };
  hand[SIZES.indexOf(bytes)] = wanted as Address;
  return true;
}

/** What was retired is given back as soon as may be, and becomes somebody else's, who writes on it. */
export function reuse(a: Actor, sizes: readonly number[] = [16, 32]): void {
  a.domain.flushSync(1);
  for (const bytes of sizes) writeOn(a, bytes, 3);
}

/**
 * What is free already becomes somebody else's, who writes on it. Nobody is waited for: after `reuse`, whose grace period ends the turns of all readers, it does not
 * show any more that something was free too early.
 */
export function writeOn(a: Actor, bytes: number, most = 1): void {
  for (const block of take(a, bytes, most)) a.memory.fill(block, bytes / 4, 0x3fffffff);
}

/** A reader's looks in turn: each is one of the states, none an earlier one than the look before. */
export function inOrder(seen: unknown, states: readonly unknown[]): void {
  let at = 0;
  for (const value of seen as unknown[]) {
    while (at < states.length && states[at] !== value) at++;
    assert.ok(at < states.length, `saw ${JSON.stringify(seen)}, where ${JSON.stringify(states)} were in turn`);
  }
}

/** At the end: what the map holds, and that nothing is broken, lost or left over. */
export function verifyMap<T>(a: Actor, map: SharedMap<number, T>, expected: readonly (readonly [key: number, value: T])[]): void {
  const sorted = (entries: Iterable<readonly [number, T]>): (readonly [number, T])[] => [...entries].sort(([x], [y]) => x - y);
  assert.deepEqual(map.check(), []);
  assert.deepEqual(sorted(map), sorted(expected));
  whole(new Actor(a.index + 1, a.memory, a.tools, a.layout)); // its own slot, if it has one, is left too
}
