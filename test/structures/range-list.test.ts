/** RangeList against a plain array. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { seedOf } from "../../check/support/seed.js";
import { u32Bounds, u128Bounds } from "../../src/structures/bounds.js";
import { RangeList } from "../../src/structures/range-list.js";
import { PlainMap } from "../support/plain-map.js";

const UNIVERSE = 60;
const rows = fc.array(fc.tuple(fc.nat(UNIVERSE - 1), fc.nat(12), fc.nat(2)), { maxLength: 60, size: "max" });

const same = (a: number, b: number): boolean => a === b;

test("any rows in any order: the later wins, neighbours of equal value join", () => {
  fc.assert(
    fc.property(rows, fc.boolean(), (all, ascending) => {
      const model = new PlainMap(UNIVERSE);
      // At the top of the keys, where there is none after the last.
      const small = new RangeList<number, number>(u32Bounds, same);
      const large = new RangeList<Uint32Array, number>(u128Bounds, same);
      const top = 2 ** 32 - UNIVERSE;
      const key = (n: number): Uint32Array => u128Bounds.parse(2n ** 128n - BigInt(UNIVERSE - n));
      for (const [lo, length, value] of ascending ? [...all].sort((a, b) => a[0] - b[0]) : all) {
        const hi = Math.min(UNIVERSE - 1, lo + length);
        model.set(lo, hi, value);
        small.add(top + lo, top + hi, value);
        large.add(key(lo), key(hi), value);
      }
      assert.deepEqual(
        small.ranges.map(({ lo, hi, value }) => [lo - top, hi - top, value]),
        model.entries(),
      );
      assert.deepEqual(
        large.ranges.map(({ lo, hi, value }) => [lo, hi, value]),
        model.entries().map(([lo, hi, value]) => [key(lo), key(hi), value]),
      );
    }),
    { seed: seedOf("range list"), numRuns: 1500 },
  );
});

test("the whole of the keys, and its two ends", () => {
  const list = new RangeList<number, number>(u32Bounds, same);
  list.add(0, 2 ** 32 - 1, 1);
  list.add(0, 0, 2);
  list.add(2 ** 32 - 1, 2 ** 32 - 1, 3);
  assert.deepEqual(
    list.ranges.map(({ lo, hi, value }) => [lo, hi, value]),
    [
      [0, 0, 2],
      [1, 2 ** 32 - 2, 1],
      [2 ** 32 - 1, 2 ** 32 - 1, 3],
    ],
  );
  list.add(0, 2 ** 32 - 1, 1);
  assert.equal(list.ranges.length, 1);
});
