/** Pages that only freeing operations may take. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ownLimbo } from "../../check/support/limbo.js";
import { seedOf } from "../../check/support/seed.js";
import { type Address, NULL, type Order, PAGE_BYTES } from "../../src/memory/address.js";
import { KMALLOC_BYTES } from "../../src/memory/heap.js";
import { Reserve } from "../../src/memory/reserve.js";
import { audit } from "../support/audit.js";
import { World } from "../support/world.js";

test("its size: 1/256 of the pages from 2 to 16, one more for each cache, at most a quarter", () => {
  const size = (pages: number, caches: number): number => new Reserve(pages, () => caches).size;
  assert.deepEqual(
    [64, 512, 1024, 4096, 2 ** 20].map((pages) => size(pages, 0)),
    [2, 2, 4, 16, 16],
  );
  assert.equal(size(64, 3), 5);
  assert.equal(size(64, 1000), 16);
  assert.equal(size(2 ** 20, 100), 116);
});

test("allows, available and isShort say the same, for any numbers", () => {
  fc.assert(
    fc.property(fc.integer({ min: 64, max: 5000 }), fc.nat(40), fc.nat(5000), fc.nat(1024), (pages, caches, free, wanted) => {
      const reserve = new Reserve(pages, () => caches);
      assert.equal(reserve.allows(free, wanted), wanted <= free - reserve.size, `${wanted} of ${free}`);
      assert.equal(reserve.available(free), Math.max(0, free - reserve.size));
      assert.equal(reserve.isShort(free), free < reserve.size);
      reserve.use(() => {
        assert.ok(reserve.allows(free, wanted));
        assert.equal(reserve.available(free), free);
      });
      assert.equal(reserve.open, false);
    }),
    { seed: seedOf("reserve"), numRuns: 500 },
  );
});

test("it is open in the outermost call and all within, also when one throws", () => {
  const reserve = new Reserve(64, () => 0);
  assert.throws(() =>
    reserve.use(() => {
      reserve.use(() => {});
      assert.ok(reserve.open);
      throw new Error("of the function");
    }),
  );
  assert.equal(reserve.open, false);
});

test("pages: ordinary requests leave it, of one page and of many, alone and in bulk", () => {
  const { heap } = new World(100).arena(1);
  const size = heap.reservePages;
  const all: Address[] = [];
  assert.equal(heap.allocPagesBulk(heap.pages.free - size + 1), undefined);
  for (let order = 4; order >= 0; order--) {
    for (let block = heap.allocPages(order as Order); block !== NULL; block = heap.allocPages(order as Order)) all.push(block);
  }
  assert.equal(heap.pages.free, size);
  assert.equal(heap.kmalloc(PAGE_BYTES * 3), NULL);
  heap.withReserve(() => {
    for (let i = 0; i < size; i++) all.push(heap.allocPages(0 as Order));
    assert.equal(heap.allocPages(0 as Order), NULL);
  });
  assert.ok(!all.includes(NULL));
  for (const [given, block] of all.splice(-size).entries()) {
    heap.freePages(block);
    assert.equal(heap.pages.free, given + 1, "first of all it comes back");
  }
  assert.equal(heap.allocPages(0 as Order), NULL);
  for (const block of all) heap.freePages(block);
  heap.trim();
  assert.equal(heap.pages.free, heap.pages.all);
});

test("what this thread has in its own list is used before the reserve, and is none of it", () => {
  const { heap } = new World(100).arena(1);
  const all = heap.allocPagesBulk(heap.pages.free - heap.reservePages) ?? [];
  heap.freePages(all.pop() as Address);
  assert.deepEqual([...heap.pageListOf(heap.slot.index)].length, 1);
  const page = heap.withReserve(() => heap.allocPages(0 as Order));
  assert.notEqual(page, NULL);
  assert.equal(heap.pages.free, heap.reservePages);
  const urgent = heap.withReserve(() => heap.allocPages(0 as Order));
  assert.equal(heap.pages.free, heap.reservePages - 1, "of the reserve just what is asked for");
  assert.ok([...heap.pageListOf(heap.slot.index)].length === 0);
  heap.withReserve(() => heap.freePages(urgent));
  assert.equal(heap.pages.free, heap.reservePages, "and back");
  assert.equal(heap.allocPages(0 as Order), NULL);
});

test("no page of it is taken for sheaves", () => {
  const { heap } = new World(100).arena(1);
  const all = heap.allocPagesBulk(heap.pages.free - heap.reservePages) ?? [];
  assert.ok(all.length > 0);
  const object = heap.withReserve(() => heap.kmalloc(64));
  assert.notEqual(object, NULL);
  assert.equal(heap.sheaves.pages, 0);
  assert.equal(heap.pages.free, heap.reservePages - 1);
  heap.kfree(object);
  assert.equal(heap.pages.free, heap.reservePages);
});

for (const bytes of KMALLOC_BYTES.filter((bytes) => bytes <= 256)) {
  test(`objects of ${bytes} bytes: those cut from the reserve serve nobody else until it is whole again`, () => {
    const world = new World(100);
    const empty = audit(world);
    const arena = world.arena(1);
    const { heap } = arena;
    const ordinary: Address[] = [];
    for (let object = heap.kmalloc(bytes); object !== NULL; object = heap.kmalloc(bytes)) ordinary.push(object);
    assert.equal(heap.pages.free, heap.reservePages);
    const urgent: Address[] = [];
    heap.withReserve(() => {
      for (let object = heap.kmalloc(bytes); object !== NULL; object = heap.kmalloc(bytes)) {
        urgent.push(object);
      }
    });
    assert.ok((urgent.length * bytes) / PAGE_BYTES > heap.reservePages / 2, `only ${urgent.length}`);
    assert.equal(heap.pages.free, 0);
    assert.deepEqual(arena.check(), []);
    assert.equal(heap.kmalloc(bytes), NULL);
    // They are in this thread's magazine, which is its own, and in the slabs: of those nobody gets any.
    for (const object of urgent) heap.kfree(object);
    arena.detach();
    const other = world.arena(2);
    for (let object = other.heap.kmalloc(bytes); object !== NULL; object = other.heap.kmalloc(bytes)) ordinary.push(object);
    assert.ok(other.heap.pages.free >= other.heap.reservePages, "whole again");
    assert.deepEqual(other.check(), []);
    for (const object of ordinary) other.heap.kfree(object);
    other.detach();
    assert.deepEqual(audit(world), empty);
  });
}

test("one object of the reserve, and the rest of its slab is not for others", () => {
  const { heap } = new World().arena(1);
  const pages: Address[] = [];
  for (let page = heap.allocPages(0 as Order); page !== NULL; page = heap.allocPages(0 as Order)) pages.push(page);
  assert.equal(heap.kmalloc(64), NULL);
  const urgent = heap.withReserve(() => heap.kmalloc(64));
  assert.notEqual(urgent, NULL);
  assert.equal(heap.kmalloc(64), NULL, "the slab has room, but is of the reserve");
  heap.kfree(urgent);
  assert.equal(heap.pages.free, heap.reservePages, "it comes back when it is free, and no magazine keeps any of it");
  assert.equal(heap.kmalloc(64), NULL);
  assert.notEqual(
    heap.withReserve(() => heap.kmalloc(64)),
    NULL,
  );
  heap.freePages(pages.pop() as Address);
  assert.equal(heap.pages.free, heap.reservePages);
  assert.notEqual(heap.kmalloc(64), NULL, "the reserve is whole again: now the slab is anybody's");
  assert.equal(heap.pages.free, heap.reservePages);
});

test("what is retired comes back to it first, without anybody asking", () => {
  const { heap } = new World().arena(1);
  for (let page = heap.allocPages(0 as Order); page !== NULL; page = heap.allocPages(0 as Order));
  ownLimbo(heap).push(
    0,
    heap.withReserve(() => heap.kmalloc(64)),
  );
  assert.equal(heap.pages.free, heap.reservePages - 1);
  ownLimbo(heap).release(0);
  assert.equal(heap.pages.free, heap.reservePages, "not kept as a spare slab");
});
