/** Properties of the page allocator under any sequence of requests of two threads: what reference texts on buddy systems promise, told from the page table alone. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ownLimbo } from "../../check/support/limbo.js";
import { seedOf } from "../../check/support/seed.js";
import { type Address, MAX_ORDER, NULL, type Order, PAGE_BYTES, PAGE_SHIFT, PAGE_WORDS } from "../../src/memory/address.js";
import type { Arena } from "../../src/memory/arena.js";
import { DoubleFreeError, InvalidAddressError } from "../../src/memory/errors.js";
import type { PageOptions } from "../../src/memory/heap.js";
import { PageKind } from "../../src/memory/pages.js";
import { sameState, startingState } from "../support/starting-state.js";
import { World } from "../support/world.js";

type Step =
  | { readonly take: number; readonly options: PageOptions }
  | { readonly bulk: number; readonly options: PageOptions }
  | { readonly bytes: number }
  | { readonly give: number }
  | { readonly retire: number }
  | { readonly urgent: number };

const order = fc.oneof({ weight: 6, arbitrary: fc.nat(3) }, { weight: 1, arbitrary: fc.nat(MAX_ORDER) });
const options: fc.Arbitrary<PageOptions> = fc.record({ tag: fc.integer({ min: -3, max: 3 }), zero: fc.boolean(), atomic: fc.boolean() }, { requiredKeys: [] });
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ take: order, options }) },
    { weight: 1, arbitrary: fc.record({ bulk: fc.nat(40), options }) },
    { weight: 2, arbitrary: fc.record({ bytes: fc.nat(300_000) }) },
    { weight: 6, arbitrary: fc.record({ give: fc.nat() }) },
    { weight: 2, arbitrary: fc.record({ retire: fc.nat() }) },
    { weight: 1, arbitrary: fc.record({ urgent: fc.nat(2) }) },
  ),
  { maxLength: 150, size: "max" },
);

/** Aligned, end to end, no two free buddies side by side; and free pages are what is left. */
function examine({ heap, layout }: Arena): void {
  const free = new Map<number, number>();
  let [next, freePages] = [layout.firstPage, 0];
  for (const { page, kind, order: its } of heap.pages.walk()) {
    assert.equal(page, next, "blocks lie end to end");
    assert.equal(page % 2 ** its, 0, `block ${page} of order ${its} is aligned`);
    next = page + 2 ** its;
    if (kind !== PageKind.FREE) continue;
    free.set(page, its);
    freePages += 2 ** its;
  }
  assert.equal(next, layout.pages);
  assert.equal(freePages, heap.pages.free);
  for (const [page, its] of free) {
    const buddy = page ^ (1 << its);
    assert.ok(its === MAX_ORDER || free.get(buddy) !== its, `free buddies ${page} and ${buddy} of order ${its}`);
  }
}

/** Pages in free blocks, and in the thread's own list. */
const unused = (heap: Arena["heap"]): number => heap.pages.free + [...heap.pageListOf(heap.slot.index)].length;

const isRefusal = (error: unknown): boolean => error instanceof DoubleFreeError || error instanceof InvalidAddressError;

test("any requests of two threads: aligned, apart, none lost, none free twice, the reserve left alone, and all as at the start", () => {
  fc.assert(
    fc.property(steps, fc.nat(1500), (sequence, extra) => {
      const world = new World(extra);
      const watcher = world.arena(9);
      const start = startingState(watcher);
      const arenas = [world.arena(1), world.arena(2)] as const;
      /** Pages of each block held. */
      const held = new Map<Address, number>();
      const ownerOf = new Map<number, Address>();
      const took = (block: Address, pages: number, { zero }: PageOptions = {}): void => {
        for (let page = block >>> PAGE_SHIFT; page < (block >>> PAGE_SHIFT) + pages; page++) {
          assert.ok(!ownerOf.has(page), `page ${page} was given twice`);
          ownerOf.set(page, block);
        }
        held.set(block, pages);
        if (zero === true) {
          for (const word of [0, 1, PAGE_WORDS * pages - 1]) assert.equal(world.memory.read((block + word) as Address), 0, "zeroed");
        }
        world.memory.fill(block, PAGE_WORDS * pages, block);
      };
      const gave = (block: Address): void => {
        for (let page = 0; page < (held.get(block) as number); page++) ownerOf.delete((block >>> PAGE_SHIFT) + page);
        held.delete(block);
      };
      for (const [turn, step] of sequence.entries()) {
        const { heap } = arenas[turn % 2] as Arena;
        const [freeBefore, hadBefore] = [heap.pages.free, unused(heap)];
        const reserveLeft = Math.min(freeBefore, heap.reservePages);
        if ("take" in step) {
          const block = heap.allocPages(step.take as Order, step.options);
          if (block !== NULL) took(block, 2 ** step.take, step.options);
          else {
            // By now what the thread keeps in its list has been given back.
            const fits = heap.pages.freeBlocks().findIndex((count, its) => its >= step.take && count > 0) >= 0;
            assert.ok(!fits || 2 ** step.take > heap.pages.available, `none of order ${step.take} with ${heap.pages.available} to be had`);
          }
          assert.equal(unused(heap), hadBefore - (block === NULL ? 0 : 2 ** step.take));
          if (block !== NULL && step.options.tag !== undefined) assert.ok(heap.ownedBy(step.options.tag).includes(block));
        } else if ("bulk" in step) {
          const blocks = heap.allocPagesBulk(step.bulk, step.options);
          assert.ok(blocks === undefined ? step.bulk > heap.pages.available : blocks.length === step.bulk, "all or none");
          assert.equal(unused(heap), hadBefore - (blocks?.length ?? 0));
          for (const block of blocks ?? []) took(block, 1, step.options);
        } else if ("bytes" in step) {
          const bytes = step.bytes + 8193;
          const block = heap.kmalloc(bytes);
          if (block === NULL) continue;
          const usable = heap.usableBytes(block);
          assert.ok(usable >= bytes && usable < 2 * bytes, "less than half is waste");
          took(block, usable / PAGE_BYTES);
        } else if ("urgent" in step) {
          const block = heap.withReserve(() => heap.allocPages(step.urgent as Order));
          if (block !== NULL) took(block, 2 ** step.urgent);
          else assert.ok(step.urgent > 0 || heap.pages.free === 0, "one page can be had while there is one");
        } else if (held.size > 0) {
          const block = [...held.keys()][("give" in step ? step.give : step.retire) % held.size] as Address;
          for (const word of [0, PAGE_WORDS * (held.get(block) as number) - 1]) assert.equal(world.memory.read((block + word) as Address), block, "whole");
          if ("give" in step) heap.freePages(block);
          else ownLimbo(heap).push(0, block);
          assert.throws(() => heap.freePages(block), isRefusal, "freed twice");
          assert.throws(() => ownLimbo(heap).push(0, block), isRefusal, "retired twice");
          gave(block);
        }
        if (!("urgent" in step)) assert.ok(heap.pages.free >= reserveLeft, "the reserve was left alone");
        if (turn % 8 === 0) examine(watcher);
      }
      examine(watcher);
      assert.deepEqual(watcher.check(), []);
      for (const block of held.keys()) arenas[0].heap.freePages(block);
      for (const { heap } of arenas) ownLimbo(heap).release(0);
      for (const arena of arenas) arena.detach();
      sameState(startingState(watcher), start, "in the end");
      watcher.detach();
    }),
    { seed: seedOf("page properties"), numRuns: 100 },
  );
});

test("a block is split no further than it must, and the smallest that serves is taken", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 6 }), { maxLength: 60, size: "max" }), fc.nat(1500), (orders, extra) => {
      const { heap } = new World(extra).arena(1);
      for (const wanted of orders) {
        const before = heap.pages.freeBlocks();
        const from = before.findIndex((count, its) => its >= wanted && count > 0);
        if (heap.allocPages(wanted as Order) === NULL) continue;
        const expected = before.map((count, its) => count + (its >= wanted && its < from ? 1 : 0) - (its === from ? 1 : 0));
        assert.deepEqual(heap.pages.freeBlocks(), expected, `order ${wanted}`);
      }
    }),
    { seed: seedOf("splits"), numRuns: 100 },
  );
});
