/**
 * The arena's own examination: walks all of it and names every invariant that does not hold.
 *
 * Structure (pages, slabs, lists, counts) is protected by the arena lock and can be checked while
 * others work. Where each object is (live, in one magazine, in one limbo) is known only while no other
 * thread is attached, because magazines and limbos are private to their threads.
 *
 * Law table: this file owns no word, and writes none.
 */

import { type Address, field } from "./address.js";
import type { Heap } from "./heap.js";
import { LIMBO_SEGMENTS } from "./limbo.js";
import { kindOf, SlotKind, slotAddress, slotsUsed } from "./slot.js";

/** Every violated invariant of the arena; none is good. */
export function checkArena(heap: Heap): string[] {
  return heap.withArenaLock(() => {
    const violations = heap.pages.check();
    if (violations.length > 0) return violations; // the walk below would follow what is broken
    const slabPages = new Map<number, number[]>();
    for (const index of heap.cacheIndexes()) slabPages.set(heap.cache(index).slabs.descriptor, []);
    for (const { page, kind, owner } of heap.pages.walk()) {
      if (!heap.isSlab(kind)) continue;
      const pages = slabPages.get(owner);
      if (pages === undefined) {
        violations.push(`slab ${page}: belongs to no cache (${owner})`);
        continue;
      }
      pages.push(page);
      violations.push(...heap.cacheAt(owner).slabs.checkSlab(page));
    }
    for (const [descriptor, pages] of slabPages) violations.push(...heap.cacheAt(descriptor).slabs.checkCache(pages));
    if (isAlone(heap)) violations.push(...census(heap, slabPages));
    return violations;
  });
}

/** Whether no other thread is attached (or dead and not yet drained). */
function isAlone(heap: Heap): boolean {
  for (let index = 0; index < slotsUsed(heap.memory); index++) {
    const kind = kindOf(heap.memory.load(slotAddress(heap.layout, index)));
    if (index !== heap.slot.index && (kind === SlotKind.LIVE || kind === SlotKind.DEAD)) return false;
  }
  return true;
}

/** Every object that is out of its slab and not live is in exactly one magazine or limbo. */
function census(heap: Heap, slabPages: ReadonlyMap<number, readonly number[]>): string[] {
  const violations: string[] = [];
  const where = new Map<Address, string>();
  const note = (object: Address, place: string): void => {
    const before = where.get(object);
    if (before !== undefined) violations.push(`object ${object} is in ${before} and in ${place}`);
    where.set(object, place);
  };
  for (let slot = 0; slot < slotsUsed(heap.memory); slot++) {
    for (const cache of heap.cacheIndexes()) {
      const magazine = heap.magazineOf(slot, cache);
      for (let i = heap.memory.read(magazine); i > 0; i--) note(heap.memory.read(field(magazine, i)) as Address, `the magazine of slot ${slot}`);
    }
    for (const limbo of heap.limbosOf(slot)) {
      for (let segment = 0; segment < LIMBO_SEGMENTS; segment++) for (const object of limbo.objects(segment)) note(object, `the limbo of slot ${slot}`);
    }
  }
  for (const [descriptor, pages] of slabPages) {
    for (const page of pages) {
      for (const object of heap.cacheAt(descriptor).slabs.outNotLive(page)) {
        if (!where.delete(object)) violations.push(`object ${object} is lost: out of its slab, not live, in no magazine and no limbo`);
      }
    }
  }
  for (const [object, place] of where) if (!heap.isRetiredPages(object)) violations.push(`object ${object} in ${place} is live, or in its slab`);
  return violations;
}
