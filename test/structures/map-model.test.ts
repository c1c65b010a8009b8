/** shared.map against Map: random commands on maps of every kind of key and value; two threads take turns at one map. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { seedOf } from "../../check/support/seed.js";
import type { SharedMap } from "../../src/structures/map/map.js";
import type { MapSchema } from "../../src/structures/map/schema.js";
import { bytes } from "../../src/values/bytes.js";
import { codec } from "../../src/values/custom.js";
import { f64 } from "../../src/values/f64.js";
import { type Json, json } from "../../src/values/json.js";
import { i32, u8, u32 } from "../../src/values/scalars.js";
import { struct } from "../../src/values/struct.js";
import { utf8 } from "../../src/values/utf8.js";
import { inUse, isAsAtStart, openSharedMap } from "../support/shared-maps.js";
import { flush, SURVIVOR, THIRD, World } from "../support/world.js";

const encoder = new TextEncoder();

interface Kind<K, T> {
  readonly name: string;
  readonly schema: MapSchema<K, T>;
  /** The n-th key; the same n gives an equal key. */
  keyOf(n: number): K;
  valueOf(n: number): T;
  /** What `getBytes` takes for a key. */
  bytesOf?(n: number): Uint8Array;
}

const texts = ["", "a", "ab", "abc", "abcd", "abcde", "ä", "äöü", "日本語", "😀", "\u0000", "\uFEFF", "x".repeat(400), "ö".repeat(333)];
const textOf = (n: number): string => texts[n] ?? `text ${n}`;
const point = codec<readonly [number, number]>({
  name: "point",
  encode: (p) => new Uint8Array(Float64Array.of(...p).buffer),
  decode: (b) => [...new Float64Array(b.buffer)] as unknown as readonly [number, number],
  size: 16,
});

const kindOf = <K, T>(given: Kind<K, T>): Kind<unknown, unknown> => given as unknown as Kind<unknown, unknown>;
const kinds = [
  kindOf({ name: "u8 to u32", schema: { key: u8, value: u32 }, keyOf: (n) => n, valueOf: (n) => n * 7 }),
  kindOf({ name: "u32 to utf8", schema: { key: u32, value: utf8 }, keyOf: (n) => 2 ** 32 - 1 - n * 3, valueOf: textOf }),
  kindOf({
    name: "i32 to json",
    schema: { key: i32, value: json },
    keyOf: (n) => (n % 2 === 0 ? -n : n),
    valueOf: (n) => [null, { n, list: [n, [textOf(n)]] }, n, textOf(n)][n % 4] as Json,
  }),
  kindOf({
    name: "utf8 to struct",
    schema: { key: utf8, value: struct({ a: u32, b: i32 }) },
    keyOf: textOf,
    valueOf: (n) => ({ a: n, b: 1 - n }),
    bytesOf: (n) => encoder.encode(textOf(n)),
  }),
  kindOf({
    name: "bytes to bytes",
    schema: { key: bytes, value: bytes },
    keyOf: (n) => encoder.encode(textOf(n)),
    valueOf: (n) => encoder.encode(textOf(n)),
    bytesOf: (n) => encoder.encode(textOf(n)),
  }),
  kindOf({
    name: "f64 to f64",
    schema: { key: f64, value: f64 },
    keyOf: (n) => [0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0.5][n] ?? -n / 3,
    valueOf: (n) => n / 7,
  }),
  kindOf({ name: "struct to u32", schema: { key: struct({ x: i32, y: u8 }), value: u32 }, keyOf: (n) => ({ x: -n, y: n % 200 }), valueOf: (n) => n }),
  kindOf({ name: "custom to custom", schema: { key: point, value: point }, keyOf: (n) => [n, -n / 3] as const, valueOf: (n) => [n, n] as const }),
];

const OPERATIONS = [
  "set",
  "set",
  "set",
  "delete",
  "setIfAbsent",
  "compareAndSet",
  "compareAndDelete",
  "update",
  "updateAway",
  "setMany",
  "deleteMany",
  "clear",
  "look",
  "snapshot",
] as const;
interface Command {
  readonly operation: (typeof OPERATIONS)[number];
  readonly key: number;
  readonly value: number;
  readonly second: boolean;
}
const KEYS = 200;
const commands = fc.array(
  fc.record({ operation: fc.constantFrom(...OPERATIONS), key: fc.integer({ min: 0, max: 30 }), value: fc.integer({ min: 0, max: 40 }), second: fc.boolean() }),
  { minLength: 10, maxLength: 60 },
);

/** What is to be there: by the number of the key; and the versions that were ever seen of it. */
interface Model {
  readonly values: Map<number, number>;
  readonly versions: Map<number, Set<number>>;
}

function isLike<K, T>(map: SharedMap<K, T>, kind: Kind<K, T>, { values }: Model, numbers: Iterable<number>): void {
  assert.equal(map.size, values.size);
  for (const n of numbers) {
    const value = values.get(n);
    const expected = value === undefined ? undefined : kind.valueOf(value);
    const key = kind.keyOf(n);
    assert.deepEqual(map.get(key), expected, `get of key ${n}`);
    assert.deepEqual(map.get(key), expected, `get of key ${n} again`);
    assert.deepEqual(map.getCopy(key), expected, `getCopy of key ${n}`);
    assert.equal(map.has(key), value !== undefined);
    assert.deepEqual(
      map.read(key, (view) => (typeof view === "object" && view !== null && !Array.isArray(view) && !(view instanceof Uint8Array) ? { ...view } : view)),
      expected,
    );
    if (kind.bytesOf !== undefined) {
      const bare = kind.bytesOf(n);
      const padded = new Uint8Array(bare.length + 5).fill(7);
      padded.set(bare, 3);
      assert.deepEqual(map.getBytes(padded, 3, 3 + bare.length), expected, `getBytes of key ${n}`);
    }
  }
}

/** All entries, as text: keys may be objects. */
function isSame<K, T>(entries: Iterable<readonly [K, T]>, kind: Kind<K, T>, { values }: Model): void {
  const textOfEntry = ([key, value]: readonly [K, T]): string => JSON.stringify([plain(key), plain(value)]);
  const expected = [...values].map(([key, value]) => textOfEntry([kind.keyOf(key), kind.valueOf(value)]));
  assert.deepEqual([...entries].map(textOfEntry).sort(), expected.sort());
}
const plain = (value: unknown): unknown => (value instanceof Uint8Array ? [...value] : typeof value === "number" ? String(value) : value);

function run<K, T>(map: SharedMap<K, T>, kind: Kind<K, T>, model: Model, { operation, key: n, value }: Command): void {
  const { values } = model;
  const key = kind.keyOf(n);
  const of = kind.valueOf(value);
  const version = map.getVersion(key);
  assert.equal(version !== 0, values.has(n));
  const many = Array.from({ length: value * 4 }, (_, i) => (n + i * 3) % KEYS);
  switch (operation) {
    case "set":
      assert.equal(map.set(key, of), map);
      values.set(n, value);
      break;
    case "delete":
      assert.equal(map.delete(key), values.delete(n));
      break;
    case "setIfAbsent":
      assert.equal(map.setIfAbsent(key, of), !values.has(n));
      if (!values.has(n)) values.set(n, value);
      break;
    case "compareAndSet":
      assert.equal(map.compareAndSet(key, version + 1, of), false);
      assert.equal(map.compareAndSet(key, version, of), true);
      values.set(n, value);
      break;
    case "compareAndDelete":
      assert.equal(map.compareAndDelete(key, version + 1), false);
      assert.equal(map.compareAndDelete(key, version), values.delete(n));
      break;
    case "update": {
      const before = values.get(n);
      map.update(key, (old) => {
        assert.deepEqual(old, before === undefined ? undefined : kind.valueOf(before));
        return of;
      });
      values.set(n, value);
      break;
    }
    case "updateAway":
      assert.equal(
        map.update(key, () => undefined),
        undefined,
      );
      values.delete(n);
      break;
    case "setMany":
      map.setMany(many.map((other) => [kind.keyOf(other), of] as const));
      for (const other of many) values.set(other, value);
      break;
    case "deleteMany":
      for (const other of many) assert.equal(map.delete(kind.keyOf(other)), values.delete(other));
      break;
    case "clear":
      map.clear();
      values.clear();
      break;
    case "snapshot":
      isSame(map.snapshot(), kind, model);
      break;
    case "look":
      isSame(map, kind, model);
      isSame(new Map(map.entries()), kind, model);
      assert.equal([...map.keys()].length, values.size);
      assert.equal([...map.values()].length, values.size);
      map.forEach((_value, _key, itself) => {
        assert.equal(itself, map);
      });
  }
  versionIsNew(map, key, n, model, version);
}

/** A version that changed was never seen of this key before, and is higher. */
function versionIsNew<K, T>(map: SharedMap<K, T>, key: K, n: number, { versions }: Model, before: number): void {
  const now = map.getVersion(key);
  if (now === 0 || now === before) return;
  const seen = versions.get(n) ?? new Set();
  assert.ok(!seen.has(now), `version ${now} of key ${n} came back`);
  assert.ok(now > Math.max(0, ...seen), `version ${now} of key ${n} is not above ${Math.max(...seen)}`);
  versions.set(n, seen.add(now));
}

for (const kind of kinds) {
  test(`random commands do what they do to a Map: ${kind.name}`, () => {
    const world = new World(120, { caches: 48 });
    const attach = (thread: number) => world.domain(thread, world.memory, { retireLimit: Number.POSITIVE_INFINITY });
    const first = attach(SURVIVOR);
    openSharedMap(first, kind.schema);
    flush(first);
    first.detach();
    const start = inUse(world);
    const seed = seedOf(`map model, ${kind.name}`);
    let most = 0;
    fc.assert(
      fc.property(commands, (list) => {
        const domains = [attach(SURVIVOR), attach(THIRD)];
        const maps = domains.map((domain) => openSharedMap(domain, kind.schema));
        const model: Model = { values: new Map(), versions: new Map() };
        for (const [i, command] of list.entries()) {
          const map = maps[command.second ? 1 : 0] as SharedMap<unknown, unknown>;
          run(map, kind, model, command);
          most = Math.max(most, map.buckets);
          if (i % 8 === 0)
            isLike(
              map,
              kind,
              model,
              Array.from({ length: 33 }, (_, n) => n),
            );
        }
        isLike(
          maps[1] as SharedMap<unknown, unknown>,
          kind,
          model,
          Array.from({ length: KEYS }, (_, n) => n),
        );
        for (const map of maps) assert.deepEqual(map.check(), []);
        maps[0]?.clear();
        for (const domain of domains) {
          domain.offline(() => {});
          domain.detach();
        }
        const last = attach(SURVIVOR);
        flush(last);
        last.detach();
        isAsAtStart(world, start);
      }),
      { seed, numRuns: 25 },
    );
    assert.ok(most >= 32, `the table had ${most} buckets at most`);
  });
}

test("a map of two threads grows to thousands of entries and shrinks again, and all are there all the while", () => {
  const world = new World(600, { caches: 48 });
  const domains = [1, 2].map((thread) => world.domain(thread, world.memory, { retireLimit: Number.POSITIVE_INFINITY }));
  const maps = domains.map((domain) => openSharedMap(domain, { key: u32, value: u32 }));
  const [a, b] = maps as [SharedMap<number, number>, SharedMap<number, number>];
  const COUNT = 6000;
  for (let n = 0; n < COUNT; n++) {
    (n % 3 === 0 ? b : a).set(n * 17, n);
    if (n % 37 === 0) for (let i = 0; i <= n; i += 29) assert.equal(b.get(i * 17), i);
  }
  assert.equal(a.size, COUNT);
  assert.ok(a.buckets >= COUNT / 4, `${a.buckets} buckets`);
  assert.deepEqual(a.check(), []);
  for (let n = 0; n < COUNT; n++) {
    assert.equal((n % 3 === 0 ? a : b).delete(n * 17), true);
    if (n % 37 === 0) for (let i = n + 1; i < COUNT; i += 29) assert.equal(b.get(i * 17), i);
  }
  assert.equal(b.size, 0);
  assert.ok(a.buckets <= 256, `${a.buckets} buckets are left`);
  assert.deepEqual(b.check(), []);
  for (const domain of domains) {
    domain.offline(() => {});
    domain.detach();
  }
});
