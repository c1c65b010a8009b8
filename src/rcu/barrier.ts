/**
 * The barrier (the kernel's rcu_barrier): wait until every callback that any thread had registered has run. That is not a grace period, and a grace
 * period is not that: callbacks run after theirs, when their thread's event loop comes to it.
 *
 * Each slot counts in QUEUED what it registered and in RUN what it ran, in the same order. So a barrier notes QUEUED of every slot, and waits until RUN has come up to
 * it; or the slot's thread has died or left, and its callbacks with it: then it says so.
 *
 * Law table: layout.ts (QUEUED, RUN), atomic.
 *
 * Guarantees
 *   A  when it resolves, each callback that was registered before it began has run, or is among those lost.
 *   B  callbacks registered later, also by callbacks, do not hold it up.
 */

import { kindOf, SlotKind, slotAddress, threadOf } from "../memory/slot.js";
import type { Site } from "./flavors/site.js";
import { ReaderWord } from "./layout.js";
import { notBefore } from "./sequence.js";
import { LONGEST_SLEEP, waitUntil } from "./waiter.js";

/** Callbacks that went with their thread. */
export interface LostCallbacks {
  readonly thread: number;
  readonly callbacks: number;
}

export interface BarrierResult {
  /** Threads that died or detached with callbacks of before the barrier. */
  readonly lost: readonly LostCallbacks[];
}

interface Pending {
  readonly slot: number;
  readonly state: number;
  readonly target: number;
  run: number;
}

/** Wait for the callbacks of all slots. */
export async function barrier(site: Site, signal: AbortSignal | undefined): Promise<BarrierResult> {
  const { done, lost } = pendingCallbacks(site);
  const sleep = async (): Promise<void> => {
    const ticket = site.events.announceSleep();
    if (!done()) await site.events.sleepAsync(ticket, LONGEST_SLEEP);
  };
  await waitUntil(done, sleep, signal);
  return { lost };
}

/** Note what is registered now; `done` says whether it has run, or is lost. Blocks nowhere: the part of a barrier that the model checker explores. */
export function pendingCallbacks(site: Site): { readonly done: () => boolean; readonly lost: readonly LostCallbacks[] } {
  let pending = allPending(site);
  const lost: LostCallbacks[] = [];
  const done = (): boolean => {
    pending = pending.filter((one) => isPending(site, one, lost));
    return pending.length === 0;
  };
  return { done, lost };
}

function allPending(site: Site): Pending[] {
  const { memory, layout } = site;
  const pending: Pending[] = [];
  for (let slot = 0; slot < site.slotsUsed(); slot++) {
    const state = memory.load(slotAddress(layout, slot));
    const target = memory.load(site.readerWord(slot, ReaderWord.QUEUED));
    const run = memory.load(site.readerWord(slot, ReaderWord.RUN));
    // A slot that changed hands between these loads had nothing of before the barrier left in it: isPending sees that it is another's.
    if (kindOf(state) === SlotKind.LIVE && run !== target) pending.push({ slot, state, target, run });
  }
  return pending;
}

function isPending(site: Site, one: Pending, lost: LostCallbacks[]): boolean {
  const { memory, layout } = site;
  const run = memory.load(site.readerWord(one.slot, ReaderWord.RUN));
  // After RUN, so that what was read is still this thread's.
  if (memory.load(slotAddress(layout, one.slot)) !== one.state) {
    lost.push({ thread: threadOf(one.state), callbacks: (one.target - one.run) | 0 });
    return false;
  }
  one.run = run;
  return !notBefore(run, one.target);
}
