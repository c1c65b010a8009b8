/**
 * Waiting for a grace period: look, sleep until some slot has changed, look again. Whoever waits also drives (flavors/), and tells who is
 * waited for when it takes too long.
 *
 * Law table: this file owns no word; it sleeps on WANTED (event-count.ts).
 */

import { ContextError } from "./errors.js";
import type { Flavor } from "./flavors/flavor.js";
import type { Site } from "./flavors/site.js";
import type { Cookie } from "./sequence.js";
import type { StallDetector } from "./stall.js";

/** Longest sleep between two looks, in ms: a thread may die without a sign. */
export const LONGEST_SLEEP = 20;
/** How long to look again and again before sleeping, in microseconds: about what a sleep and a wake cost (liburcu's RCU_QS_ACTIVE_ATTEMPTS). */
const SPIN = 20;
/** So many times longer when it is expedited. */
const EXPEDITED_TIMES = 3;

export interface WaitOptions {
  /** Ends the wait with the signal's reason. What was asked for stays asked for. */
  readonly signal?: AbortSignal | undefined;
  /** Look again and again rather than sleep. */
  readonly expedited?: boolean | undefined;
}

/** Wait for `condition`, until the signal is aborted; `sleep` lets events through. Keeps the process alive. */
export async function waitUntil(condition: () => boolean, sleep: () => Promise<unknown>, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  if (condition()) return;
  // An asynchronous wait on shared memory never keeps a loop alive, so a timer does.
  const alive = setInterval(() => {}, 0x3fffffff);
  let wake = (): void => {};
  const onAbort = (): void => wake();
  signal?.addEventListener("abort", onAbort);
  try {
    while (!condition()) {
      // A promise of each sleep's own: one that all sleeps were raced with would remember each of them.
      await new Promise<void>((resolve, reject) => {
        wake = resolve;
        sleep().then(() => resolve(), reject);
      });
      signal?.throwIfAborted();
    }
  } finally {
    clearInterval(alive);
    signal?.removeEventListener("abort", onAbort);
  }
}

/** One thread's waits in one domain. */
export class Waiter {
  readonly #site: Site;
  readonly #flavor: Flavor;
  readonly #stalls: StallDetector;
  readonly #spin: number;

  /** @param spin microseconds to look again and again before sleeping */
  constructor(site: Site, flavor: Flavor, stalls: StallDetector, spin: number = SPIN) {
    this.#site = site;
    this.#flavor = flavor;
    this.#stalls = stalls;
    this.#spin = spin;
  }

  /**
   * Block until a grace period is over. Outside sections, and offline (Family.goOffline): this thread must hold up none while it sleeps.
   * @param timeout ms to wait at most
   * @returns whether it is over
   * @throws ContextError (ERR_CANNOT_BLOCK)
   */
  waitSync(cookie: Cookie, timeout: number = Number.POSITIVE_INFINITY, expedited = false): boolean {
    const { events, memory } = this.#site;
    const { periods } = this.#flavor;
    const isOver = (): boolean => periods.isOver(cookie);
    if (isOver()) return true;
    const started = performance.now();
    if (this.#isOverSoon(isOver, expedited)) return true;
    const watch = this.#stalls.watch(cookie);
    for (;;) {
      if (!memory.canBlock)
        throw new ContextError("ERR_CANNOT_BLOCK", "this thread may not block (a browser's main thread): use the asynchronous twin, as `await synchronize()`.");
      const left = timeout - (performance.now() - started);
      if (left <= 0) return false;
      const ticket = events.announceSleep();
      if (isOver()) return true;
      if (events.sleep(ticket, Math.min(left, LONGEST_SLEEP))) periods.force();
      if (isOver()) return true;
      watch.look();
    }
  }

  /** Wait without blocking, and keep the process alive meanwhile. */
  async wait(cookie: Cookie, { signal, expedited = false }: WaitOptions): Promise<void> {
    const { events } = this.#site;
    const { periods, reader } = this.#flavor;
    const isOver = (): boolean => {
      reader.quiescent();
      return periods.isOver(cookie);
    };
    signal?.throwIfAborted();
    if (isOver() || (expedited && this.#isOverSoon(isOver, true))) return;
    const watch = this.#stalls.watch(cookie);
    const sleep = async (): Promise<void> => {
      const ticket = events.announceSleep();
      if (isOver()) return;
      if (await events.sleepAsync(ticket, LONGEST_SLEEP)) periods.force();
      watch.look();
    };
    await waitUntil(isOver, sleep, signal);
  }

  /** Look again and again for a short while. */
  #isOverSoon(isOver: () => boolean, expedited: boolean): boolean {
    if (this.#spin === 0 && !expedited) return false;
    if (expedited) this.#flavor.periods.force();
    const ends = performance.now() + (this.#spin * (expedited ? EXPEDITED_TIMES : 1)) / 1000;
    do if (isOver()) return true;
    while (performance.now() < ends);
    return false;
  }
}
