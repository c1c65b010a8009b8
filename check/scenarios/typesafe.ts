/**
 * Objects that may be used again at once, while their memory stays of one type until a grace period is over (typesafeByRcu): a reader looks, and then looks
 * whether it is still the one. Their words are atomic, since a reader may be on them whenever they change.
 */

import assert from "node:assert/strict";
import { type Address, field, NULL, PAGE_SHIFT } from "../../src/memory/address.js";
import type { Cache } from "../../src/memory/cache.js";
import { PageKind } from "../../src/memory/pages.js";
import type { Scenario } from "../scenario.js";
import { fill, POINTER } from "./block.js";
import { type Actor, inArena, user, whole } from "./support.js";

const BYTES = 64;
const CACHE = user(14);
const OBJECT = user(15);
const Word = { KEY: 0, VALUE: 1 } as const;

const cacheOf = (a: Actor): Cache => a.heap.cache(a.memory.read(CACHE));

/** How a reader asks whether an object is still the one of a key. */
export const identity = {
  holds: (a: Actor, object: Address, key: number): boolean => a.memory.load(field(object, Word.KEY)) === key,
};

/** The key is the last to be written, and the first to be taken away. */
function make(a: Actor, object: Address, key: number, value: number): void {
  a.memory.store(field(object, Word.VALUE), value);
  a.memory.store(field(object, Word.KEY), key);
}

function format(a: Actor): void {
  a.memory.write(CACHE, a.heap.createCache("typesafe", BYTES, { typesafeByRcu: true }));
  const object = cacheOf(a).alloc();
  a.heap.trim(); // it is the only one that is out of its slab
  make(a, object, 1, 10);
  a.memory.store(POINTER, object);
  a.memory.write(OBJECT, object);
}

/** In a section: the value of key 1, undefined when it is not there (any more). */
function find(a: Actor): number | undefined {
  return a.domain.read(() => {
    const object = a.domain.dereference(POINTER);
    if (object === NULL) return undefined;
    const value = a.memory.load(field(object, Word.VALUE));
    return identity.holds(a, object, 1) ? value : undefined;
  });
}

/** Nobody finds it any more, and it is free. */
function take(a: Actor): Address {
  const object = a.memory.exchange(POINTER, NULL) as Address;
  a.memory.store(field(object, Word.KEY), 0);
  cacheOf(a).free(object);
  return object;
}

export const typesafe: readonly Scenario[] = [
  inArena({
    name: "a typesafe object is used again while a reader looks",
    setup: (_, writer) => format(writer as Actor),
    threads: [
      (a) => a.turn(() => find(a)),
      (a) => {
        const old = take(a);
        const again = cacheOf(a).alloc();
        assert.equal(again, old, "the same object, or this shows nothing");
        make(a, again, 2, 20);
        cacheOf(a).free(again);
      },
    ],
    verify: (a, [seen]) => {
      assert.ok(seen === undefined || seen === 10, `key 1 has value 10 or none, a reader saw ${String(seen)}`);
      whole(a);
    },
  }),
  inArena({
    name: "a typesafe object's slab is given back while a reader looks",
    setup: (_, writer) => format(writer as Actor),
    threads: [
      (a) => a.turn(() => find(a)),
      (a) => {
        const object = take(a);
        a.heap.trim();
        for (let look = 0; look < 2; look++) a.domain.advance();
        // Its pages are anybody's now, who need not know of atomic words.
        if (a.heap.pages.kind(object >>> PAGE_SHIFT) === PageKind.FREE) fill(a, object, -1);
      },
    ],
    verify: (a, [seen]) => {
      assert.ok(seen === undefined || seen === 10, `key 1 has value 10 or none, a reader saw ${String(seen)}`);
      whole(a);
      assert.equal(a.attach().arena.heap.pages.kind(a.memory.read(OBJECT) >>> PAGE_SHIFT), PageKind.FREE, "in the end its pages go back");
    },
  }),
];
