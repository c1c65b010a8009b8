/** What shared.map refuses, and what it makes of keys that have one hash. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { KeyError, type MapSchema, Shared, type SharedMap, u8, u32, utf8 } from "../../src/index.js";
import { keysOf } from "../../src/structures/map/keys.js";
import { bytes } from "../../src/values/bytes.js";
import { f64 } from "../../src/values/f64.js";
import { json } from "../../src/values/json.js";
import { i32, u16 } from "../../src/values/scalars.js";
import { struct } from "../../src/values/struct.js";
import { refusal } from "../support/refusal.js";
import { openSharedMap, seedOfMap, sorted } from "../support/shared-maps.js";
import { SURVIVOR, World } from "../support/world.js";

function withShared(run: (shared: Shared) => void): void {
  const shared = Shared.create({ bytes: 4 * 2 ** 20 });
  try {
    run(shared);
    if (!shared.domain.closed) assert.deepEqual(shared.check(), []);
  } finally {
    shared.close();
  }
}

/** Every way to name a key, which must all be refused alike. */
function refusesKey(map: SharedMap<unknown, unknown>, key: unknown, says: RegExp): void {
  const size = map.size;
  for (const use of [
    () => map.get(key),
    () => map.getCopy(key),
    () => map.has(key),
    () => map.getVersion(key),
    () => map.read(key, () => assert.fail("it was called")),
    () => map.set(key, 1),
    () => map.delete(key),
    () => map.setIfAbsent(key, 1),
    () => map.compareAndSet(key, 0, 1),
    () => map.compareAndDelete(key, 1),
    () => map.update(key, () => assert.fail("it was called")),
    () => map.setMany([[key, 1]]),
  ])
    assert.equal(refusal(use, says), "KeyError ERR_KEY");
  assert.equal(map.size, size);
}

test("keys that are none", () => {
  withShared((shared) => {
    const map = (name: string, key: MapSchema<unknown, number>["key"]) => shared.map(name, { key, value: u32 }) as unknown as SharedMap<unknown, unknown>;
    const any = (codec: unknown) => codec as MapSchema<unknown, number>["key"];
    const wrong = ["1", 1.5, Number.NaN, Number.POSITIVE_INFINITY, null, undefined, 1n, {}, [1]];
    for (const [name, codec, least, most] of [
      ["u8", u8, 0, 255],
      ["u16", u16, 0, 65535],
      ["u32", u32, 0, 2 ** 32 - 1],
      ["i32", i32, -(2 ** 31), 2 ** 31 - 1],
    ] as const) {
      const one = map(name, any(codec));
      for (const key of [...wrong, least - 1, most + 1]) refusesKey(one, key, /a whole number from/);
      for (const key of [least, most]) assert.equal(one.set(key, 7).get(key), 7);
      assert.equal(one.set(-0, 3).get(0), 3);
    }
    const texts = map("utf8", any(utf8));
    for (const key of [1, null, undefined, {}, new Uint8Array(3)]) refusesKey(texts, key, /is a string/);
    for (const key of ["\ud800", "a\udc00b", "ä\ud83d"]) refusesKey(texts, key, /lone surrogate/);
    for (const key of ["x".repeat(4096), "ä".repeat(2048), `${"x".repeat(4094)}ä`]) refusesKey(texts, key, /at most 4095 bytes; got one of 4096/);
    for (const key of ["x".repeat(4095), "ä".repeat(2047)]) assert.equal(texts.set(key, 5).get(key), 5);
    const blobs = map("bytes", any(bytes));
    for (const key of ["a", 1, undefined, [1], new Uint16Array(2)]) refusesKey(blobs, key, /Uint8Array/);
    refusesKey(blobs, new Uint8Array(4096), /at most 4095 bytes/);
    refusesKey(map("f64", any(f64)), Number.NaN, /NaN/);
    for (const [start, end] of [
      [-1, 2],
      [2, 1],
      [0, 4],
      [Number.NaN, 2],
      [0.5, 2],
    ] as const)
      assert.equal(
        refusal(() => texts.getBytes(new Uint8Array(3), start, end), /a range in it/),
        "KeyError ERR_KEY",
      );
    assert.equal(
      refusal(() => map("u32", any(u32)).getBytes(new Uint8Array(1)), /utf8 or bytes/),
      "KeyError ERR_KEY",
    );
    assert.throws(() => texts.getBytes("a" as never), KeyError);
  });
});

test("values that are none change nothing; neither does a setMany of which one is bad", () => {
  withShared((shared) => {
    const map = shared.map("map", { key: utf8, value: u32 });
    map.set("a", 1);
    const version = map.getVersion("a");
    for (const value of [-1, 1.5, "1", undefined, null, Number.NaN] as never[]) {
      for (const use of [
        () => map.set("a", value),
        () => map.setIfAbsent("b", value),
        () => map.compareAndSet("a", version, value),
        () =>
          map.setMany([
            ["c", 1],
            ["a", value],
          ]),
      ])
        assert.match(refusal(use, /./), /^ValueError/);
    }
    assert.throws(
      () =>
        map.setMany([
          ["c", 1],
          [4 as never, 2],
        ]),
      KeyError,
    );
    assert.throws(
      () =>
        map.update("a", () => {
          throw new RangeError("mine");
        }),
      /mine/,
    );
    assert.deepEqual([...map], [["a", 1]]);
    assert.equal(map.getVersion("a"), version);
  });
});

test("schemas that are none, or another's", () => {
  withShared((shared) => {
    for (const schema of [undefined, {}, { key: u32 }, { key: "u32", value: u32 }] as never[])
      assert.match(
        refusal(() => shared.map("map", schema), /schema of a map/),
        /ERR_SCHEMA/,
      );
    assert.match(
      refusal(() => shared.map("map", { key: json, value: u32 }), /json is no codec for keys/),
      /ERR_SCHEMA/,
    );
    for (const ttl of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, "5" as never, 400 * 24 * 3600 * 1000]) {
      if (typeof ttl === "number") refusal(() => shared.map("map", { key: u32, value: u32, ttl }), /ttl/);
    }
    for (const maxEntries of [0, -1, 1.5, Number.NaN]) refusal(() => shared.map("map", { key: u32, value: u32, maxEntries }), /maxEntries/);
    assert.deepEqual(shared.stats().structures, []);
    shared.map("map", { key: u32, value: u32 });
    for (const other of [
      { key: u32, value: utf8 },
      { key: utf8, value: u32 },
      { key: u32, value: u32, ttl: 5 },
      { key: u32, value: u32, maxEntries: 5 },
      { key: u32, value: struct({ a: u32 }) },
    ])
      assert.match(
        refusal(() => shared.map("map", other as never), /exists as map\(u32 -> u32\)/),
        /ERR_SCHEMA_MISMATCH/,
      );
    const timed = shared.map("timed", { key: u32, value: u32, ttl: 100 });
    for (const ttl of [0, -1, Number.NaN]) refusal(() => timed.set(1, 1, { ttl }), /ttl/);
    assert.equal(timed.size, 0);
  });
});

test("in a section only reading is allowed; of a closed memory nothing", () => {
  withShared((shared) => {
    const map = shared.map("map", { key: u32, value: u32 });
    map.set(1, 1);
    const updates = [
      () => map.set(1, 2),
      () => map.delete(1),
      () => map.setIfAbsent(2, 2),
      () => map.compareAndSet(1, map.getVersion(1), 2),
      () => map.update(1, () => 2),
      () => map.setMany([[1, 2]]),
      () => map.clear(),
      () => map.snapshot(),
      () => map.check(),
    ];
    map.read(1, () => {
      for (const use of updates) assert.match(refusal(use, /section/), /^ContextError/);
      assert.equal(map.get(1), 1);
      assert.deepEqual([...map], [[1, 1]]);
    });
    assert.equal(map.set(1, 3).get(1), 3);
    shared.close();
    for (const use of [...updates, () => map.get(1), () => map.has(1), () => map.read(1, () => 1), () => [...map]])
      assert.match(refusal(use, /./), /^ClosedError/);
  });
});

test("objects that get() gives cannot be changed; getCopy() gives one that can", () => {
  withShared((shared) => {
    const map = shared.map("map", { key: utf8, value: json });
    map.set("a", { list: [1, { b: 2 }] });
    const got = map.get("a") as { list: [number, { b: number }] };
    assert.equal(map.get("a"), got, "decoded once");
    for (const change of [() => (got.list[0] = 2), () => (got.list[1].b = 3)]) assert.throws(change, TypeError);
    const copy = map.getCopy("a") as typeof got;
    copy.list[1].b = 3;
    assert.deepEqual(map.get("a"), { list: [1, { b: 2 }] });
    map.set("a", { list: [1, { b: 2 }] });
    assert.notEqual(map.get("a"), got, "another state of the entry, though an equal one");
    map.delete("a");
    assert.equal(map.get("a"), undefined);
  });
});

/** Texts whose hashes are equal: of n texts there are about n^2 / 2^33 such pairs. */
function textsOfOneHash(seed: number): string[] {
  const keys = keysOf(utf8, seed);
  const byHash = new Map<number, string>();
  const found: string[] = [];
  for (let n = 0; found.length < 6; n++) {
    const text = `key ${n}`;
    const hash = keys.parse(text);
    const other = byHash.get(hash);
    if (other === undefined) byHash.set(hash, text);
    else found.push(other, text);
  }
  return found;
}

test("keys of equal hashes are different keys, also while the table grows and shrinks", () => {
  const world = new World(100, { caches: 48 });
  const domain = world.domain(SURVIVOR);
  const schema = { key: utf8, value: json };
  const map = openSharedMap(domain, schema);
  const same = textsOfOneHash(seedOfMap(domain, schema));
  for (const [n, key] of same.entries()) map.set(key, { n });
  for (let round = 0; round < 2; round++) {
    for (const [n, key] of same.entries()) assert.deepEqual(map.get(key), { n });
    for (let n = 0; n < 500; n++) map.set(`other ${n}`, n);
    for (const [n, key] of same.entries()) assert.deepEqual(map.get(key), { n });
    for (let n = 0; n < 500; n++) map.delete(`other ${n}`);
  }
  for (let i = 0; i < same.length; i += 2) {
    const [a, b] = [same[i] as string, same[i + 1] as string];
    map.delete(a);
    assert.equal(map.get(a), undefined);
    assert.deepEqual(map.get(b), { n: i + 1 });
    map.set(a, "again");
    assert.equal(map.get(a), "again");
    assert.notEqual(map.getVersion(a), map.getVersion(b));
  }
  assert.equal(sorted(map).length, same.length);
  assert.deepEqual(map.check(), []);
  domain.detach();
});
