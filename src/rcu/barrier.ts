/**
 * The barrier (the kernel's rcu_barrier): wait until every callback that any thread had registered has run. That is not a grace period, and a grace
 * period is not that: callbacks run after theirs, when their thread's event loop comes to it.
 *
 * Each slot counts in QUEUED what it registered and in RUN what it ran, in the same order. So a barrier notes QUEUED of every slot, and waits until RUN has come up to
 * it; or the slot's thread has died or left, and its callbacks with it: then it says so. A thread that leaves may come back into the same slot, and count anew:
 * LIFE tells its attachments apart.
 *
 * Law table: layout.ts (QUEUED, RUN, LIFE), atomic.
 *
 * Guarantees
 *   A  when it resolves, each callback that was registered before it began has run, or is among those lost.
 *   B  callbacks registered later, also by callbacks, do not hold it up.
 */

import { kindOf, SlotKind, slotAddress, threadOf } from "../memory/slot.js";
import type { Site } from "./flavors/site.js";
import { ReaderWord } from "./layout.js";
import { notBefore } from "./sequence.js";
import { SUSPECT_AFTER } from "./stall.js";
import { LONGEST_SLEEP, waitUntil } from "./waiter.js";

/** Callbacks that went with their thread. */
export interface LostCallbacks {
  readonly thread: number;
  /** At most so many: those that it ran just before it went may be among them. */
  readonly callbacks: number;
}

export interface BarrierResult {
  /** Threads that died or detached with callbacks of before the barrier. */
  readonly lost: readonly LostCallbacks[];
}

interface Pending {
  readonly slot: number;
  readonly state: number;
  readonly life: number;
  readonly target: number;
  run: number;
}

/**
 * Wait for the callbacks of all slots.
 * @param hurry tells all threads that lazy callbacks are not to be late
 * @param suspect is told, in a long wait, of the threads that are waited for: they may be dead
 */
export async function barrier(
  site: Site,
  hurry: () => void,
  suspect: (threads: readonly number[]) => void,
  signal: AbortSignal | undefined,
): Promise<BarrierResult> {
  let suspectAt = performance.now() + SUSPECT_AFTER;
  const { done, lost, threads } = pendingCallbacks(site);
  const sleep = async (): Promise<void> => {
    hurry(); // each time: a thread may have been about to sleep for its lazy ones
    const ticket = site.events.announceSleep();
    if (done()) return;
    await site.events.sleepAsync(ticket, LONGEST_SLEEP);
    if (performance.now() < suspectAt) return;
    suspectAt = performance.now() + SUSPECT_AFTER;
    suspect(threads());
  };
  await waitUntil(done, sleep, signal);
  return { lost };
}

/** Note what is registered now; `done` says whether it has run, or is lost. Blocks nowhere: the part of a barrier that the model checker explores. */
export function pendingCallbacks(site: Site): {
  readonly done: () => boolean;
  readonly lost: readonly LostCallbacks[];
  /** Those that are still waited for. */
  readonly threads: () => number[];
} {
  let pending = allPending(site);
  const lost: LostCallbacks[] = [];
  const done = (): boolean => {
    pending = pending.filter((one) => isPending(site, one, lost));
    return pending.length === 0;
  };
  return { done, lost, threads: () => pending.map(({ state }) => threadOf(state)) };
}

function allPending(site: Site): Pending[] {
  const { memory, layout } = site;
  const pending: Pending[] = [];
  for (let slot = 0; slot < site.slotsUsed(); slot++) {
    const state = memory.load(slotAddress(layout, slot));
    const life = memory.load(site.readerWord(slot, ReaderWord.LIFE));
    const target = memory.load(site.readerWord(slot, ReaderWord.QUEUED));
    const run = memory.load(site.readerWord(slot, ReaderWord.RUN));
    const one = { slot, state, life, target, run };
    // A slot that changed hands between these loads had nothing of before the barrier left in it.
    if (kindOf(state) === SlotKind.LIVE && run !== target && isTheSame(site, one)) pending.push(one);
  }
  return pending;
}

/** Whether the slot is still that thread's, in the same of its attachments. */
function isTheSame(site: Site, { slot, state, life }: Pending): boolean {
  const { memory, layout } = site;
  return memory.load(site.readerWord(slot, ReaderWord.LIFE)) === life && memory.load(slotAddress(layout, slot)) === state;
}

function isPending(site: Site, one: Pending, lost: LostCallbacks[]): boolean {
  const run = site.memory.load(site.readerWord(one.slot, ReaderWord.RUN));
  // After RUN, so that what was read is still this thread's.
  if (!isTheSame(site, one)) {
    lost.push({ thread: threadOf(one.state), callbacks: (one.target - one.run) | 0 });
    return false;
  }
  if (notBefore(run, one.run)) one.run = run; // else a slot that is about to be free has been cleared
  return !notBefore(run, one.target);
}
