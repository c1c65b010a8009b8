/** The interval map against a plain array, over random operations; its own check, tree balance included, after each batch. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { openMap } from "../../check/support/open-map.js";
import { seedOf } from "../../check/support/seed.js";
import type { FlavorName } from "../../src/rcu/flavors/flavor.js";
import type { IntervalMap } from "../../src/structures/interval-map.js";
import type { BoundsTypes } from "../../src/structures/schema.js";
import { bytes } from "../../src/values/bytes.js";
import type { Codec } from "../../src/values/codec.js";
import { f64 } from "../../src/values/f64.js";
import { json } from "../../src/values/json.js";
import { bool, u16, u32 } from "../../src/values/scalars.js";
import { type StructOf, struct } from "../../src/values/struct.js";
import { utf8 } from "../../src/values/utf8.js";
import { PlainMap } from "../support/plain-map.js";
import { flush, turn, World } from "../support/world.js";

const UNIVERSE = 160;
/** Most operations of a batch; about half as many on average. */
const OPERATIONS = 600;
let done = 0;

/** A kind of map: what stands for the small keys and values of the model. */
interface Kind<B extends keyof BoundsTypes, T, V> {
  readonly name: string;
  readonly bounds: B;
  readonly codec: Codec<T, V>;
  key(small: number): BoundsTypes[B]["key"];
  /** Another way to give the same key. */
  given(small: number): BoundsTypes[B]["key"] | BoundsTypes[B]["given"];
  value(small: number): T;
  /** What a view of it shows, as a value. */
  shown(view: V): T;
}

/** Half of the universe at the bottom of the keys, half at the top; the last keys of the two halves are no neighbours. */
const key32 = (small: number): number => (small < UNIVERSE / 2 ? small : 2 ** 32 - UNIVERSE + small);
const key128 = (small: number): bigint => (small < UNIVERSE / 2 ? 2n ** 64n - 40n + BigInt(small) : 2n ** 128n - BigInt(UNIVERSE - small));
const words128 = (key: bigint): Uint32Array => Uint32Array.from([96n, 64n, 32n, 0n], (shift) => Number((key >> shift) & 0xffffffffn));

const record = struct({ country: u16, version: u32 });
const recordOf = (n: number): { country: number; version: number } => ({ country: n, version: 2 ** 32 - 1 - n });
const textOf = (n: number): string => ["", "a", "é".repeat(7), "🙂 text that takes a larger block ".repeat(20)][n] ?? `text ${n}`;

const in32 = { bounds: "u32", key: key32, given: key32 } as const;
const in128 = { bounds: "u128", key: key128, given: (n: number) => (n % 2 === 0 ? key128(n) : words128(key128(n))) } as const;

type Operation =
  | { readonly kind: "set"; readonly lo: number; readonly length: number; readonly value: number }
  | { readonly kind: "delete"; readonly lo: number; readonly length: number }
  | { readonly kind: "get" | "at"; readonly key: number }
  | { readonly kind: "entries"; readonly lo: number; readonly length: number }
  | { readonly kind: "load"; readonly rows: readonly (readonly [number, number, number])[] }
  | { readonly kind: "compact" | "clear" };

const keys = fc.nat(UNIVERSE - 1);
const lengths = fc.oneof({ weight: 4, arbitrary: fc.nat(6) }, { weight: 1, arbitrary: fc.nat(UNIVERSE) });
const smallValues = fc.nat(3);

const operations: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 10, arbitrary: fc.record({ kind: fc.constant("set" as const), lo: keys, length: lengths, value: smallValues }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("delete" as const), lo: keys, length: lengths }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom("get" as const, "at" as const), key: keys }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("entries" as const), lo: keys, length: lengths }) },
);

const rare: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({ kind: fc.constantFrom("compact" as const, "clear" as const) }),
  fc.record({ kind: fc.constant("load" as const), rows: fc.array(fc.tuple(keys, fc.nat(9), smallValues), { maxLength: 40 }) }),
);

const clip = (hi: number): number => Math.min(UNIVERSE - 1, hi);

function batchTest<B extends keyof BoundsTypes, T, V>(kind: Kind<B, T, V>, batches: number, flavor: FlavorName = "event-loop"): void {
  test(`${flavor}: as a plain array over ${batches} batches of random operations: ${kind.name}`, async () => {
    const world = new World(400, {}, { flavor });
    const domain = world.domain(1);
    const map: IntervalMap<B, T, V> = openMap(domain, { bounds: kind.bounds, value: kind.codec });
    const model = new PlainMap(UNIVERSE, UNIVERSE / 2);

    const check = (operation: Operation): void => {
      switch (operation.kind) {
        case "set": {
          const hi = clip(operation.lo + operation.length);
          // The halves are far apart: a range over both covers what lies between, which the model does not have.
          const top = operation.lo < UNIVERSE / 2 ? Math.min(hi, UNIVERSE / 2 - 1) : hi;
          map.set(kind.given(operation.lo), kind.given(top), kind.value(operation.value));
          model.set(operation.lo, top, operation.value);
          return;
        }
        case "delete": {
          const hi = clip(operation.lo + operation.length);
          assert.equal(map.delete(kind.given(operation.lo), kind.given(hi)), model.delete(operation.lo, hi));
          return;
        }
        case "get": {
          const value = model.get(operation.key);
          assert.deepEqual(map.get(kind.given(operation.key)), value === undefined ? undefined : kind.value(value));
          assert.equal(map.has(kind.given(operation.key)), value !== undefined);
          return;
        }
        case "at": {
          const entry = model.entries(operation.key, operation.key)[0];
          const lo = new Uint32Array(4);
          const hi = new Uint32Array(4);
          const seen = map.at(kind.given(operation.key), (view) => {
            view.copyLo(lo);
            view.copyHi(hi);
            return [view.lo, view.hi, kind.shown(view.value)];
          });
          assert.deepEqual(seen, entry === undefined ? undefined : [kind.key(entry[0]), kind.key(entry[1]), kind.value(entry[2])]);
          if (entry !== undefined && kind.bounds === "u128") {
            assert.deepEqual([lo, hi], [words128(kind.key(entry[0]) as bigint), words128(kind.key(entry[1]) as bigint)]);
          }
          return;
        }
        case "entries": {
          const hi = clip(operation.lo + operation.length);
          assert.deepEqual([...map.entries(kind.given(operation.lo), kind.given(hi))], shown(model.entries(operation.lo, hi)));
          return;
        }
        case "load": {
          const rows = operation.rows.map(([lo, length, value]) => {
            const hi = lo < UNIVERSE / 2 ? Math.min(lo + length, UNIVERSE / 2 - 1) : clip(lo + length);
            return [lo, hi, value] as const;
          });
          map.load(rows.map(([lo, hi, value]) => [kind.given(lo), kind.given(hi), kind.value(value)] as const));
          model.delete(0, UNIVERSE - 1);
          for (const [lo, hi, value] of rows) model.set(lo, hi, value);
          return;
        }
        case "compact":
          map.compact();
          return;
        case "clear":
          map.clear();
          model.delete(0, UNIVERSE - 1);
      }
    };
    const shown = (runs: [number, number, number][]): unknown[] => runs.map(([lo, hi, value]) => [kind.key(lo), kind.key(hi), kind.value(value)]);

    const property = fc.asyncProperty(fc.array(operations, { maxLength: OPERATIONS, size: "max" }), rare, async (batch, last) => {
      // Each run begins with nothing, so that a failing one can be made smaller.
      map.clear();
      model.delete(0, UNIVERSE - 1);
      for (const operations of [batch, [last]]) {
        // The last lays the tree out anew, so what the others made of it is examined before.
        for (const operation of operations) check(operation);
        const entries = shown(model.entries());
        assert.deepEqual([...map.entries()], entries);
        assert.deepEqual([...map], entries);
        assert.equal(map.size, entries.length);
        assert.deepEqual(map.check(), []);
      }
      done += batch.length + 1;
      for (let key = 0; key < UNIVERSE; key++) check({ kind: key % 2 === 0 ? "get" : "at", key });
      await turn();
    });
    await fc.assert(property, { seed: seedOf(kind.name), numRuns: batches });

    map.clear();
    flush(domain);
    assert.deepEqual(map.check(), []);
    assert.deepEqual(domain.arena.check(), []);
    domain.detach();
  });
}

batchTest({ name: "u32 to u16", ...in32, codec: u16, value: (n) => n, shown: (view) => view }, 100);
batchTest({ name: "u32 to u32", ...in32, codec: u32, value: (n) => 2 ** 32 - 1 - n, shown: (view) => view }, 50);
batchTest({ name: "u32 to utf8", ...in32, codec: utf8, value: textOf, shown: (view) => view }, 60);
batchTest({ name: "u32 to struct", ...in32, codec: record, value: recordOf, shown: ({ country, version }) => ({ country, version }) }, 60);
batchTest({ name: "u128 to u16", ...in128, codec: u16, value: (n) => n, shown: (view) => view }, 60);
batchTest({ name: "u128 to u32", ...in128, codec: u32, value: (n) => 2 ** 32 - 1 - n, shown: (view) => view }, 50);
batchTest({ name: "u128 to utf8", ...in128, codec: utf8, value: textOf, shown: (view) => view }, 50);
batchTest({ name: "u128 to struct", ...in128, codec: record, value: recordOf, shown: ({ country, version }) => ({ country, version }) }, 50);
const shape = { at: struct({ x: f64 }), on: bool };
const shapeOf = (n: number): StructOf<typeof shape> => ({ at: { x: [Number.NaN, 0, -0, 0.1][n] ?? n }, on: n > 1 });
batchTest({ name: "u32 to f64", ...in32, codec: f64, value: (n) => [Number.NaN, 0, -0, 0.1][n] ?? n, shown: (view) => view }, 20);
batchTest({ name: "u32 to nested struct", ...in32, codec: struct(shape), value: shapeOf, shown: ({ at, on }) => ({ at: { x: at.x }, on }) }, 20);
batchTest({ name: "u32 to bytes", ...in32, codec: bytes, value: (n) => Uint8Array.from(Buffer.from(textOf(n))), shown: (view) => view }, 20);
batchTest({ name: "u128 to json", ...in128, codec: json, value: (n) => [null, [], { a: [n] }, textOf(n)][n] ?? n, shown: (view) => view }, 20);
for (const flavor of ["phase", "tree"] as const) {
  batchTest({ name: "u32 to u16", ...in32, codec: u16, value: (n) => n, shown: (view) => view }, 30, flavor);
  batchTest({ name: "u128 to utf8", ...in128, codec: utf8, value: textOf, shown: (view) => view }, 20, flavor);
}

test("that were at least 100,000 random operations", () => {
  assert.ok(done >= 100_000, `only ${done}`);
});
