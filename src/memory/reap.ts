/**
 * Reaping: what a dead thread held is given back, and what it was in the middle of is finished or undone.
 *
 *   LIVE --(somebody saw it die)--> DEAD --drainSlot--> DRAINED --limbo empty--> FREE
 *
 * All of it happens under the arena lock, which is itself taken over if the dead thread held it. Every step
 * may be repeated: when the reaper dies too, the slot is still DEAD, and whoever takes the arena lock
 * next (it is told that its owner died) goes through `repairArena`, which drains every DEAD slot again. Nobody can
 * have taken what was half given back, since that needs the arena lock.
 *
 * Law table: this file owns no word; see slot.ts (private to the arena lock's holder once DEAD).
 */

import { type Address, field } from "./address.js";
import type { Heap } from "./heap.js";
import { Header } from "./layout.js";
import { LIMBO_SEGMENTS, RELEASE_CHUNK } from "./limbo.js";
import { PageKind } from "./pages.js";
import { finishNote } from "./publication.js";
import { markOwnerDied } from "./robust-mutex.js";
import { ownedBySlot } from "./sheaf.js";
import {
  debugAddress,
  END_OF_OWN,
  heldLocks,
  kindOf,
  NAME_WORDS,
  READER_WORDS,
  RecordWord,
  recordAddress,
  SlotKind,
  SlotWord,
  slotAddress,
  slotState,
  slotsOfKind,
  slotsUsed,
  threadOf,
} from "./slot.js";
import { storeText } from "./text.js";

/** Rebuild all that is derived, and drain the dead. With the arena lock, after its owner died. */
export function repairArena(heap: Heap): void {
  heap.pages.recover();
  const blocks = [...heap.pages.walk()];
  heap.sheaves.recover(blocks.filter(({ kind }) => kind === PageKind.SHEAVES).map(({ page }) => page));
  for (const index of heap.cacheIndexes()) heap.cache(index).recoverCounts();
  for (const { page, kind, owner } of blocks) if (kind === PageKind.SLAB) heap.cache(owner).recoverBlock(page);
  // The dead owner may have been emptying the limbo of a slot that was drained before.
  for (const index of slotsOfKind(heap.memory, heap.layout, SlotKind.DRAINED)) finishSlot(heap, index);
  drainDead(heap);
}

/** Drain every DEAD slot. With the arena lock. */
export function drainDead(heap: Heap): void {
  for (const index of slotsOfKind(heap.memory, heap.layout, SlotKind.DEAD)) {
    const address = slotAddress(heap.layout, index);
    const thread = threadOf(heap.memory.load(address));
    drainSlot(heap, index, true);
    for (const lock of heldLocks(heap.memory, address)) markOwnerDied(heap.memory, lock, thread);
    heap.memory.store(address, slotState(SlotKind.DRAINED, thread)); // commit
  }
}

/** Finish or undo what the slot was in the middle of, and put all that is its own back. With the arena lock; may be repeated. */
export function drainSlot(heap: Heap, index: number, isDead: boolean): void {
  finishSlot(heap, index);
  finishNote(heap, index, isDead);
  heap.freeUnpublished(index);
  heap.pageListOf(index).drain();
  for (const cache of heap.cacheIndexes()) heap.cache(cache).drain(index);
}

/** Finish what was going on in a slot, and empty the sheaves that are in none of its limbos: its magazines, and those whose grace period is over. */
function finishSlot(heap: Heap, index: number): void {
  const { memory, sheaves } = heap;
  const intent = field(slotAddress(heap.layout, index), SlotWord.INTENT);
  const object = -memory.read(intent) as Address;
  const limbos = heap.limbosOf(index);
  if (object > 0) {
    // While it still is the first of a list, its release had not begun.
    if (!limbos.some((limbo) => limbo.isFirst(object)) && !heap.isPutBack(object)) heap.putBack(object);
    memory.write(intent, 0);
  }
  const inLimbo = new Set<Address>();
  for (const limbo of limbos) {
    limbo.finish();
    for (const sheaf of limbo.sheaves()) inLimbo.add(sheaf);
  }
  for (const sheaf of [...sheaves.all()]) {
    if (sheaves.owner(sheaf) !== ownedBySlot(index) || inLimbo.has(sheaf)) continue;
    sheaves.finish(sheaf);
    sheaves.dissolve(sheaf, (last) => {
      if (!heap.isPutBack(last)) heap.putBack(last);
    });
  }
}

/**
 * Say that a thread is dead: give back what its slot held, and wake those who wait for its locks.
 * @param timeout ms to wait for the arena lock at most
 * @returns false when the thread has no slot that is live or half reaped
 * @throws LockTimeoutError: call again later; the slot stays DEAD and is drained by whoever repairs or reaps next
 */
export function reapThread(heap: Heap, thread: number, timeout?: number): boolean {
  const { memory, layout } = heap;
  let found = false;
  for (let index = 0; index < slotsUsed(memory); index++) {
    const live = slotState(SlotKind.LIVE, thread);
    const dead = slotState(SlotKind.DEAD, thread);
    // The thread is part of the word, so a slot that was given to another one meanwhile is left alone.
    const state = memory.compareExchange(slotAddress(layout, index), live, dead);
    found ||= state === live || state === dead; // a failed attach may have left it more than one
  }
  if (found) {
    // Not only for this one: an earlier reaper may have died before it came to do so.
    for (let other = 0; other < slotsUsed(memory); other++) {
      const dying = memory.load(slotAddress(layout, other)); // kind and thread at one instant: the slot may be another's at the next
      if (kindOf(dying) === SlotKind.DEAD) markOwnerDied(memory, Header.ARENA_LOCK, threadOf(dying));
    }
    heap.withArenaLock(() => drainDead(heap), timeout);
  }
  return found;
}

/** Empty the record of a slot that has nothing left, for its next owner. With the arena lock. */
export function clearSlot({ memory, layout }: Heap, index: number): void {
  const slot = slotAddress(layout, index);
  memory.store(field(slot, SlotWord.LIVENESS), 0);
  memory.store(field(slot, SlotWord.PINNED), 0);
  if (memory.load(field(slot, SlotWord.NAME)) !== 0) storeText(memory, field(slot, SlotWord.NAME), NAME_WORDS, "");
  for (let domain = 0; domain < layout.domains; domain++) {
    const record = recordAddress(layout, index, domain);
    for (let word = 0; word < READER_WORDS; word++) memory.store(field(record, RecordWord.READER + word), 0);
    if (layout.debugWords > 0) memory.store(debugAddress(record), 0);
    memory.fill(field(record, RecordWord.LIMBO), RecordWord.COOKIE_TAKEN + 1 - RecordWord.LIMBO, 0);
  }
}

/** Free a DRAINED slot whose limbos are empty. With the arena lock. */
export function freeSlot(heap: Heap, index: number): void {
  const address = slotAddress(heap.layout, index);
  clearSlot(heap, index);
  heap.memory.fill(field(address, SlotWord.HELD), END_OF_OWN - SlotWord.HELD, 0);
  heap.memory.store(address, SlotKind.FREE); // commit
}

/**
 * Give objects that a DRAINED slot has in one domain, whose grace period is over, back: some hundreds, so that nobody waits long for the arena lock, which
 * is held.
 * @returns whether none is left
 */
export function releaseLimbo(heap: Heap, index: number, domain: number): boolean {
  const limbo = heap.limboOf(index, domain);
  for (let segment = 0; segment < LIMBO_SEGMENTS; segment++) limbo.releaseSome(segment, RELEASE_CHUNK);
  return limbo.empty;
}
