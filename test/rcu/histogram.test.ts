/** The histogram of durations. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { seedOf } from "../../check/support/seed.js";
import type { Address } from "../../src/memory/address.js";
import { SharedMemory } from "../../src/memory/memory.js";
import { HISTOGRAM_WORDS, quantiles, record } from "../../src/rcu/histogram.js";

const AT = 5 as Address;
const blank = (): SharedMemory => new SharedMemory(new SharedArrayBuffer((HISTOGRAM_WORDS + 10) * 4));

const durations = fc.oneof(
  fc.nat(20),
  fc.nat(1000),
  fc.nat(10_000_000),
  fc.nat(0x7fffffff),
  fc.nat(30).map((bit) => 2 ** bit),
  fc.nat(30).map((bit) => 2 ** (bit + 1) - 1),
);

test("a quantile is right within a sixteenth", () => {
  fc.assert(
    fc.property(fc.array(durations, { minLength: 1, maxLength: 300, size: "max" }), fc.double({ min: 0, max: 1, noNaN: true }), (values, fraction) => {
      const memory = blank();
      for (const value of values) record(memory, AT, value);
      const sorted = [...values].sort((a, b) => a - b);
      const exact = sorted[Math.max(0, Math.ceil(values.length * fraction) - 1)] as number;
      const [found = -1] = quantiles(memory, AT, [fraction]);
      assert.ok(Math.abs(found - exact) <= exact / 16, `${found} for ${exact}`);
      // And it writes nowhere else.
      for (const word of [0, 4, 5 + HISTOGRAM_WORDS, 9 + HISTOGRAM_WORDS]) assert.equal(memory.load(word as Address), 0);
    }),
    { seed: seedOf("histogram"), numRuns: 500 },
  );
});

test("nothing recorded is 0, and extremes stay inside", () => {
  const memory = blank();
  assert.deepEqual(quantiles(memory, AT, [0, 0.5, 1]), [0, 0, 0]);
  for (const value of [-5, 0, 0.4, 2 ** 31, 2 ** 40, Number.POSITIVE_INFINITY]) record(memory, AT, value);
  const [least, most] = quantiles(memory, AT, [0, 1]) as [number, number];
  assert.equal(least, 0);
  assert.ok(most >= (0x7fffffff * 15) / 16 && most <= (0x7fffffff * 17) / 16);
  assert.equal(memory.load((5 + HISTOGRAM_WORDS) as Address), 0);
});

test("several quantiles at once, in any order", () => {
  const memory = blank();
  for (let i = 1; i <= 1000; i++) record(memory, AT, i * 100);
  const [p99 = 0, p50 = 0] = quantiles(memory, AT, [0.99, 0.5]);
  assert.ok(Math.abs(p50 - 50_000) < 50_000 / 16 && Math.abs(p99 - 99_000) < 99_000 / 16);
});
