/** The buddy allocator. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ownLimbo, retireInto } from "../../check/support/limbo.js";
import { seedOf } from "../../check/support/seed.js";
import { type Address, MAX_ORDER, NULL, type Order, PAGE_BYTES, PAGE_WORDS } from "../../src/memory/address.js";
import type { Arena } from "../../src/memory/arena.js";
import { DoubleFreeError, InvalidAddressError, InvalidSizeError } from "../../src/memory/errors.js";
import type { Heap } from "../../src/memory/heap.js";
import { PageKind } from "../../src/memory/pages.js";
import { World } from "../support/world.js";

const fresh = (extraPages = 0): Arena => new World(extraPages).arena(1);

/** No two free buddies of one order; free and handed out blocks make up all pages. Told from the page table alone. */
function examine({ heap }: Arena, handedOut: ReadonlyMap<Address, number>): void {
  const { pages } = heap;
  settled(heap);
  const seen = new Map<number, { kind: number; order: number }>();
  let total = 0;
  for (const { page, kind, order } of pages.walk()) {
    assert.equal(page % (1 << order), 0, `block ${page} of order ${order} is not aligned`);
    seen.set(page, { kind, order });
    total += 1 << order;
  }
  assert.equal(total, pages.all);
  for (const [page, { kind, order }] of seen) {
    if (kind !== PageKind.FREE) {
      assert.equal(handedOut.get((page * PAGE_WORDS) as Address), order, `block ${page}`);
      continue;
    }
    const buddy = seen.get(page ^ (1 << order));
    assert.ok(order === MAX_ORDER || buddy?.kind !== PageKind.FREE || buddy.order !== order, `free buddies at ${page}`);
  }
  let out = 0;
  for (const order of handedOut.values()) out += 1 << order;
  assert.equal(pages.free + out, pages.all);
}

/** Free blocks of each order, once the pages in the slot's own list are back. */
function settled(heap: Heap): number[] {
  heap.trim();
  return heap.pages.freeBlocks();
}

const steps = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ take: fc.oneof({ weight: 6, arbitrary: fc.nat(3) }, { weight: 1, arbitrary: fc.nat(MAX_ORDER) }) }) },
    { weight: 4, arbitrary: fc.record({ give: fc.nat() }) },
    { weight: 1, arbitrary: fc.record({ bulk: fc.nat(40) }) },
  ),
  { maxLength: 200, size: "max" },
);

test("after any sequence: aligned, no two free buddies, nothing lost, and as at the start once all is free", () => {
  fc.assert(
    fc.property(steps, fc.nat(1100), (sequence, extra) => {
      const arena = fresh(extra);
      const { heap } = arena;
      const start = heap.pages.freeBlocks();
      const held = new Map<Address, number>();
      const overlaps = (address: Address, order: number): boolean =>
        [...held].some(([other, its]) => address < other + (PAGE_WORDS << its) && other < address + (PAGE_WORDS << order));
      for (const step of sequence) {
        if ("take" in step) {
          const before = settled(heap);
          const block = heap.allocPages(step.take as Order);
          if (block === NULL) {
            settled(heap);
            const left = heap.pages.free - 2 ** step.take;
            assert.ok(left < heap.reservePages || !before.some((count, order) => order >= step.take && count > 0), "refused, though there is a block");
            assert.deepEqual(settled(heap), before, "a refusal changes nothing");
          } else {
            assert.equal((block / PAGE_WORDS) % (1 << step.take), 0);
            assert.ok(!overlaps(block, step.take));
            held.set(block, step.take);
          }
        } else if ("bulk" in step) {
          settled(heap);
          const before = heap.pages.free;
          const blocks = heap.allocPagesBulk(step.bulk);
          const refused = step.bulk > Math.max(0, before - heap.reservePages);
          assert.equal(blocks === undefined, refused, "all, or none when there are not so many");
          assert.equal(heap.pages.free, before - (blocks?.length ?? 0));
          for (const block of blocks ?? []) {
            assert.ok(!overlaps(block, 0));
            held.set(block, 0);
          }
        } else if (held.size > 0) {
          const block = [...held.keys()][step.give % held.size] as Address;
          heap.freePages(block);
          held.delete(block);
          assert.throws(
            () => heap.freePages(block),
            (error) => error instanceof DoubleFreeError || error instanceof InvalidAddressError,
          );
        }
      }
      examine(arena, held);
      assert.deepEqual(arena.check(), []);
      assert.ok(heap.pages.free >= heap.reservePages);
      for (const block of held.keys()) heap.freePages(block);
      assert.deepEqual(settled(heap), start);
      assert.deepEqual(arena.check(), []);
    }),
    { seed: seedOf("pages"), numRuns: 120 },
  );
});

test("every order, down to the last block, and a refusal that changes nothing", () => {
  for (let order = 0; order <= MAX_ORDER; order++) {
    const arena = fresh(2500);
    const { heap } = arena;
    const start = heap.pages.freeBlocks();
    const blocks: Address[] = [];
    const take = (): Address => heap.withReserve(() => heap.allocPages(order as Order));
    for (let block = take(); block !== NULL; block = take()) {
      assert.equal((block / PAGE_WORDS) % (1 << order), 0);
      assert.equal(heap.usableBytes(block), PAGE_BYTES << order);
      blocks.push(block);
    }
    assert.equal(new Set(blocks).size, blocks.length);
    assert.ok(blocks.length >= Math.floor(2500 / 2 ** order) - 1);
    const left = heap.pages.freeBlocks();
    assert.ok(left.slice(order).every((count) => count === 0));
    assert.deepEqual(heap.pages.freeBlocks(), left);
    assert.deepEqual(arena.check(), []);
    // In an order that is neither that of taking nor its reverse.
    for (const [i, block] of blocks.entries()) if (i % 2 === 0) heap.freePages(block);
    for (const [i, block] of blocks.entries()) if (i % 2 === 1) heap.freePages(block);
    assert.deepEqual(settled(heap), start);
  }
});

test("orders and counts that are none are refused", () => {
  const { heap } = fresh();
  for (const order of [-1, 11, 1.5, Number.NaN, "1"]) {
    assert.throws(
      () => heap.allocPages(order as Order),
      (error: unknown) =>
        error instanceof InvalidSizeError && error.code === "ERR_INVALID_SIZE" && error.message.includes(`from 0 to 10; got ${String(order)}`),
    );
  }
  for (const count of [-1, 1.5, Number.NaN]) assert.throws(() => heap.allocPagesBulk(count), InvalidSizeError);
  assert.deepEqual(heap.allocPagesBulk(0), []);
});

test("a block is given back once, by its first address", () => {
  const arena = fresh();
  const { heap } = arena;
  const before = heap.pages.freeBlocks();
  const block = heap.allocPages(2 as Order);
  const neighbour = heap.allocPages(0 as Order);
  const wrong = (address: number): void => {
    assert.throws(
      () => heap.freePages(address as Address),
      (error: unknown) =>
        (error instanceof InvalidAddressError && error.code === "ERR_INVALID_ADDRESS") ||
        (error instanceof DoubleFreeError && error.code === "ERR_DOUBLE_FREE"),
      `freePages(${address})`,
    );
  };
  const { layout } = arena;
  for (const address of [
    block + PAGE_WORDS,
    block + 3 * PAGE_WORDS,
    block + 1,
    block - 1,
    0,
    1,
    PAGE_WORDS,
    layout.pageTable,
    (layout.firstPage - 1) * PAGE_WORDS,
    layout.pages * PAGE_WORDS,
    (layout.pages + 7) * PAGE_WORDS,
    2 ** 29 * 4,
    -PAGE_WORDS,
    Number.NaN,
  ]) {
    wrong(address);
  }
  const slabbed = heap.kmalloc(64);
  wrong(slabbed);
  wrong(slabbed - (slabbed % PAGE_WORDS));
  assert.deepEqual(arena.check(), []);
  heap.freePages(block);
  wrong(block);
  heap.freePages(neighbour);
  wrong(neighbour);
  heap.kfree(slabbed);
  arena.detach();
  assert.ok(before.length > 0);
});

test("an address outside the arena's pages is refused, whatever the words say that would be its entry in the page table", () => {
  const arena = fresh();
  const { heap, layout, memory } = arena;
  for (const page of heap.withReserve(() => heap.allocPagesBulk(heap.pages.free)) ?? []) memory.fill(page, PAGE_WORDS, PageKind.PAGES);
  for (let page = layout.pages; page < layout.pages + 2000; page++) {
    assert.throws(() => heap.freePages((page * PAGE_WORDS) as Address), InvalidAddressError, `freePages(page ${page} of ${layout.pages})`);
  }
  assert.deepEqual(arena.check(), []);
});

test("less than half of a block is waste", () => {
  const { heap } = fresh(2500);
  for (let pages = 3; pages <= 1024; pages += pages < 64 ? 1 : 61) {
    for (const bytes of [pages * PAGE_BYTES, pages * PAGE_BYTES - 1, (pages - 1) * PAGE_BYTES + 1]) {
      const block = heap.kmalloc(bytes);
      assert.notEqual(block, NULL);
      assert.ok(heap.usableBytes(block) >= bytes && heap.usableBytes(block) < 2 * bytes, `${bytes} bytes take ${heap.usableBytes(block)}`);
      heap.kfree(block);
    }
  }
});

test("scattered pages serve a bulk request, though no block of two is free", () => {
  const { heap } = fresh();
  const all = heap.withReserve(() => heap.allocPagesBulk(heap.pages.free)) as Address[];
  const scattered = all.filter((page) => (page / PAGE_WORDS) % 2 === 0);
  for (const page of scattered) heap.freePages(page);
  assert.equal(
    heap.withReserve(() => heap.allocPages(1 as Order)),
    NULL,
  );
  settled(heap);
  const free = heap.pages.available;
  assert.equal(heap.allocPagesBulk(free + 1), undefined);
  assert.equal(heap.pages.available, free, "none was taken");
  assert.equal(heap.allocPagesBulk(free)?.length, free);
});

test("pages remember whose they are, whatever the tag", () => {
  const arena = fresh();
  const { heap, layout } = arena;
  const descriptor = layout.cacheTable; // what marks a slab of the first cache
  const tags = [1, -5, descriptor, descriptor + 32, layout.slotTable - 32, 2 ** 31 - 1];
  const blocks = tags.map((tag) => heap.allocPages(1 as Order, { tag }));
  for (const [i, tag] of tags.entries()) assert.deepEqual(heap.ownedBy(tag), [blocks[i]]);
  for (const block of blocks) retireInto(heap, 0, block);
  for (const block of blocks)
    assert.throws(
      () => retireInto(heap, 0, block),
      (error: unknown) => error instanceof DoubleFreeError && error.code === "ERR_DOUBLE_RETIRE",
    );
  for (const block of blocks) assert.throws(() => heap.freePages(block), DoubleFreeError);
  assert.deepEqual(arena.check(), []);
  assert.deepEqual([...ownLimbo(heap).objects()].sort(), [...blocks].sort());
  ownLimbo(heap).release(0);
  assert.deepEqual(arena.check(), []);
  settled(heap);
  assert.equal(heap.pages.free, heap.pages.all);
});
