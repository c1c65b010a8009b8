/**
 * Bring an arena to rest, such that two states of rest can be compared exactly: maps empty, nothing in limbo, no magazine, no spare slab.
 */

import assert from "node:assert/strict";
import { Shared } from "../../src/index.js";
import { type Address, PAGE_SHIFT } from "../../src/memory/address.js";
import type { Heap } from "../../src/memory/heap.js";
import { PageKind } from "../../src/memory/pages.js";
import { kindOf, SlotKind, slotAddress, slotsUsed } from "../../src/memory/slot.js";
import { ownLimbo } from "./limbo.js";
import { LIMIT, until } from "./watchdog.js";

/** What is in use at rest. */
export interface AtRest {
  readonly used: number;
  /** Free blocks of each order; buddies join, so these follow from what is in use. */
  readonly freeBlocks: readonly number[];
}

function departed(shared: Shared): number {
  const { memory, layout } = shared.domain.arena;
  let count = 0;
  for (let index = 0; index < slotsUsed(memory); index++) {
    const kind = kindOf(memory.load(slotAddress(layout, index)));
    if (kind === SlotKind.DEAD || kind === SlotKind.DRAINED) count++;
  }
  return count;
}

/**
 * Clear the maps, wait until all that was retired (by the dead and departed too) has been given back, detach this thread, which gives its
 * magazines back, and attach it again. It must be the only one.
 */
export async function settle(shared: Shared, maps: readonly { clear(): void }[]): Promise<Shared> {
  for (const map of maps) map.clear();
  shared.domain.helpDeparted();
  await nothingWaits(shared);
  assert.equal(shared.stats().retired.waiting, 0, "the figures agree that nothing waits");
  shared.close();
  const again = Shared.attach(shared.handle);
  again.domain.arena.heap.trim();
  await nothingWaits(again); // slabs of typesafe caches, which the magazines had kept
  return again;
}

const nothingWaits = (shared: Shared): Promise<void> =>
  until(
    LIMIT,
    "what was retired to be given back",
    () => ownLimbo(shared.domain.arena.heap).empty && departed(shared) === 0,
    () => `${shared.stats().retired.waiting} objects wait, ${departed(shared)} slots have departed`,
  );

/** Every live object and block of pages; after `settle`. */
export function liveIn(heap: Heap): Address[] {
  const objects = [...heap.cacheIndexes()].flatMap((index) => heap.liveObjects(index));
  const pages = heap.withArenaLock(() => [...heap.pages.walk()].filter(({ kind }) => kind === PageKind.PAGES).map(({ page }) => page << PAGE_SHIFT));
  return [...objects, ...(pages as Address[])];
}

/** What is in use, after `settle`. */
export function drained(shared: Shared): AtRest {
  const { arena } = shared.domain;
  const { heap } = arena;
  assert.deepEqual(arena.check(), []);
  return heap.withArenaLock(() => {
    heap.shrink();
    const { free } = heap.pages;
    return { used: (arena.layout.pages - free) * 4096, freeBlocks: heap.pages.freeBlocks() };
  });
}
