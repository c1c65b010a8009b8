/**
 * The arena's own examination: walks all of it and names every invariant that does not hold.
 *
 * Structure (pages, slabs, lists, counts) is protected by the arena lock and can be checked while
 * others work. Where each object is (live, in one magazine, in one limbo) is known only while no other
 * thread is attached, because magazines and limbos are private to their threads.
 *
 * Law table: this file owns no word, and writes none.
 */

import type { Address } from "./address.js";
import type { Heap } from "./heap.js";
import { PageKind } from "./pages.js";
import { kindOf, SlotKind, slotAddress, slotsUsed } from "./slot.js";

/** Every violated invariant of the arena; none is good. */
export function checkArena(heap: Heap): string[] {
  return heap.withArenaLock(() => {
    const violations = heap.pages.check();
    if (violations.length > 0) return violations; // the walk below would follow what is broken
    const blocks = new Map<number, number[]>();
    for (const index of heap.cacheIndexes()) blocks.set(index, []);
    const sheafPages: number[] = [];
    for (const { page, kind, owner } of heap.pages.walk()) {
      if (kind === PageKind.SHEAVES) sheafPages.push(page);
      if (kind !== PageKind.SLAB) continue;
      const pages = blocks.get(owner);
      if (pages === undefined) violations.push(`slab ${page}: belongs to no cache (${owner})`);
      else pages.push(page);
    }
    violations.push(...heap.sheaves.check(sheafPages));
    if (violations.length > 0) return violations;
    for (const [index, pages] of blocks) violations.push(...heap.cache(index).check(pages));
    if (isAlone(heap)) violations.push(...census(heap, blocks));
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

/** Every object that is out of its slab and not live is in exactly one sheaf or limbo, and every page in one list. */
function census(heap: Heap, blocks: ReadonlyMap<number, readonly number[]>): string[] {
  const violations: string[] = [];
  const where = new Map<Address, string>();
  const note = (object: Address, place: string): void => {
    const before = where.get(object);
    if (before !== undefined) violations.push(`object ${object} is in ${before} and in ${place}`);
    where.set(object, place);
  };
  const inLimbo = new Set<Address>();
  for (let slot = 0; slot < slotsUsed(heap.memory); slot++) {
    for (const limbo of heap.limbosOf(slot)) {
      let objects = 0;
      for (const object of limbo.objects()) {
        note(object, `the limbo of slot ${slot}`);
        objects++;
      }
      if (objects !== limbo.size) violations.push(`limbo of slot ${slot}: ${objects} objects are in it, it counts ${limbo.size}`);
      for (const sheaf of limbo.sheaves()) inLimbo.add(sheaf);
      for (const sheaf of limbo.openSheaves()) inLimbo.add(sheaf);
    }
  }
  for (const sheaf of heap.sheaves.all()) {
    const owner = heap.sheaves.owner(sheaf);
    if (inLimbo.has(sheaf)) continue;
    if (owner === 0 && heap.sheaves.count(sheaf) > 0) violations.push(`sheaf ${sheaf} is free and has ${heap.sheaves.count(sheaf)} objects`);
    for (const object of heap.sheaves.objects(sheaf)) note(object, owner < 0 ? `the depot of cache ${~owner}` : `a magazine of slot ${owner - 1}`);
  }
  for (const [index, pages] of blocks) {
    for (const page of pages) {
      for (const object of heap.cache(index).outNotLive(page)) {
        if (!where.delete(object)) violations.push(`object ${object} is lost: out of its slab, not live, in no sheaf and no limbo`);
      }
    }
  }
  for (const [object, place] of where) if (!heap.isRetiredPages(object)) violations.push(`object ${object} in ${place} is live, or in its slab`);
  const listed = new Set<number>();
  for (let slot = 0; slot < slotsUsed(heap.memory); slot++) for (const page of heap.pageListOf(slot)) listed.add(page);
  for (const { page, kind } of heap.pages.walk()) {
    if ((kind === PageKind.LISTED) !== listed.has(page))
      violations.push(`page ${page} is ${listed.has(page) ? "" : "not "}in a slot's list, and its kind is ${kind}`);
  }
  return violations;
}
