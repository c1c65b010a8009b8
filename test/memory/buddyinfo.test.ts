/** How the free pages lie, against what the kernel's formulas give. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Random, seedOf } from "../../check/support/seed.js";
import { type Address, MAX_ORDER, NULL, type Order } from "../../src/memory/address.js";
import { buddyInfo, formatBuddyInfo } from "../../src/memory/buddyinfo.js";
import { World } from "../support/world.js";

const ORDERS = Array.from({ length: MAX_ORDER + 1 }, (_, order) => order);

/** In whole thousandths, rounded down at each step, as the kernel reckons. */
function inThousandths(blocks: readonly number[]): { unusable: number[]; extfrag: number[] } {
  const ofOrder = (suitable: number) => {
    let [freePages, freeBlocks, suitableBlocks] = [0, 0, 0];
    for (const order of ORDERS) {
      freeBlocks += blocks[order] as number;
      freePages += (blocks[order] as number) << order;
      if (order >= suitable) suitableBlocks += (blocks[order] as number) << (order - suitable);
    }
    const requested = 1 << suitable;
    const unusable = freePages === 0 ? 1000 : Math.trunc(((freePages - (suitableBlocks << suitable)) * 1000) / freePages);
    const extfrag =
      freeBlocks === 0 ? 0 : suitableBlocks > 0 ? -1000 : Math.max(0, 1000 - Math.trunc((1000 + Math.trunc((freePages * 1000) / requested)) / freeBlocks));
    return { unusable, extfrag };
  };
  const all = ORDERS.map(ofOrder);
  return { unusable: all.map(({ unusable }) => unusable), extfrag: all.map(({ extfrag }) => extfrag) };
}

test("the kernel's figures, to a thousandth, for any free blocks", () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.constant(0), fc.nat(50)), { minLength: MAX_ORDER + 1, maxLength: MAX_ORDER + 1 }), (blocks) => {
      const expected = inThousandths(blocks);
      const info = buddyInfo(blocks, 1_000_000);
      for (const order of ORDERS) {
        assert.ok(Math.abs((info.unusable[order] as number) * 1000 - (expected.unusable[order] as number)) <= 1, `unusable ${order}`);
        assert.ok(Math.abs((info.extfrag[order] as number) * 1000 - (expected.extfrag[order] as number)) <= 2, `extfrag ${order}`);
      }
    }),
    { seed: seedOf("buddyinfo"), numRuns: 500 },
  );
});

test("of an arena: whole, scattered, full", () => {
  const random = new Random(seedOf("buddyinfo of an arena"));
  const { heap } = new World(1000).arena(1);
  const start = heap.buddyinfo();
  assert.deepEqual(start.blocks, heap.pages.freeBlocks());
  assert.equal(start.freePages, heap.pages.all);
  assert.equal(start.unusable[0], 0);
  assert.ok(start.extfrag.slice(0, start.largestOrder + 1).every((index) => index === -1));

  const taken: Address[] = [];
  for (let page = heap.allocPages(0 as Order); page !== NULL; page = heap.allocPages(0 as Order)) taken.push(page);
  heap.trim();
  const left = heap.buddyinfo();
  assert.equal(left.freePages, heap.pages.all - taken.length);
  // Every other page: much is free, and no two side by side.
  const scattered = taken.filter((page) => (page >>> 10) % 2 === 0);
  for (const page of scattered) heap.freePages(page);
  heap.trim();
  const info = heap.buddyinfo();
  assert.equal(info.freePages, left.freePages + scattered.length);
  assert.equal(info.unusable[0], 0);
  assert.ok((info.unusable[5] as number) > 0.9);
  assert.ok((info.extfrag[5] as number) > 0.9, "memory is there, in pieces");
  for (const page of taken) if (!scattered.includes(page) && random.below(2) === 0) heap.freePages(page);
  assert.equal(
    heap.buddyinfo().blocks.reduce((sum, count, order) => sum + count * 2 ** order, 0),
    heap.pages.free,
  );
});

test("nothing free, one page free", () => {
  const none = buddyInfo(new Array(MAX_ORDER + 1).fill(0), 64);
  assert.equal(none.largestOrder, -1);
  assert.deepEqual(new Set(none.unusable), new Set([1]));
  assert.deepEqual(new Set(none.extfrag), new Set([0]));
  const one = buddyInfo([1, ...new Array(MAX_ORDER).fill(0)], 64);
  assert.equal(one.largestOrder, 0);
  assert.deepEqual(one.unusable, [0, ...new Array(MAX_ORDER).fill(1)]);
  assert.deepEqual(one.extfrag, [-1, ...new Array(MAX_ORDER).fill(0)]);
});

test("as text: a column for each order", () => {
  const text = formatBuddyInfo(buddyInfo([1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 12], 20_000));
  const [order, free, unusable, extfrag, sum] = text.split("\n");
  assert.match(order as string, /^order +0 +1 +2 +3 +4 +5 +6 +7 +8 +9 +10$/);
  assert.match(free as string, /^free +1 +1 +1 +1 +0 +0 +0 +0 +0 +0 +12$/);
  assert.match(unusable as string, /^unusable +0\.000 +0\.000 /);
  assert.match(extfrag as string, /^extfrag +(-1\.000 *){11}$/);
  assert.equal(sum, "12303 of 20000 pages of 4096 bytes free");
  assert.equal(new Set([order, free, unusable, extfrag].map((line) => line?.length)).size, 1, "columns stand under each other");
});
