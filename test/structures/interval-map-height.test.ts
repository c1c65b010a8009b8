/** The tree stays low: at most 2.41 log2(n + 1) nodes on any path, whatever the order of insertion. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Shared } from "../../src/shared/shared.js";
import { u32 } from "../../src/values/scalars.js";

const bound = (n: number): number => 2.41 * Math.log2(n + 1);

function heightAfter(count: number, order: (i: number) => number): void {
  const shared = Shared.create({ bytes: 8 * 2 ** 20 + count * 48 });
  const map = shared.intervalMap("ranges", { bounds: "u32", value: u32 });
  for (let i = 0; i < count; i++) {
    const n = order(i);
    map.set(n * 2, n * 2, n);
  }
  assert.equal(map.size, count);
  const height = map.height();
  assert.ok(height <= bound(count), `${height} is above ${bound(count)}`);
  assert.ok(height >= Math.log2(count + 1));
  if (count <= 100_000) assert.deepEqual(map.check(), []); // more would take long
  shared.close();
}

test("a million ascending sets", () => heightAfter(1_000_000, (i) => i));
test("descending sets", () => heightAfter(100_000, (i) => 99_999 - i));
test("sets from both ends inwards", () => heightAfter(50_000, (i) => (i % 2 === 0 ? i / 2 : 49_999 - (i - 1) / 2)));

test("deleting from one end, and from the middle, keeps it low", () => {
  const shared = Shared.create({ bytes: 16 * 2 ** 20 });
  const map = shared.intervalMap("ranges", { bounds: "u32", value: u32 });
  for (const [i, cut] of [0, 9, 4].entries()) {
    map.load(Array.from({ length: 10_000 }, (_, n) => [n * 2, n * 2, n + i] as const));
    assert.ok(map.height() <= Math.ceil(Math.log2(10_001)), "a loaded map is as low as can be");
    for (let n = 0; n < 9_000; n++) {
      const at = cut === 0 ? n : cut === 9 ? 9_999 - n : 500 + n;
      assert.equal(map.delete(at * 2, at * 2), true);
      if (n % 1000 === 0) assert.deepEqual(map.check(), []);
    }
    assert.ok(map.height() <= bound(1000));
    assert.deepEqual(map.check(), []);
  }
  shared.close();
});
