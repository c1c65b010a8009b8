/** The interval map in one thread: extremes, refusals, views, order of insertion. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { openMap } from "../../check/support/open-map.js";
import type { IntervalMap } from "../../src/structures/interval-map.js";
import { u16, u32 } from "../../src/values/scalars.js";
import { struct } from "../../src/values/struct.js";
import { utf8 } from "../../src/values/utf8.js";
import { refusal } from "../support/refusal.js";
import { flush, World } from "../support/world.js";

const TOP32 = 2 ** 32 - 1;
const TOP128 = 2n ** 128n - 1n;

test("the least and the greatest keys of u32", () => {
  const domain = new World(16).domain(1);
  const map = openMap(domain, { bounds: "u32", value: u16 });
  map.set(0, TOP32, 1);
  assert.deepEqual([...map.entries()], [[0, TOP32, 1]]);
  map.set(0, 0, 2);
  map.set(TOP32, TOP32, 3);
  assert.deepEqual(
    [...map.entries()],
    [
      [0, 0, 2],
      [1, TOP32 - 1, 1],
      [TOP32, TOP32, 3],
    ],
  );
  assert.deepEqual([map.get(0), map.get(1), map.get(TOP32 - 1), map.get(TOP32)], [2, 1, 1, 3]);
  assert.deepEqual([...map.entries(TOP32)], [[TOP32, TOP32, 3]]);
  assert.deepEqual([...map.entries(0, 0)], [[0, 0, 2]]);
  map.set(1, TOP32, 2);
  assert.deepEqual([...map.entries()], [[0, TOP32, 2]]);
  assert.equal(map.delete(2 ** 31, 2 ** 31), true);
  assert.deepEqual(
    [...map.entries()],
    [
      [0, 2 ** 31 - 1, 2],
      [2 ** 31 + 1, TOP32, 2],
    ],
  );
  assert.equal(map.delete(0, TOP32), true);
  assert.equal(map.delete(0, TOP32), false);
  assert.equal(map.size, 0);
  assert.deepEqual(map.check(), []);
});

test("the least and the greatest keys of u128, and carries between its words", () => {
  const domain = new World(16).domain(1);
  const map = openMap(domain, { bounds: "u128", value: u16 });
  map.set(0n, TOP128, 1);
  for (const bits of [32n, 64n, 96n]) map.set(2n ** bits, 2n ** bits, 7);
  assert.deepEqual(
    [...map.entries()],
    [
      [0n, 2n ** 32n - 1n, 1],
      [2n ** 32n, 2n ** 32n, 7],
      [2n ** 32n + 1n, 2n ** 64n - 1n, 1],
      [2n ** 64n, 2n ** 64n, 7],
      [2n ** 64n + 1n, 2n ** 96n - 1n, 1],
      [2n ** 96n, 2n ** 96n, 7],
      [2n ** 96n + 1n, TOP128, 1],
    ],
  );
  for (const bits of [32n, 64n, 96n]) map.set(2n ** bits, 2n ** bits, 1);
  assert.deepEqual([...map.entries()], [[0n, TOP128, 1]]);
  map.set(new Uint32Array([~0, ~0, ~0, ~0]), TOP128, 9);
  assert.equal(map.get(new Uint32Array([~0, ~0, ~0, ~0])), 9);
  assert.equal(map.get(TOP128 - 1n), 1);
  const lo = new Uint32Array(4);
  map.at(TOP128, (view) => view.copyLo(lo));
  assert.deepEqual([...lo], [TOP32, TOP32, TOP32, TOP32]);
  assert.deepEqual(map.check(), []);
});

test("keys that are none are refused, and nothing has changed", () => {
  const domain = new World(16).domain(1);
  const small = openMap(domain, { bounds: "u32", value: u16 }, "small") as unknown as IntervalMap<"u32", number> &
    Record<string, (...keys: unknown[]) => unknown>;
  const large = openMap(domain, { bounds: "u128", value: u16 }, "large") as unknown as IntervalMap<"u128", number> &
    Record<string, (...keys: unknown[]) => unknown>;
  small.set(5, 9, 1);
  large.set(5n, 9n, 1);
  for (const key of [Number.NaN, -1, 1.5, 2 ** 32, Number.POSITIVE_INFINITY, "5", null, undefined, {}, true, 5n]) {
    const says = /u32 key is a whole number from 0 to 4294967295; got /;
    assert.equal(
      refusal(() => small.get(key as number), says),
      "KeyError ERR_KEY",
      `get(${String(key)})`,
    );
    assert.equal(
      refusal(() => small.has(key as number), says),
      "KeyError ERR_KEY",
    );
    assert.equal(
      refusal(() => small.at(key as number, () => 1), says),
      "KeyError ERR_KEY",
    );
    assert.equal(
      refusal(() => small.set(key as number, 7, 2), says),
      "KeyError ERR_KEY",
    );
    assert.equal(
      refusal(() => small.set(3, key as number, 2), says),
      "KeyError ERR_KEY",
    );
    assert.equal(
      refusal(() => small.delete(key as number, 7), says),
      "KeyError ERR_KEY",
    );
    assert.equal(
      refusal(
        () =>
          small.load([
            [1, 2, 3],
            [key as number, 7, 3],
          ]),
        says,
      ),
      "KeyError ERR_KEY",
    );
    if (key !== undefined)
      assert.equal(
        refusal(() => [...small.entries(key as number)], says),
        "KeyError ERR_KEY",
      );
  }
  for (const key of [-1n, 2n ** 128n, 5, "5", null, undefined, new Uint32Array(3), new Uint32Array(5), [0, 0, 0, 1]]) {
    const says = /u128 key .*; got /;
    assert.equal(
      refusal(() => large.get(key as bigint), says),
      "KeyError ERR_KEY",
      `get(${String(key)})`,
    );
    assert.equal(
      refusal(() => large.set(3n, key as bigint, 2), says),
      "KeyError ERR_KEY",
    );
    assert.equal(
      refusal(() => large.delete(key as bigint, 7n), says),
      "KeyError ERR_KEY",
    );
  }
  assert.equal(
    refusal(() => small.set(9, 8, 2), /got 9 to 8/),
    "KeyError ERR_RANGE",
  );
  assert.equal(
    refusal(() => small.delete(9, 8), /got 9 to 8/),
    "KeyError ERR_RANGE",
  );
  assert.equal(
    refusal(() => [...small.entries(9, 8)], /got 9 to 8/),
    "KeyError ERR_RANGE",
  );
  assert.equal(
    refusal(() => small.load([[9, 8, 2]]), /got 9 to 8/),
    "KeyError ERR_RANGE",
  );
  assert.equal(
    refusal(() => large.set(2n ** 64n, 2n ** 64n - 1n, 2), /got 18446744073709551616 to 18446744073709551615/),
    "KeyError ERR_RANGE",
  );
  assert.deepEqual([...small.entries()], [[5, 9, 1]]);
  assert.deepEqual([...large.entries()], [[5n, 9n, 1]]);
});

test("values that are none are refused, and nothing has changed", () => {
  const domain = new World(16).domain(1);
  const numbers = openMap(domain, { bounds: "u32", value: u16 }, "numbers");
  const texts = openMap(domain, { bounds: "u32", value: utf8 }, "texts");
  const records = openMap(domain, { bounds: "u32", value: struct({ country: u16, version: u32 }) }, "records");
  numbers.set(5, 9, 1);
  for (const value of [-1, 65536, 1.5, Number.NaN, "1", null, undefined, 1n, {}]) {
    assert.equal(
      refusal(() => numbers.set(1, 7, value as number), /u16 is a whole number from 0 to 65535; got /),
      "ValueError ERR_VALUE_TYPE",
    );
    assert.equal(
      refusal(
        () =>
          numbers.load([
            [1, 7, 1],
            [8, 8, value as number],
          ]),
        /u16/,
      ),
      "ValueError ERR_VALUE_TYPE",
    );
  }
  assert.equal(
    refusal(() => texts.set(1, 7, "\ud800"), /lone surrogate/),
    "ValueError ERR_VALUE_TYPE",
  );
  assert.equal(
    refusal(() => texts.set(1, 7, "x".repeat(2 ** 22)), /at most 4194300 bytes; got one of 4194304/),
    "ValueError ERR_VALUE_TOO_LARGE",
  );
  assert.equal(
    refusal(() => records.set(1, 7, { country: 1 } as never), /field version: .*got undefined/),
    "ValueError ERR_VALUE_TYPE",
  );
  assert.deepEqual([...numbers.entries(), ...texts.entries(), ...records.entries()], [[5, 9, 1]]);
});

test("an update in a read-side section, or after the thread has left, is refused", () => {
  const domain = new World(16).domain(1);
  const map = openMap(domain, { bounds: "u32", value: u16 });
  map.set(5, 9, 1);
  domain.read(() => {
    for (const update of [() => map.set(1, 2, 3), () => map.delete(5, 9), () => map.clear(), () => map.load([]), () => map.compact()]) {
      assert.equal(refusal(update, /in a read-side section/), "ContextError ERR_IN_SECTION");
    }
  });
  map.at(7, () =>
    assert.equal(
      refusal(() => map.set(7, 7, 2), /in a read-side section/),
      "ContextError ERR_IN_SECTION",
    ),
  );
  assert.deepEqual([...map.entries()], [[5, 9, 1]]);
  domain.detach();
  for (const use of [() => map.set(1, 2, 3), () => map.get(5), () => map.has(5), () => map.at(5, () => 1), () => [...map.entries()], () => map.check()]) {
    assert.equal(refusal(use, /was closed in this thread/), "ClosedError ERR_CLOSED");
  }
});

test("a view ends with its callback", () => {
  const domain = new World(16).domain(1);
  const map = openMap(domain, { bounds: "u32", value: struct({ country: u16, version: u32 }) });
  map.set(5, 9, { country: 1, version: 2 });
  const keep = map.at(6, (view) => ({ view, value: view.value }));
  assert.ok(keep !== undefined);
  for (const use of [
    () => keep.view.lo,
    () => keep.view.hi,
    () => keep.view.value,
    () => keep.view.copyLo(new Uint32Array(4)),
    () => keep.view.copyHi(new Uint32Array(4)),
  ]) {
    assert.equal(refusal(use, /after its callback had ended/), "KeyError ERR_VIEW_ENDED");
  }
  assert.equal(
    refusal(() => keep.value.country, /after its callback had ended/),
    "QuiesceError ERR_VIEW_ENDED",
  );
  // As also when it threw.
  let thrown: unknown;
  assert.throws(
    () =>
      map.at(6, (view) => {
        thrown = view;
        throw new Error("mine");
      }),
    /mine/,
  );
  assert.equal(
    refusal(() => (thrown as { lo: number }).lo, /after its callback had ended/),
    "KeyError ERR_VIEW_ENDED",
  );
  assert.equal(domain.readLockHeld, false);
  assert.equal(
    map.at(4, () => assert.fail("nothing covers 4")),
    undefined,
  );
});

test("views of nested lookups do not disturb each other", () => {
  const domain = new World(16).domain(1);
  const map = openMap(domain, { bounds: "u32", value: struct({ country: u16 }) });
  for (let i = 0; i < 5; i++) map.set(i * 10, i * 10 + 4, { country: i });
  const seen = map.at(0, (outer) => {
    const value = outer.value;
    const inner = map.at(10, (middle) => map.at(20, (most) => [middle.lo, most.lo, middle.value.country, most.value.country]));
    return [outer.lo, value.country, ...(inner ?? [])];
  });
  assert.deepEqual(seen, [0, 0, 10, 20, 1, 2]);
});

test("entries() shows each range once, though ranges are joined, split and moved between its steps", () => {
  const domain = new World(64).domain(1);
  const map = openMap(domain, { bounds: "u32", value: u16 });
  for (let i = 0; i < 50; i++) map.set(i * 10, i * 10 + 4, i % 3);
  const seen: [number, number, number][] = [];
  for (const entry of map.entries()) {
    seen.push(entry);
    const [lo, hi] = entry;
    if (lo === 100) map.set(90, 112, 9); // joined to what was shown
    if (lo === 200) map.delete(lo, hi);
    if (lo === 300) map.clear();
    if (lo === 300) map.set(350, 360, 5);
  }
  for (const [i, [lo, hi]] of seen.entries()) {
    assert.ok(lo <= hi);
    if (i > 0) assert.ok(lo > (seen[i - 1] as [number, number, number])[1], "ascending and without overlap");
  }
  assert.deepEqual(
    seen.slice(0, 11).map(([lo]) => lo),
    [0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100],
  );
  assert.deepEqual(seen.slice(11, 13), [
    [105, 112, 9],
    [113, 114, 2],
  ]);
  assert.deepEqual(seen.at(-1), [350, 360, 5]);
});

test("a range keeps its value's block when it is trimmed, and gives it back when it goes", () => {
  const domain = new World(16).domain(1);
  const map = openMap(domain, { bounds: "u32", value: utf8 });
  const used = (): number => domain.arena.heap.ownedBy(-0x10000).length;
  map.set(0, 99, "one");
  assert.equal(used(), 1);
  map.set(90, 95, "two");
  assert.equal(used(), 3); // the part after it has a copy
  map.set(0, 10, "two");
  assert.deepEqual(
    [...map.entries()],
    [
      [0, 10, "two"],
      [11, 89, "one"],
      [90, 95, "two"],
      [96, 99, "one"],
    ],
  );
  map.delete(50, 99);
  flush(domain);
  assert.equal(used(), 2);
  map.clear();
  flush(domain);
  assert.equal(used(), 0);
  assert.deepEqual(map.check(), []);
});
