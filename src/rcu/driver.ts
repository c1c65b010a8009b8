/**
 * The driver: what a thread does between its turns as long as something of it waits for a grace period. Whoever has something waiting
 * drives; nobody else does.
 *
 *   retire, call --> (this turn ends) --> look: release, run callbacks --> sleep until a slot changes --> look ...
 *
 * It sleeps without blocking and keeps no process alive.
 *
 * Law table: layout.ts (QUEUED, RUN, LIFE, HURRY, HURRIES), atomic.
 */

import { LockTimeoutError } from "../memory/errors.js";
import { CallbackList } from "./callbacks.js";
import type { Departed } from "./departed.js";
import { EventCount } from "./event-count.js";
import type { Flavor } from "./flavors/flavor.js";
import type { Site } from "./flavors/site.js";
import { DomainWord, ReaderWord } from "./layout.js";
import { nextTurn, pause } from "./pause.js";
import type { Reclaimer } from "./reclaimer.js";
import type { Cookie } from "./sequence.js";
import type { StallDetector, StallWatch } from "./stall.js";
import { tracepoints } from "./tracepoints.js";
import { LONGEST_SLEEP } from "./waiter.js";

/**
 * Longest wait of a driver for the arena lock, in ms. Its owner may have died, and the event that tells so be waiting for this very
 * turn to end.
 */
const PATIENCE = 20;
/** Callbacks run before events get their turn (the kernel's blimit), and how many waiting lift that limit (its qhimark). */
const BATCH = 1000;
export const HURRY_AT = 10_000;
/** How late lazy callbacks may be, in ms (the kernel's LAZY_FLUSH_JIFFIES). */
const LAZY_DELAY = 10_000;

/** One thread's driver in one domain. */
export class Driver {
  readonly callbacks: CallbackList = new CallbackList();
  /** Whether a callback is running. */
  inCallback = false;
  readonly #site: Site;
  readonly #flavor: Flavor;
  readonly #reclaimer: Reclaimer;
  readonly #departed: Departed;
  readonly #stalls: StallDetector;
  readonly #hurry: EventCount;
  #watch: { readonly cookie: Cookie; readonly watch: StallWatch } | undefined;
  #lazySince = 0;
  #hurried = false;
  /** HURRIES when what waits began to wait: a driver that was not asleep for lateness yet when it went up must come to know too. */
  #hurriesSeen = 0;
  #queued = 0;
  #run = 0;
  #driving = false;
  #stopped = false;

  constructor(site: Site, flavor: Flavor, reclaimer: Reclaimer, departed: Departed, stalls: StallDetector) {
    this.#site = site;
    this.#flavor = flavor;
    this.#reclaimer = reclaimer;
    this.#departed = departed;
    this.#stalls = stalls;
    this.#hurry = new EventCount(site.memory, site.word(DomainWord.HURRY));
    site.memory.add(site.own(ReaderWord.LIFE), 1);
  }

  /** Register a callback. */
  call(run: () => void, lazy: boolean): void {
    if (lazy && this.callbacks.size === 0) {
      this.#lazySince = performance.now();
      this.#hurriesSeen = this.#hurries;
    }
    this.callbacks.enqueue({ run, lazy });
    this.#queued = (this.#queued + 1) | 0;
    this.#site.memory.store(this.#site.own(ReaderWord.QUEUED), this.#queued);
    const { domain } = this.#site;
    if (tracepoints.callbackQueued.hasSubscribers) tracepoints.callbackQueued.publish({ domain, waiting: this.callbacks.size });
    if (this.callbacks.size === HURRY_AT) this.#hurry.wake(); // the driver may be sleeping for lazy ones
    this.kick();
  }

  /** Every thread's lazy callbacks become urgent. */
  hurryAll(): void {
    this.#hurried = true;
    this.#site.memory.add(this.#site.word(DomainWord.HURRIES), 1); // before the wake: whoever announces its sleep after that sees it
    this.#hurry.wakeAll();
    this.kick();
  }

  get #hurries(): number {
    return this.#site.memory.load(this.#site.word(DomainWord.HURRIES));
  }

  /** Ask for the grace period of all that waits, in this very turn. */
  startNow(): void {
    this.#hurried = true;
    this.callbacks.advance(this.#flavor.periods);
    this.#hurry.wakeAll();
  }

  /** Whether all that waits may be late. */
  get #mayBeLate(): boolean {
    const { callbacks } = this;
    if (!this.#reclaimer.empty || this.#departed.any || this.#hurried) return false;
    if (callbacks.urgent > 0 || callbacks.started || callbacks.size >= HURRY_AT) return false;
    return callbacks.size > 0 && performance.now() - this.#lazySince < LAZY_DELAY && this.#hurries === this.#hurriesSeen;
  }

  /** Whether nothing waits. */
  get #idle(): boolean {
    return this.#reclaimer.empty && this.callbacks.size === 0 && !this.#departed.any;
  }

  /** There is something to do. */
  kick(): void {
    if (this.#driving || this.#stopped) return;
    void this.#drive(); // first waits, so it cannot have ended yet; where the stack is full it throws, and the next kick finds it not running
    this.#driving = true;
  }

  async #drive(): Promise<void> {
    await undefined; // not inside the operation that retired: its caller may still hold what it took out
    try {
      while (!this.#stopped) {
        if (this.#mayBeLate) {
          await this.#sleepLate();
          continue;
        }
        if (!this.#step()) {
          await pause(LONGEST_SLEEP);
          continue;
        }
        if (this.#stopped || this.#idle) break; // a callback may have closed this thread's hold
        if (this.callbacks.counts().done > 0) {
          await nextTurn();
          continue;
        }
        // Announced before one more look, so that what changes after it wakes the sleeper.
        const ticket = this.#site.events.announceSleep();
        const advanced = this.#step();
        if (this.#stopped || (advanced && this.#idle)) break;
        const timedOut = await this.#site.events.sleepAsync(ticket, LONGEST_SLEEP);
        if (this.#stopped) break;
        if (timedOut) this.#flavor.periods.force();
        this.#watchStall();
      }
    } finally {
      this.#driving = false;
    }
  }

  async #sleepLate(): Promise<void> {
    const ticket = this.#hurry.announceSleep();
    if (!this.#mayBeLate) return;
    const woken = !(await this.#hurry.sleepAsync(ticket, Math.max(1, LAZY_DELAY - (performance.now() - this.#lazySince))));
    if (woken) this.#hurried = true;
  }

  /** One look; false when it must be tried again. */
  #step(): boolean {
    if (this.#flavor.name !== "phase" && this.#flavor.reader.nesting > 0) return false; // a section was left open over the turn's end
    const advanced = this.tryAdvance();
    this.#runCallbacks();
    return advanced || this.#stopped;
  }

  /** Advance, or leave it for later when the arena lock cannot be had; gives whether it advanced. */
  tryAdvance(): boolean {
    try {
      this.#reclaimer.advance(PATIENCE);
      this.#departed.help(PATIENCE);
      return true;
    } catch (error) {
      if (error instanceof LockTimeoutError) return false;
      throw error;
    }
  }

  #runCallbacks(): void {
    const { callbacks } = this;
    if (callbacks.size === 0) return;
    callbacks.advance(this.#flavor.periods);
    if (callbacks.urgent === 0) this.#lazySince = performance.now();
    const before = callbacks.counts().done;
    if (before === 0) return;
    const started = performance.now();
    const most = callbacks.size >= HURRY_AT ? Number.POSITIVE_INFINITY : BATCH;
    let count = 0;
    for (; count < most && count < before && !this.#stopped; count++) {
      const callback = callbacks.takeDone();
      if (callback === undefined) break;
      this.#runOne(callback.run);
    }
    if (this.#stopped) return;
    if (callbacks.size === 0) this.#hurried = false;
    this.#site.events.wake(); // a barrier may wait for them
    const { domain } = this.#site;
    if (tracepoints.callbacksRun.hasSubscribers)
      tracepoints.callbacksRun.publish({ domain, count, waiting: callbacks.size, milliseconds: performance.now() - started });
  }

  #runOne(run: () => void): void {
    this.inCallback = true;
    try {
      run();
    } catch (error) {
      // As an error in any event handler: reported as uncaught, and the others still run.
      queueMicrotask(() => {
        throw error;
      });
    } finally {
      this.inCallback = false;
    }
    this.#run = (this.#run + 1) | 0;
    if (!this.#stopped) this.#site.memory.store(this.#site.own(ReaderWord.RUN), this.#run);
  }

  #watchStall(): void {
    const cookie = this.#reclaimer.oldestCookie ?? this.callbacks.oldestCookie ?? this.#departed.waitingIn(this.#site.domain);
    if (cookie === undefined) this.#watch = undefined;
    else if (this.#watch?.cookie !== cookie) this.#watch = { cookie, watch: this.#stalls.watch(cookie) };
    this.#watch?.watch.look();
  }

  /** No more driving; what is waiting stays in the slot. */
  stop(): void {
    this.#stopped = true;
  }
}
