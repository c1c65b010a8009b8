/** shared.map in an arena that is full: a failed call changes nothing, reading and deleting go on, and after deletion it works again. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Random, seedOf } from "../../check/support/seed.js";
import { OutOfMemoryError } from "../../src/memory/errors.js";
import type { SharedMap } from "../../src/structures/map/map.js";
import type { Codec } from "../../src/values/codec.js";
import { u32 } from "../../src/values/scalars.js";
import { utf8 } from "../../src/values/utf8.js";
import { inUse, isAsAtStart, openSharedMap, sorted } from "../support/shared-maps.js";
import { flush, World } from "../support/world.js";

interface Kind<K, T> {
  readonly name: string;
  readonly key: Codec<K, K>;
  readonly value: Codec<T, T>;
  keyOf(n: number): K;
  valueOf(n: number): T;
}

const small: Kind<number, number> = { name: "u32 to u32", key: u32, value: u32, keyOf: (n) => n, valueOf: (n) => n };
const texts: Kind<string, string> = {
  name: "utf8 to utf8",
  key: utf8,
  value: utf8,
  keyOf: (n) => `key ${n}`,
  valueOf: (n) => `value ${n} `.repeat(n % 30),
};

/** Set keys until one is refused. Gives how many are in. */
function fill<K, T>(map: SharedMap<K, T>, kind: Kind<K, T>, from = 0): number {
  for (let n = from; ; n++) {
    assert.ok(n < 200_000, "it never fills");
    try {
      map.set(kind.keyOf(n), kind.valueOf(n));
    } catch (error) {
      assert.ok(error instanceof OutOfMemoryError, String(error));
      return n;
    }
  }
}

/** Delete a key. Gives whether it was done: what was set since may have used up what deleting needs, until others are deleted. */
function remove<K, T>(map: SharedMap<K, T>, key: K, mayBeRefused: boolean): boolean {
  try {
    assert.equal(map.delete(key), true);
    return true;
  } catch (error) {
    assert.ok(mayBeRefused && error instanceof OutOfMemoryError, String(error));
    return false;
  }
}

function fullTest<K, T>(kind: Kind<K, T>, extraPages: number): void {
  test(`filled to the last byte, ${extraPages} pages more: ${kind.name}`, () => {
    const random = new Random(seedOf(`full ${kind.name} ${extraPages}`));
    const world = new World(extraPages);
    const first = world.domain(1);
    openSharedMap(first, kind);
    flush(first);
    first.detach();
    const empty = inUse(world);
    const domain = world.domain(1);
    const map = openSharedMap(domain, kind);
    for (let round = 0; round < 2; round++) {
      const count = fill(map, kind);
      assert.ok(count > 100, `only ${count}`);
      const held = new Map(Array.from({ length: count }, (_, n) => [kind.keyOf(n), kind.valueOf(n)] as const));
      const isAsBefore = (): void => {
        assert.equal(map.size, held.size);
        assert.deepEqual(sorted(map), sorted(held));
      };
      isAsBefore();
      let refused = 0;
      for (let n = count; refused < 20; n++) {
        try {
          map.set(kind.keyOf(n), kind.valueOf(n));
          held.set(kind.keyOf(n), kind.valueOf(n));
        } catch (error) {
          assert.ok(error instanceof OutOfMemoryError, String(error));
          assert.match(error.message, /nothing was changed/);
          refused++;
        }
      }
      isAsBefore();
      // Deleting goes on, and makes room.
      let hasSet = false;
      const keys = [...held.keys()];
      for (let i = 0; i < count; i++) {
        const [key] = keys.splice(random.below(keys.length), 1) as [K];
        if (!remove(map, key, hasSet)) {
          keys.push(key);
          continue;
        }
        held.delete(key);
        if (i === 20 || i === count >> 1) isAsBefore();
        if (i % 7 === 3 && i > count >> 1) {
          try {
            map.set(key, kind.valueOf(i));
            hasSet = true;
            held.set(key, kind.valueOf(i));
            keys.push(key);
          } catch (error) {
            assert.ok(error instanceof OutOfMemoryError, String(error)); // there is room, but not in one piece
          }
        }
      }
      for (let left = keys; left.length > 0; ) {
        const refusedNow = left.filter((key) => !remove(map, key, hasSet));
        assert.ok(refusedNow.length < left.length, "no key can be deleted any more");
        left = refusedNow;
      }
      assert.equal(map.size, 0);
      assert.deepEqual(map.check(), []);
      assert.deepEqual(domain.arena.check(), []);
      map.clear();
      flush(domain);
    }
    domain.detach();
    isAsAtStart(world, empty);
  });
}

for (const pages of [2, 8, 12, 40]) {
  fullTest(small, pages);
  fullTest(texts, pages);
}
