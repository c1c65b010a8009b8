/**
 * Callbacks that wait for a grace period, in the four segments of the kernel's rcu_segcblist:
 *
 *   DONE [c c c]   WAIT [c c] for cookie a   NEXT_READY [c] for cookie b   NEXT [c c c] for none yet
 *    run first                                                              new ones come here
 *
 * They are JavaScript functions, so they stay in the thread that registered them, and run in the order they were registered in.
 *
 * Law table: this file owns no word.
 */

import type { GracePeriods } from "./flavors/flavor.js";
import type { Cookie } from "./sequence.js";

export interface Callback {
  readonly run: () => void;
  /** It may be late: it starts no grace period by itself for a while. */
  readonly lazy: boolean;
}

/** How many wait in each segment. */
export interface CallbackCounts {
  readonly done: number;
  readonly wait: number;
  readonly nextReady: number;
  readonly next: number;
}

interface Batch {
  readonly cookie: Cookie;
  readonly callbacks: Callback[];
}

export class CallbackList {
  #done: Callback[] = [];
  #doneFrom = 0;
  #wait: Batch | undefined;
  #nextReady: Batch | undefined;
  #next: Callback[] = [];
  #urgent = 0;

  /** Callbacks in all segments. */
  get size(): number {
    const { done, wait, nextReady, next } = this.counts();
    return done + wait + nextReady + next;
  }

  /** Callbacks in NEXT that must not be late. */
  get urgent(): number {
    return this.#urgent;
  }

  /** Whether a grace period is waited for, or one is over. */
  get started(): boolean {
    return this.#wait !== undefined || this.#done.length > this.#doneFrom;
  }

  /** Cookie of the grace period that is waited for. */
  get oldestCookie(): Cookie | undefined {
    return this.#wait?.cookie;
  }

  counts(): CallbackCounts {
    return {
      done: this.#done.length - this.#doneFrom,
      wait: this.#wait?.callbacks.length ?? 0,
      nextReady: this.#nextReady?.callbacks.length ?? 0,
      next: this.#next.length,
    };
  }

  /** A new one always goes to NEXT: a grace period that was asked for before may have begun before what it waits for. */
  enqueue(callback: Callback): void {
    this.#next.push(callback);
    if (!callback.lazy) this.#urgent++;
  }

  /** Move on what is over, and ask for grace periods for what has none. */
  advance(periods: GracePeriods): void {
    this.#moveOver(periods);
    if (this.#next.length === 0 || this.#nextReady !== undefined) return;
    const callbacks = this.#next;
    // Emptied before the cookie is taken: who listens to the tracepoint of its start may register another, which must not join it.
    this.#next = [];
    this.#urgent = 0;
    this.#nextReady = { cookie: periods.start(), callbacks };
    this.#moveOver(periods);
  }

  #moveOver(periods: GracePeriods): void {
    if (this.#wait !== undefined && periods.isOver(this.#wait.cookie)) {
      this.#done = this.#done.slice(this.#doneFrom).concat(this.#wait.callbacks);
      this.#doneFrom = 0;
      this.#wait = undefined;
    }
    if (this.#wait !== undefined) return;
    this.#wait = this.#nextReady;
    this.#nextReady = undefined;
  }

  /** The next one whose grace period is over. */
  takeDone(): Callback | undefined {
    const callback = this.#done[this.#doneFrom];
    if (callback === undefined) {
      this.#done = [];
      this.#doneFrom = 0;
      return undefined;
    }
    this.#doneFrom++;
    return callback;
  }
}
