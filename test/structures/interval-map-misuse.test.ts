/** What a review tried: stack overflows, reused objects, spread views, closing from a callback, codecs that read other maps. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { codec, type FixedCodec, type IntervalMap, Shared, struct, u16, u32 } from "../../src/index.js";
import { FLAVORS, type FlavorName } from "../../src/rcu/flavors/flavor.js";

const MEGABYTES = 2 ** 20;
const overflow = (fn: () => void): void => assert.throws(fn, RangeError);
const deep = (fn: () => void): void => {
  // Reaches `fn` with less and less stack left, until it fails.
  const descend = (): void => {
    descend();
    fn();
  };
  overflow(() => {
    const again = (): void => {
      fn();
      again();
    };
    again();
    descend();
  });
};

function overflowInAt(flavor: FlavorName): void {
  const shared = Shared.create({ bytes: 4 * MEGABYTES, flavor });
  const map = shared.intervalMap("map", { bounds: "u32", value: u16 });
  map.set(0, 9, 1);
  const f = (): unknown => map.at(5, () => f());
  overflow(f);
  assert.equal(shared.domain.readLockHeld, false);
  map.set(0, 9, 2);
  assert.equal(
    map.at(5, (view) => view.value),
    2,
  );
  assert.deepEqual(shared.check(), []);
  shared.close();
}

async function overflowInSet(flavor: FlavorName, rounds: number): Promise<void> {
  const shared = Shared.create({ bytes: 16 * MEGABYTES, flavor });
  const map = shared.intervalMap("map", { bounds: "u32", value: u32 });
  let n = 0;
  for (let round = 0; round < rounds; round++) {
    deep(() => {
      n = (n + 7919) % 100_000;
      map.set(n * 10, n * 10 + 5, n);
    });
  }
  map.set(0, 0, 1);
  await shared.domain.synchronize();
  assert.deepEqual(shared.check(), []);
  for (const [lo, , value] of map) if (value > 1) assert.equal(value, Math.floor(lo / 10));
  shared.close();
}

test("load() takes copies: one object may be used for every row", () => {
  const shared = Shared.create({ bytes: 4 * MEGABYTES });
  const map = shared.intervalMap("map", { bounds: "u32", value: struct({ hop: u16 }) });
  const row = { hop: 0 };
  map.load(
    (function* () {
      for (row.hop = 0; row.hop < 5; row.hop++) yield [row.hop * 10, row.hop * 10 + 9, row] as const;
    })(),
  );
  assert.equal(map.size, 5);
  assert.deepEqual(map.get(33), { hop: 3 });
  shared.close();
});

test("a struct's view can be spread and printed like an object", () => {
  const shared = Shared.create({ bytes: 4 * MEGABYTES });
  const map = shared.intervalMap("map", { bounds: "u32", value: struct({ hop: u16, metric: u32 }) });
  map.set(1, 2, { hop: 3, metric: 4 });
  assert.deepEqual(
    map.at(1, (view) => ({ ...view.value })),
    { hop: 3, metric: 4 },
  );
  assert.equal(
    map.at(1, (view) => JSON.stringify(view.value)),
    '{"hop":3,"metric":4}',
  );
  shared.close();
});

test("a callback may close the shared memory it was registered with", async () => {
  const shared = Shared.create({ bytes: 4 * MEGABYTES });
  await new Promise<void>((resolve) => {
    shared.domain.call(() => {
      shared.domain.call(() => {});
      shared.close();
      resolve();
    });
  });
  await new Promise((resolve) => setTimeout(resolve, 50)); // an unhandled rejection would fail the run
});

function readInCodec(flavor: FlavorName): void {
  const shared = Shared.create({ bytes: 4 * MEGABYTES, flavor });
  const other = shared.intervalMap("other", { bounds: "u32", value: u16 });
  let open = true;
  const nosy: FixedCodec<number> = {
    ...u16,
    name: "nosy",
    read(memory, address) {
      for (let i = 0; i < 100; i++) other.has(i);
      open &&= shared.domain.readLockHeld;
      return u16.read(memory, address);
    },
  };
  const map = shared.intervalMap("map", { bounds: "u32", value: nosy });
  map.set(1, 1, 1);
  assert.equal(map.get(1), 1);
  assert.deepEqual([...map], [[1, 1, 1]]);
  assert.ok(open);
  shared.close();
}

function throwInCodec(flavor: FlavorName): void {
  const shared = Shared.create({ bytes: 4 * MEGABYTES, flavor });
  const thrown = new Error("of the user's codec");
  let decodes = true;
  const brittle = codec<number>({
    name: "brittle",
    encode(value) {
      if (value < 0) throw thrown;
      if (value === 9) map.set(100, 109, 1); // it runs before the lock is taken
      return Uint8Array.of(value);
    },
    decode([value = 0]) {
      if (!decodes) throw thrown;
      return value;
    },
  });
  const map: IntervalMap<"u32", number> = shared.intervalMap("map", { bounds: "u32", value: brittle });
  map.set(0, 9, 3);
  const is = (error: unknown): boolean => error === thrown;
  const used = shared.stats().bytes.used;
  for (const failing of [() => map.set(5, 6, -1), () => map.load([[1, 2, 3] as const, [3, 4, -1] as const])]) assert.throws(failing, is);
  assert.equal(shared.stats().bytes.used, used);
  decodes = false;
  for (const failing of [() => map.get(5), () => map.at(5, ({ value }) => value), () => [...map]]) assert.throws(failing, is);
  assert.equal(shared.domain.readLockHeld, false);
  // What needs no decoding goes on: splitting an entry, laying the map out anew, looking at it.
  map.delete(4, 5);
  map.compact();
  assert.deepEqual(map.check(), []);
  decodes = true;
  map.set(4, 4, 9);
  assert.deepEqual(
    [...map],
    [
      [0, 3, 3],
      [4, 4, 9],
      [6, 9, 3],
      [100, 109, 1],
    ],
  );
  shared.close();
}

for (const flavor of FLAVORS) {
  test(`${flavor}: what a codec's own functions throw reaches the caller, and the map is as before`, () => throwInCodec(flavor));
  test(`${flavor}: a stack overflow inside at() leaves no section open`, () => overflowInAt(flavor));
  test(`${flavor}: a stack overflow inside set() leaves a map that the next update makes whole`, () => overflowInSet(flavor, flavor === "event-loop" ? 20 : 6));
  test(`${flavor}: a codec that reads another map does not end the section it is called in`, () => readInCodec(flavor));
}

test("schemas, sequences and workers that cannot be are refused by name", () => {
  const shared = Shared.create({ bytes: 4 * MEGABYTES });
  // @ts-expect-error no such bounds
  assert.throws(() => shared.intervalMap("x", { bounds: "ipv4", value: u16 }), { code: "ERR_SCHEMA" });
  // @ts-expect-error no schema
  assert.throws(() => shared.intervalMap("x"), { code: "ERR_SCHEMA" });
  assert.throws(() => shared.intervalMap("\ud800", { bounds: "u32", value: u16 }), { code: "ERR_NAME" });
  assert.throws(() => shared.watch({ threadId: -1, on: () => {}, off: () => {} }), { code: "ERR_WORKER" });
  for (const firstSequence of [1.5, Number.NaN]) assert.throws(() => Shared.create({ bytes: 4 * MEGABYTES, firstSequence }), { code: "ERR_ARENA_OPTIONS" });
  shared.close();
});
